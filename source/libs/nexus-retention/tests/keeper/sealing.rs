//! The keeper over a real statefsd.

use std::rc::Rc;

use allocation_counter::measure;
use nexus_bounded::{Mono, Nanos};
use nexus_retention::Keep;
use nexus_retention::files::Trouble;
use nexus_retention::keeper::{Keeper, LastKept, Shelf, Unrolled};
use nexus_retention::manifest::Manifest;
use nexus_retention::recovery::{Say, Sealed, SegmentStep};
use nexus_retention::segment::END_BYTES_MAX;
use simkit::Disk;

use crate::keeping::{
    BYTES_MAX, Rig, SECTORS, STATEFSD, TIERS, Windows, limits, short_limits, windows_of,
};
use crate::oracle::{longer_windows_are_whole, rolled};

#[test]
fn what_is_recorded_is_kept_in_segments_and_in_memory() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 60);
    rig.seconds(62);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    let recorded = rig.known.borrow().recorded.clone();
    assert_eq!(rig.kept(), recorded);
    assert!(recorded.len() >= 59, "{}", recorded.len());
    assert!(rig.sealed(TIERS[0]).len() >= 48);
}

#[test]
fn a_start_waits_for_no_event_from_outside() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 0);
    rig.seconds(5);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
}

/// What has to be there of what was recorded: all from some window on, because the oldest go.
#[track_caller]
fn holds(kept: &Windows, recorded: &Windows) {
    for (at, window) in kept {
        assert_eq!(Some(window), recorded.get(at), "{at:?}");
    }
}

#[test]
fn longer_windows_are_what_their_parts_were() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 100);
    rig.seconds(102);
    let recorded = rig.known.borrow().recorded.clone();
    for (tier, ratio) in [(TIERS[1], 2), (TIERS[2], 4)] {
        let sealed = rig.sealed(tier);
        assert!(sealed.len() > 15, "{tier}: {}", sealed.len());
        let oracle = rolled(&recorded, ratio);
        for (at, window) in &sealed {
            assert_eq!(Some(window), oracle.get(at), "{tier}: {at:?}");
        }
    }
    assert_eq!(rig.keeper().store().unrolled(), Default::default());
}

#[test]
fn longer_windows_are_whole_where_segments_end_early_and_have_little_room() {
    let sizes = (2650..3000).step_by(50);
    for (segment_bytes, span) in sizes.flat_map(|bytes| [(bytes, 4), (bytes, 1024)]) {
        let (made, disk) = (short_limits(segment_bytes, span), Disk::new(SECTORS));
        let mut rig = Rig::with(Some(disk), 90, Keep::Files, made, Rc::default(), 0);
        rig.seconds(95);
        let raw = rig.sealed(TIERS[0]);
        let early = rig.keeper().store().shelves()[0].segments().iter();
        let early = early.filter(|sealed| !sealed.name.first.is_multiple_of(4)).count();
        assert!(early > 3 && early < raw.len(), "{segment_bytes}: {early}");
        let recorded = rig.known.borrow().recorded.clone();
        longer_windows_are_whole(&mut rig, &recorded);
        assert_eq!(rig.keeper().store().unrolled(), Unrolled::default(), "{segment_bytes}");
    }
}

#[test]
fn the_disk_never_has_more_than_its_limits_say() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 600);
    rig.seconds_within(600, BYTES_MAX);
    assert!(rig.keeper().store().counts().deleted.iter().all(|count| *count > 0));
    let recorded = rig.known.borrow().recorded.clone();
    let kept = rig.kept();
    holds(&kept, &recorded);
    assert!(kept.len() > 60);
    let skipped = rig.known.borrow().skipped;
    assert!(skipped < 3, "{skipped}");
}

/// A world that goes on with the disk of another one, as the second life.
fn next_life(rig: &mut Rig, keep: Keep, change: impl FnOnce(&mut Disk)) -> Rig {
    let mut disk = rig.world.disk(STATEFSD).cut(&[]);
    change(&mut disk);
    Rig::going_on(Some(disk), 20, keep, Rc::clone(&rig.known), 1)
}

#[test]
fn what_is_set_aside_is_not_read_and_the_next_generation_begins() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 40);
    rig.seconds(45);
    let before = rig.list("g1/");
    assert!(!before.is_empty());
    let mut rig = next_life(&mut rig, Keep::FilesAside, |_| {});
    rig.seconds(22);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    assert_eq!(rig.list("g1/"), before, "it stays for people to look at");
    assert!(rig.keeper().groups().all(|group| group.boot() == 2));
    assert!(rig.list("g2/raw.").iter().all(|name| name.starts_with("g2/raw.00000002.")));
    assert!(!rig.list("g2/raw.").is_empty());
}

#[test]
fn windows_that_are_too_old_go_by_the_time_with_power_on() {
    let mut rig = Rig::with_ttl(Some(Disk::new(SECTORS)), 200, Nanos::from_secs(30));
    rig.seconds(200);
    let oldest = |rig: &mut Rig, tier| *rig.sealed(tier).keys().next().unwrap();
    for (tier, ratio) in TIERS.into_iter().zip([1, 2, 4]) {
        let (_, first) = oldest(&mut rig, tier);
        // What is left ended within the last 30 s, and a segment spans eight windows.
        let ended = (first + 8) * ratio;
        assert!((165..=200).contains(&ended), "{tier}: {first}");
    }
    assert!(rig.keeper().store().counts().deleted.iter().all(|count| *count > 0));
}

#[test]
fn a_manifest_of_another_version_is_left_alone_with_all_there_is() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 20);
    rig.seconds(22);
    let mut manifest = rig.read("g1/manifest");
    manifest[8] = 9;
    let body = manifest.len() - 4;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&manifest[..body]);
    manifest[body..].copy_from_slice(&crc.to_le_bytes());
    rig.replace("g1/manifest", &manifest);
    let files = rig.list("g1/");
    let mut rig = next_life(&mut rig, Keep::Files, |_| {});
    rig.seconds(30);
    assert_eq!(rig.keeper().trouble(), Some(Trouble::Foreign));
    assert!(rig.keeper().decision().unwrap().is_refused);
    assert_eq!(rig.list("g1/"), files);
    assert_eq!(rig.read("g1/manifest"), manifest);
}

#[test]
fn the_next_life_knows_when_what_the_one_before_has_kept_ended() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 21);
    rig.seconds(25);
    assert_eq!(rig.keeper().before(), None);
    let mut rig = next_life(&mut rig, Keep::Files, |_| {});
    rig.seconds(5);
    let end = Mono(21_000_000_000);
    assert_eq!(rig.keeper().before(), Some(LastKept { boot: 1, end }));
}

#[test]
fn a_segment_is_named_in_the_manifest_before_the_log_gives_it_up() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 40);
    let mut sealed = 0;
    for _ in 0..42 {
        rig.seconds(1);
        if rig.keeper().store().is_idle() && !rig.list("g1/manifest").is_empty() {
            let manifest = Manifest::decode(&rig.read("g1/manifest")).unwrap();
            let named = manifest.tiers.map(|tier| tier.kept.map(|kept| kept.newest));
            let there = rig.keeper().store().shelves().each_ref().map(Shelf::newest);
            assert_eq!(named, there);
            sealed += usize::from(there.iter().all(Option::is_some));
        }
    }
    assert!(sealed > 5, "{sealed}");
}

#[test]
fn a_lost_manifest_is_written_anew() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 20);
    rig.seconds(22);
    rig.replace("g1/manifest", b"nothing of ours");
    let recorded = rig.known.borrow().recorded.clone();
    let mut rig = next_life(&mut rig, Keep::Files, |_| {});
    rig.seconds(5);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    let says = rig.keeper().decision().unwrap().says;
    assert!(says.contains(&Say::ManifestLost), "{says:?}");
    assert!(Manifest::decode(&rig.read("g1/manifest")).is_ok());
    let kept = rig.kept();
    holds(&kept, &rig.known.borrow().recorded.clone());
    assert!(recorded.keys().all(|at| kept.contains_key(at)));
}

/// The disk at the moment at which the first segment is durable, and its records lie in a file of
/// the log that is not full yet.
fn just_sealed(rig: &mut Rig) -> Disk {
    loop {
        while rig.world.round() {
            let store = rig.keeper().store();
            let [raw, ..] = store.counts().sealed;
            if raw == 1 && store.is_idle() {
                return rig.world.disk(STATEFSD).cut(&[]);
            }
        }
        assert!(rig.world.skip_ahead(Mono(60_000_000_000)), "a segment is sealed");
    }
}

#[test]
fn a_segment_that_is_damaged_is_sealed_again_while_the_log_has_it() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 60);
    let mut disk = just_sealed(&mut rig);
    let newest = rig.list("g1/raw.").pop().unwrap();
    let bytes = rig.read(&newest);
    let at = disk.image().windows(40).position(|window| window == &bytes[20..60]).unwrap();
    disk.flip(at, 1);
    let mut rig = Rig::going_on(Some(disk), 20, Keep::Files, Rc::clone(&rig.known), 1);
    rig.seconds(5);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    let decision = rig.keeper().decision().unwrap();
    assert_eq!(decision.segment, SegmentStep::SealAgain, "{decision:?}");
    assert!(windows_of(&rig.read(&newest)) == windows_of(&bytes), "it says again what it said");
    assert_eq!((rig.keeper().losses().windows, rig.keeper().losses().values), (0, 0));
    let kept = rig.kept();
    holds(&kept, &rig.known.borrow().recorded.clone());
    let before = kept.keys().filter(|(boot, _)| *boot == 1).count();
    assert!(before >= 8, "{before}");
}

#[test]
fn what_has_no_room_in_a_segment_is_counted_as_lost_and_the_rest_goes_on() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 7);
    rig.seconds(9);
    let disk = rig.world.disk(STATEFSD).cut(&[]);
    // The log has been written for larger segments.
    let mut small = limits();
    small.store.segment_bytes = END_BYTES_MAX as u32 + 60;
    let known = Rc::clone(&rig.known);
    let mut rig = Rig::with(Some(disk), 20, Keep::Files, small, known, 1);
    rig.seconds(40);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    let losses = *rig.keeper().losses();
    assert!(losses.windows >= 4, "{losses:?}");
    let kept = rig.kept();
    let recorded = rig.known.borrow().recorded.clone();
    holds(&kept, &recorded);
    let lost = recorded.len() - kept.len();
    assert!(lost as u64 <= losses.windows, "{lost}: {losses:?}");
}

#[test]
fn what_was_set_aside_goes_when_there_is_no_room_beside_it() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 400);
    rig.seconds(405);
    let disk = rig.world.disk(STATEFSD).cut(&[]);
    let mut rig = Rig::going_on(Some(disk), 400, Keep::FilesAside, Rc::clone(&rig.known), 1);
    rig.seconds(10);
    assert!(!rig.list("g1/").is_empty(), "it stays while there is room");
    rig.seconds(395);
    assert_eq!(rig.keeper().trouble(), None);
    assert!(rig.list("g1/").is_empty());
    assert_eq!(rig.keeper().settled().and_then(|settled| settled.older), None);
    assert!(rig.keeper().store().counts().dropped > 0);
    let recorded = rig.known.borrow().recorded.clone();
    let own = recorded.keys().filter(|(boot, _)| *boot == 2).count();
    assert!(own > 380, "{own}: ingest has gone on");
    let losses = rig.keeper().losses();
    assert_eq!((losses.windows, losses.values), (0, 0));
}

#[test]
fn a_segment_that_is_damaged_when_the_log_has_it_no_more_keeps_what_can_be_read() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 20);
    rig.seconds(22);
    let recorded = rig.known.borrow().recorded.clone();
    // The newest segment is damaged, and the log, which has released it, has it no more.
    let newest = rig.list("g1/raw.").pop().unwrap();
    let mut bytes = rig.read(&newest);
    let len = bytes.len();
    bytes[len / 3] ^= 1;
    rig.replace(&newest, &bytes);
    let mut rig = next_life(&mut rig, Keep::Files, |_| {});
    rig.seconds(5);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    assert_eq!(rig.keeper().store().newest_raw(), Sealed::Damaged);
    assert_eq!(rig.read(&newest), bytes, "what can be read of it stays");
    // All others are what they were, those that were in the log only among them.
    let whole: Vec<_> = rig.list("g1/raw.").into_iter().filter(|name| *name != newest).collect();
    let windows: usize = whole.iter().map(|name| windows_of(&rig.read(name)).len()).sum();
    assert!(windows + 8 >= recorded.len(), "{windows} of {}", recorded.len());
}

#[test]
fn a_keeper_takes_the_memory_that_its_limits_say() {
    let limits = limits();
    let mut keeper = None;
    let made = measure(|| keeper = Some(Keeper::new(limits, 1, Keep::Files)));
    let said = limits.memory() as u64;
    assert!(keeper.is_some());
    assert!(made.bytes_total <= said, "{} of {said}", made.bytes_total);
    assert!(made.bytes_total > said / 2, "{} of {said}", made.bytes_total);
}
