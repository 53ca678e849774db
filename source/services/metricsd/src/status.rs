//! STATUS: how metricsd fares, as sorted fields.

use core::fmt::Write as _;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Text;
use nexus_port::World;
use nexus_wire::metrics::{REPLY_HEAD_BYTES, Reply};
use nexus_wire::{FieldsWriter, Kind};

use crate::registry::ViewScratch;
use crate::service::{Asked, Metricsd};

/// Quarantined metrics that are named; the others are only counted.
const QUARANTINED_MAX: usize = 8;
/// Totals that a port may name.
const PORT_TOTALS_MAX: usize = 32;
/// What a reply has room for.
const FIELDS_BYTES: usize = FRAME_BYTES_MAX - REPLY_HEAD_BYTES - 2;

impl Metricsd {
    pub(crate) fn status<'b>(
        &self,
        asked: &Asked,
        out: &'b mut [u8],
        world: &mut impl World,
    ) -> Option<&'b [u8]> {
        let mut buffer = [0; FIELDS_BYTES];
        let mut writer = FieldsWriter::new(&mut buffer);
        let written = self.write_export(&mut writer)
            && self.write_totals(&mut writer)
            && write_port(&mut writer, world)
            && self.write_quarantine(&mut writer)
            && self.write_tables(&mut writer);
        let fields = writer.finish().ok().filter(|_| written)?;
        Reply::encode_status(asked.nonce, fields, out).ok()
    }

    fn write_export(&self, out: &mut FieldsWriter<'_>) -> bool {
        let state = self.exporter.state();
        let (told, missing) = self.sessions.told();
        let whose = self.sessions.first_missing().and_then(|slot| self.senders.id(slot));
        out.field("boot", self.boot)
            && out.field("clients_missing_counted", missing.counted)
            && out.field("clients_missing_observed", missing.observed)
            && out.field("clients_missing_sum", missing.sum)
            && whose.is_none_or(|id| {
                out.field("clients_missing_who", format_args!("{:016x}", id.service().raw()))
            })
            && out.field("clients_told", told)
            && out.field("counted_total", self.registry.totals().counted)
            && out.field("export_acknowledged", state.acknowledged)
            && out.field("export_away", state.away)
            && out.field("export_in_flight", state.in_flight)
            && out.field("export_logd_restarts", state.logd_restarts)
            && out.field("export_queue_bytes", state.queue_bytes)
            && out.field("export_ready", state.ready)
            && out.field("export_refused", state.refused)
            && out.field("export_repeats", state.repeats)
            && out.field("export_rounds", state.rounds)
            && out.field("export_spans_dropped", state.spans_dropped)
    }

    fn write_totals(&self, out: &mut FieldsWriter<'_>) -> bool {
        let totals = self.registry.totals();
        out.field("folds", totals.folds)
            && out.field("frames", self.own.frames)
            && out.field("helps_left_out", totals.helps_left_out)
            && out.field("logd_acknowledged", self.exporter.state().logd_acknowledged)
            && out.field("logd_boot", self.exporter.state().logd_boot)
            && out.field("observed_sum", totals.observed_sum)
            && out.field("observed_total", totals.observed)
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
            && out.field("quarantined", self.registry.quarantined().count())
            && out.field("quarantines", self.registry.totals().quarantines)
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
        out.field("reclaimed", totals.reclaimed)
            && out.field("registrations", self.sessions.registrations.used())
            && out.field("registrations_cap", self.sessions.registrations.capacity())
            && out.field("saturations", totals.saturations)
            && out.field("senders", self.senders.seated())
            && out.field("senders_cap", self.senders.capacity())
            && out.field("senders_displaced", displaced)
            && out.field("senders_displaced_active", displaced_active)
            && out.field("series", self.registry.used())
            && out.field("series_cap", self.registry.capacity())
            && out.field("series_counters", kind(Kind::Counter))
            && out.field("series_displaced", totals.displaced)
            && out.field("series_gauges", kind(Kind::Gauge))
            && out.field("series_histograms", kind(Kind::Histogram))
            && out.field("sessions", sessions)
            && out.field("sessions_cap", self.sessions.capacity())
            && out.field("sessions_parted", lost)
            && out.field("spans_live", self.spans.len())
            && out.field("text_blocks", self.registry.text_used())
            && out.field("text_blocks_cap", self.registry.text_capacity())
            && out.field("window_long_ns", long.0)
            && out.field("window_short_ns", short.0)
    }
}

/// What the port counts, in the order of keys. What a port names beyond the bound is left out: it
/// is a constant of the port, and the tests of the port see it here.
fn write_port(out: &mut FieldsWriter<'_>, world: &mut impl World) -> bool {
    let mut totals = [(Text::<48>::EMPTY, 0u64); PORT_TOTALS_MAX];
    let mut count = 0;
    world.port_status(&mut |key, value| {
        if let (Some(key), Some(place)) = (Text::new(key), totals.get_mut(count)) {
            *place = (key, value);
            count += 1;
        }
    });
    let named = totals.get_mut(..count).unwrap_or_default();
    named.sort_unstable_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    named.iter().all(|(key, value)| out.field(key.as_str(), value))
}
