//! What is kept of the registry beyond this life: windows of it are sampled, and a keeper puts them
//! into files of statefsd's.
//!
//! Nothing of it is on an update's path: it has its turn when time has passed, or a call has ended.

mod limits;
mod sampling;
mod status;
#[cfg(test)]
mod tests;

use core::fmt;

use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Now, Token, World};
use nexus_recipe::{MemoryLine, Recipe};
use nexus_retention::Keep;
use nexus_retention::files::Trouble;
use nexus_retention::history::{Answers, Held};
use nexus_retention::keeper::{Keeper, LANES};
use nexus_retention::record::Header;
use nexus_retention::recovery::Say;
use nexus_wire::MetricStatus;
use nexus_wire::metrics::{Moment, Range};

pub use limits::{explain_retention, flash_bytes_per_day};
pub(crate) use limits::{files_bytes, series_ids};
pub(crate) use sampling::{Records, Sampler};
pub(crate) use status::write_status;

use crate::export::StateChange;
use crate::limits::memory_line;
use crate::registry::Registry;

/// The lane of calls by which what is kept is read back: behind those of the keeper.
const READING_LANE: u8 = LANES;

/// A state change is told once it has lasted, and not more often than that.
const TOLD_EVERY: nexus_bounded::Nanos = nexus_bounded::Nanos::from_secs(1);

/// What is told of the state: in words that do not change with every window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// What former lives have left is being read.
    Starting,
    /// Windows are kept.
    Keeping,
    /// They are not, or not on the disk.
    Degraded(Trouble),
}

impl State {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Keeping => "keeping",
            Self::Degraded(_) => "degraded",
        }
    }

    /// Why it is not better.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Starting | Self::Keeping => "none",
            Self::Degraded(trouble) => trouble.name(),
        }
    }
}

/// See the module.
pub(crate) struct Retention {
    sampler: Sampler,
    keeper: Keeper,
    /// What is asked of what is kept.
    answers: Answers,
    /// Windows that were over and could not be kept: what they had went into later ones.
    skipped: u64,
    /// Bytes that the disk is written a day, as the recipe makes it expected.
    flash: u64,
    told: State,
    tells_from: Mono,
    ending: Ending,
}

/// How far the end of the service is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It goes on.
    No,
    /// It is to end as soon as the window that is open can be kept, or never can be.
    Wanted,
    /// That window is sampled.
    Sampling,
    /// Nothing more is kept.
    Over,
}

impl Retention {
    /// Takes all memory; `None`, and none, if nothing is kept.
    pub(crate) fn new(recipe: &Recipe, boot: u32, keep: Keep) -> Option<Self> {
        if !keep.has_files() {
            return None;
        }
        let limits = limits::of(recipe);
        let interval = recipe.metricsd.retention.raw_interval;
        Some(Self {
            sampler: Sampler::new(boot, interval, &limits.recorder),
            keeper: Keeper::new(limits, boot, keep),
            answers: Answers::new(limits::reading(recipe), READING_LANE),
            skipped: 0,
            flash: flash_bytes_per_day(recipe, limits::FLASH_SERIES),
            told: State::Starting,
            tells_from: Mono(0),
            ending: Ending::No,
        })
    }

    /// What it takes memory for.
    pub(crate) fn memory(recipe: &Recipe, keep: Keep) -> Option<MemoryLine> {
        let limits = limits::of(recipe);
        let bytes = limits.memory()
            + nexus_retention::record::Writer::memory(&limits.recorder)
            + Answers::memory(&limits::reading(recipe));
        keep.has_files().then(|| memory_line("what waits for the disk", 1, bytes as u64))
    }

    /// The keeper, to be looked at.
    pub(crate) const fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Segments that were sealed; windows that are in none, and that could not be kept.
    pub(crate) fn totals(&self) -> [u64; 3] {
        let sealed = self.keeper.store().counts().sealed.iter().sum();
        [sealed, self.keeper.losses().windows, self.skipped]
    }

    /// Bytes that the disk is written a day.
    pub(crate) const fn flash(&self) -> u64 {
        self.flash
    }

    /// Windows that could not be kept.
    pub(crate) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Takes the end of a call; `false`: it is none of ours.
    pub(crate) fn ended(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        world: &mut impl World,
    ) -> bool {
        let Self { keeper, answers, sampler, .. } = self;
        let held = Held { keeper, recorded: sampler.sampled() };
        answers.ended(now, call, result, &held, world) || keeper.ended(now, call, result)
    }

    /// Answers a question for what is kept, now or later.
    ///
    /// # Errors
    /// The status that is to be answered now.
    pub(crate) fn answer(
        &mut self,
        question: (Token, u32),
        range: &Range<'_>,
        at: Moment,
        world: &mut impl World,
    ) -> Result<(), MetricStatus> {
        if !self.keeper.is_live() {
            return Err(MetricStatus::NotReady);
        }
        let Self { keeper, answers, sampler, .. } = self;
        let held = Held { keeper, recorded: sampler.sampled() };
        answers.ask(question, range, at, &held, world)
    }

    /// Does a bounded part of what there is to do.
    pub(crate) fn poll(&mut self, now: Now, registry: &mut Registry, world: &mut impl World) {
        if self.may_end() {
            self.sampler.end();
            self.ending = Ending::Sampling;
        }
        if now.mono >= self.sampler.deadline() {
            let Self { sampler, keeper, skipped, .. } = self;
            sampler.poll(now, registry, &mut Windows { keeper, skipped });
        }
        if self.ending == Ending::Sampling && self.sampler.is_idle() {
            self.ending = Ending::Over;
            self.keeper.stop();
        }
        self.keeper.step(now, world);
    }

    /// When there is something to do, if nothing happens before.
    pub(crate) fn deadline(&self) -> Mono {
        if self.may_end() {
            return Mono(0);
        }
        let keeper = self.keeper.deadline().unwrap_or(Mono(u64::MAX));
        let tells = self.tells().unwrap_or(Mono(u64::MAX));
        keeper.min(self.sampler.deadline()).min(tells)
    }

    /// The window that is open is kept as it is, and made durable.
    pub(crate) const fn end(&mut self) {
        self.ending = Ending::Wanted;
    }

    /// Whether an end that is wanted may begin: before the files are read there is no window.
    fn may_end(&self) -> bool {
        let is_read = self.keeper.is_live() || self.keeper.trouble().is_some();
        self.ending == Ending::Wanted && is_read
    }

    /// Whether that is done, or cannot be.
    pub(crate) fn is_over(&self) -> bool {
        self.ending == Ending::Over && self.keeper.is_stopped()
    }

    /// What is lost if the service ends now.
    pub(crate) fn undone(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.keeper.log().is_synced() {
            return Ok(());
        }
        let reason = self.state().reason();
        write!(out, "the last windows not on the disk (reason: {reason})")
    }

    /// How it is now.
    pub(crate) fn state(&self) -> State {
        match self.keeper.trouble() {
            Some(trouble) => State::Degraded(trouble),
            None if self.keeper.is_live() => State::Keeping,
            None => State::Starting,
        }
    }

    /// The state, if it has changed and may be told now.
    pub(crate) fn take_change(&mut self, now: Mono) -> Option<StateChange> {
        let to = self.state();
        if to == self.told || to == State::Starting || now < self.tells_from {
            return None;
        }
        self.told = to;
        self.tells_from = now.after(TOLD_EVERY);
        let losses = self.keeper.losses();
        Some(StateChange {
            state: to.name(),
            reason: to.reason(),
            found: self.found(),
            before: self.keeper.before().map_or((0, 0), |before| (before.boot, before.end.0)),
            from_ns: self.keeper.live_since().map_or(0, |since| since.0),
            lost_records: losses.records,
            lost_windows: losses.windows,
            skipped: self.skipped,
            is_bad: matches!(to, State::Degraded(_)) || losses.records + losses.windows > 0,
        })
    }

    /// When a change may be told that was not.
    fn tells(&self) -> Option<Mono> {
        let to = self.state();
        (to != self.told && to != State::Starting).then_some(self.tells_from)
    }

    /// The worst that the start has found, in one word.
    fn found(&self) -> &'static str {
        let Some(decision) = self.keeper.decision() else { return "unknown" };
        let says = |say| decision.says.contains(&say);
        match () {
            () if says(Say::Foreign) => "foreign",
            () if says(Say::SegmentLost) => "segment_lost",
            () if says(Say::SegmentDamaged) => "segment_damaged",
            () if says(Say::LogCut) => "log_cut",
            () if says(Say::ManifestLost) => "manifest_lost",
            () => "whole",
        }
    }
}

/// Where the sampler's windows go.
struct Windows<'a> {
    keeper: &'a mut Keeper,
    skipped: &'a mut u64,
}

impl Records for Windows<'_> {
    fn open(&mut self, _: u32, window: u64) -> Option<Header> {
        let header = self.keeper.open(window);
        *self.skipped += u64::from(header.is_none());
        header
    }

    fn take(&mut self, record: &[u8]) {
        self.keeper.put(record);
    }

    fn close(&mut self) {
        self.keeper.close();
    }

    fn lack_series(&mut self) {
        self.keeper.lack_series();
    }
}
