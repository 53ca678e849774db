//! What metricsd keeps, put together: windows go into the log and into the recorder, groups of them
//! into segments, sealed segments into longer windows; what is too old or too much goes.
//!
//! The log is the truth: whatever is in memory or in a draft comes out of it again. After a start,
//! and whenever a draft is lost, the keeper finds out what is there, reads the log and goes on;
//! meanwhile [`Keeper::open`] says that there is no window, and what has changed goes into a later
//! one. So ingest never waits, and memory is bounded.
//!
//! - [`Keeper::step`] does a bounded part of the work after every event: at most [`WORK_MAX`]
//!   units, each of which reads a block, or encodes some series of one group.
//! - The disk never has more than its limits say: what is too much is deleted, and that is durable,
//!   before room for more is reserved.
//! - Segments are named in the manifest when they are sealed, and given up there before they are
//!   deleted; the log is released when that is durable.

mod backlog;
mod check;
mod draft;
mod life;
mod limits;
mod marks;
mod outbox;
mod reader;
mod roll;
mod roller;
mod rolling;
mod shelf;
mod store;
mod window;

use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, Now, World};

use crate::Keep;
use crate::files::Trouble;
use crate::generation::Settled;
use crate::history::Unsealed;
use crate::log::{self, Log};
use crate::recorder::{self, Group, Recorder};
use crate::recovery::Decision;
use crate::segment::Anchor;
use backlog::Backlog;
pub use limits::StoreLimits;
use marks::{Marks, SegmentId};
pub use roller::{RollError, Roller};
pub use rolling::Unrolled;
pub use shelf::{Sealed, Shelf, ShelfLimits, disk_bytes};
pub use store::{Counts, News, RAW, Store};

/// Lanes of calls that a keeper has: 0 for its log, 1 for segments.
pub const LANES: u8 = 2;

/// Units of work that a step does at most.
pub const WORK_MAX: u32 = 8;

/// Series that are encoded in one unit of work, at most.
const SERIES_AT_ONCE: u32 = 8;

/// What a keeper is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sealed segments.
    pub store: StoreLimits,
    /// What is not in a segment yet.
    pub recorder: recorder::Limits,
    /// The log.
    pub log: log::Limits,
    /// What has happened is durable so soon, as fast as the disk is; two raw windows at least.
    pub sync_interval: Nanos,
}

impl Limits {
    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Keeper>()
            + self.store.memory()
            + self.recorder.memory()
            + self.log.memory()
            + Backlog::memory(self.recorder.record_bytes)
    }
}

/// How far a keeper is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The store finds out what there is.
    Finding,
    /// The log is read to learn whether it has what a damaged segment had.
    Looking,
    /// Its records are taken again.
    Reading,
    /// What former boots have left becomes segments.
    Settling,
    /// Windows are recorded.
    Live,
    /// A draft is lost: as soon as the log is durable, everything is found out anew.
    Lost,
    /// Something is of a format that is not known: nothing is touched.
    Foreign,
}

/// What was lost, and what was not kept, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Losses {
    /// Windows that were recorded and are in no segment.
    pub windows: u64,
    /// Values in records that cannot be used, because something before them is lost.
    pub values: u64,
    /// Records of windows that found no room in the log: a crash before their segment is sealed
    /// loses them.
    pub unlogged: u64,
    /// Records that the log should have had.
    pub records: u64,
    /// Records that were in the log and could not be taken.
    pub strange: u64,
    /// How often a draft was lost, and everything read again.
    pub reloads: u64,
}

/// Where what former lives have kept ends: from there to this life's first window nothing is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastKept {
    /// The life.
    pub boot: u32,
    /// When its last window ended, by the time since its boot.
    pub end: Mono,
}

/// See the module.
pub struct Keeper {
    limits: Limits,
    boot: u32,
    phase: Phase,
    store: Store,
    log: Log,
    is_log_opened: bool,
    recorder: Recorder,
    backlog: Backlog,
    marks: Marks,
    /// The segment whose draft is written, and the one that is sealed and not durable.
    drafted: Option<SegmentId>,
    sealing: Option<SegmentId>,
    /// Two clocks as the groups in the draft last said them.
    anchor: Option<Anchor>,
    /// The first window that the log had.
    first_read: Option<(u32, u64)>,
    /// A damaged segment is to be sealed again out of the log.
    seals_again: bool,
    decision: Option<Decision>,
    /// By when all of the log has to be durable.
    next_sync: Mono,
    /// The window that was opened last is whole.
    is_whole: bool,
    last_sync: Option<Mono>,
    /// What former lives have kept last, and since when this one keeps windows.
    before: Option<LastKept>,
    live_since: Option<Mono>,
    losses: Losses,
    is_stopping: bool,
    /// Something can be done at once.
    is_due: bool,
    /// Units of work done so far.
    work: u64,
}

impl Keeper {
    /// Takes all memory, and begins with the first step. `boot` counts starts.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: Limits, boot: u32, keep: Keep) -> Self {
        let StoreLimits { retry_min, retry_max, .. } = limits.store;
        let pauses = log::Pauses { min: retry_min, max: retry_max };
        let mut store = Store::new(limits.store, boot, 1, keep == Keep::FilesAside);
        store.open();
        Self {
            limits,
            boot,
            phase: Phase::Finding,
            store,
            log: Log::new(limits.log, pauses, 0),
            is_log_opened: false,
            recorder: Recorder::new(limits.recorder),
            backlog: Backlog::new(limits.recorder.record_bytes),
            marks: Marks::new(),
            drafted: None,
            sealing: None,
            anchor: None,
            first_read: None,
            seals_again: false,
            decision: None,
            next_sync: Mono(0),
            is_whole: false,
            last_sync: None,
            before: None,
            live_since: None,
            losses: Losses::default(),
            is_stopping: false,
            is_due: true,
            work: 0,
        }
    }

    /// Does a bounded part of the work, and begins the calls that are to be made. To be called
    /// after every event.
    pub fn step(&mut self, now: Now, world: &mut impl World) {
        self.is_due = false;
        if self.trouble() == Some(Trouble::Full) {
            self.store.make_room();
        }
        for unit in 0..WORK_MAX {
            let is_busy = self.turn(now, world);
            if !is_busy {
                break;
            }
            self.work += 1;
            self.is_due = unit + 1 == WORK_MAX;
        }
        if self.phase == Phase::Live {
            self.live_since.get_or_insert(now.mono);
        }
        self.step_log(now.mono, world);
    }

    /// One unit of work; whether there was any.
    fn turn(&mut self, now: Now, world: &mut impl World) -> bool {
        self.advance() || self.feed() || self.drain(now) || self.step_store(now.mono, world)
    }

    fn step_store(&mut self, now: Mono, world: &mut impl World) -> bool {
        self.phase != Phase::Lost && !self.is_stopping && self.store.step(now, world)
    }

    fn step_log(&mut self, now: Mono, world: &mut impl World) {
        let is_reading = matches!(self.phase, Phase::Looking | Phase::Reading);
        if is_reading && !self.backlog.is_empty() {
            return;
        }
        if self.phase == Phase::Live && self.has_to_sync(now) {
            self.log.sync();
            self.next_sync = now.after(self.limits.sync_interval);
        }
        let before = (self.log.is_settled(), self.log.is_synced());
        self.log.step(now, world);
        // A phase may be waiting for that, and no event may come.
        let after = (self.log.is_settled(), self.log.is_synced());
        self.is_due |= after != before && self.phase != Phase::Live;
        let (_, was_synced) = before;
        if was_synced && self.phase == Phase::Live {
            self.last_sync = Some(now);
        }
    }

    /// Where the next window will be whole too late for what is in the log, now is the time.
    fn has_to_sync(&mut self, now: Mono) -> bool {
        let [raw, ..] = self.limits.store.tiers;
        let is_last =
            core::mem::take(&mut self.is_whole) && now.after(raw.window) >= self.next_sync;
        is_last || now >= self.next_sync
    }

    /// Takes the end of a call; `false`: it is none of the keeper's.
    pub fn ended(&mut self, now: Mono, call: CallId, result: Result<&[u8], CallError>) -> bool {
        if let Some(news) = self.store.ended(now, call, result) {
            self.heard(news);
            return true;
        }
        let Self { log, backlog, phase, store, seals_again, first_read, losses, .. } = self;
        log.ended(now, call, result, |record| {
            let Ok(header) = crate::record::Header::read(record.bytes) else {
                losses.strange += 1;
                return;
            };
            first_read.get_or_insert((header.boot, header.window));
            let [raw, ..] = store.shelves();
            let sealed = raw.holding(header.boot, header.window);
            let is_sealed = sealed.is_some() && !(*seals_again && sealed == raw.newest());
            let is_wanted = *phase == Phase::Reading && !is_sealed;
            if is_wanted && !backlog.push(record.place, record.bytes) {
                losses.strange += 1;
            }
        })
    }

    fn heard(&mut self, news: News) {
        match news {
            News::None => {}
            News::Durable(raw) => self.durable(raw.is_some()),
            News::Lost => {
                self.losses.reloads += u64::from(self.is_log_opened);
                self.phase = Phase::Lost;
                self.log.sync();
            }
        }
    }

    fn durable(&mut self, has_raw: bool) {
        if let Some(segment) = self.sealing.take_if(|_| has_raw) {
            self.release(segment);
        }
    }

    /// The log's records of a segment, and of those before it, are needed no more.
    fn release(&mut self, segment: SegmentId) {
        if let Some(place) = self.marks.sealed(segment).or_else(|| self.log.end()) {
            self.log.release(place);
        }
    }

    /// When the keeper wants to go on, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        if self.is_due {
            return Some(Mono(0));
        }
        let is_live = self.phase == Phase::Live && !self.log.is_synced();
        let sync = is_live.then_some(self.next_sync);
        let store = self.store.deadline().filter(|_| self.phase != Phase::Lost);
        [self.log.deadline(), store, sync].into_iter().flatten().min()
    }

    /// Nothing more is recorded: what is in the log is made durable.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        self.log.sync();
    }

    /// Whether, after [`Self::stop`], everything is durable, or cannot be made so now.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let is_over = self.log.is_synced() || self.log.trouble().is_some();
        self.is_stopping && is_over && self.store.is_free()
    }

    /// Why nothing is kept for the time being.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        let foreign = (self.phase == Phase::Foreign).then_some(Trouble::Foreign);
        foreign.or_else(|| self.log.trouble()).or_else(|| self.store.trouble())
    }

    /// Whether windows are recorded.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// What the start has found and decided, once it has.
    #[must_use]
    pub const fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// What is in no sealed segment yet.
    #[must_use]
    pub fn unsealed(&self) -> Unsealed<'_> {
        if !self.recorder.keeps_numbers() {
            return Unsealed::default();
        }
        let [raw, ..] = &self.store.drafts;
        let mut groups = self.recorder.groups();
        Unsealed { draft: raw.readable(), groups: [groups.next(), groups.next()] }
    }

    /// The groups in memory, in order of time.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.recorder.groups()
    }

    /// The sealed segments, tier by tier.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Below which prefix the files are, once that is known.
    #[must_use]
    pub const fn settled(&self) -> Option<Settled> {
        self.store.settled()
    }

    /// What was lost.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// When everything recorded was last found durable.
    #[must_use]
    pub const fn last_sync(&self) -> Option<Mono> {
        self.last_sync
    }

    /// Where what former lives have kept ends, once that is known and if there is any.
    #[must_use]
    pub const fn before(&self) -> Option<LastKept> {
        self.before
    }

    /// Since when windows are kept, if they are.
    #[must_use]
    pub const fn live_since(&self) -> Option<Mono> {
        self.live_since
    }

    /// Units of work done since the start.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.work
    }
}
