//! The record of a series' snapshot.

use core::fmt::Write as _;

use nexus_bounded::{Mono, Nanos, Text};
use nexus_wire::metrics::{SeriesValue, SeriesView, WindowView};
use nexus_wire::{BOUNDS_MAX, Fields, FieldsWriter};

/// The fields that stand in each part.
pub(super) const IDS: &[&str] = &["boot", "event", "name", "origin", "seq", "series"];

/// What a window's fields begin with: `w`, its true length, a dot.
type WindowPrefix = Text<24>;

/// A bound as it stands in a key.
type BoundText = Text<20>;

/// Knows what is the same in all snapshots of one boot.
pub(super) struct MetricRecord {
    boot: u32,
    short: WindowPrefix,
    long: WindowPrefix,
}

/// When a snapshot was taken, and its number.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) at: Mono,
    pub(super) seq: u64,
}

impl MetricRecord {
    pub(super) fn new(boot: u32, short: Nanos, long: Nanos) -> Self {
        Self { boot, short: window_prefix(short), long: window_prefix(long) }
    }

    /// Writes the fields; `None` if they do not fit.
    pub(super) fn write<'a>(
        &self,
        view: &SeriesView<'_>,
        taken: Taken,
        out: &'a mut [u8],
    ) -> Option<Fields<'a>> {
        let mut to = FieldsWriter::new(out);
        let histogram = matches!(view.value, SeriesValue::Histogram { .. });
        let mut all = to.field("at_ns", taken.at.0);
        all &= to.field("boot", self.boot);
        if view.catchup {
            all &= to.field("catchup", 1);
        }
        if histogram {
            let observed = view.value.buckets().map(|(_, count)| u128::from(count));
            all &= to.field("count", observed.sum::<u128>());
        }
        all &= to.field("created_ns", view.created_ns);
        all &= to.field("event", "metric.v1");
        all &= to.field("kind", view.value.kind().name());
        let labels = Fields::parse(view.labels.as_bytes()).unwrap_or(Fields::EMPTY);
        all &= labels.iter().all(|(key, value)| to.joined(&["label.", key], value));
        all &= write_buckets(&view.value, &mut to);
        all &= to.field("name", view.name);
        all &= to.field("origin", view.service);
        if view.overflow {
            all &= to.field("overflow", 1);
        }
        all &= to.field("seq", taken.seq);
        all &= to.field("series", view.slot);
        if let SeriesValue::Histogram { sum, .. } = view.value {
            all &= to.field("sum", sum);
        }
        all &= to.field("unit", view.unit.name());
        all &= match view.value {
            SeriesValue::Counter(total) => to.field("value", total),
            SeriesValue::Gauge(value) => to.field("value", value),
            SeriesValue::Histogram { .. } => true,
        };
        all &= self.write_windows(view, &mut to);
        to.finish().ok().filter(|_| all)
    }

    /// The last closed windows in which something happened, in the order of their keys.
    fn write_windows(&self, view: &SeriesView<'_>, to: &mut FieldsWriter<'_>) -> bool {
        let (short, long) = ((&self.short, &view.short), (&self.long, &view.long));
        let windows =
            if short.0.as_str() < long.0.as_str() { [short, long] } else { [long, short] };
        let happened = windows.iter().filter(|(_, window)| window.count > 0);
        let mut all = true;
        for (prefix, window) in happened {
            all &= write_window(prefix.as_str(), window, to);
        }
        all
    }
}

/// `w10s.`, `w500ms.`: the length in the largest unit that gives a whole number.
fn window_prefix(length: Nanos) -> WindowPrefix {
    let mut text = WindowPrefix::EMPTY;
    let (count, unit) = match length.0 {
        n if n % 1_000_000_000 == 0 => (n / 1_000_000_000, "s"),
        n if n % 1_000_000 == 0 => (n / 1_000_000, "ms"),
        n => (n, "ns"),
    };
    let written = write!(text, "w{count}{unit}.");
    assert!(written.is_ok(), "24 bytes hold every length");
    text
}

fn write_window(prefix: &str, window: &WindowView, to: &mut FieldsWriter<'_>) -> bool {
    to.joined(&[prefix, "count"], window.count)
        && to.joined(&[prefix, "last"], window.last)
        && to.joined(&[prefix, "max"], window.max)
        && to.joined(&[prefix, "min"], window.min)
        && to.joined(&[prefix, "n"], window.number)
        && to.joined(&[prefix, "sum"], window.sum)
}

/// How many observations lie at or below each bound, where that is more than below the one before.
/// Keys are in order of their text, not of their number.
fn write_buckets(value: &SeriesValue<'_>, to: &mut FieldsWriter<'_>) -> bool {
    let mut lines = [(BoundText::EMPTY, 0u128); BOUNDS_MAX + 1];
    let (mut used, mut below) = (0, 0u128);
    for (bound, count) in value.buckets().filter(|(_, count)| *count > 0) {
        below += u128::from(count);
        let mut text = BoundText::EMPTY;
        let named = match bound {
            Some(bound) => write!(text, "{bound}"),
            None => write!(text, "inf"),
        };
        let Some(line) = lines.get_mut(used).filter(|_| named.is_ok()) else { return false };
        *line = (text, below);
        used += 1;
    }
    let lines = lines.get_mut(..used).unwrap_or_default();
    lines.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    lines.iter().all(|(bound, below)| to.joined(&["le.", bound.as_str()], below))
}

#[cfg(test)]
mod tests {
    use nexus_abi::ServiceId;
    use nexus_wire::{Unit, metrics::bounds_to_bytes};

    use super::*;

    const TAKEN: Taken = Taken { at: Mono(77), seq: 5 };

    fn view<'a>(value: SeriesValue<'a>, labels: &'a str) -> SeriesView<'a> {
        SeriesView {
            service: ServiceId::from_raw(0xab),
            slot: 3,
            unit: Unit::Nanoseconds,
            overflow: false,
            catchup: false,
            created_ns: 11,
            name: "exec_ns",
            labels,
            help: "",
            value,
            short: WindowView::default(),
            long: WindowView::default(),
        }
    }

    fn text(record: &MetricRecord, view: &SeriesView<'_>) -> String {
        let mut buffer = [0; 4096];
        record.write(view, TAKEN, &mut buffer).unwrap().as_str().into()
    }

    #[test]
    fn a_counter_is_written_with_its_windows_under_their_true_length() {
        let record = MetricRecord::new(9, Nanos::from_secs(10), Nanos::from_secs(60));
        let mut view = view(SeriesValue::Counter(u64::MAX), "cpu=0\n");
        view.catchup = true;
        view.overflow = true;
        view.long = WindowView { number: 2, count: 3, sum: -4, min: 5, max: 6, last: 7 };
        assert_eq!(
            text(&record, &view),
            "at_ns=77\nboot=9\ncatchup=1\ncreated_ns=11\nevent=metric.v1\nkind=counter\n\
             label.cpu=0\nname=exec_ns\norigin=00000000000000ab\noverflow=1\nseq=5\nseries=3\n\
             unit=ns\nvalue=18446744073709551615\nw60s.count=3\nw60s.last=7\nw60s.max=6\n\
             w60s.min=5\nw60s.n=2\nw60s.sum=-4\n"
        );
    }

    #[test]
    fn windows_of_any_lengths_keep_the_fields_sorted() {
        for (short, long) in [(2, 10), (10, 60), (1, 10), (500, 1500)] {
            let record = MetricRecord::new(9, Nanos::from_millis(short), Nanos::from_secs(long));
            let mut view = view(SeriesValue::Gauge(-1), "");
            view.short.count = 1;
            view.long.count = 1;
            let text = text(&record, &view);
            assert!(Fields::parse(text.as_bytes()).is_ok());
            assert!(text.contains(&alloc::format!("w{short}ms.count=1\n")), "{text}");
        }
    }

    #[test]
    fn buckets_are_cumulative_sparse_and_sorted_by_their_text() {
        let mut words = [0; 64];
        let bounds = bounds_to_bytes(&[9, 100, 1000], &mut words).unwrap().to_vec();
        let counts = bounds_to_bytes(&[1, 0, 2, 4], &mut words).unwrap().to_vec();
        let value = SeriesValue::Histogram { sum: -3, bounds: &bounds, counts: &counts };
        let record = MetricRecord::new(9, Nanos::from_secs(1), Nanos::from_secs(6));
        let text = text(&record, &view(value, ""));
        assert!(text.contains("\nle.1000=3\nle.9=1\nle.inf=7\nname="), "{text}");
        assert!(text.contains("\ncount=7\n") && text.contains("\nsum=-3\n"));
    }

    #[test]
    fn the_largest_series_fits_the_draft() {
        let mut bound_words = [0; 512];
        let mut count_words = [0; 512];
        let bounds: Vec<u64> = (0..24).map(|at| u64::MAX - 24 + at).collect();
        let bounds = bounds_to_bytes(&bounds, &mut bound_words).unwrap();
        let counts = bounds_to_bytes(&[u64::MAX; 25], &mut count_words).unwrap();
        let labels: String = (b'a'..=b'z')
            .flat_map(|one| (b'a'..=b'z').map(move |two| [one, two]))
            .map(|key| alloc::format!("{}=\n", core::str::from_utf8(&key).unwrap()))
            .take(48)
            .collect();
        assert_eq!(labels.len(), nexus_wire::LABELS_BYTES_MAX);
        let value = SeriesValue::Histogram { sum: i128::MIN, bounds, counts };
        let name = "n".repeat(48);
        let mut view = SeriesView { name: &name, ..view(value, &labels) };
        let (min, max, last) = (i64::MIN, i64::MIN, i64::MIN);
        let window =
            WindowView { number: u64::MAX, count: u32::MAX, sum: i128::MIN, min, max, last };
        (view.short, view.long) = (window, window);
        let record = MetricRecord::new(u32::MAX, Nanos(u64::MAX - 1), Nanos(u64::MAX));
        let mut buffer = [0; super::super::draft::FIELDS_BYTES];
        let taken = Taken { at: Mono(u64::MAX), seq: u64::MAX };
        assert!(record.write(&view, taken, &mut buffer).is_some());
    }
}
