//! One life after another: what is there again, in which order, and how it is asked for.

use logd::{Keep, Logd};
use nexus_abi::ExitReason;
use nexus_port::BlockError;
use nexus_wire::logs::Search;
use nexus_wire::{Level, RecordId};
use simkit::Disk;

use crate::rig::{END, LOGD, Rig, SECTORS, STATEFSD, recipe};

#[test]
fn records_before_a_crash_are_there_after_it_with_their_boot_older_than_new_ones() {
    let mut rig = Rig::new();
    let ids = ["a", "b"].map(|message| rig.info(message));
    rig.seconds(10);
    rig.info("not synced");
    rig.cut(&[]);
    rig.info("c");
    let all = rig.all();
    let seen = |seen: &crate::rig::Seen| (seen.boot, seen.id, seen.message.clone());
    let expected = [
        (1, 1, "ready"),
        (1, ids[0], "a"),
        (1, ids[1], "b"),
        (1, ids[1] + 1, "lost in crash"),
        (2, 1, "ready"),
        (2, 2, "c"),
    ];
    let expected = expected.map(|(boot, id, message)| (boot, id, message.to_owned()));
    assert_eq!(all.iter().map(seen).collect::<Vec<_>>(), expected);
    assert!(all[3].is_gap && all[3].fields.contains("count=0"));
    let mut backward =
        rig.search(Search { boot: u32::MAX, backward: true, gaps: true, ..Search::ALL });
    backward.reverse();
    assert_eq!(backward, all);
    assert_eq!(rig.status("retention"), "ok");
    assert_eq!(rig.status("retention_recovered"), "3");
}

#[test]
fn one_boot_can_be_asked_for_and_whoever_names_none_gets_what_runs() {
    let mut rig = Rig::new();
    for life in 0..3 {
        rig.info(&format!("life {life}"));
        rig.seconds(10);
        rig.cut(&[]);
    }
    let messages = |rig: &mut Rig, search: Search<'_>| {
        let found = rig.search(Search { scope: "s", ..search });
        found.into_iter().map(|seen| (seen.boot, seen.message)).collect::<Vec<_>>()
    };
    let one = |boot, backward| Search { boot, id: END, one_boot: true, backward, ..Search::ALL };
    for backward in [false, true] {
        let found = messages(&mut rig, one(2, backward));
        assert_eq!(found, [(2, "life 1".to_owned())]);
        assert_eq!(messages(&mut rig, one(4, backward)), []);
        assert_eq!(messages(&mut rig, one(0, backward)), []);
    }
    assert_eq!(messages(&mut rig, Search::ALL), []);
    let behind = Search { boot: 1, id: RecordId(2), ..Search::ALL };
    let found = messages(&mut rig, behind);
    assert_eq!(found, [(2, "life 1".to_owned()), (3, "life 2".to_owned())]);
    let before = Search { boot: 2, id: RecordId(2), backward: true, ..Search::ALL };
    assert_eq!(messages(&mut rig, before), [(1, "life 0".to_owned())]);
}

#[test]
fn who_follows_a_cursor_sees_each_record_once_across_a_crash() {
    let mut rig = Rig::new();
    let mut cursor = (0, RecordId(0));
    let mut followed = Vec::new();
    for round in 0..30 {
        rig.append(Level::Error, &format!("{round}"));
        rig.seconds(1);
        if round % 7 == 6 {
            rig.cut(&[]);
        }
        if round % 3 == 0 {
            let (boot, id) = cursor;
            let found = rig.search(Search { boot, id, ..Search::ALL });
            cursor = found.last().map_or(cursor, |seen| (seen.boot, RecordId(seen.id)));
            followed.extend(found.into_iter().filter(|seen| seen.message != "ready"));
        }
    }
    let messages = followed.iter().map(|seen| seen.message.clone()).collect::<Vec<_>>();
    assert_eq!(messages, (0..28).map(|round| round.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_orderly_end_loses_nothing_and_says_nothing() {
    let mut rig = Rig::new();
    rig.info("last words");
    rig.world.stop(LOGD);
    rig.seconds(1);
    assert!(!rig.world.runs(LOGD));
    rig.cut(&[]);
    let all = rig.all();
    assert_eq!(
        all.iter().map(|seen| &*seen.message).collect::<Vec<_>>(),
        ["ready", "last words", "ready"]
    );
}

#[test]
fn an_orderly_end_before_the_files_are_read_loses_nothing() {
    let mut rig = Rig::new();
    rig.world.kill(LOGD, ExitReason::Killed(9));
    rig.world.pause(STATEFSD);
    rig.world.restart(LOGD);
    rig.info("last words");
    rig.world.stop(LOGD);
    rig.seconds(1);
    assert!(rig.world.runs(LOGD), "the disk may answer yet");
    rig.world.resume(STATEFSD);
    rig.seconds(1);
    assert!(!rig.world.runs(LOGD));
    rig.cut(&[]);
    assert_eq!(rig.messages(), ["last words"]);
}

#[test]
fn an_orderly_end_without_a_disk_waits_for_none() {
    let mut rig = Rig::on(None, |start| Logd::new(&recipe(), start.boot, Keep::Files));
    rig.info("last words");
    rig.world.stop(LOGD);
    rig.seconds(1);
    assert!(!rig.world.runs(LOGD));
}

#[test]
fn an_error_is_durable_at_once_and_a_flood_of_them_once_a_second() {
    let mut rig = Rig::new();
    rig.append(Level::Error, "at once");
    rig.world.settle();
    rig.cut(&[]);
    assert_eq!(rig.messages(), ["at once"]);
    let flushes = rig.disk().flushes();
    for _ in 0..20 {
        rig.append(Level::Error, "flood");
    }
    rig.world.settle();
    assert!(rig.disk().flushes() - flushes <= 3);
    rig.seconds(1);
    rig.cut(&[]);
    assert_eq!(rig.messages().len(), 21);
}

#[test]
fn a_boot_number_that_was_used_before_is_not_used_again() {
    let logd = |_: simkit::Start| Logd::new(&recipe(), 1, Keep::Files);
    let mut rig = Rig::on(Some(Disk::new(SECTORS)), logd);
    for life in 0..3 {
        rig.info(&format!("{life}"));
        rig.seconds(10);
        rig.cut(&[]);
    }
    let found = rig.search(Search { boot: 1, scope: "s", ..Search::ALL });
    let found = found.into_iter().map(|seen| (seen.boot, seen.message)).collect::<Vec<_>>();
    assert_eq!(found, [(1, "0".to_owned()), (2, "1".to_owned()), (3, "2".to_owned())]);
    assert_eq!(rig.status("boot"), "4");
}

#[test]
fn clock_anchors_of_former_lives_are_there_again() {
    let mut rig = Rig::new();
    rig.seconds(10);
    rig.cut(&[]);
    let anchors = rig.anchors();
    assert_eq!(anchors.iter().map(|(boot, _)| *boot).collect::<Vec<_>>(), [1, 2]);
    assert!(anchors[0].1 >= 1_700_000_000_000_000_000);
}

#[test]
fn memory_holds_the_newest_of_former_lives_and_new_records_push_them_out() {
    let mut rig = Rig::new();
    for number in 0..200 {
        rig.info(&format!("old {number}"));
        if number % 10 == 9 {
            rig.seconds(10);
        }
    }
    rig.cut(&[]);
    let old = rig.messages();
    assert!((20..64).contains(&old.len()), "{}", old.len());
    let first = 200 - old.len();
    assert_eq!(old, (first..200).map(|number| format!("old {number}")).collect::<Vec<_>>());
    for number in 0..63 {
        rig.info(&format!("new {number}"));
    }
    let all = rig.messages();
    assert!(all.len() <= 64 && all.ends_with(&["new 62".to_owned()]));
    assert!(all.iter().any(|message| message == "new 0"));
    assert_eq!(rig.status("dropped"), "0", "none of this life had to go");
}

#[test]
fn what_is_suspected_is_set_aside_unread() {
    let mut rig = Rig::new();
    rig.info("suspected");
    rig.seconds(10);
    let disk = rig.disk().clone();
    let make = |start: simkit::Start| {
        let keep = if start.boot == 1 { Keep::FilesAside } else { Keep::Files };
        Logd::new(&recipe(), start.boot + 1, keep)
    };
    let mut rig = Rig::on(Some(disk), make);
    assert_eq!(rig.messages(), [] as [&str; 0]);
    assert_eq!(rig.status("retention_generation"), "2");
    assert_eq!(rig.status("retention_set_aside"), "1");
    rig.info("fresh");
    rig.seconds(10);
    rig.cut(&[]);
    assert_eq!(rig.messages(), ["fresh"]);
    assert_eq!(rig.status("retention_generation"), "2");
}

#[test]
fn who_keeps_nothing_calls_nobody() {
    let logd = |start: simkit::Start| Logd::new(&recipe(), start.boot, Keep::Nothing);
    let mut rig = Rig::on(Some(Disk::new(SECTORS)), logd);
    let requests = rig.disk().requests();
    rig.append(Level::Error, "a");
    rig.seconds(100);
    assert_eq!(rig.disk().requests(), requests);
    assert_eq!(rig.status("retention"), "off");
    rig.cut(&[]);
    assert_eq!(rig.messages(), [] as [&str; 0]);
}

#[test]
fn a_record_is_told_to_be_durable_once_it_is() {
    let mut rig = Rig::new();
    let durable = |rig: &mut Rig| rig.status("retention_durable").parse::<u64>().unwrap();
    let id = rig.info("a");
    assert!(durable(&mut rig) < id);
    rig.seconds(10);
    assert_eq!(durable(&mut rig), id);
    let disk = rig.world.disk(STATEFSD);
    disk.fail(disk.requests(), u64::MAX, BlockError::Io);
    rig.info("b");
    rig.seconds(10);
    assert_eq!(durable(&mut rig), id);
}
