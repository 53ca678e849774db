//! Whatever two services do in any order, each finds what a map of its own would hold; after a cut
//! of power, or a failure of the disk, what that map held at the last sync that was answered `ok`.

use std::collections::BTreeMap;

use nexus_wire::FileStatus;
use proptest::collection::vec;
use proptest::prelude::*;
use simkit::Client;

use crate::rig::{Rig, bytes, draft, file};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Bytes, and whether they grow.
    files: BTreeMap<String, (Vec<u8>, bool)>,
    drafts: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Create(usize, u32),
    Append(usize, bool, usize),
    Draft(usize, u32),
    Finish(usize, bool),
    Replace(usize, usize),
    Delete(usize, bool),
    Sync,
    Cut,
    Fail,
}

const NAMES: [&str; 4] = ["a", "wal/1", "wal/2", "z"];

fn op() -> impl Strategy<Value = (bool, Op)> {
    let name = || 0..NAMES.len();
    let op = prop_oneof![
        2 => (name(), 0..9000_u32).prop_map(|(name, capacity)| Op::Create(name, capacity)),
        6 => (name(), any::<bool>(), 0..3000_usize)
            .prop_map(|(name, draft, len)| Op::Append(name, draft, len)),
        2 => (name(), 0..9000_u32).prop_map(|(name, capacity)| Op::Draft(name, capacity)),
        2 => (name(), any::<bool>()).prop_map(|(name, draft)| Op::Finish(name, draft)),
        3 => (name(), 0..4040_usize).prop_map(|(name, len)| Op::Replace(name, len)),
        2 => (name(), any::<bool>()).prop_map(|(name, draft)| Op::Delete(name, draft)),
        4 => Just(Op::Sync),
        1 => Just(Op::Cut),
        1 => Just(Op::Fail),
    ];
    (any::<bool>(), op)
}

struct Both {
    rig: Rig,
    now: [Held; 2],
    synced: [Held; 2],
}

impl Both {
    fn client(&self, one: usize) -> Client {
        [self.rig.metricsd, self.rig.logd][one]
    }

    /// All that was not synced is gone.
    fn lose(&mut self) {
        self.synced.iter_mut().for_each(|held| held.drafts.clear());
        self.now = self.synced.clone();
    }

    fn apply(&mut self, one: usize, op: Op, seed: usize) {
        let me = self.client(one);
        match op {
            Op::Create(at, capacity) => {
                let status = self.rig.create(me, NAMES[at], capacity);
                let files = &mut self.now[one].files;
                assert_eq!(files.contains_key(NAMES[at]), status == FileStatus::Exists);
                if status == FileStatus::Ok {
                    files.insert(NAMES[at].into(), (Vec::new(), true));
                }
            }
            Op::Append(at, is_draft, len) => {
                self.append(one, NAMES[at], is_draft, &bytes(len, seed))
            }
            Op::Draft(at, capacity) => {
                let status = self.rig.begin_draft(me, NAMES[at], capacity);
                let drafts = &mut self.now[one].drafts;
                match status {
                    FileStatus::Ok => drop(drafts.insert(NAMES[at].into(), Vec::new())),
                    FileStatus::Busy => {}
                    _ => drop(drafts.remove(NAMES[at])),
                }
            }
            Op::Finish(at, is_draft) => self.finish(one, NAMES[at], is_draft),
            Op::Replace(at, len) => {
                let value = bytes(len, seed);
                if self.rig.replace(me, NAMES[at], &value) == FileStatus::Ok {
                    self.now[one].files.insert(NAMES[at].into(), (value, false));
                }
            }
            Op::Delete(at, is_draft) => {
                let target = if is_draft { draft(NAMES[at]) } else { file(NAMES[at]) };
                let status = self.rig.delete(me, target);
                let Held { files, drafts } = &mut self.now[one];
                let is_there = match status {
                    FileStatus::Busy => return,
                    _ if is_draft => drafts.remove(NAMES[at]).is_some(),
                    _ => files.remove(NAMES[at]).is_some(),
                };
                assert_eq!(is_there, status == FileStatus::Ok);
            }
            Op::Sync => {
                assert_eq!(self.rig.sync(me), FileStatus::Ok);
                self.synced = self.now.clone();
            }
            Op::Cut => {
                self.rig.cut(&[]);
                self.lose();
            }
            Op::Fail => {
                self.rig.break_disk();
                // A sync with nothing to do is none, and fails nothing.
                let has_failed = self.rig.sync(me) == FileStatus::IoError;
                self.rig.mend_disk();
                self.rig.seconds(8);
                if has_failed || self.rig.sync(me) != FileStatus::Ok {
                    self.lose();
                } else {
                    self.synced = self.now.clone();
                }
            }
        }
    }

    fn append(&mut self, one: usize, name: &str, is_draft: bool, piece: &[u8]) {
        let me = self.client(one);
        let Held { files, drafts } = &mut self.now[one];
        let held = if is_draft {
            drafts.get_mut(name)
        } else {
            files.get_mut(name).filter(|(_, grows)| *grows).map(|(held, _)| held)
        };
        let at = held.as_ref().map_or(0, |held| held.len() as u32);
        let target = if is_draft { draft(name) } else { file(name) };
        let status = self.rig.append(me, target, at, piece);
        match held {
            Some(held) if status == FileStatus::Ok => held.extend(piece),
            Some(_) => assert!(matches!(status, FileStatus::Full | FileStatus::Busy), "{status:?}"),
            None => assert!(matches!(status, FileStatus::NotFound | FileStatus::Finished)),
        }
    }

    fn finish(&mut self, one: usize, name: &str, is_draft: bool) {
        let me = self.client(one);
        let target = if is_draft { draft(name) } else { file(name) };
        let status = self.rig.finish(me, target);
        let Held { files, drafts } = &mut self.now[one];
        if status != FileStatus::Ok {
            return;
        }
        if is_draft {
            files.insert(name.into(), (drafts.remove(name).unwrap(), false));
        } else {
            files.get_mut(name).unwrap().1 = false;
        }
    }

    fn check(&mut self) {
        for one in 0..2 {
            let me = self.client(one);
            let names = self.now[one].files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(self.rig.list(me, ""), names);
            for name in names {
                assert_eq!(self.rig.read(me, &name).unwrap(), self.now[one].files[&name].0);
            }
            for name in NAMES {
                let len = self.now[one].drafts.get(name).map(|held| held.len() as u32);
                assert_eq!(self.rig.stat(me, draft(name)).ok().map(|stat| stat.len), len);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_service_finds_what_a_map_of_its_own_would_hold(ops in vec(op(), 1..80)) {
        let (now, synced) = Default::default();
        let mut both = Both { rig: Rig::new(), now, synced };
        for (seed, (other, op)) in ops.into_iter().enumerate() {
            both.apply(usize::from(other), op, seed);
            both.check();
        }
    }
}
