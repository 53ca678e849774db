//! Whatever is asked for, in whatever order, with power cut in between.

use proptest::collection::vec;
use proptest::prelude::*;
use simkit::Fate;
use statefs::blocking;

use crate::bed::{Bed, bytes, contents};

#[derive(Clone, Debug)]
enum Op {
    Append(usize, usize),
    Replace(usize, usize),
    Finish(usize),
    Delete(usize),
    BeginSync,
    Drive,
    Sync,
    Mount,
    Cut(Vec<Fate>),
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..6_usize;
    let fate = prop_oneof![Just(Fate::Kept), Just(Fate::Lost), Just(Fate::Torn)];
    prop_oneof![
        6 => (name.clone(), 0..3000_usize).prop_map(|(name, len)| Op::Append(name, len)),
        3 => (name.clone(), 0..3000_usize).prop_map(|(name, len)| Op::Replace(name, len)),
        1 => name.clone().prop_map(Op::Finish),
        2 => name.prop_map(Op::Delete),
        1 => Just(Op::BeginSync),
        1 => Just(Op::Drive),
        4 => Just(Op::Sync),
        1 => Just(Op::Mount),
        1 => vec(fate, 0..20).prop_map(Op::Cut),
    ]
}

/// What is refused changes nothing, in the model either.
fn apply(bed: &mut Bed, op: &Op, seed: usize) {
    let name = |at: &usize| format!("file/{at}");
    let done = match op {
        Op::Append(at, len) => bed.append(&name(at), &bytes(*len, seed)),
        Op::Replace(at, len) => bed.replace(&name(at), &bytes(*len, seed)),
        Op::Finish(at) => bed.finish(&name(at)),
        Op::Delete(at) => bed.delete(&name(at)),
        Op::BeginSync => bed.begin_sync().map(drop),
        Op::Drive => bed.drive(),
        Op::Sync => bed.begin_sync().and_then(|_| bed.drive()),
        Op::Mount => {
            bed.disk = bed.disk.cut(&vec![Fate::Kept; bed.disk.volatile()]);
            mount(bed);
            Ok(())
        }
        Op::Cut(fates) => {
            bed.disk = bed.disk.cut(fates);
            mount(bed);
            Ok(())
        }
    };
    if done.is_err() {
        // A name that `append` has made and could not append to.
        bed.now.retain(|name, _| bed.store.find(name).is_some());
    }
}

fn mount(bed: &mut Bed) {
    let acknowledged = bed.store.synced().0;
    bed.store = blocking::mount(&mut bed.disk, &[]).unwrap();
    let found = bed.store.synced().0;
    assert!(found >= acknowledged && !bed.store.recovery().is_lost);
    bed.now = bed.synced.get(&found).unwrap().clone();
    bed.queued = None;
    bed.synced.retain(|sync, _| *sync <= found);
}

proptest! {
    #[test]
    fn the_store_holds_what_a_map_would(ops in vec(op(), 1..120)) {
        let mut bed = Bed::new();
        let free = bed.store.free_sectors();
        for (seed, op) in ops.iter().enumerate() {
            apply(&mut bed, op, seed);
            prop_assert_eq!(contents(&bed.store, &mut bed.disk), bed.now.clone(), "{:?}", op);
        }
        for name in bed.now.clone().into_keys() {
            while bed.delete(&name).is_err() {
                bed.sync().unwrap();
            }
        }
        bed.begin_sync().unwrap();
        bed.drive().unwrap();
        bed.begin_sync().unwrap();
        bed.drive().unwrap();
        prop_assert_eq!(bed.store.free_sectors(), free);
        let mut findings = Vec::new();
        statefs::fsck(&mut bed.disk, |finding| findings.push(finding)).unwrap();
        prop_assert_eq!(findings, []);
    }
}
