//! Journals whose checksums are right and that say what cannot be.

use nexus_port::{BlockDevice, BlockOutcome, BlockRequest};
use proptest::collection::vec;
use proptest::prelude::*;
use simkit::Disk;

use super::*;
use crate::format::{Limits, Twin};
use crate::journal::{Item, Kind, PageHead};
use crate::name::Name;
use crate::space::{Extent, Extents};
use nexus_bounded::bytes::{Put as _, Slot};

const LIMITS: Limits = Limits { sectors: 260, files: 4, open: 2 };

/// Sectors 65 to 194 are the files'.
fn put(slot: u16, kind: Kind, name: &str, len: u32, extents: &[(u32, u32)]) -> Item<'static> {
    let mut list = Extents::default();
    for &(start, sectors) in extents {
        list.push(Extent { start, sectors });
    }
    let tail = if kind == Kind::Log { &TAIL[..len as usize % 508] } else { &[] };
    let name = Name::new(name).expect("a name");
    Item::Put { slot, kind, id: u64::from(slot) + 1, len, name, extents: list, tail }
}

static TAIL: [u8; 508] = [7; 508];

const HEAD: PageHead =
    PageHead { epoch: 1, position: 0, sync: 1, is_snapshot: true, is_last: false };

/// Mounts a disk whose journal is one snapshot of these bytes, and goes on with it.
fn mounted(write: impl FnOnce(&mut Slot<'_>)) -> State {
    mounted_as(HEAD, write)
}

fn mounted_as(head: PageHead, write: impl FnOnce(&mut Slot<'_>)) -> State {
    let mut disk = Disk::new(LIMITS.sectors);
    let format = Format::new(LIMITS, 1).expect("legal limits");
    let mut record = Record::new(format.snapshot_sectors());
    record.add(write);
    record.seal(1, head);
    for twin in [Twin::Front, Twin::Back] {
        let (sector, bytes) = (format.area(Area::A, twin), record.sealed(0, record.pages()));
        assert_eq!(disk.carry_out(BlockRequest::Write { sector, bytes }), BlockOutcome::Done);
    }
    let mut store = Store::new(format, &[]);
    store.mount();
    drive(&mut store, &mut disk);
    let state = store.state();
    if state == State::Ready {
        goes_on(&mut store, &mut disk);
    }
    state
}

fn goes_on(store: &mut Store, disk: &mut Disk) {
    let names = store.list("").map(|entry| entry.name).collect::<alloc::vec::Vec<_>>();
    for name in names {
        let file = store.find(name.as_str()).expect("it was listed");
        assert!(store.locate(file, 0, 1).is_ok());
        store.delete(file).expect("room for one deletion");
    }
    store.sync().expect("it is ready");
    drive(store, disk);
    assert_eq!(store.free_sectors(), store.disk_format().data().sectors);
}

fn drive(store: &mut Store, disk: &mut Disk) {
    while let Some(request) = store.next_io() {
        let outcome = disk.carry_out(request);
        store.complete(outcome);
    }
}

fn mounted_items(items: &[Item<'_>]) -> State {
    mounted(|writer| items.iter().for_each(|item| item.encode(writer)))
}

#[test]
fn a_journal_that_says_what_can_be_is_mounted() {
    for items in [
        &[][..],
        &[put(0, Kind::Log, "a", 600, &[(65, 3)]), put(3, Kind::Whole, "b", 508, &[(194, 1)])],
        &[put(0, Kind::Log, "a", 1, &[(65, 3)]), Item::Grown { slot: 0, len: 2, tail: b"ab" }],
        &[put(0, Kind::Whole, "a", 0, &[]), Item::Erased { slot: 0 }, Item::Erased { slot: 1 }],
        &[put(1, Kind::Whole, "a", 9, &[(70, 1)]), put(1, Kind::Whole, "b", 9, &[(70, 1)])],
    ] {
        assert_eq!(mounted_items(items), State::Ready, "{items:?}");
    }
}

#[test]
fn a_journal_that_contradicts_itself_is_not_mounted() {
    let log = put(0, Kind::Log, "a", 600, &[(65, 3)]);
    for items in [
        &[log, put(1, Kind::Whole, "a", 9, &[(70, 1)])][..],
        &[log, put(1, Kind::Whole, "b", 9, &[(67, 1)])],
        &[put(0, Kind::Whole, "a", 9, &[(64, 1)])],
        &[put(0, Kind::Whole, "a", 9, &[(194, 2)])],
        &[put(0, Kind::Whole, "a", 9, &[(u32::MAX, u32::MAX)])],
        &[put(0, Kind::Whole, "a", 9, &[(65, 0)])],
        &[put(0, Kind::Whole, "a", 9, &[])],
        &[put(0, Kind::Whole, "a", 509, &[(65, 1)])],
        &[put(4, Kind::Whole, "a", 9, &[(65, 1)])],
        &[Item::Erased { slot: 4 }],
        &[Item::Grown { slot: 0, len: 1, tail: b"a" }],
        &[log, Item::Grown { slot: 0, len: 599, tail: &TAIL[..91] }],
        &[log, Item::Grown { slot: 0, len: 3 * 508 + 1, tail: b"a" }],
        &[
            put(0, Kind::Whole, "a", 9, &[(65, 1)]),
            Item::Grown { slot: 0, len: 10, tail: &TAIL[..10] },
        ],
        &[log, put(1, Kind::Log, "b", 0, &[]), put(2, Kind::Log, "c", 0, &[])],
    ] {
        assert_eq!(mounted_items(items), State::Failed(Fault::Inconsistent), "{items:?}");
    }
}

#[test]
fn a_journal_that_has_counted_to_the_end_is_none() {
    let none = State::Failed(Fault::NoJournal);
    for (head, state) in [
        (PageHead { epoch: (1 << 31) - 1, sync: (1 << 63) - 1, ..HEAD }, State::Ready),
        (PageHead { epoch: 1 << 31, ..HEAD }, none),
        (PageHead { epoch: u32::MAX, ..HEAD }, none),
        (PageHead { sync: 1 << 63, ..HEAD }, none),
        (PageHead { sync: u64::MAX, ..HEAD }, none),
        (PageHead { is_snapshot: false, ..HEAD }, none),
        (PageHead { position: 1, ..HEAD }, none),
    ] {
        let write = |writer: &mut Slot<'_>| put(0, Kind::Whole, "a", 0, &[]).encode(writer);
        assert_eq!(mounted_as(head, write), state, "{head:?}");
    }
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0..6_u32, 60..70_u32, 190..200_u32, 505..512_u32, any::<u32>()]
}

prop_compose! {
    fn item()(
        tag in 0..3_u8, slot in 0..5_u16, is_log: bool, len in number(),
        name in 0..4_u8, extents in vec((number(), number()), 0..5),
    ) -> Item<'static> {
        let tail = &TAIL[..len as usize % 508];
        match tag {
            0 => Item::Erased { slot },
            1 => Item::Grown { slot, len, tail },
            _ => {
                let kind = if is_log { Kind::Log } else { Kind::Whole };
                put(slot, kind, ["a", "b", "c", "d"][usize::from(name)], len, &extents)
            }
        }
    }
}

proptest! {
    #[test]
    fn no_items_whatever_make_a_mount_panic(items in vec(item(), 0..3)) {
        mounted_items(&items);
    }

    #[test]
    fn no_bytes_whatever_make_a_mount_panic(bytes in vec(any::<u8>(), 0..600)) {
        mounted(|writer| writer.bytes(&bytes));
    }

    #[test]
    fn no_changed_byte_makes_a_mount_panic(item in item(), at in 0..60_usize, to: u8) {
        let mut bytes = [0; 700];
        let mut writer = Slot::new(&mut bytes);
        item.encode(&mut writer);
        let len = writer.len();
        bytes[at.min(len - 1)] = to;
        mounted(|writer| writer.bytes(&bytes[..len]));
    }
}
