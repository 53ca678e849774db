use nexus_wire::{FILE_BYTES_MAX, FileKind, FileStatus};

use crate::rig::{Rig, bytes, draft, file};

#[test]
fn a_blank_disk_is_formatted_and_ready() {
    let mut rig = Rig::new();
    assert_eq!(rig.lines(), ["statefsd: 0 files as of sync 1", "statefsd: ready"]);
    let hello = rig.hello(rig.metricsd).unwrap();
    assert_eq!((hello.quota, hello.used, hello.refused), (48 * 1024, 0, 0));
    assert!(hello.free >= 80 * 1024);
}

#[test]
fn a_log_is_read_back_from_memory_and_from_the_disk() {
    let mut rig = Rig::new();
    let (me, all) = (rig.metricsd, bytes(9000, 1));
    assert_eq!(rig.create(me, "wal/1", 10_000), FileStatus::Ok);
    for (piece, at) in all.chunks(700).zip((0..).step_by(700)) {
        assert_eq!(rig.append(me, file("wal/1"), at, piece), FileStatus::Ok);
    }
    assert_eq!(rig.read(me, "wal/1").unwrap(), all);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    rig.cut(&[]);
    assert_eq!(rig.read(me, "wal/1").unwrap(), all);
    let stat = rig.stat(me, file("wal/1")).unwrap();
    assert_eq!((stat.kind, stat.len), (FileKind::Log, 9000));
    let (_, piece) = rig.read_at(me, "wal/1", 510, u16::MAX).unwrap();
    assert_eq!(piece, all[510..510 + piece.len()]);
    assert!(piece.len() > FILE_BYTES_MAX - 508, "a frame is filled where the disk has it");
    assert_eq!(rig.read_at(me, "wal/1", 9000, 10).unwrap(), (9000, vec![]));
    assert_eq!(rig.read_at(me, "wal/1", u32::MAX, 10).unwrap(), (9000, vec![]));
    assert_eq!(rig.read_at(me, "wal/2", 0, 10), Err(FileStatus::NotFound));
}

#[test]
fn a_repeated_append_adds_nothing() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    assert_eq!(rig.create(me, "log", 100), FileStatus::Ok);
    assert_eq!(rig.append(me, file("log"), 0, b"abc"), FileStatus::Ok);
    assert_eq!(rig.append(me, file("log"), 0, b"abc"), FileStatus::Conflict);
    assert_eq!(rig.append(me, file("log"), 4, b"abc"), FileStatus::Conflict);
    assert_eq!(rig.read(me, "log").unwrap(), b"abc");
}

#[test]
fn a_log_takes_what_it_has_reserved_until_it_is_finished() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    assert_eq!(rig.create(me, "log", 600), FileStatus::Ok);
    assert_eq!(rig.create(me, "log", 600), FileStatus::Exists);
    assert_eq!(rig.append(me, file("log"), 0, &bytes(1017, 1)), FileStatus::Full);
    assert_eq!(rig.append(me, file("log"), 0, &bytes(600, 1)), FileStatus::Ok);
    assert_eq!(rig.finish(me, file("log")), FileStatus::Ok);
    assert_eq!(rig.append(me, file("log"), 600, b"x"), FileStatus::Finished);
    assert_eq!(rig.finish(me, file("log")), FileStatus::Finished);
    assert_eq!(rig.read(me, "log").unwrap(), bytes(600, 1));
    assert_eq!(rig.stat(me, file("log")).unwrap().kind, FileKind::Whole);
    assert_eq!(rig.finish(me, file("other")), FileStatus::NotFound);
}

#[test]
fn a_draft_is_seen_by_its_name_when_it_is_finished_and_takes_the_place_of_the_file() {
    let mut rig = Rig::new();
    let (me, all) = (rig.metricsd, bytes(5000, 3));
    assert_eq!(rig.replace(me, "seg/1", b"old"), FileStatus::Ok);
    assert_eq!(rig.begin_draft(me, "seg/1", 6000), FileStatus::Ok);
    assert_eq!(rig.append(me, draft("seg/1"), 0, &all[..4000]), FileStatus::Ok);
    assert_eq!(rig.append(me, draft("seg/1"), 4000, &all[4000..]), FileStatus::Ok);
    assert_eq!(rig.append(me, file("seg/1"), 3, b"x"), FileStatus::Finished);
    assert_eq!(rig.read(me, "seg/1").unwrap(), b"old");
    assert_eq!(rig.stat(me, draft("seg/1")).unwrap().len, 5000);
    assert_eq!(rig.finish(me, draft("seg/1")), FileStatus::Ok);
    assert_eq!(rig.read(me, "seg/1").unwrap(), all);
    assert_eq!(rig.stat(me, draft("seg/1")), Err(FileStatus::NotFound));
    assert_eq!(rig.list(me, ""), ["seg/1"]);
}

#[test]
fn a_draft_begun_again_begins_with_nothing() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    for _ in 0..20 {
        assert_eq!(rig.begin_draft(me, "seg", 6000), FileStatus::Ok);
        assert_eq!(rig.append(me, draft("seg"), 0, b"abc"), FileStatus::Ok);
        assert_eq!(rig.sync(me), FileStatus::Ok);
    }
    assert_eq!(rig.delete(me, draft("seg")), FileStatus::Ok);
    assert_eq!(rig.append(me, draft("seg"), 3, b"abc"), FileStatus::NotFound);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    assert_eq!(rig.hello(me).unwrap().used, 0);
}

#[test]
fn files_are_listed_in_order_page_by_page_below_a_prefix() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    for name in ["raw/2", "raw/10", "raw", "rawer", "a", "z/z"] {
        assert_eq!(rig.replace(me, name, b"x"), FileStatus::Ok);
    }
    assert_eq!(rig.list(me, ""), ["a", "raw", "raw/10", "raw/2", "rawer", "z/z"]);
    assert_eq!(rig.list(me, "raw/"), ["raw/10", "raw/2"]);
    assert_eq!(rig.list(me, "raw/1"), ["raw/10"]);
    assert!(rig.list(me, "b").is_empty());
}

#[test]
fn services_do_not_see_each_others_files() {
    let mut rig = Rig::new();
    let (one, other) = (rig.metricsd, rig.logd);
    assert_eq!(rig.replace(one, "x", b"one"), FileStatus::Ok);
    assert_eq!(rig.replace(other, "x", b"other"), FileStatus::Ok);
    assert_eq!(rig.begin_draft(one, "y", 100), FileStatus::Ok);
    assert_eq!(rig.append(other, draft("y"), 0, b"foreign"), FileStatus::NotFound);
    assert_eq!(
        (rig.read(one, "x").unwrap(), rig.read(other, "x").unwrap()),
        (b"one".into(), b"other".into())
    );
    assert_eq!(rig.read(other, "metricsd/x"), Err(FileStatus::NotFound));
    assert_eq!(rig.delete(other, file("x")), FileStatus::Ok);
    assert_eq!((rig.list(one, ""), rig.list(other, "")), (vec!["x".to_owned()], vec![]));
    let names = rig.service().store().list("").map(|entry| entry.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["metricsd/x"]);
}

#[test]
fn a_share_ends_at_its_bytes_and_leaves_the_others_theirs() {
    let mut rig = Rig::new();
    let (one, other) = (rig.metricsd, rig.logd);
    assert_eq!(rig.create(one, "big", 48 * 1024), FileStatus::OverQuota);
    assert_eq!(rig.create(one, "big", 94 * 508), FileStatus::Ok);
    assert_eq!(rig.replace(one, "more", &bytes(1500, 1)), FileStatus::OverQuota);
    assert_eq!(rig.create(other, "big", 64 * 508), FileStatus::Ok);
    assert_eq!(rig.delete(one, file("big")), FileStatus::Ok);
    assert_eq!(rig.create(one, "big", 94 * 508), FileStatus::OverQuota, "free with the next sync");
    assert_eq!(rig.sync(one), FileStatus::Ok);
    assert_eq!(rig.create(one, "big", 94 * 508), FileStatus::Ok);
    let hello = rig.hello(one).unwrap();
    assert_eq!((hello.used, hello.refused), (94 * 512, 3));
}

#[test]
fn a_share_ends_at_its_files_and_leaves_the_others_theirs() {
    let mut rig = Rig::new();
    let (one, other) = (rig.metricsd, rig.logd);
    for at in 0..3 {
        assert_eq!(rig.create(one, &format!("log{at}"), 100), FileStatus::Ok);
    }
    assert_eq!(rig.create(one, "log3", 100), FileStatus::OverQuota);
    assert_eq!(rig.begin_draft(one, "draft", 100), FileStatus::OverQuota);
    for at in 0..5 {
        assert_eq!(rig.replace(one, &format!("value{at}"), b"x"), FileStatus::Ok);
    }
    assert_eq!(rig.replace(one, "value5", b"x"), FileStatus::OverQuota);
    assert_eq!(rig.replace(one, "value4", b"y"), FileStatus::Ok, "instead of one that is there");
    for at in 0..3 {
        assert_eq!(rig.create(other, &format!("log{at}"), 100), FileStatus::Ok);
    }
    assert_eq!(rig.replace(other, "value", b"x"), FileStatus::Ok);
}

#[test]
fn drafts_go_with_the_life_that_made_them() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    for at in 0..3 {
        assert_eq!(rig.begin_draft(me, &format!("seg{at}"), 1000), FileStatus::Ok);
    }
    rig.world.renew(me, nexus_abi::ExitReason::Killed(9));
    for at in 0..3 {
        assert_eq!(rig.begin_draft(me, &format!("new{at}"), 1000), FileStatus::Ok);
    }
    assert_eq!(rig.append(me, draft("seg0"), 0, b"x"), FileStatus::NotFound);
}
