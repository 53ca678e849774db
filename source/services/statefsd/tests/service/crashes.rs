//! Power is cut after each step of a workload, in every way that few unflushed sectors can suffer:
//! whatever a sync has answered `ok` is there.

use std::collections::BTreeMap;

use nexus_wire::FileStatus;
use nexus_wire::files::{Append, Op, Replace, Request};
use simkit::{Disk, fates};
use statefs::blocking;

use crate::rig::{NAME, Rig, bytes, file, name};

type Files = BTreeMap<String, Vec<u8>>;

/// The files of a disk, as the host reads them.
fn on(disk: &mut Disk) -> Files {
    let store = blocking::mount(disk, &[]).unwrap();
    let entries = store.list("").collect::<Vec<_>>();
    let read = |entry: statefs::Entry| {
        let mut held = vec![0; entry.len as usize];
        let len = blocking::read(&store, disk, entry.file, 0, &mut held).unwrap();
        assert_eq!(len, held.len());
        (entry.name.to_string(), held)
    };
    entries.into_iter().map(read).collect()
}

/// The prefix of the model that a cut leaves: all of one sync, nothing of the next.
fn check(rig: &mut Rig, acknowledged: &Files, next: &Files, seed: u64) {
    let disk = rig.world.disk(NAME);
    for fate in fates(disk.volatile(), 8, seed) {
        let found = on(&mut disk.cut(&fate));
        assert!(found == *acknowledged || found == *next, "{fate:?}: {found:?}");
    }
}

#[test]
fn what_a_sync_has_acknowledged_is_there_after_every_cut() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let epoch = rig.hello(me).unwrap().epoch;
    assert_eq!(rig.create(me, "wal", 20_000), FileStatus::Ok);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    let mut acknowledged = Files::from([("metricsd/wal".to_owned(), Vec::new())]);
    for round in 0..12 {
        let mut next = acknowledged.clone();
        let wal = next.get_mut("metricsd/wal").unwrap();
        let (at, piece) = (wal.len() as u32, bytes(300 + round * 97, round));
        wal.extend(&piece);
        rig.send(me, &Request::Append(Append { to: file("wal"), at, bytes: &piece }));
        let value = bytes(round * 40, round);
        next.insert(format!("metricsd/value{}", round % 3), value.clone());
        let value_name = format!("value{}", round % 3);
        rig.send(me, &Request::Replace(Replace { name: name(&value_name), bytes: &value }));
        let sync = rig.send(me, &Request::Sync { epoch });
        while !rig.answers(me, Op::Sync).iter().any(|(ticket, _)| *ticket == sync) {
            check(&mut rig, &acknowledged, &next, round as u64);
            assert!(rig.world.round(), "the sync ends");
        }
        acknowledged = next;
        check(&mut rig, &acknowledged, &acknowledged.clone(), round as u64);
    }
}
