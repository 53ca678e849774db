//! Writing: sectors to the ends of files, whole files away, and syncs.

use nexus_bounded::Mono;
use nexus_port::World;
use nexus_wire::FileStatus;
use nexus_wire::files::{Append, NewFile, Reply, Request, Target};

use super::Log;
use super::reading::SECTORS_AT_ONCE;
use crate::files::Failure;
use crate::generation::{file_name, name_of};
use crate::wal::{SECTOR_BYTES, Sync, first_record};

/// What the call under way does.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// Deletes a file.
    Delete(u64),
    /// Begins a file.
    Create(u64),
    /// Appends so many sectors to a file.
    Append(u64, u32),
    /// Ends the growth of a file.
    Finish(u64),
    /// Syncs; the files before this one were deleted before.
    Sync(u64),
}

/// How far writing is.
pub(super) struct Writing {
    task: Option<Task>,
    /// The sectors that shall be durable.
    pub(super) sync: Option<Sync>,
    /// The next of them.
    pub(super) next: u64,
}

impl Writing {
    pub(super) const NOTHING: Self = Self { task: None, sync: None, next: 0 };
}

impl Log {
    /// Makes the next call, if there is one to make.
    pub(super) fn write_on(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        self.begin_sync();
        self.writing.task = self.task();
        match self.writing.task {
            None => {
                if self.is_synced() {
                    self.is_well();
                }
                Ok(())
            }
            Some(task) => self.ask(task, now, world),
        }
    }

    /// Decides what shall be durable next: at the user's wish, or before memory runs out. Files
    /// that nobody needs go first: what is written may need their place.
    fn begin_sync(&mut self) {
        let is_busy = self.writing.sync.is_some() || self.ring.owes_sync(self.wal.durable_tail());
        if is_busy {
            return;
        }
        let is_filling = self.wal.unsynced() * 2 > u64::from(self.limits.staged);
        let kept = self.ring.file_of(self.wal.kept().position);
        let frees_file = kept > self.ring.file_of(self.wal.durable_tail());
        let is_wanted = self.wants_sync && self.wal.unsynced() > 0 || is_filling || frees_file;
        self.wants_sync = false;
        if !is_wanted {
            return;
        }
        self.writing.sync = self.wal.sync();
        self.writing.next = self.wal.durable();
    }

    fn task(&self) -> Option<Task> {
        let (ring, tail) = (&self.ring, self.wal.durable_tail());
        if let Some(file) = ring.unneeded(tail) {
            return Some(Task::Delete(file));
        }
        let Some(sync) = self.writing.sync else {
            return ring.owes_sync(tail).then(|| Task::Sync(ring.file_of(tail)));
        };
        let file = ring.file_of(self.writing.next);
        if ring.finished < file {
            return Some(Task::Finish(ring.finished));
        }
        if self.writing.next == sync.end {
            return Some(Task::Sync(ring.file_of(tail)));
        }
        if ring.len(ring.slot_of(file)).is_none() {
            return Some(Task::Create(file));
        }
        let in_file = self.limits.file_sectors - ring.offset_of(self.writing.next);
        let rest = u32::try_from(sync.end - self.writing.next).unwrap_or(u32::MAX);
        Some(Task::Append(file, rest.min(in_file).min(SECTORS_AT_ONCE)))
    }

    fn ask(&mut self, task: Task, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        let file = match task {
            Task::Delete(file)
            | Task::Create(file)
            | Task::Append(file, _)
            | Task::Finish(file) => file,
            Task::Sync(_) => 0,
        };
        let name = name_of(format_args!("{}wal.{:02}", self.generation, self.ring.slot_of(file)));
        let name = file_name(&name)?;
        let target = Target { name, draft: false };
        let mut sectors = [0; SECTORS_AT_ONCE as usize * SECTOR_BYTES];
        let request = match task {
            Task::Delete(_) => Request::Delete(target),
            Task::Create(_) => Request::Create(NewFile { name, capacity: self.ring.file_bytes() }),
            Task::Append(_, count) => {
                let at = self.ring.offset_of(self.writing.next) * SECTOR_BYTES as u32;
                let positions = self.writing.next..self.writing.next + u64::from(count);
                for (place, position) in sectors.chunks_exact_mut(SECTOR_BYTES).zip(positions) {
                    place.copy_from_slice(self.wal.sector(position));
                }
                let bytes = sectors.get(..count as usize * SECTOR_BYTES).unwrap_or_default();
                Request::Append(Append { to: target, at, bytes })
            }
            Task::Finish(_) => Request::Finish(target),
            Task::Sync(_) => Request::Sync { epoch: self.epoch },
        };
        self.files.begin(&request, now, world)
    }

    pub(super) fn write_ended(
        &mut self,
        outcome: Result<Reply<'_>, Failure>,
    ) -> Result<(), Failure> {
        use FileStatus::{Finished, NotFound};
        let Some(task) = self.writing.task.take() else { return Err(Failure::Garbled) };
        match (task, outcome) {
            (Task::Delete(file), Ok(_) | Err(Failure::Refused(NotFound))) => {
                let slot = self.ring.slot_of(file);
                self.ring.set_len(slot, None);
            }
            (Task::Finish(file), Ok(_) | Err(Failure::Refused(Finished | NotFound))) => {
                self.ring.finished = file + 1;
            }
            (_, Err(failure)) => return Err(failure),
            (Task::Create(file), Ok(_)) => self.ring.begin(file),
            (Task::Append(file, count), Ok(_)) => self.appended(file, count),
            (Task::Sync(gone), Ok(_)) => self.synced(gone),
        }
        Ok(())
    }

    fn appended(&mut self, file: u64, count: u32) {
        let slot = self.ring.slot_of(file);
        let len = self.ring.len(slot).unwrap_or(0) + count * SECTOR_BYTES as u32;
        self.ring.set_len(slot, Some(len));
        for position in self.writing.next..self.writing.next + u64::from(count) {
            if let Some(sequence) = first_record(self.wal.sector(position)) {
                self.ring.note(crate::wal::Place { sequence, position });
            }
        }
        self.writing.next += u64::from(count);
    }

    fn synced(&mut self, gone: u64) {
        if let Some(sync) = self.writing.sync.take() {
            self.wal.synced(sync);
        }
        self.ring.gone = self.ring.gone.max(gone);
        self.is_well();
    }
}
