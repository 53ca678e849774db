//! Whatever a daemon does with its files in any order, it finds what a map would hold; after a
//! kill, what that map held at the last sync that was answered `ok`.

use std::collections::BTreeMap;

use nexus_wire::FileStatus;
use nexus_wire::files::Request;
use proptest::collection::vec;
use proptest::prelude::*;
use rustix::process::Signal;

use crate::files::{Files, file};
use crate::process::{Process, Setup, dir, start};

/// Bytes, and whether they grow.
type Held = BTreeMap<&'static str, (Vec<u8>, bool)>;

const NAMES: [&str; 4] = ["a", "wal/1", "wal/2", "z"];

#[derive(Clone, Copy, Debug)]
enum Op {
    Create(usize, u32),
    Append(usize, usize),
    Finish(usize),
    Replace(usize, usize),
    Delete(usize),
    Sync,
    Kill,
}

fn op() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES.len();
    prop_oneof![
        2 => (name(), 0..20_000_u32).prop_map(|(name, capacity)| Op::Create(name, capacity)),
        6 => (name(), 0..3000_usize).prop_map(|(name, len)| Op::Append(name, len)),
        2 => name().prop_map(Op::Finish),
        3 => (name(), 0..3900_usize).prop_map(|(name, len)| Op::Replace(name, len)),
        2 => name().prop_map(Op::Delete),
        4 => Just(Op::Sync),
        1 => Just(Op::Kill),
    ]
}

/// Bytes that tell where they were lost.
fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at * 31 + seed * 101) as u8).collect()
}

fn apply(files: &mut Files, now: &mut Held, op: Op, seed: usize) -> FileStatus {
    match op {
        Op::Create(at, capacity) => {
            let status = files.create(NAMES[at], capacity);
            assert_eq!(now.contains_key(NAMES[at]), status == FileStatus::Exists);
            if status == FileStatus::Ok {
                now.insert(NAMES[at], (Vec::new(), true));
            }
            status
        }
        Op::Append(at, len) => {
            let piece = bytes(len, seed);
            let held = now.get_mut(NAMES[at]).filter(|(_, grows)| *grows);
            let at_len = held.as_ref().map_or(0, |(held, _)| held.len() as u32);
            let status = files.append(NAMES[at], at_len, &piece);
            assert!(held.is_some() || status != FileStatus::Ok);
            if let Some((held, _)) = held.filter(|_| status == FileStatus::Ok) {
                held.extend(piece);
            }
            status
        }
        Op::Finish(at) => {
            let status = files.status(&Request::Finish(file(NAMES[at])));
            if status == FileStatus::Ok {
                now.get_mut(NAMES[at]).unwrap().1 = false;
            }
            status
        }
        Op::Replace(at, len) => {
            let value = bytes(len, seed);
            let status = files.replace(NAMES[at], &value);
            if status == FileStatus::Ok {
                now.insert(NAMES[at], (value, false));
            }
            status
        }
        Op::Delete(at) => {
            let status = files.status(&Request::Delete(file(NAMES[at])));
            if status != FileStatus::Busy {
                assert_eq!(now.remove(NAMES[at]).is_some(), status == FileStatus::Ok);
            }
            status
        }
        Op::Sync | Op::Kill => files.sync(),
    }
}

fn check(files: &mut Files, now: &Held) {
    for name in NAMES {
        assert_eq!(files.read(name), now.get(name).map(|(held, _)| held.clone()), "{name}");
    }
}

proptest! {
    // Each case starts processes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_daemon_finds_what_a_map_would_hold(ops in vec(op(), 1..60)) {
        let dir = dir();
        let setup = Setup { state: Some(dir.path().join("state")), ..Setup::default() };
        let begin = || -> (Process, Files) {
            let daemon = start(&dir.path().join("run"), &setup);
            let files = Files::of(&daemon);
            (daemon, files)
        };
        let (mut daemon, mut files) = begin();
        let (mut now, mut synced) = (Held::new(), Held::new());
        for (seed, op) in ops.into_iter().enumerate() {
            if matches!(op, Op::Kill) {
                daemon.signal(Signal::KILL);
                drop(daemon.ended());
                (daemon, files) = begin();
                now.clone_from(&synced);
            } else {
                let status = apply(&mut files, &mut now, op, seed);
                // One that is busy has begun a sync; whether it ends before a kill is not known.
                let is_synced = status == FileStatus::Busy || matches!(op, Op::Sync);
                if is_synced && (status == FileStatus::Ok || files.sync() == FileStatus::Ok) {
                    synced.clone_from(&now);
                }
            }
            check(&mut files, &now);
        }
    }
}
