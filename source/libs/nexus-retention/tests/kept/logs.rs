//! A log in files: what comes back, what goes, and how much of the disk it takes.

use nexus_retention::files::Trouble;
use nexus_retention::log::Limits;
use nexus_retention::wal::WalError;
use simkit::Disk;

use crate::bed::{OWNER, SECTORS, cut, world};
use crate::owner::{LIMITS, Owner, Rig, record};

fn new() -> Rig {
    Rig::new(Disk::new(SECTORS))
}

#[test]
fn what_was_synced_is_found_by_the_next_life_and_what_was_not_is_not() {
    let mut rig = new();
    for number in 0..3 {
        assert_eq!(rig.append(&record(number)), "ok");
    }
    rig.sync();
    assert_eq!(rig.append(&record(3)), "ok");
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (0..3).map(record).collect::<Vec<_>>());
    assert!(rig.recovered().loss.is_none());
    assert_eq!(rig.recovered().epoch, 2);
}

#[test]
fn records_that_come_before_recovery_is_over_wait_and_go_behind_what_was_found() {
    let mut rig = new();
    (0..4).for_each(|number| drop(rig.append(&record(number))));
    rig.sync();
    let disk = rig.disk().clone();
    let mut rig = Rig::with(None, LIMITS, true);
    (4..8).for_each(|number| assert_eq!(rig.append(&record(number)), "ok"));
    rig.begin_sync();
    rig.seconds(3);
    assert_eq!(rig.owner().log.end(), None);
    assert!(!rig.has_synced());
    rig.world.attach("statefsd", disk);
    rig.seconds(20);
    assert!(rig.has_synced());
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (0..8).map(record).collect::<Vec<_>>());
    assert!(rig.recovered().loss.is_none());
}

#[test]
fn memory_that_is_full_of_what_is_not_durable_takes_no_more_until_it_is() {
    let mut rig = Rig::with(None, LIMITS, true);
    let taken = (0..20).take_while(|number| rig.append(&record(*number)) == "ok").count();
    assert!((2..20).contains(&taken));
    assert_eq!(rig.append(&record(taken)), "Unsynced");
    rig.world.attach("statefsd", Disk::new(SECTORS));
    rig.seconds(20);
    assert_eq!(rig.append(&record(taken)), "ok");
    rig.sync();
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (0..=taken).map(record).collect::<Vec<_>>());
}

#[test]
fn who_keeps_most_always_has_room_and_keeps_all_files_but_two_at_least() {
    let mut rig = new();
    for number in 0..200 {
        assert_eq!(rig.append(&record(number)), "ok", "{number}");
        rig.sync();
        rig.world.settle();
    }
    cut(&mut rig.world, &[]);
    let found = rig.owner().found.clone();
    assert_eq!(found, (200 - found.len()..200).map(record).collect::<Vec<_>>());
    let sectors = found.iter().map(|record| (record.len() + 4).div_ceil(464)).sum::<usize>();
    assert!((2 * 5 - 1..=3 * 6).contains(&sectors), "{sectors}");
}

#[test]
fn the_files_never_take_more_than_was_said() {
    let mut rig = new();
    let quota = 4 * (6 * 512_u64).div_ceil(508) * 512;
    for number in 0..150 {
        rig.append(&record(number));
        rig.begin_sync();
        while rig.world.round() {
            let statefsd = rig.world.service::<statefsd::Statefsd>("statefsd");
            assert!(statefsd.store().used(0).unwrap() <= quota);
        }
    }
    assert_eq!(LIMITS.bytes(), 4 * 6 * 512);
}

#[test]
fn who_releases_nothing_is_refused_when_the_ring_is_full_and_goes_on_after_a_release() {
    let mut rig = Rig::with(Some(Disk::new(SECTORS)), LIMITS, false);
    let mut appended = 0;
    while rig.append(&record(appended)) == "ok" {
        rig.sync();
        appended += 1;
    }
    assert_eq!(rig.append(&record(appended)), "Unreleased");
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (0..appended).map(record).collect::<Vec<_>>());
    assert_eq!(rig.append(&record(appended)), "Unreleased");
    assert_eq!(rig.tell(b'r', b""), "ok");
    rig.world.settle();
    for number in appended..appended + 3 {
        assert_eq!(rig.append(&record(number)), "ok");
        rig.sync();
    }
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (appended..appended + 3).map(record).collect::<Vec<_>>());
}

#[test]
fn a_release_up_to_a_record_leaves_that_one_and_all_behind_it() {
    let mut rig = Rig::with(Some(Disk::new(SECTORS)), LIMITS, false);
    (0..5).for_each(|number| {
        assert_eq!(rig.append(&record(number)), "ok");
        rig.sync();
    });
    cut(&mut rig.world, &[]);
    assert_eq!(rig.tell(b'o', &[3]), "ok");
    assert_eq!(rig.append(&record(5)), "ok");
    rig.sync();
    cut(&mut rig.world, &[]);
    assert_eq!(rig.owner().found, (3..6).map(record).collect::<Vec<_>>());
}

#[test]
fn a_log_of_another_size_is_left_alone_and_says_so() {
    let mut rig = new();
    rig.append(&record(1));
    rig.sync();
    let disk = rig.disk().clone();
    let other = Limits { file_sectors: 7, ..LIMITS };
    let mut rig = Rig::with(Some(disk.clone()), other, true);
    rig.seconds(100);
    assert_eq!(rig.owner().log.error(), Some(WalError::OtherSize { sectors: 24 }));
    assert_eq!(rig.owner().log.trouble(), Some(Trouble::Foreign));
    assert_eq!(rig.owner().log.deadline(), None);
    assert_eq!(rig.disk().image(), disk.image());
}

#[test]
fn what_is_suspected_is_set_aside_and_one_older_generation_stays() {
    let mut rig = new();
    rig.append(&record(1));
    rig.sync();
    let mut disk = rig.disk().clone();
    for life in 2..6 {
        let mut world = world(Some(disk), |_| Owner::new(LIMITS, true, true));
        let client = world.client("test", nexus_abi::Rights::NONE);
        world.call(client, OWNER, &[b"a", &record(life)[..]].concat()).unwrap();
        world.call(client, OWNER, b"s").unwrap();
        let owner = world.service::<Owner>(OWNER);
        let settled = owner.settled().unwrap();
        assert_eq!(owner.found, [] as [Vec<u8>; 0]);
        assert_eq!(settled.current.number() as usize, life);
        assert_eq!(settled.older.map(|older| older.number() as usize), Some(life - 1));
        let statefsd = world.service::<statefsd::Statefsd>("statefsd");
        let names = statefsd.store().list("logd/").map(|entry| entry.name.to_string());
        let expected = [life - 1, life].map(|g| format!("logd/g{g}/wal.00"));
        assert_eq!(names.collect::<Vec<_>>(), expected);
        disk = world.disk("statefsd").clone();
    }
    let mut rig = Rig::new(disk);
    rig.world.settle();
    assert_eq!(rig.owner().found, [record(5)]);
}
