//! STATUS: how metricsd fares, as sorted fields.

use core::fmt::Write as _;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Text;
use nexus_gate::PortTotals;
use nexus_port::World;
use nexus_wire::metrics::{REPLY_HEAD_BYTES, Reply};
use nexus_wire::state::metricsd as key;
use nexus_wire::{FieldsWriter, Kind};

use crate::registry::ViewScratch;
use crate::service::{Asked, Metricsd};

/// Quarantined metrics that are named; the others are only counted.
const QUARANTINED_MAX: usize = 8;
/// What a reply has room for.
const FIELDS_BYTES: usize = FRAME_BYTES_MAX - REPLY_HEAD_BYTES - 2;

impl Metricsd {
    pub(crate) fn status<'b>(
        &self,
        asked: &Asked,
        out: &'b mut [u8],
        world: &impl World,
    ) -> Option<&'b [u8]> {
        let mut buffer = [0; FIELDS_BYTES];
        let mut writer = FieldsWriter::new(&mut buffer);
        let written = self.write_export(&mut writer)
            && self.write_totals(&mut writer)
            && PortTotals::of(world).iter().all(|(name, total)| writer.field(name, total))
            && self.write_quarantine(&mut writer)
            && crate::retention::write_status(self.retention.as_ref(), &mut writer)
            && self.write_tables(&mut writer);
        let fields = writer.finish().ok().filter(|_| written)?;
        Reply::encode_status(asked.nonce, fields, out).ok()
    }

    fn write_export(&self, out: &mut FieldsWriter<'_>) -> bool {
        let state = self.exporter.state();
        let (told, missing) = self.sessions.told();
        let whose = self.sessions.first_missing().and_then(|slot| self.senders.id(slot));
        out.field(key::BOOT, self.boot)
            && out.field(key::CLIENTS_MISSING_COUNTED, missing.counted)
            && out.field(key::CLIENTS_MISSING_OBSERVED, missing.observed)
            && out.field(key::CLIENTS_MISSING_SUM, missing.sum)
            && whose.is_none_or(|id| {
                out.field("clients_missing_who", format_args!("{:016x}", id.service().raw()))
            })
            && out.field(key::CLIENTS_TOLD, told)
            && out.field(key::COUNTED_TOTAL, self.registry.totals().counted)
            && out.field(key::EXPORT_ACKNOWLEDGED, state.acknowledged)
            && out.field(key::EXPORT_AWAY, state.away)
            && out.field(key::EXPORT_IN_FLIGHT, state.in_flight)
            && out.field(key::EXPORT_LOGD_RESTARTS, state.logd_restarts)
            && out.field(key::EXPORT_LOST, state.lost)
            && out.field(key::EXPORT_QUEUE_BYTES, state.queue_bytes)
            && out.field(key::EXPORT_READY, state.ready)
            && out.field(key::EXPORT_REFUSED, state.refused)
            && out.field(key::EXPORT_REPEATS, state.repeats)
            && out.field(key::EXPORT_ROUNDS, state.rounds)
            && out.field(key::EXPORT_SPANS_DROPPED, state.spans_dropped)
    }

    fn write_totals(&self, out: &mut FieldsWriter<'_>) -> bool {
        let totals = self.registry.totals();
        out.field(key::FOLDS, totals.folds)
            && out.field(key::FRAMES, self.own.frames)
            && out.field(key::HELPS_LEFT_OUT, totals.helps_left_out)
            && out.field(key::LOGD_ACKNOWLEDGED, self.exporter.state().logd_acknowledged)
            && out.field(key::LOGD_BOOT, self.exporter.state().logd_boot)
            && out.field(key::OBSERVED_SUM, totals.observed_sum)
            && out.field(key::OBSERVED_TOTAL, totals.observed)
    }

    fn write_quarantine(&self, out: &mut FieldsWriter<'_>) -> bool {
        let mut scratch = ViewScratch::new();
        let written =
            self.registry.quarantined().take(QUARANTINED_MAX).enumerate().all(|(place, metric)| {
                let Some(metric) = self.registry.quarantine(metric, &mut scratch) else {
                    return true;
                };
                let owner = self.senders.id(metric.owner).map_or(0, |id| id.service().raw());
                let (kind, name) = (metric.kind.name(), metric.name);
                let (label, folds, until) = (metric.label, metric.folds, metric.until_ns);
                let mut key = Text::<16>::EMPTY;
                let value = format_args!(
                    "{owner:016x} {kind} {name} label={label} folds={folds} until_ns={until}"
                );
                write!(key, "quarantine.{place}").is_ok() && out.field(key.as_str(), value)
            });
        written
            && out.field(key::QUARANTINED, self.registry.quarantined().count())
            && out.field(key::QUARANTINES, self.registry.totals().quarantines)
            && out.field(key::RECLAIMED, self.registry.totals().reclaimed)
            && out.field(key::REGISTRATIONS, self.sessions.registrations.used())
            && out.field(key::REGISTRATIONS_CAP, self.sessions.registrations.capacity())
    }

    fn write_tables(&self, out: &mut FieldsWriter<'_>) -> bool {
        let totals = self.registry.totals();
        let (displaced, displaced_active) = self.senders.displacements();
        let (sessions, lost) = self.sessions.counts();
        let (short, long) = self.registry.clock().lengths();
        let kind = |kind: Kind| {
            let used = self.registry.used_by_kind();
            used.iter().find(|(other, _)| *other == kind).map_or(0, |(_, used)| *used)
        };
        out.field(key::SATURATIONS, totals.saturations)
            && out.field(key::SENDERS, self.senders.seated())
            && out.field(key::SENDERS_CAP, self.senders.capacity())
            && out.field(key::SENDERS_DISPLACED, displaced)
            && out.field(key::SENDERS_DISPLACED_ACTIVE, displaced_active)
            && out.field(key::SERIES, self.registry.used())
            && out.field(key::SERIES_CAP, self.registry.capacity())
            && out.field(key::SERIES_COUNTERS, kind(Kind::Counter))
            && out.field(key::SERIES_DISPLACED, totals.displaced)
            && out.field(key::SERIES_GAUGES, kind(Kind::Gauge))
            && out.field(key::SERIES_HISTOGRAMS, kind(Kind::Histogram))
            && out.field(key::SESSIONS, sessions)
            && out.field(key::SESSIONS_CAP, self.sessions.capacity())
            && out.field(key::SESSIONS_PARTED, lost)
            && out.field(key::SINGLE_UPDATES, self.own.single_updates)
            && out.field(key::SPANS_LIVE, self.spans.len())
            && out.field(key::TEXT_BLOCKS, self.registry.text_used())
            && out.field(key::TEXT_BLOCKS_CAP, self.registry.text_capacity())
            && out.field(key::WINDOW_LONG_NS, long.0)
            && out.field(key::WINDOW_SHORT_NS, short.0)
    }
}
