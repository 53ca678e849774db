//! metricsd's own metrics: series like everybody's, under its own name, updated by the clock.
//!
//! Counters lag by a short window at most; gauges say what is now whenever somebody reads them or a
//! round of exports begins. They cost a fixed number of series, and no frame; a record about them
//! never causes another.

use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_gate::SenderSlot;
use nexus_wire::{Kind, LABELS_BYTES_MAX, LabelBytes, Labels, MetricName, REASONS, Unit};

use crate::registry::{Traits, Wanted};
use crate::retention::Retention;
use crate::service::Metricsd;

const SERVICE: ServiceId = ServiceId::from_name("metricsd");

/// Own totals, those not kept elsewhere, and what has been published of all of them.
pub(crate) struct OwnMetrics {
    /// Frames that came.
    pub(crate) frames: u64,
    /// Updates of counters and histograms that came one by one.
    pub(crate) single_updates: u64,
    published: [u64; COUNTERS],
    /// What gauges were set to last.
    shown: [Option<u64>; GAUGES],
    due: Mono,
    /// When we last found that we had missed a whole window: nobody gave us the time for it.
    missed: Option<Mono>,
}

/// A counter of ours.
struct Total {
    name: &'static str,
    /// Value of the label `reason`; empty for no label.
    reason: &'static str,
    help: &'static str,
}

const PLAIN: [Total; 9] = [
    total("metricsd_frames_total", "Frames that came"),
    total("metricsd_items_folded_total", "Items counted in an overflow series"),
    total("metricsd_series_reclaimed_total", "Idle series that gave way"),
    total("metricsd_saturations_total", "Counters that met the end of 64 bits"),
    total("metricsd_export_records_total", "Records that logd acknowledged"),
    total("metricsd_spans_dropped_total", "Ended spans that met a full export queue"),
    total("metricsd_retention_segments_total", "Segments that were sealed"),
    total("metricsd_retention_windows_lost_total", "Windows that are in no segment"),
    total("metricsd_retention_windows_skipped_total", "Windows that could not be kept"),
];

const COUNTERS: usize = PLAIN.len() + REASONS.len();
const GAUGES: usize = 5;

const fn total(name: &'static str, help: &'static str) -> Total {
    Total { name, reason: "", help }
}

impl OwnMetrics {
    pub(crate) const fn new() -> Self {
        Self {
            frames: 0,
            single_updates: 0,
            published: [0; COUNTERS],
            shown: [None; GAUGES],
            due: Mono(0),
            missed: None,
        }
    }

    /// When they are to be published next.
    pub(crate) const fn due(&self) -> Mono {
        self.due
    }
}

impl Metricsd {
    /// Whether we ourselves stood still just now: what clients that come back bring has waited.
    pub(crate) fn was_held_up(&self) -> bool {
        self.own.missed.is_some_and(|at| !self.registry.clock().window_passed_since(at))
    }

    /// Brings the series of our own metrics up to date.
    pub(crate) fn publish(&mut self, now: Mono) {
        if self.own.due > Mono(0) && self.registry.clock().window_passed_since(self.own.due) {
            self.own.missed = Some(now);
        }
        self.own.due = self.registry.clock().end();
        let slot = self.own_seat(now);
        self.own.shown = [None; GAUGES];
        self.publish_gauges(slot);
        let values = self.own_totals(now);
        let reasons = REASONS.iter().map(|(_, reason)| Total {
            name: "metricsd_items_refused_total",
            reason,
            help: "Items refused",
        });
        let totals = PLAIN.into_iter().chain(reasons);
        for (place, (total, value)) in totals.zip(values).enumerate() {
            let Some(published) = self.own.published.get_mut(place) else { return };
            let delta = value - *published;
            *published = value;
            if delta > 0 {
                self.publish_one(slot, Kind::Counter, &total, Unit::None, delta);
            }
        }
    }

    /// Lets the own gauges say what is now; one that says so already has not changed.
    pub(crate) fn refresh_gauges(&mut self, now: Mono) {
        let slot = self.own_seat(now);
        self.publish_gauges(slot);
    }

    fn own_seat(&mut self, now: Mono) -> SenderSlot {
        let own = Sender::stamped(SERVICE, 0, Incarnation::new(1), Rights::NONE);
        self.seat(own.id, now)
    }

    fn own_totals(&mut self, now: Mono) -> impl Iterator<Item = u64> + use<> {
        let (mut folded, mut refused) = (0, [0; REASONS.len()]);
        for slot in self.senders.slots() {
            let row = self.senders.row(slot, 0, now);
            folded += row.folded;
            for (sum, count) in refused.iter_mut().zip(row.refused) {
                *sum += count;
            }
        }
        let (totals, export) = (*self.registry.totals(), self.exporter.state());
        let [sealed, lost, skipped] = self.retention.as_ref().map_or([0; 3], Retention::totals);
        let plain = [
            self.own.frames,
            folded,
            totals.reclaimed,
            totals.saturations,
            export.acknowledged,
            export.spans_dropped,
            sealed,
            lost,
            skipped,
        ];
        plain.into_iter().chain(refused)
    }

    fn publish_gauges(&mut self, slot: SenderSlot) {
        let (sessions, _) = self.sessions.counts();
        let gauges: [_; GAUGES] = [
            ("metricsd_series", "Series in use", Unit::None, self.registry.used()),
            ("metricsd_senders", "Senders known", Unit::None, self.senders.seated().into()),
            ("metricsd_sessions", "Lives of senders", Unit::None, sessions),
            ("metricsd_spans_live", "Spans that live", Unit::None, self.spans.len()),
            (
                "metricsd_export_queue_bytes",
                "Ended spans that wait for logd",
                Unit::Bytes,
                self.exporter.state().queue_bytes,
            ),
        ];
        for (place, (name, help, unit, value)) in gauges.into_iter().enumerate() {
            let value = u64::from(value);
            let shown = self.own.shown.get_mut(place);
            if shown.is_some_and(|shown| shown.replace(value) != Some(value)) {
                self.publish_one(slot, Kind::Gauge, &total(name, help), unit, value);
            }
        }
    }

    /// A gauge beyond the own share is left out; a counter goes to the own overflow.
    fn publish_one(&mut self, slot: SenderSlot, kind: Kind, total: &Total, unit: Unit, value: u64) {
        let mut buffer = [0; LABELS_BYTES_MAX];
        let Some(labels) = reason_label(total.reason, &mut buffer) else { return };
        let Some(name) = MetricName::new(total.name) else { return };
        let traits = Traits { unit: Some(unit), bounds: None, help: total.help };
        let wanted = Wanted { owner: slot, service: SERVICE, kind, name, labels, traits };
        if let Ok(placed) = self.registry.place(&wanted) {
            match kind {
                Kind::Gauge => self.registry.set(placed.row, value.cast_signed(), false),
                _ => self.registry.count(placed.row, value, false),
            }
        }
    }
}

fn reason_label<'b>(reason: &str, buffer: &'b mut [u8]) -> Option<Labels<'b>> {
    if reason.is_empty() {
        return Some(Labels::EMPTY);
    }
    let mut writer = nexus_wire::FieldsWriter::new(buffer);
    if !writer.field("reason", reason) {
        return None;
    }
    let fields = writer.finish().ok()?;
    Labels::parse(LabelBytes::new(fields.as_str().as_bytes())?).ok()
}
