//! The tape of a run makes metricsd write the same files again.

use sim::taped::{Recorded, play_simulated, record};
use tape::{Player, Stream, altered, whole};

/// The files as they were handed to statefsd: the last of each name.
fn last_streams<S: nexus_port::Service>(player: &Player<S>) -> Vec<(String, u64, u64)> {
    let streams = player.prints().streams();
    let of = |stream: &Stream| {
        let (bytes, hash) = stream.value();
        (stream.name().to_owned(), bytes, hash)
    };
    let last = |at: usize| streams[at + 1..].iter().all(|s| s.name() != streams[at].name());
    (0..streams.len()).filter(|at| last(*at)).map(|at| of(&streams[at])).collect()
}

#[test]
fn a_tape_makes_the_same_log_and_segments_again() {
    let Recorded { entries, files } = record();
    let (streams, lines) = play_simulated(&whole(&entries), last_streams);
    assert!(lines.last().unwrap().ends_with(" events, 0 files unseen"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("fit no more")), "{lines:?}");
    let sealed = |kind: &str| files.keys().filter(|name| name.contains(kind)).count();
    let tiers = ["/raw.", "/500ms.", "/1s.", "/wal."].map(sealed);
    assert!(tiers.iter().all(|count| *count > 0), "{tiers:?} of {:?}", files.keys());
    for (name, bytes) in files.iter().filter(|(name, _)| !name.contains("/wal.")) {
        let (_, length, hash) = streams.iter().find(|(of, ..)| of == name).unwrap();
        assert_eq!((*length, *hash), (bytes.len() as u64, Stream::hash_of(bytes)), "{name}");
    }
    println!("{} bytes of tape, {}", entries.len(), lines.last().unwrap());
}

#[test]
fn the_same_run_has_the_same_tape_and_an_altered_one_makes_other_files() {
    let first = record().entries;
    assert_eq!(first, record().entries);
    let lines = |entries: &[u8], word: &str| {
        let lines = play_simulated(&whole(entries), |_| ()).1;
        let some = lines.into_iter().filter(|line| line.contains(word));
        some.collect::<Vec<_>>()
    };
    let other = altered(&first, 100).unwrap();
    for word in ["/wal.", "/raw.", "calls for files"] {
        assert_ne!(lines(&first, word), lines(&other, word), "{word}");
    }
}

#[test]
fn what_is_no_tape_is_refused() {
    let lines = |bytes: &[u8]| play_simulated(bytes, |_| ()).1;
    assert_eq!(lines(&[0; 32 << 10]), ["tape: the disk holds no tape, after 0 events"]);
    let mut cut = whole(&record().entries);
    cut.truncate(32 << 10);
    assert!(lines(&cut)[0].starts_with("tape: the disk cannot be read, after "));
}
