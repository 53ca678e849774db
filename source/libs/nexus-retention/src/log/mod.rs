//! The write-ahead log in files of statefsd: the ring of [`crate::wal`] lies in files of equal
//! size, which are filled one after another and deleted whole.
//!
//! Records are taken into memory at any time, also while there is no disk or the former lives'
//! records are still being read; [`Log::sync`] makes them durable as soon as the disk is free.
//! Everything goes by one lane of calls, of which [`Log::step`] begins the next and [`Log::ended`]
//! takes the end: whoever has a log goes on serving meanwhile.
//!
//! - A file is deleted once all its sectors are released and that is durable, and its place is
//!   taken again only when the deletion is durable too. So nothing that was synced is ever
//!   written over, and the files never take more than [`Limits::bytes`].
//! - A failure costs nothing that is in memory. After a pause, which doubles, the log asks what is
//!   there and goes on behind it. A sync whose answer was lost is recognised by the files' lengths.
//! - Where the files are not what they were left as, what is in memory goes behind what is found.

mod reading;
mod ring;
mod writing;

use alloc::boxed::Box;

use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};

use crate::files::{Failure, Files, Trouble};
use crate::generation::Generation;
use crate::wal::{self, Place, Record, Recovered, Refusal, SECTOR_BYTES, Wal, WalError};
use reading::Reading;
use ring::Ring;
use writing::Writing;

/// Most files of a log: their names have two digits.
pub const FILES_MAX: u32 = 99;

/// What a log is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Files of the ring, 3 to [`FILES_MAX`].
    pub files: u32,
    /// Sectors of a file, from 2.
    pub file_sectors: u32,
    /// Sectors kept in memory until they are durable, less than those of all files but two.
    pub staged: u32,
    /// Bytes of a record, at most.
    pub record_bytes: u32,
}

impl Limits {
    /// As files of so many bytes together hold them, and memory of so many bytes. What does not
    /// make a whole sector is left out.
    #[must_use]
    pub const fn of_bytes(files: u32, bytes: u32, memory: u32, record_bytes: u32) -> Self {
        let file_sectors = bytes / SECTOR_BYTES as u32 / files;
        Self { files, file_sectors, staged: memory / SECTOR_BYTES as u32, record_bytes }
    }

    /// Bytes of memory that a log takes, besides itself.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.staged as usize * SECTOR_BYTES
            + wal::record_buffer_bytes(&self.wal())
            + Files::BYTES
            + Ring::bytes(self.files)
    }

    /// Sectors of all its files.
    #[must_use]
    pub const fn sectors(&self) -> u32 {
        self.wal().sectors
    }

    /// Bytes of all its files.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.wal().sectors as u64 * SECTOR_BYTES as u64
    }

    /// Whether records of the greatest length can be written.
    #[must_use]
    pub const fn are_possible(&self) -> bool {
        self.files >= 3
            && self.files <= FILES_MAX
            && self.file_sectors >= 2
            && self.wal().are_possible()
            && self.staged < (self.files - 2) * self.file_sectors
    }

    const fn wal(&self) -> wal::Limits {
        wal::Limits {
            sectors: self.files.saturating_mul(self.file_sectors),
            staged: self.staged,
            record_bytes: self.record_bytes,
        }
    }
}

/// How long a log waits before it tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    /// After the first failure; each further pause is twice as long.
    pub min: Nanos,
    /// The longest.
    pub max: Nanos,
}

/// How far a log is.
#[expect(clippy::large_enum_variant, reason = "there is one, and memory is taken at start")]
enum Phase {
    /// Nobody has said where its files are.
    Closed,
    /// Asking which store this is.
    Greeting,
    /// Asking which files there are.
    Listing,
    /// Reading them.
    Reading(Reading),
    /// Writing.
    Open,
    /// They cannot be read, and are left alone.
    Foreign,
}

/// See the module.
pub struct Log {
    limits: Limits,
    generation: Generation,
    files: Files,
    wal: Wal,
    ring: Ring,
    phase: Phase,
    writing: Writing,
    /// Of statefsd.
    epoch: u64,
    /// What recovery has found, once it is over.
    recovered: Option<Recovered>,
    /// For a record while it is put together; with the one who reads while that is going on.
    record: Box<[u8]>,
    wants_sync: bool,
    /// Nothing is tried before.
    not_before: Option<Mono>,
    pauses: Pauses,
    pause: Nanos,
    trouble: Option<Trouble>,
    error: Option<WalError>,
    /// Records that were taken and found no room behind what was recovered.
    given_up: u64,
}

impl Log {
    /// A log that takes records, and does not know yet where its files are. Takes all its memory
    /// now; `lane` is that of its calls.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: Limits, pauses: Pauses, lane: u8) -> Self {
        assert!(limits.are_possible(), "limits are checked with the recipe");
        Self {
            limits,
            generation: Generation::FIRST,
            files: Files::new(lane),
            wal: Wal::new(limits.wal(), &Recovered::nothing(limits.wal().sectors)),
            ring: Ring::new(limits.files, limits.file_sectors),
            phase: Phase::Closed,
            writing: Writing::NOTHING,
            epoch: 0,
            recovered: None,
            record: wal::record_buffer(&limits.wal()),
            wants_sync: false,
            not_before: None,
            pauses,
            pause: pauses.min,
            trouble: None,
            error: None,
            given_up: 0,
        }
    }

    /// Says below which prefix its files are. Recovery begins with the next step.
    pub fn open(&mut self, generation: Generation) {
        assert!(matches!(self.phase, Phase::Closed), "a log is opened once");
        self.generation = generation;
        self.phase = Phase::Greeting;
    }

    /// Takes a record into memory.
    ///
    /// # Errors
    /// See [`Refusal`]: nothing has changed.
    pub fn append(&mut self, record: &[u8]) -> Result<(), Refusal> {
        if self.recovered.is_some() {
            // One more sector is for a sync that only makes a release durable.
            let last = self.wal.last_position(record.len()) + 1;
            if !self.ring.may_begin(self.ring.file_of(last)) {
                return Err(Refusal::Unreleased);
            }
        }
        self.wal.append(record).map(drop)
    }

    /// Wants all records so far to be durable, as soon as the disk is free.
    pub fn sync(&mut self) {
        self.wants_sync = true;
    }

    /// Records before `first` are needed no more. It lasts with the next sync; so long a crash
    /// brings them back. A place that this log does not know is none.
    pub fn release(&mut self, first: Place) {
        let end = self.wal.end();
        if self.recovered.is_some()
            && first.position <= end.position
            && first.sequence <= end.sequence
        {
            self.wal.release(first);
        }
    }

    /// Releases the oldest file as soon as the last free one has been begun: for whoever keeps as
    /// much as there is room for.
    pub fn make_room(&mut self) {
        let (kept, end) = (self.wal.kept(), self.wal.end());
        let (first, last) = (self.ring.file_of(kept.position), self.ring.file_of(end.position));
        if self.recovered.is_none() || last - first + 1 < u64::from(self.limits.files) {
            return;
        }
        let mut files = first + 1..=last;
        if let Some(place) = files.find_map(|file| self.ring.first_in(file)) {
            self.wal.release(place);
        }
    }

    /// The place of the next record; `None` before recovery is over.
    #[must_use]
    pub fn end(&self) -> Option<Place> {
        self.recovered.is_some().then(|| self.wal.end())
    }

    /// Whether recovery is over.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.recovered.is_some()
    }

    /// What recovery has found, once it is over.
    #[must_use]
    pub const fn recovered(&self) -> Option<&Recovered> {
        self.recovered.as_ref()
    }

    /// Whether all records are durable.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.wal.unsynced() == 0
    }

    /// Whether nothing is being read, or ever will be.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Foreign)
    }

    /// Gives all records that are not released once more, as a start does, by [`Self::ended`].
    /// `false`, and nothing changes: not now. All has to be durable, and no call under way.
    pub fn read_again(&mut self) -> bool {
        let may_read = matches!(self.phase, Phase::Open)
            && self.files.is_idle()
            && self.is_synced()
            && self.trouble.is_none();
        if may_read {
            self.phase = self.reading(false);
        }
        may_read
    }

    /// Whether records of so many bytes together find room now, in memory and in the files.
    #[must_use]
    pub fn has_room(&self, bytes: u32) -> bool {
        let Some(sectors) = self.wal.sectors_left() else { return false };
        let needed = bytes.div_ceil(wal::PAYLOAD_BYTES as u32) + 2;
        let last = self.wal.last_position(bytes as usize) + 2;
        needed < sectors && self.ring.may_begin(self.ring.file_of(last))
    }

    /// Sectors in memory that are not durable.
    #[must_use]
    pub fn waiting_sectors(&self) -> u64 {
        self.wal.unsynced()
    }

    /// Sectors of the files in use.
    #[must_use]
    pub const fn sectors_used(&self) -> u32 {
        self.wal.sectors_used()
    }

    /// Records that were taken before recovery was over and found no room in the files then.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Why nothing becomes durable for the time being.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Why the files cannot be read at all.
    #[must_use]
    pub const fn error(&self) -> Option<WalError> {
        self.error
    }

    /// Since when the disk owes an answer.
    #[must_use]
    pub fn waits_since(&self) -> Option<Mono> {
        self.files.since()
    }

    /// When [`Self::step`] has something to do, if no call ends before.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let is_over = matches!(self.phase, Phase::Closed | Phase::Foreign);
        self.not_before.filter(|_| self.files.is_idle() && !is_over)
    }

    /// Begins the next call, if there is one to make now. To be called after every event.
    pub fn step(&mut self, now: Mono, world: &mut impl World) {
        if !self.files.is_idle() || self.not_before.is_some_and(|at| now < at) {
            return;
        }
        self.not_before = None;
        if let Err(failure) = self.begin(now, world) {
            self.failed(failure, now);
        }
    }

    fn begin(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        match self.phase {
            Phase::Closed | Phase::Foreign => Ok(()),
            Phase::Greeting => self.greet(now, world),
            Phase::Listing => self.ask_for_files(now, world),
            Phase::Reading(_) => self.read_on(now, world),
            Phase::Open => self.write_on(now, world),
        }
    }

    /// Takes the end of a call, and gives the records of former lives that it brings, in the order
    /// in which they were appended. `false`: the call is not this log's.
    pub fn ended(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        each: impl FnMut(Record<'_>),
    ) -> bool {
        let Some(outcome) = self.files.ended(call, result) else { return false };
        let done = match self.phase {
            Phase::Closed | Phase::Foreign => Ok(()),
            Phase::Greeting => self.greeted(outcome),
            Phase::Listing => self.listed(outcome),
            Phase::Reading(_) => self.read_ended(outcome, each),
            Phase::Open => self.write_ended(outcome),
        };
        if let Err(failure) = done {
            self.failed(failure, now);
        }
        true
    }

    /// Waits before it tries again. What was asked of the store and not synced may be gone: it is
    /// asked what there is, unless reading is all that was going on.
    fn failed(&mut self, failure: Failure, now: Mono) {
        self.trouble = Some(failure.trouble());
        self.not_before = Some(now.after(self.pause));
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(self.pauses.max);
        if !matches!(self.phase, Phase::Reading(_)) {
            self.phase = Phase::Greeting;
        }
    }

    fn is_well(&mut self) {
        self.trouble = None;
        self.pause = self.pauses.min;
    }
}
