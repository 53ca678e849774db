use nexus_port::{BlockDevice, BlockOutcome};
use simkit::Disk;
use statefs::blocking::{self, sync};
use statefs::{
    APPEND_BYTES_MAX, Format, Found, Kind, PAYLOAD_BYTES, Quota, Refusal, Store, SyncId,
};

use crate::bed::{Bed, LIMITS, bytes, contents, new_disk, read_all};

#[test]
fn a_log_is_read_back_before_and_after_syncs_and_mounts() {
    let (mut disk, mut store) = new_disk();
    let log = store.create("log", 5000).unwrap();
    let all = bytes(4000, 1);
    for chunk in all.chunks(333) {
        store.append(log, chunk).unwrap();
    }
    assert_eq!(read_all(&store, &mut disk, "log").unwrap(), all);
    sync(&mut store, &mut disk).unwrap();
    assert_eq!(read_all(&store, &mut disk, "log").unwrap(), all);
    let mut store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(read_all(&store, &mut disk, "log").unwrap(), all);
    let log = store.find("log").unwrap();
    store.append(log, b"more").unwrap();
    let mut out = [0; 6];
    assert_eq!(blocking::read(&store, &mut disk, log, 3998, &mut out), Ok(6));
    assert_eq!(&out[2..], b"more");
    assert_eq!(store.locate(log, 4004, 1), Ok(Found::End));
    assert_eq!(store.locate(log, u32::MAX, u32::MAX), Ok(Found::End));
}

#[test]
fn what_is_not_synced_is_gone_after_a_cut_and_what_was_is_there() {
    let mut bed = Bed::new();
    bed.append("a", &bytes(700, 1)).unwrap();
    bed.sync().unwrap();
    let synced = bed.now.clone();
    bed.append("a", &bytes(700, 2)).unwrap();
    bed.append("b", b"x").unwrap();
    bed.drive().unwrap();
    let mut disk = bed.disk.cut(&[]);
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(contents(&store, &mut disk), synced);
}

#[test]
fn a_draft_is_seen_when_it_is_finished_and_replaces_what_had_its_name() {
    let (mut disk, mut store) = new_disk();
    store.replace("a", b"old").unwrap();
    sync(&mut store, &mut disk).unwrap();
    let draft = store.draft("a", 5000).unwrap();
    store.append(draft, b"new").unwrap();
    assert_eq!(read_all(&store, &mut disk, "a").unwrap(), b"old");
    assert_eq!(store.entry(draft).map(|entry| entry.len), Some(3));
    store.finish(draft).unwrap();
    assert_eq!(read_all(&store, &mut disk, "a").unwrap(), b"new");
    assert_eq!(store.finish(draft), Err(Refusal::Finished));
    assert_eq!(store.append(draft, b"x"), Err(Refusal::Finished));
    sync(&mut store, &mut disk).unwrap();
    let entry = store.entry(draft).unwrap();
    assert_eq!((entry.kind, entry.capacity as usize), (Kind::Whole, PAYLOAD_BYTES));
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(read_all(&store, &mut disk, "a").unwrap(), b"new");
}

#[test]
fn a_draft_that_is_not_finished_leaves_nothing() {
    let (mut disk, mut store) = new_disk();
    let free = store.free_sectors();
    let draft = store.draft("a", 5000).unwrap();
    store.append(draft, &bytes(3000, 1)).unwrap();
    sync(&mut store, &mut disk).unwrap();
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!((store.list("").count(), store.free_sectors()), (0, free));
}

#[test]
fn sectors_of_a_draft_that_was_given_up_are_free_after_a_sync_too() {
    let (mut disk, mut store) = new_disk();
    let free = store.free_sectors();
    let draft = store.draft("a", 5000).unwrap();
    store.delete(draft).unwrap();
    assert_eq!(store.free_sectors(), free - 10);
    sync(&mut store, &mut disk).unwrap();
    assert_eq!(store.free_sectors(), free);
    assert_eq!(store.sync(), Ok(store.synced()));
}

#[test]
fn sectors_of_a_deleted_file_are_free_when_the_deletion_is_durable() {
    let (mut disk, mut store) = new_disk();
    let free = store.free_sectors();
    let file = store.create("a", 5000).unwrap();
    sync(&mut store, &mut disk).unwrap();
    store.delete(file).unwrap();
    assert_eq!(store.delete(file), Err(Refusal::NotFound));
    store.sync().unwrap();
    let big = store.free_sectors() * PAYLOAD_BYTES as u32 + 1;
    assert_eq!(store.create("b", big), Err(Refusal::NoSpace { free: free - 10 }));
    blocking::drive(&mut store, &mut disk).unwrap();
    assert_eq!(store.free_sectors(), free);
    assert_eq!(store.locate(file, 0, 1), Err(Refusal::NotFound));
}

#[test]
fn a_deleted_file_is_never_taken_for_a_later_one() {
    let (mut disk, mut store) = new_disk();
    let old = store.replace("a", &bytes(600, 1)).unwrap();
    sync(&mut store, &mut disk).unwrap();
    let Ok(Found::Disk(span)) = store.locate(old, 0, 600) else { panic!("on the disk") };
    store.delete(old).unwrap();
    sync(&mut store, &mut disk).unwrap();
    for round in 0.. {
        if store.replace(&format!("fill/{round}"), &bytes(30_000, 2)).is_err() {
            break;
        }
        sync(&mut store, &mut disk).unwrap();
    }
    store.replace("a", &bytes(store.free_sectors() as usize * PAYLOAD_BYTES, 2)).unwrap();
    assert_eq!(store.free_sectors(), 0);
    sync(&mut store, &mut disk).unwrap();
    assert_eq!(store.locate(old, 0, 1), Err(Refusal::NotFound));
    let outcome = BlockDevice::carry_out(&mut disk, span.request());
    let BlockOutcome::Read(read) = outcome else { panic!("{outcome:?}") };
    assert!(span.pieces(read).all(|piece| piece.is_err()));
}

#[test]
fn files_are_listed_by_prefix_in_the_order_of_their_names() {
    let (_, mut store) = new_disk();
    for name in ["b/2", "a", "b/10", "c", "b"] {
        store.replace(name, b"").unwrap();
    }
    store.draft("b/0", 1).unwrap();
    let names = |store: &Store, prefix| {
        store.list(prefix).map(|entry| entry.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&store, ""), ["a", "b", "b/10", "b/2", "c"]);
    assert_eq!(names(&store, "b/"), ["b/10", "b/2"]);
    assert_eq!(names(&store, "b/2"), ["b/2"]);
    assert!(names(&store, "bb").is_empty());
}

#[test]
fn every_bound_is_refused_by_name_and_changes_nothing() {
    let (mut disk, mut store) = new_disk();
    assert_eq!(store.create("A", 1), Err(Refusal::BadName));
    let log = store.create("log", 1000).unwrap();
    assert_eq!(store.create("log", 1), Err(Refusal::Exists));
    let left = 2 * PAYLOAD_BYTES as u32;
    assert_eq!(store.append(log, &bytes(2000, 1)), Err(Refusal::Full { left }));
    assert_eq!(store.append(log, &vec![0; APPEND_BYTES_MAX + 1]), Err(Refusal::TooLong));
    assert_eq!(store.entry(log).unwrap().len, 0);
    let free = store.free_sectors();
    assert_eq!(store.create("big", 1_000_000), Err(Refusal::NoSpace { free }));
    for at in 1..LIMITS.open {
        store.create(&format!("log{at}"), 1).unwrap();
    }
    assert_eq!(store.create("x", 1), Err(Refusal::TooManyOpen));
    store.finish(log).unwrap();
    for at in LIMITS.open..LIMITS.files {
        store.replace(&format!("value{at}"), b"1").unwrap();
    }
    assert_eq!(store.create("x", 1), Err(Refusal::TooManyFiles));
    sync(&mut store, &mut disk).unwrap();
}

#[test]
fn a_store_that_is_not_driven_says_so_and_takes_more_afterwards() {
    let (mut disk, mut store) = new_disk();
    let log = store.create("log", 60_000).unwrap();
    store.append(log, &bytes(APPEND_BYTES_MAX, 1)).unwrap();
    assert_eq!(store.append(log, &bytes(2 * PAYLOAD_BYTES, 2)), Err(Refusal::Busy));
    blocking::drive(&mut store, &mut disk).unwrap();
    store.append(log, &bytes(2 * PAYLOAD_BYTES, 2)).unwrap();
    let value = store.replace("v", b"1").unwrap();
    let mut refused = store.delete(value);
    for _ in 0..100 {
        refused = store.replace("v", &bytes(2000, 1)).map(drop);
        blocking::drive(&mut store, &mut disk).unwrap();
        if refused.is_err() {
            break;
        }
    }
    assert!(matches!(refused, Err(Refusal::SyncFirst | Refusal::NoSpace { .. })), "{refused:?}");
    sync(&mut store, &mut disk).unwrap();
    store.replace("v", &bytes(2000, 1)).unwrap();
}

#[test]
fn a_quota_counts_all_that_its_files_have_reserved_until_their_deletion_is_durable() {
    let mut disk = new_disk().0;
    let quotas = [Quota { prefix: "a/", bytes: 10 * 512 }, Quota { prefix: "a/b", bytes: 4 * 512 }];
    let mut store = blocking::mount(&mut disk, &quotas).unwrap();
    let file = store.create("a/b1", 3 * 508).unwrap();
    assert_eq!(store.create("a/b2", 2 * 508), Err(Refusal::Quota { quota: 1, left: 512 }));
    store.create("a/c", 7 * 508).unwrap();
    assert_eq!(store.create("a/d", 1), Err(Refusal::Quota { quota: 0, left: 0 }));
    store.create("c", 20 * 508).unwrap();
    assert_eq!((store.used(0), store.used(1), store.used(2)), (Some(5120), Some(1536), None));
    store.delete(file).unwrap();
    assert_eq!(store.create("a/d", 1), Err(Refusal::Quota { quota: 0, left: 0 }));
    sync(&mut store, &mut disk).unwrap();
    store.create("a/d", 508).unwrap();
    let store = blocking::mount(&mut disk, &quotas).unwrap();
    assert_eq!((store.used(0), store.used(1)), (Some(3584), Some(0)));
}

#[test]
fn a_sync_without_news_writes_nothing_and_one_asked_for_meanwhile_follows() {
    let (mut disk, mut store) = new_disk();
    let requests = disk.requests();
    assert_eq!(store.sync(), Ok(store.synced()));
    blocking::drive(&mut store, &mut disk).unwrap();
    assert_eq!(disk.requests(), requests);
    let log = store.create("log", 1000).unwrap();
    assert_eq!(store.sync(), Ok(SyncId(2)));
    assert_eq!(store.sync(), Ok(SyncId(2)));
    store.append(log, b"1").unwrap();
    assert_eq!(store.sync(), Ok(SyncId(3)));
    assert_eq!(store.sync(), Ok(SyncId(3)));
    blocking::drive(&mut store, &mut disk).unwrap();
    assert_eq!((store.synced(), store.sync()), (SyncId(3), Ok(SyncId(3))));
}

#[test]
fn a_store_refuses_work_before_it_is_mounted() {
    let store = new_disk().1;
    let mut store = Store::new(*store.disk_format(), &[]);
    assert_eq!(store.create("a", 1), Err(Refusal::NotReady));
    assert_eq!(store.sync(), Err(Refusal::NotReady));
    assert_eq!(store.next_io(), None);
    store.mount();
    assert_eq!(store.create("a", 1), Err(Refusal::NotReady));
    assert!(store.next_io().is_some());
    assert_eq!(store.next_io(), None, "one request at a time");
}

#[test]
fn the_place_of_one_log_among_the_growing_is_taken_over_by_another_within_one_sync() {
    let (mut disk, mut store) = new_disk();
    let names = ["a", "b", "c", "d", "e"];
    for name in names.iter().take(usize::from(LIMITS.open)) {
        store.create(name, 1).unwrap();
    }
    let first = store.replace("first", b"").err();
    assert_eq!(first, Some(Refusal::TooManyOpen));
    store.finish(store.find("a").unwrap()).unwrap();
    store.delete(store.find("a").unwrap()).unwrap();
    sync(&mut store, &mut disk).unwrap();
    store.create("a", 1).unwrap();
    sync(&mut store, &mut disk).unwrap();
    store.finish(store.find("a").unwrap()).unwrap();
    store.delete(store.find("a").unwrap()).unwrap();
    let last = store.find("d").unwrap();
    store.delete(last).unwrap();
    store.create("e", 1).unwrap();
    store.create("f", 1).unwrap();
    sync(&mut store, &mut disk).unwrap();
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(store.list("").count(), 4);
}

#[test]
fn what_is_appended_while_a_write_is_under_way_is_written_after_it() {
    let (mut disk, mut store) = new_disk();
    let log = store.create("log", 9000).unwrap();
    let all = bytes(5 * PAYLOAD_BYTES, 1);
    let (first, rest) = all.split_at(PAYLOAD_BYTES + 1);
    store.append(log, first).unwrap();
    let request = store.next_io().unwrap();
    assert_eq!(BlockDevice::carry_out(&mut disk, request), BlockOutcome::Done);
    store.append(log, rest).unwrap();
    assert_eq!(read_all(&store, &mut disk, "log").unwrap(), all);
    store.complete(BlockOutcome::Done);
    sync(&mut store, &mut disk).unwrap();
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(read_all(&store, &mut disk, "log").unwrap(), all);
}

#[test]
fn a_store_goes_on_with_a_device_that_was_formatted_another_time() {
    let (mut disk, mut store) = new_disk();
    store.create("old", 100).unwrap();
    blocking::sync(&mut store, &mut disk).unwrap();
    let mut other = Disk::new(LIMITS.sectors);
    drop(blocking::format(&mut other, LIMITS, &[]).unwrap());
    let mut writer = blocking::format(&mut other, LIMITS, &[]).unwrap();
    writer.replace("new", b"value").unwrap();
    blocking::sync(&mut writer, &mut other).unwrap();
    store.adopt(*writer.disk_format());
    store.mount();
    blocking::drive(&mut store, &mut other).unwrap();
    assert_eq!((store.find("old"), store.synced()), (None, writer.synced()));
    assert_eq!(read_all(&store, &mut other, "new").unwrap(), b"value");
    let blank = Format::new(LIMITS, 1).unwrap();
    let mut third = Disk::new(LIMITS.sectors);
    store.adopt(blank);
    store.format();
    blocking::drive(&mut store, &mut third).unwrap();
    assert_eq!(third.image(), new_disk().0.image(), "as a new store would have");
}

#[test]
fn a_number_of_a_run_that_is_on_the_disk_is_never_given_again() {
    let mut bed = Bed::new();
    let mut last = bed.store.run();
    for round in 0..40 {
        if round % 3 == 0 {
            bed.replace("a", b"1").unwrap();
            bed.sync().unwrap();
        }
        let mut disk = bed.disk.cut(&[]);
        let store = blocking::mount(&mut disk, &[]).unwrap();
        bed = Bed::of(disk, store);
        assert_eq!(bed.store.run() > last, round % 3 == 0, "{round}");
        assert!(bed.store.run() >= last);
        last = bed.store.run();
    }
}
