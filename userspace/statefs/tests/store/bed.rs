//! What the tests stand on: a small disk, and a workload with a model of what must be there.

use std::collections::BTreeMap;

use nexus_port::{BlockDevice, BlockRequest};
use simkit::Disk;
use statefs::blocking::{self, Error};
use statefs::{Kind, Limits, Refusal, Report, State, Store, fsck};

/// As few sectors as the journal lets be: 32 pages an area, 4 areas, 2 superblocks, 170 for files.
pub(crate) const LIMITS: Limits = Limits { sectors: 300, files: 16, open: 4 };

/// Names and bytes.
pub(crate) type Model = BTreeMap<String, Vec<u8>>;

pub(crate) fn new_disk() -> (Disk, Store) {
    let mut disk = Disk::new(LIMITS.sectors);
    let store = blocking::format(&mut disk, LIMITS, &[]).unwrap();
    (disk, store)
}

/// Bytes that tell where they were lost.
pub(crate) fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at * 31 + seed * 101) as u8).collect()
}

pub(crate) fn read_all(store: &Store, disk: &mut Disk, name: &str) -> Result<Vec<u8>, Error> {
    let file = store.find(name).ok_or(Error::Refusal(Refusal::NotFound))?;
    let mut out = vec![0; store.entry(file).unwrap().len as usize + 1];
    let len = blocking::read(store, disk, file, 0, &mut out)?;
    out.truncate(len);
    Ok(out)
}

pub(crate) fn contents(store: &Store, disk: &mut Disk) -> Model {
    let names = store.list("").map(|entry| entry.name.to_string()).collect::<Vec<_>>();
    names.into_iter().map(|name| (name.clone(), read_all(store, disk, &name).unwrap())).collect()
}

pub(crate) fn check(disk: &mut Disk) -> Report {
    fsck(disk, |_| {}).unwrap()
}

/// A store and what must be in it, now and after each sync.
pub(crate) struct Bed {
    pub(crate) disk: Disk,
    pub(crate) store: Store,
    pub(crate) now: Model,
    /// What each sync makes durable.
    pub(crate) synced: BTreeMap<u64, Model>,
    /// The disk before each flush, and the last sync durable by then.
    pub(crate) flushes: Vec<(Disk, u64)>,
    pub(crate) keeps_flushes: bool,
    /// A sync that begins when the one under way is durable, with all that was done by then.
    pub(crate) queued: Option<u64>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let (disk, store) = new_disk();
        Self::of(disk, store)
    }

    pub(crate) fn of(disk: Disk, store: Store) -> Self {
        let synced = BTreeMap::from([(store.synced().0, Model::new())]);
        let (now, flushes) = (Model::new(), Vec::new());
        Self { disk, store, now, synced, flushes, keeps_flushes: false, queued: None }
    }

    pub(crate) fn drive(&mut self) -> Result<(), Error> {
        if let Some(queued) = self.queued.take() {
            self.synced.insert(queued, self.now.clone());
        }
        loop {
            let synced = self.store.synced().0;
            let Some(request) = self.store.next_io() else { break };
            if self.keeps_flushes && request == BlockRequest::Flush {
                self.flushes.push((self.disk.clone(), synced));
            }
            let outcome = self.disk.carry_out(request);
            self.store.complete(outcome);
        }
        match self.store.state() {
            State::Failed(fault) => Err(Error::Fault(fault)),
            _ => Ok(()),
        }
    }

    pub(crate) fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let file = match self.store.find(name) {
            Some(file) => file,
            None => self.store.create(name, 20_000)?,
        };
        self.now.entry(name.into()).or_default();
        self.store.append(file, bytes)?;
        self.now.entry(name.into()).or_default().extend(bytes);
        Ok(())
    }

    pub(crate) fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.store.replace(name, bytes)?;
        self.now.insert(name.into(), bytes.into());
        Ok(())
    }

    pub(crate) fn finish(&mut self, name: &str) -> Result<(), Error> {
        let file = self.store.find(name).ok_or(Refusal::NotFound)?;
        Ok(self.store.finish(file)?)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Error> {
        let file = self.store.find(name).ok_or(Refusal::NotFound)?;
        self.store.delete(file)?;
        self.now.remove(name);
        Ok(())
    }

    pub(crate) fn begin_sync(&mut self) -> Result<u64, Error> {
        let sync = self.store.sync()?.0;
        if sync == self.store.synced().0 + 2 {
            self.queued = Some(sync);
        } else {
            self.synced.entry(sync).or_insert_with(|| self.now.clone());
        }
        Ok(sync)
    }

    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        let sync = self.begin_sync()?;
        self.drive()?;
        assert_eq!(self.store.synced().0, sync);
        Ok(())
    }

    pub(crate) fn is_log(&self, name: &str) -> bool {
        let file = self.store.find(name);
        file.and_then(|file| self.store.entry(file)).is_some_and(|entry| entry.kind == Kind::Log)
    }

    /// What metricsd does to its disk, in small: two logs in turn, sealed segments, a value that is
    /// replaced, deletions; enough syncs for several journal areas.
    pub(crate) fn workload(&mut self, rounds: usize) -> Result<(), Error> {
        for round in 0..rounds {
            self.append("wal/a", &bytes(300 + round % 5 * 250, round))?;
            if round % 3 == 0 {
                self.append("wal/b", &bytes(40, round))?;
                self.replace("meta/boot", &bytes(round * 30, round))?;
            }
            self.begin_sync()?;
            self.append("wal/b", &bytes(700, round + 1))?;
            self.drive()?;
            if round % 4 == 3 {
                self.replace(&format!("seg/{round}"), &bytes(3000, round))?;
                self.delete("wal/a")?;
            }
            if round % 8 == 7 {
                self.delete(&format!("seg/{}", round - 4))?;
                self.finish("wal/b")?;
                self.sync()?;
                self.delete("wal/b")?;
            }
            self.sync()?;
        }
        Ok(())
    }
}
