//! What goes into the next frame: what was lost, ended spans, snapshots.

use nexus_bounded::Mono;
use nexus_recipe::Recipe;
use nexus_wire::logs::AppendBatchWriter;
use nexus_wire::{FIELDS_BYTES_MAX, Level};

use super::draft::{Draft, Kind};
use super::gaps::{self, Gaps};
use super::metric_fields::{self, MetricRecord, Taken};
use super::parts::RecordBounds;
use super::rounds::{Rounds, SeriesSource};
use super::span_fields;
use super::span_queue::{ENTRY_MAX, SpanQueue};
use super::state_change::StateChange;

/// Scope of metricsd's own records.
pub(super) const OWN_SCOPE: &str = "metricsd";
/// Scope of ended spans.
pub(super) const SPAN_SCOPE: &str = "spans";
const METRIC_SCOPE: &str = "metrics";

/// While a round is under way a snapshot goes after so many spans, so that spans cannot hold up
/// snapshots for ever.
const SPANS_IN_A_ROW: u32 = 3;

/// The sources of records, and the record that is being written.
pub(super) struct Feed {
    boot: u32,
    seq: u64,
    draft: Draft,
    metric: MetricRecord,
    pub(super) queue: SpanQueue,
    pub(super) rounds: Rounds,
    pub(super) gaps: Gaps,
    /// What is to be told of what is kept; a later one takes the place of an earlier one.
    pub(super) change: Option<StateChange>,
    spans_in_a_row: u32,
    /// Gaps need no longer be told one a second.
    pub(super) hurry: bool,
}

impl Feed {
    pub(super) fn new(recipe: &Recipe, boot: u32) -> Self {
        let limits = &recipe.metricsd;
        let bounds = RecordBounds {
            bytes: (recipe.logd.fields_bytes as usize).min(FIELDS_BYTES_MAX),
            count: recipe.logd.fields_count as usize,
        };
        Self {
            boot,
            seq: 0,
            draft: Draft::new(bounds),
            metric: MetricRecord::new(boot, limits.window_short, limits.window_long),
            queue: SpanQueue::new(limits.export.queue_bytes, limits.senders),
            rounds: Rounds::new(&limits.export),
            gaps: Gaps::new(limits.senders),
            change: None,
            spans_in_a_row: 0,
            hurry: false,
        }
    }

    pub(super) const fn boot(&self) -> u32 {
        self.boot
    }

    pub(super) const fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Whether there is something for a frame, gaps apart.
    pub(super) const fn has_work(&self) -> bool {
        !self.draft.is_done()
            || !self.queue.is_empty()
            || self.change.is_some()
            || self.rounds.under_way()
    }

    /// Whether a record is only partly in a frame.
    pub(super) const fn is_inside_a_record(&self) -> bool {
        !self.draft.is_done()
    }

    /// Appends the next part of a record; `false` when there is none or it does not fit.
    pub(super) fn append(
        &mut self,
        now: Mono,
        source: &mut impl SeriesSource,
        frame: &mut AppendBatchWriter<'_>,
    ) -> bool {
        if self.draft.is_done() && !self.begin_next(now, source) {
            return false;
        }
        self.draft.write_part(|record| frame.record(record))
    }

    /// Begins the next record; `false`: there is none.
    fn begin_next(&mut self, now: Mono, source: &mut impl SeriesSource) -> bool {
        if self.begin_change() || self.begin_gap(now) {
            return true;
        }
        let snapshots_turn = self.rounds.under_way() && self.spans_in_a_row >= SPANS_IN_A_ROW;
        if !snapshots_turn && self.begin_span() {
            self.spans_in_a_row += 1;
            return true;
        }
        self.spans_in_a_row = 0;
        self.begin_snapshot(now, source) || self.begin_span()
    }

    fn begin_change(&mut self) -> bool {
        let Some(change) = self.change.take() else { return false };
        let (boot, seq) = (self.boot, self.next_seq());
        let kind = Kind { scope: OWN_SCOPE, ids: &[] };
        let begun =
            self.draft.begin(kind, change.level(), "retention", |out| change.write(boot, seq, out));
        assert!(begun, "a change fits one record");
        true
    }

    fn begin_gap(&mut self, now: Mono) -> bool {
        let Some((reason, gap)) = self.gaps.take_due(now, self.hurry) else { return false };
        let (boot, seq) = (self.boot, self.next_seq());
        let kind = Kind { scope: OWN_SCOPE, ids: &[] };
        let begun = self
            .draft
            .begin(kind, Level::Warn, "gap", |out| gaps::write((reason, &gap), boot, seq, out));
        assert!(begun, "a gap fits one record");
        true
    }

    fn begin_span(&mut self) -> bool {
        let mut entry = [0; ENTRY_MAX];
        let Some(span) = self.queue.pop(&mut entry) else { return false };
        let seq = self.next_seq();
        let kind = Kind { scope: SPAN_SCOPE, ids: span_fields::IDS };
        let level = span_fields::level(&span);
        let begun =
            self.draft.begin(kind, level, span.name, |out| span_fields::write(&span, seq, out));
        assert!(begun, "a recipe leaves room for every span");
        true
    }

    fn begin_snapshot(&mut self, now: Mono, source: &mut impl SeriesSource) -> bool {
        let kind = Kind { scope: METRIC_SCOPE, ids: metric_fields::IDS };
        while let Some(place) = self.rounds.next_series(source) {
            let taken = Taken { at: now, seq: self.seq + 1 };
            let (draft, metric) = (&mut self.draft, &self.metric);
            let begun = source.with_view(place, |view| {
                draft.begin(kind, Level::Info, view.name, |out| metric.write(view, taken, out))
            });
            let Some(begun) = begun else { continue };
            assert!(begun, "a recipe leaves room for every series");
            source.mark_exported(place);
            self.seq = taken.seq;
            return true;
        }
        false
    }
}
