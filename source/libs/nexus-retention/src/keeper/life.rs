//! From one phase to the next: what a start finds, and what is decided.

use nexus_bounded::Mono;

use super::{Keeper, LastKept, Phase, RAW};
use crate::recovery::{Facts, Log, LogStep, ManifestStep, Sealed, SegmentStep, Temp, decide};

impl Keeper {
    /// Goes on to the next phase if this one is over; whether it was.
    pub(super) fn advance(&mut self) -> bool {
        match self.phase {
            Phase::Finding => self.found(),
            Phase::Looking => self.log.is_settled() && self.looked(),
            Phase::Reading => self.log.is_settled() && self.backlog.is_empty() && self.read(),
            Phase::Settling => self.settled_down(),
            Phase::Lost => self.begin_again(),
            Phase::Live | Phase::Foreign => false,
        }
    }

    /// The store knows what there is: the log is read.
    fn found(&mut self) -> bool {
        if self.store.is_foreign() {
            return self.refuse();
        }
        if !self.store.is_found() {
            return false;
        }
        let is_foreign = self.store.newest_raw() == Sealed::Foreign;
        if is_foreign {
            return self.refuse();
        }
        let Some(settled) = self.store.settled() else { return false };
        if !self.is_log_opened {
            self.is_log_opened = true;
            self.log.open(settled.current);
        } else if !self.log.read_again() {
            return false;
        }
        let is_damaged = self.store.newest_raw() == Sealed::Damaged;
        self.phase = if is_damaged { Phase::Looking } else { Phase::Reading };
        if self.phase == Phase::Reading {
            self.store.go_on();
        }
        true
    }

    /// Whether the log has what a damaged segment had is known: it is read again.
    fn looked(&mut self) -> bool {
        if self.log.error().is_some() {
            return self.refuse();
        }
        let decision = decide(self.facts());
        self.seals_again = decision.segment == SegmentStep::SealAgain;
        if !self.log.read_again() {
            return false;
        }
        self.phase = Phase::Reading;
        self.store.go_on();
        true
    }

    /// All that the log has is taken.
    fn read(&mut self) -> bool {
        if self.log.error().is_some() {
            return self.refuse();
        }
        let facts = self.facts();
        let decision = decide(facts);
        self.losses.records += self.log.recovered().map_or(0, |recovered| recovered.loss.records);
        if decision.log != LogStep::Replay && decision.log != LogStep::ReplayRest {
            self.release_all();
        }
        if decision.manifest == ManifestStep::Write {
            self.store.write_manifest();
        }
        self.decision.get_or_insert(decision);
        // What this life has recorded goes on in a segment of its own: numbers of series that are
        // lost would not be known.
        self.recorder.end_segment();
        self.phase = Phase::Settling;
        true
    }

    /// What is in the log is in sealed segments, or nothing is in it.
    fn release_all(&mut self) {
        if let Some(end) = self.log.end() {
            self.log.release(end);
        }
    }

    /// The recorder's groups are written, and their segment is sealed.
    fn settled_down(&mut self) -> bool {
        if self.recorder.ended().is_none() {
            self.recorder.end_segment();
        }
        let is_empty = self.recorder.groups().next().is_none();
        let [raw, ..] = &self.store.drafts;
        if !is_empty || raw.name().is_some() || self.sealing.is_some() || !self.store.is_idle() {
            return false;
        }
        self.seals_again = false;
        self.before = self.before.or_else(|| self.last_kept());
        self.store.go_live();
        self.phase = Phase::Live;
        true
    }

    fn last_kept(&self) -> Option<LastKept> {
        let shelf = self.store.shelves().get(RAW)?;
        let boot = shelf.newest().map(|name| name.boot).filter(|boot| *boot != self.boot)?;
        let end = shelf.end()?.saturating_mul(shelf.tier().window.0);
        Some(LastKept { boot, end: Mono(end) })
    }

    fn refuse(&mut self) -> bool {
        self.decision = Some(decide(Facts { log: Log::Foreign, ..self.facts() }));
        self.store.refuse();
        self.phase = Phase::Foreign;
        true
    }

    /// A draft was lost. The log is the truth, so it is made durable first.
    fn begin_again(&mut self) -> bool {
        let is_durable = self.log.is_settled() && self.log.is_synced();
        if !self.store.is_free() || (self.is_log_opened && !is_durable) {
            return false;
        }
        self.recorder.forget();
        self.backlog.clear();
        self.marks.clear();
        (self.drafted, self.sealing, self.anchor) = (None, None, None);
        self.first_read = None;
        self.store.open();
        self.phase = Phase::Finding;
        true
    }

    /// What there was: the sealed segment is the one that holds the log's first windows, or else
    /// the newest that the manifest names.
    fn facts(&self) -> Facts {
        let loss = self.log.recovered().map(|recovered| recovered.loss);
        let log = match (self.log.error(), self.first_read) {
            (Some(_), _) => Log::Foreign,
            (None, _) if loss.is_some_and(|loss| !loss.is_none()) => Log::Cut,
            (None, Some(_)) => Log::Whole,
            (None, None) => Log::Empty,
        };
        let shelf = self.store.shelves().get(RAW);
        let newest = shelf.and_then(super::Shelf::newest);
        let sealed = match self.first_read {
            Some((boot, window)) => shelf.and_then(|shelf| shelf.holding(boot, window)),
            None => newest.filter(|newest| self.store.newest_named().is_none_or(|n| n <= *newest)),
        };
        let state = match sealed {
            None => Sealed::Absent,
            Some(_) if sealed == newest => self.store.newest_raw(),
            Some(_) => Sealed::Whole,
        };
        let named = self.store.named(self.first_read, sealed);
        Facts { log, temp: Temp::Absent, sealed: state, named }
    }
}
