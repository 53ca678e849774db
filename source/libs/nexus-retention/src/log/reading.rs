//! Recovery: which files there are, what is in them, and from where to go on.

use nexus_bounded::Mono;
use nexus_port::World;
use nexus_wire::files::{List, Read, Reply, Request};
use nexus_wire::{FILE_BYTES_MAX, FileStatus};

use super::writing::Writing;
use super::{Log, Phase};
use crate::files::{Failure, Trouble};
use crate::generation::{file_name, file_prefix, name_of};
use crate::wal::{Record, Replay, SECTOR_BYTES, Scan, Sector};

/// Sectors that are read, or appended, at a time.
pub(super) const SECTORS_AT_ONCE: u32 = (FILE_BYTES_MAX / SECTOR_BYTES) as u32;

/// How often a device that does not read something is asked again before that is given up.
const PATIENCE: u32 = 3;

/// Whoever takes the sectors.
pub(super) enum Seen {
    /// To find the newest.
    Scan(Scan),
    /// To find the records.
    Replay(Replay),
}

/// A pass over the files.
pub(super) struct Reading {
    seen: Seen,
    /// The sector that is being read, and how much of it is here.
    sector: Sector,
    have: usize,
    patience: u32,
    /// The records are in memory, or released: only the end is wanted.
    is_quiet: bool,
}

impl Reading {
    const fn new(sectors: u32, is_quiet: bool) -> Self {
        let seen = Seen::Scan(Scan::new(sectors));
        Self { seen, sector: [0; SECTOR_BYTES], have: 0, patience: PATIENCE, is_quiet }
    }

    fn wants(&self) -> Option<u32> {
        match &self.seen {
            Seen::Scan(scan) => scan.wants(),
            Seen::Replay(replay) => replay.wants(),
        }
    }

    /// Gives on the sector that has come, or says that it has not.
    fn take(&mut self, is_read: bool, mut each: impl FnMut(Record<'_>)) {
        let sector = is_read.then_some(&self.sector);
        match &mut self.seen {
            Seen::Scan(scan) => scan.take(sector),
            Seen::Replay(replay) => replay.take(sector, &mut each),
        }
        self.have = 0;
    }

    /// Takes bytes of the files, from where it is on.
    fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Record<'_>)) {
        while self.wants().is_some() {
            let room = self.sector.get_mut(self.have..).unwrap_or_default();
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            for (place, byte) in room.iter_mut().zip(now) {
                *place = *byte;
            }
            self.have += now.len();
            if self.have < SECTOR_BYTES {
                return;
            }
            self.take(true, &mut each);
            bytes = later;
        }
    }
}

impl Log {
    pub(super) fn greet(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        self.files.begin(&Request::Hello, now, world)
    }

    pub(super) fn greeted(&mut self, outcome: Result<Reply<'_>, Failure>) -> Result<(), Failure> {
        let Reply::Hello(hello) = outcome? else { return Err(Failure::Garbled) };
        self.epoch = hello.epoch;
        self.phase = Phase::Listing;
        Ok(())
    }

    pub(super) fn ask_for_files(
        &mut self,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        let prefix = name_of(format_args!("{}wal.", self.generation));
        let after = name_of(format_args!(""));
        let list = List { prefix: file_prefix(&prefix)?, after: file_prefix(&after)? };
        self.files.begin(&Request::List(list), now, world)
    }

    /// All of them fit one answer.
    pub(super) fn listed(&mut self, outcome: Result<Reply<'_>, Failure>) -> Result<(), Failure> {
        let Reply::List(list) = outcome? else { return Err(Failure::Garbled) };
        self.ring.forget_lens();
        for file in list.files() {
            let slot = file.name.as_str().rsplit('.').next().and_then(|slot| slot.parse().ok());
            if let Some(slot) = slot {
                self.ring.set_len(slot, Some(file.len));
            }
        }
        self.phase = if self.recovered.is_some() { self.resumed() } else { self.reading(false) };
        Ok(())
    }

    pub(super) const fn reading(&self, is_quiet: bool) -> Phase {
        Phase::Reading(Reading::new(self.limits.wal().sectors, is_quiet))
    }

    /// Goes on behind what is there, if that is what was written.
    fn resumed(&mut self) -> Phase {
        let durable = self.wal.durable();
        let end = self.writing.sync.map_or(durable, |sync| sync.end);
        match self.ring.reach(durable, end) {
            Some(reached) => {
                self.ring.fall_back(durable);
                self.writing.next = reached;
                Phase::Open
            }
            None => self.reading(true),
        }
    }

    /// Asks for the next sectors, as far as there are any.
    pub(super) fn read_on(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        loop {
            let Phase::Reading(reading) = &mut self.phase else { return self.begin(now, world) };
            let Some(index) = reading.wants() else {
                self.pass_over()?;
                continue;
            };
            let slot = index / self.limits.file_sectors;
            let offset = index % self.limits.file_sectors * SECTOR_BYTES as u32;
            let there = self.ring.len(slot).unwrap_or(0).saturating_sub(offset);
            if (there as usize) < SECTOR_BYTES {
                let rest = self.limits.file_sectors - index % self.limits.file_sectors;
                match &mut reading.seen {
                    Seen::Scan(scan) => scan.pass(rest),
                    Seen::Replay(replay) => replay.take(Some(&[0; SECTOR_BYTES]), |_| {}),
                }
                continue;
            }
            let at = offset + reading.have as u32;
            let sectors = (there / SECTOR_BYTES as u32).min(SECTORS_AT_ONCE);
            let max = (sectors * SECTOR_BYTES as u32 - reading.have as u32) as u16;
            let name = name_of(format_args!("{}wal.{slot:02}", self.generation));
            let read = Read { draft: false, name: file_name(&name)?, at, max };
            return self.files.begin(&Request::Read(read), now, world);
        }
    }

    pub(super) fn read_ended(
        &mut self,
        outcome: Result<Reply<'_>, Failure>,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), Failure> {
        let Phase::Reading(reading) = &mut self.phase else { return Err(Failure::Garbled) };
        let ring = &mut self.ring;
        let is_quiet = reading.is_quiet;
        let each = |record: Record<'_>| {
            ring.note(record.place);
            if !is_quiet {
                each(record);
            }
        };
        match outcome {
            Ok(Reply::Read(read)) if !read.bytes.is_empty() => reading.feed(read.bytes, each),
            Ok(_) | Err(Failure::Refused(FileStatus::Damaged | FileStatus::NotFound)) => {
                reading.take(false, each);
            }
            Err(Failure::Refused(FileStatus::IoError)) if reading.patience == 0 => {
                reading.take(false, each);
            }
            Err(failure) => {
                if failure == Failure::Refused(FileStatus::IoError) {
                    reading.patience -= 1;
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Ends a pass, and begins what comes behind it.
    fn pass_over(&mut self) -> Result<(), Failure> {
        let phase = core::mem::replace(&mut self.phase, Phase::Greeting);
        let Phase::Reading(reading) = phase else { return Ok(()) };
        match reading.seen {
            Seen::Scan(scan) => self.scanned(&scan, reading.patience, reading.is_quiet),
            Seen::Replay(replay) => {
                self.replayed(replay);
                Ok(())
            }
        }
    }

    fn scanned(&mut self, scan: &Scan, patience: u32, is_quiet: bool) -> Result<(), Failure> {
        if !scan.has_found() && self.ring.has_bytes() {
            // Whatever a crash leaves can be read; so the device cannot, for now.
            return Err(Failure::Refused(FileStatus::IoError));
        }
        let record = core::mem::take(&mut self.record);
        match scan.replay_in(self.limits.wal(), record) {
            Ok(replay) => {
                self.ring.forget_records();
                let seen = Seen::Replay(replay);
                let (sector, have) = ([0; SECTOR_BYTES], 0);
                self.phase = Phase::Reading(Reading { seen, sector, have, patience, is_quiet });
            }
            Err(error) => {
                self.error = Some(error);
                self.trouble = Some(Trouble::Foreign);
                self.phase = Phase::Foreign;
            }
        }
        Ok(())
    }

    fn replayed(&mut self, replay: Replay) {
        let (mut recovered, record) = replay.finish_giving();
        self.record = record;
        let found = recovered.end.position;
        recovered.end.position = self.ring.free_from(found);
        self.ring.resume(found, recovered.end.position);
        let last = recovered.end.position + self.wal.unsynced() + 1;
        if !self.ring.may_begin(self.ring.file_of(last)) {
            self.given_up += self.wal.give_up();
        }
        self.wal.go_on_behind(&recovered);
        // What was being written has moved, and is still wanted.
        self.wants_sync |= self.writing.sync.is_some();
        self.writing = Writing::NOTHING;
        if self.recovered.is_none() {
            self.recovered = Some(recovered);
            self.is_well();
        }
        self.phase = Phase::Open;
    }
}
