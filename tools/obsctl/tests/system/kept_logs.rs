//! What logd has kept, read without it.

use nexus_abi::ServiceId;
use nexus_retention::journal::{BYTES_MAX, Item, Kept};
use nexus_wire::logs::ClockAnchor;
use nexus_wire::{Fields, Level, RecordId};
use serde_json::{Value as Json, json};

use crate::kept::{Machine, image_of, log};
use crate::support::text;

const SECOND: u64 = 1_000_000_000;

/// When boots 1 and 2 began, seconds of the calendar.
const BEGAN: [u64; 2] = [1_700_000_000, 1_700_100_000];

fn bytes(item: &Item<'_>) -> Vec<u8> {
    item.write(&mut [0; BYTES_MAX]).to_vec()
}

fn anchor(boot: u32) -> Vec<u8> {
    let wall_ns = BEGAN[boot as usize - 1] * SECOND;
    bytes(&Item::Anchor(ClockAnchor { boot, mono_ns: 0, wall_ns }))
}

/// One record a second; those with even numbers are errors of execd's.
fn record(boot: u32, id: u64) -> Vec<u8> {
    let is_even = id.is_multiple_of(2);
    bytes(&Item::Record(Kept {
        boot,
        id: RecordId(id),
        at_ns: id * SECOND,
        service: ServiceId::from_name(if is_even { "execd" } else { "timed" }).raw(),
        level: if is_even { Level::Error } else { Level::Info },
        scope: if is_even { "disk" } else { "clock" },
        message: &format!("what {id} of boot {boot}"),
        fields: Fields::parse(b"k=v\n").unwrap(),
    }))
}

/// Boot 1 lost its records 4 and 5 and ended in order; boot 2 was cut off.
pub(crate) fn records() -> Vec<Vec<u8>> {
    let first = [1, 2, 3, 6].map(|id| record(1, id));
    let second = (1..=4).map(|id| record(2, id));
    let mut all = vec![anchor(1)];
    all.extend(first);
    all.push(bytes(&Item::End { boot: 1 }));
    all.push(anchor(2));
    all.extend(second);
    all
}

fn machine(records: &[Vec<u8>]) -> Machine {
    Machine::of("logd", image_of("logd", &[("wal.00".to_owned(), log(records))]))
}

/// Boot and number of what is shown, gaps as the negative of their count.
pub(crate) fn shown(lines: &[Json]) -> Vec<(u64, i64)> {
    let all = lines.iter().filter(|line| line["kind"] != json!("restart"));
    let one = |line: &Json| {
        let count = line["fields"]["count"].as_str().map(|count| count.parse::<i64>().unwrap());
        let id = line["id"].as_i64().unwrap();
        let is_gap = line["kind"] == json!("gap");
        (line["boot"].as_u64().unwrap(), if is_gap { -count.unwrap() } else { id })
    };
    all.map(one).collect()
}

/// A span of metricsd's records, called after its boot.
fn span(boot: u32) -> Vec<u8> {
    let fields = format!(
        "dur_ns=5\nname=of_{boot}\norigin=0\nparent=0\nspan=7\nstart_ns=9\nstatus=ok\n\
         trace={boot}.1.0000000000000007\n"
    );
    bytes(&Item::Record(Kept {
        boot,
        id: RecordId(9),
        at_ns: 9 * SECOND,
        service: ServiceId::from_name("metricsd").raw(),
        level: Level::Info,
        scope: "spans",
        message: "a span",
        fields: Fields::parse(fields.as_bytes()).unwrap(),
    }))
}

#[test]
fn spans_are_those_of_the_newest_boot_or_of_the_one_asked_for() {
    let records = [anchor(1), span(1), bytes(&Item::End { boot: 1 }), anchor(2), span(2)];
    let machine = machine(&records);
    let ask = |args: &[&str]| {
        let (_, lines) = machine.json(&[&["spans"], args].concat());
        let spans = lines.iter().filter_map(|line| line["name"].as_str().map(str::to_owned));
        spans.collect::<Vec<_>>()
    };
    for newest in [&[][..], &["-b"], &["-b", "2"]] {
        assert_eq!(ask(newest), ["of_2"]);
    }
    for before in [["-b", "-1"], ["--boot", "1"]] {
        assert_eq!(ask(&before), ["of_1"]);
    }
}

#[test]
fn the_newest_boot_is_shown_and_others_are_asked_for() {
    let machine = machine(&records());
    let ask = |args: &[&str]| shown(&machine.json(&[&["logs"], args].concat()).1);
    let (one, two) = ([(1, 1), (1, 2), (1, 3), (1, -2), (1, 6)], [(2, 1), (2, 2), (2, 3), (2, 4)]);
    let cut = [(2, 0)];
    assert_eq!(ask(&[]), [&two[..], &cut].concat());
    assert_eq!(ask(&["-b"]), ask(&[]));
    assert_eq!(ask(&["-b", "-1"]), one);
    assert_eq!(ask(&["--boot", "1"]), one);
    assert_eq!(ask(&["-b", "all"]), [&one[..], &two, &cut].concat());
    let newest_first = ask(&["-b", "all", "-r"]);
    assert_eq!(newest_first.into_iter().rev().collect::<Vec<_>>(), ask(&["-b", "all"]));
    assert_eq!(ask(&["-b", "all", "-n", "7"]), [&one[3..], &two, &cut].concat());
    assert_eq!(ask(&["-b", "-1", "-n", "2"]), one[3..]);
    assert_eq!(ask(&["--after-cursor", "1:3"]), ask(&["-b", "all", "-n", "7"]));
}

#[test]
fn filters_choose_as_they_do_of_a_daemon_and_gaps_are_always_told() {
    let machine = machine(&records());
    let ask = |args: &[&str]| shown(&machine.json(&[&["logs", "-b", "all"], args].concat()).1);
    let errors = [(1, 2), (1, -2), (1, 6), (2, 2), (2, 4), (2, 0)];
    for filter in [["-p", "error"], ["-u", "execd"], ["--scope", "di"]] {
        assert_eq!(ask(&filter), errors, "{filter:?}");
    }
    assert_eq!(ask(&["--field", "k=v", "-p", "error"]), errors);
    assert_eq!(ask(&["--field", "k=w"]), [(1, -2), (2, 0)]);
    let output = machine.run(&["logs", "-b", "7", "-u", "unheard", "--state-dir", machine.dir()]);
    assert!(text(&output.stderr).contains("no sender is known as unheard"));
}

#[test]
fn each_boot_has_its_own_calendar_in_which_times_are_asked_for() {
    let machine = machine(&records());
    let (_, lines) = machine.json(&["logs", "-b", "all"]);
    assert_eq!(lines[0]["time"], json!("2023-11-14T22:13:21Z"), "{}", lines[0]);
    let second = lines.iter().find(|line| line["boot"] == json!(2)).unwrap();
    assert_eq!(lines.iter().find(|line| line["kind"] == json!("restart")).unwrap()["boot"], 2);
    let second = lines.iter().filter(|line| line["boot"] == second["boot"]).nth(1).unwrap();
    assert_eq!(second["time"], json!("2023-11-16T02:00:01Z"), "{second}");
    let ask = |args: &[&str]| shown(&machine.json(&[&["logs", "-b", "all"], args].concat()).1);
    // The third second of boot 1, whose records are all before those of boot 2.
    let since = ask(&["--since", "2023-11-14T22:13:23Z"]);
    assert_eq!(since[..2], [(1, 3), (1, -2)]);
    assert_eq!(since.len(), 8);
    assert_eq!(ask(&["--until", "2023-11-14T22:13:22Z"]), [(1, 1), (1, 2)]);
    assert_eq!(ask(&["--since", "-1s"]), [(2, 3), (2, 4), (2, 0)], "before the newest kept");
}

#[test]
fn boots_are_listed_with_their_times() {
    let machine = machine(&records());
    let (code, lines) = machine.json(&["logs", "--list-boots"]);
    let of = |line: &Json| {
        let number = |key| line[key].as_i64().unwrap();
        (number("index"), number("boot"), number("first_id"), number("last_id"))
    };
    let boots: Vec<_> = lines.iter().map(of).collect();
    assert_eq!((code, boots), (Some(0), vec![(-1, 1, 1, 6), (0, 2, 1, 4)]));
    assert_eq!(lines[0]["first"], json!("2023-11-14T22:13:21Z"));
    let image = machine.image.to_str().unwrap();
    let output = machine.run(&["logs", "--list-boots", "--image", image]);
    let out = text(&output.stdout);
    let head: Vec<_> = out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["IDX", "BOOT", "FIRST", "RECORD", "LAST", "RECORD"]);
    assert!(out.lines().count() == 3 && out.contains("-1     1"), "{out}");
}

#[test]
fn what_makes_no_sense_of_files_is_said() {
    let machine = machine(&records());
    let dir = machine.dir().to_owned();
    for (args, says) in [
        (&["logs", "-f"][..], "not for what is still to come"),
        (&["spans", "-f"], "not for what is still to come"),
        (&["logs", "-b", "-2"], "no boot 2 before the newest"),
        (&["logs", "-b", "some"], "a boot is a number"),
        (&["spans", "-b", "-2"], "no boot 2 before the newest"),
        (&["spans", "-b", "all"], "spans are shown of one boot at a time"),
    ] {
        let output = machine.run(&[args, &["--state-dir", &dir]].concat());
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(says), "{args:?}: {error}");
    }
    let empty = Machine::of("logd", image_of("logd", &[]));
    let output = empty.run(&["logs", "--state-dir", empty.dir()]);
    assert!(text(&output.stderr).contains("logd has kept nothing there"));
    let (code, lines) = machine.json(&["logs", "-b", "7"]);
    assert_eq!((code, lines.len()), (Some(0), 0));
}

#[test]
fn a_damaged_log_shows_the_rest_and_the_exit_status_tells() {
    let mut ring = log(&records());
    // A record of the first boot: the one behind its anchor.
    ring[512 + 100] ^= 1;
    let machine = Machine::of("logd", image_of("logd", &[("wal.00".to_owned(), ring)]));
    let (code, lines) = machine.json(&["logs", "-b", "all"]);
    assert_eq!(code, Some(1));
    let all = shown(&lines);
    assert!(!all.contains(&(1, 1)) && all.contains(&(2, 4)), "{all:?}");
    let (code, lines) = machine.json(&["fsck"]);
    assert!(code == Some(1) && lines[0].to_string().contains("logd/g1/wal"), "{lines:?}");
}

#[test]
fn of_one_that_is_in_use_it_is_not_said_that_it_was_cut_off() {
    use rustix::fs::{FlockOperation, flock};
    let machine = machine(&records());
    let writer = std::fs::OpenOptions::new().write(true).open(&machine.image).unwrap();
    flock(&writer, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (code, lines) = machine.json(&["logs"]);
    assert_eq!((code, shown(&lines).last()), (Some(0), Some(&(2, 4))));
}
