//! The store: what it holds, and the two calls by which it meets its device.

mod change;
mod mount;
mod read;
mod refusal;
mod sync;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use nexus_port::{BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};

use self::mount::{CHUNK_SECTORS, Mounting};
use self::sync::Step;
use crate::files::Files;
use crate::format::{Area, Format};
use crate::freed::Freed;
use crate::journal::Record;
use crate::quota::{Quota, Quotas};
use crate::sector::Sector;
use crate::space::Space;
use crate::stage::Stage;

pub use self::change::APPEND_BYTES_MAX;
pub use self::read::{Damaged, Entry, Found, Span};
pub use self::refusal::Refusal;

/// Names a sync. It is durable once [`Store::synced`] is as high.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SyncId(pub u64);

/// What a store can be asked for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing: call [`Store::mount`] or [`Store::format`].
    Unmounted,
    /// Nothing yet: it reads its journal, or formats its device.
    Starting,
    /// Everything.
    Ready,
    /// Reading what is there. What was not durable is lost; [`Store::mount`] tries again from
    /// there.
    Failed(Fault),
}

/// Why a store has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The device did not write or flush.
    Device(BlockError),
    /// Neither area of the journal has a snapshot that is whole in either copy.
    NoJournal,
    /// The journal's checksums are right and what it says cannot be.
    Inconsistent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => write!(f, "{error}"),
            Self::NoJournal => f.write_str(
                "no journal area is whole: all files are lost; keep a \
                                            copy of the image, then format it",
            ),
            Self::Inconsistent => f.write_str(
                "the journal contradicts itself: this is a defect of \
                                               the program that wrote it; keep a copy of the image",
            ),
        }
    }
}

/// What mounting found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recovery {
    /// The sync that the store goes on from.
    pub sync: u64,
    /// A sync was under way and is not there as a whole; it had not been reported durable.
    pub is_torn: bool,
    /// Syncs that had been durable are lost, because both copies of a journal page are damaged.
    pub is_lost: bool,
    /// Pages of the journal of which only one copy is whole. The next sync writes them anew.
    pub single: u32,
}

enum Phase {
    Unmounted,
    Mounting(Mounting),
    Ready,
    Syncing(Step),
    Failed(Fault),
}

/// In ids of files, the number of the run is above these bits.
const RUN_SHIFT: u32 = 32;

/// Where the journal goes on.
struct Journal {
    area: Area,
    epoch: u32,
    /// The area's next page, or none if the next sync has to begin the other area.
    next: Option<u32>,
}

/// A store. See the crate's documentation.
pub struct Store {
    format: Format,
    phase: Phase,
    /// A request is under way.
    is_waiting: bool,
    /// Sectors of files in that request, if it writes such.
    run: u32,
    files: Files,
    space: Space,
    freed: Freed,
    quotas: Quotas,
    stage: Stage,
    /// Sectors were written since the last flush.
    is_unflushed: bool,
    record: Record,
    journal: Journal,
    synced: u64,
    /// A sync was asked for while one was under way.
    is_sync_wanted: bool,
    next_id: u64,
    recovery: Recovery,
    /// The mount found something that a new snapshot mends.
    has_flaws: bool,
    /// The record's first copy could not be written.
    has_front_failed: bool,
    tolerated: u64,
    /// What a mount has read of front copies, until it has read the back copies; and a superblock
    /// while it is written.
    chunk: Box<[Sector]>,
}

impl Store {
    /// A store on a device that is, or is to be, formatted so. Takes all memory that it will ever
    /// need. Quotas beyond [`crate::QUOTAS_MAX`] are a panic.
    #[must_use]
    pub fn new(format: Format, quotas: &[Quota<'_>]) -> Self {
        let limits = format.limits();
        Self {
            format,
            phase: Phase::Unmounted,
            is_waiting: false,
            run: 0,
            files: Files::new(limits.files, limits.open),
            space: Space::new(format.data()),
            freed: Freed::new(limits.files),
            quotas: Quotas::new(quotas),
            stage: Stage::new(),
            is_unflushed: false,
            record: Record::new(format.snapshot_sectors()),
            journal: Journal { area: Area::A, epoch: 0, next: None },
            synced: 0,
            is_sync_wanted: false,
            next_id: 0,
            recovery: Recovery::default(),
            has_flaws: false,
            has_front_failed: false,
            tolerated: 0,
            chunk: vec![[0; SECTOR_BYTES]; CHUNK_SECTORS as usize].into_boxed_slice(),
        }
    }

    /// Goes on with a device that is, or is to be, formatted for the same limits at another time;
    /// forgets what it knew of any other, and takes no memory. Other limits are a panic.
    pub fn adopt(&mut self, format: Format) {
        assert!(!self.is_waiting, "a request is under way");
        assert!(format.limits() == self.format.limits(), "memory was taken for these limits");
        self.clear();
        self.format = format;
        self.phase = Phase::Unmounted;
        self.journal = Journal { area: Area::A, epoch: 0, next: None };
        self.synced = 0;
        self.has_flaws = false;
        self.has_front_failed = false;
    }

    /// Bytes of memory that a store of this format takes, without its quotas.
    #[must_use]
    pub fn memory(format: &Format) -> usize {
        let limits = format.limits();
        size_of::<Self>()
            + Files::bytes(limits.files, limits.open)
            + Space::bytes(format.data())
            + Freed::bytes(limits.files)
            + Stage::bytes()
            + Record::bytes(format.snapshot_sectors())
            + CHUNK_SECTORS as usize * SECTOR_BYTES
    }

    /// How the device is formatted.
    #[must_use]
    pub const fn disk_format(&self) -> &Format {
        &self.format
    }

    /// What it can be asked for now.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Unmounted => State::Unmounted,
            Phase::Mounting(_) => State::Starting,
            Phase::Syncing(step) if step.is_of_format() => State::Starting,
            Phase::Ready | Phase::Syncing(_) => State::Ready,
            Phase::Failed(fault) => State::Failed(fault),
        }
    }

    /// What the last mount found.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The number of this run: a mount, or a formatting, begins one. It is higher than that of any
    /// run in which something was made durable: where a number is on the disk, it is never given
    /// again. A run that has made nothing durable may leave its number to the next.
    #[must_use]
    pub const fn run(&self) -> u32 {
        (self.next_id >> RUN_SHIFT) as u32
    }

    /// The next request for the device; none while one is under way, or if there is nothing to do.
    /// Each is to be followed by [`Self::complete`].
    pub fn next_io(&mut self) -> Option<BlockRequest<'_>> {
        if self.is_waiting {
            return None;
        }
        self.run = self.stage.next_run().map_or(0, |(run, _)| run.sectors);
        self.is_waiting = self.request().is_some();
        self.request()
    }

    fn request(&self) -> Option<BlockRequest<'_>> {
        match &self.phase {
            Phase::Unmounted | Phase::Failed(_) => None,
            Phase::Mounting(mounting) => Some(mounting.request(&self.format)),
            Phase::Ready => self.write_staged(),
            Phase::Syncing(step) => self.step_request(*step),
        }
    }

    /// What became of the request under way.
    pub fn complete(&mut self, outcome: BlockOutcome<'_>) {
        assert!(self.is_waiting, "a completion follows a request");
        self.is_waiting = false;
        match (&self.phase, outcome) {
            (Phase::Mounting(mounting), outcome) => self.mounting(*mounting, outcome),
            (Phase::Syncing(Step::Pages { of, twin, .. }), BlockOutcome::Failed(error)) => {
                self.pages_failed(*of, *twin, error);
            }
            (_, BlockOutcome::Failed(error)) => self.fail(Fault::Device(error)),
            (Phase::Ready, _) => self.staged_written(),
            (Phase::Syncing(step), _) => self.step_done(*step),
            (Phase::Unmounted | Phase::Failed(_), _) => {}
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.phase = Phase::Failed(fault);
    }

    /// Forgets everything but the format.
    fn clear(&mut self) {
        self.files.clear();
        self.space.clear();
        self.freed.clear();
        self.quotas.clear();
        self.stage.clear();
        self.record.clear();
        self.is_unflushed = false;
        self.is_sync_wanted = false;
        self.recovery = Recovery::default();
    }
}
