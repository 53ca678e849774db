//! `obsctl metrics`: values, rates and quantiles.

use std::time::Duration;

use anyhow::Context as _;
use nexus_wire::state::metricsd as state;
use nexus_wire::{Kind, Unit};
use serde_json::json;

use crate::Verdict;
use crate::cli::{MetricsArgs, Output, Place};
use crate::daemons::{Denied, Metrics, Series, SteadyMetrics, Value};
use crate::names::Names;
use crate::quantile::{Quantile, quantile};
use crate::render::{self, BOLD, Screen, quantity};

/// The quantiles shown, in thousandths.
const QUANTILES: [(&str, u64); 3] = [("p50", 500), ("p90", 900), ("p99", 990)];

pub(crate) fn run(place: &Place, args: &MetricsArgs) -> anyhow::Result<Verdict> {
    if args.when.is_asked() || place.kept("metricsd").is_some() {
        return crate::history::summary(place, args);
    }
    let names = Names::of(place)?;
    let mut screen = Screen::new();
    let mut metrics = SteadyMetrics::new(place.dir());
    let window = metrics.with(window_length)?;
    loop {
        match metrics.with(|metrics| chosen(metrics, args)) {
            Ok(series) => show(&mut screen, &names, &series, window, args)?,
            // A metricsd that was there comes back; whoever follows waits for it.
            Err(error) if !args.follow || error.is::<Denied>() => return Err(error),
            Err(_) => {}
        }
        if !args.follow {
            return Ok(Verdict::Fine);
        }
        screen.flush()?;
        std::thread::sleep(window);
    }
}

/// Length of the short windows.
pub(crate) fn window_length(metrics: &mut Metrics) -> anyhow::Result<Duration> {
    let status = metrics.status()?;
    let length = status.iter().find(|(key, _)| key == state::WINDOW_SHORT_NS);
    let nanos = length.and_then(|(_, value)| value.parse().ok()).filter(|nanos| *nanos > 0);
    nanos.map(Duration::from_nanos).context("metricsd tells no window length")
}

fn chosen(metrics: &mut Metrics, args: &MetricsArgs) -> anyhow::Result<Vec<Series>> {
    let unit = args.unit.as_deref().map(Names::service);
    let mut series = metrics.scrape(args.describe)?.series;
    series.retain(|series| {
        series.name.starts_with(&args.name) && unit.is_none_or(|unit| series.service == unit)
    });
    series.sort_by(|a, b| (&a.name, a.service, &a.labels).cmp(&(&b.name, b.service, &b.labels)));
    Ok(series)
}

fn show(
    screen: &mut Screen,
    names: &Names,
    all: &[Series],
    window: Duration,
    args: &MetricsArgs,
) -> anyhow::Result<()> {
    if all.is_empty() && !args.follow {
        eprintln!("obsctl: no such series; without arguments all are shown");
    }
    if args.output.output == Output::Json {
        let line = |series| as_json(series, names, window, args.describe);
        return all.iter().try_for_each(|series| screen.json(&line(series)));
    }
    let all: Vec<&Series> = all.iter().collect();
    for (at, (rows, of_kind)) in tables(&all, names, window, Detail::Full).iter().enumerate() {
        if at > 0 {
            screen.line("")?;
        }
        show_table(screen, rows, of_kind, args.describe)?;
    }
    Ok(())
}

fn show_table(
    screen: &mut Screen,
    rows: &[Vec<String>],
    series: &[&Series],
    describe: bool,
) -> anyhow::Result<()> {
    let mut lines = render::table(2, rows).into_iter();
    if let Some(head) = lines.next() {
        screen.line(&screen.paint(BOLD, &head))?;
    }
    let mut last = None;
    for (line, series) in lines.zip(series) {
        screen.line(&line)?;
        // Series of a metric stand together, and what it is good for stands there once.
        let is_new =
            last.replace((&series.name, series.service)) != Some((&series.name, series.service));
        if describe && is_new {
            let text = description(help(series).unwrap_or("no help was given"), series.unit);
            screen.line(&screen.paint(render::DIM, &text))?;
        }
    }
    Ok(())
}

/// What whoever registered a metric said of it.
fn help(series: &Series) -> Option<&str> {
    Some(series.help.as_str()).filter(|help| !help.is_empty())
}

/// What a metric is good for and what it is measured in, below its first line.
pub(crate) fn description(help: &str, unit: Unit) -> String {
    format!("    {} (unit: {})", render::visible(help), unit.name())
}

/// How much a table says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Quantiles as the middle of their bucket and how far the truth may be from it.
    Full,
    /// Quantiles by the upper bound of their bucket.
    Short,
}

/// Rows with their head, and the series that they show.
pub(crate) type Table<'a> = (Vec<Vec<String>>, Vec<&'a Series>);

/// One table for each kind that there is, as each kind has columns of its own.
pub(crate) fn tables<'a>(
    all: &[&'a Series],
    names: &Names,
    window: Duration,
    detail: Detail,
) -> Vec<Table<'a>> {
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram];
    let of_kind = kinds.map(|kind| {
        let series: Vec<&Series> =
            all.iter().filter(|series| series.value.kind() == kind).copied().collect();
        let head = head(kind, detail).map(str::to_owned).to_vec();
        let rows = series.iter().map(|series| row(series, names, window, detail));
        ([head].into_iter().chain(rows).collect(), series)
    });
    of_kind.into_iter().filter(|(_, series)| !series.is_empty()).collect()
}

const fn head(kind: Kind, detail: Detail) -> [&'static str; 7] {
    match (kind, detail) {
        (Kind::Counter, _) => ["COUNTER", "SERVICE", "TOTAL", "PER S", "", "", ""],
        (Kind::Gauge, _) => ["GAUGE", "SERVICE", "NOW", "MIN", "MAX", "", ""],
        (Kind::Histogram, Detail::Full) => {
            ["HISTOGRAM", "SERVICE", "COUNT", "PER S", "P50", "P90", "P99"]
        }
        (Kind::Histogram, Detail::Short) => {
            ["HISTOGRAM", "SERVICE", "COUNT", "PER S", "P50 <=", "P99 <=", ""]
        }
    }
}

fn row(series: &Series, names: &Names, window: Duration, detail: Detail) -> Vec<String> {
    let overflow = if series.overflow { " (overflow)" } else { "" };
    let mut cells = vec![series.title() + overflow, names.of_service(series.service)];
    let unit = series.unit;
    match &series.value {
        Value::Counter(total) => {
            cells.push(quantity(*total as f64, unit));
            cells.push(rate_text(series, window, unit));
        }
        Value::Gauge(now) => {
            cells.push(quantity(*now as f64, unit));
            let range = [series.short.min, series.short.max];
            let happened = series.short.count > 0;
            cells.extend(
                range.map(
                    |value| {
                        if happened { quantity(value as f64, unit) } else { String::new() }
                    },
                ),
            );
        }
        Value::Histogram { buckets, .. } => {
            let count: u64 = buckets.iter().map(|(_, n)| n).sum();
            cells.push(quantity(count as f64, Unit::None));
            cells.push(rate_text(series, window, Unit::None));
            let shown =
                QUANTILES.iter().filter(|(name, _)| detail == Detail::Full || *name != "p90");
            cells.extend(shown.map(|(_, permille)| {
                let found = quantile(buckets, *permille);
                found.map(|found| quantile_text(found, unit, detail)).unwrap_or_default()
            }));
        }
    }
    cells
}

fn rate_text(series: &Series, window: Duration, unit: Unit) -> String {
    rate(series, window).map(|rate| quantity(rate, unit)).unwrap_or_default()
}

/// Increments (or observations) a second in the last closed short window, as far as the series
/// lived in it; a series that was made since has none yet. A life of less than a second counts as
/// one: what a moment brought says nothing of a second.
pub(crate) fn rate(series: &Series, window: Duration) -> Option<f64> {
    let length = u64::try_from(window.as_nanos()).ok()?;
    let start = series.short.number.saturating_mul(length);
    let end = start.saturating_add(length);
    let lived = end.checked_sub(start.max(series.created_ns)).filter(|lived| *lived > 0)?;
    let least = length.min(1_000_000_000);
    let seconds = lived.max(least) as f64 / 1e9;
    match series.value {
        Value::Counter(_) => Some(series.short.sum as f64 / seconds),
        Value::Histogram { .. } => Some(f64::from(series.short.count) / seconds),
        Value::Gauge(_) => None,
    }
}

fn quantile_text(quantile: Quantile, unit: Unit, detail: Detail) -> String {
    match (quantile.middle(), quantile.high) {
        (Some((middle, error)), _) if detail == Detail::Full => {
            format!("{} +-{}", quantity(middle as f64, unit), quantity(error as f64, unit))
        }
        (_, Some(high)) => quantity(high as f64, unit),
        (_, None) => format!("> {}", quantity(quantile.low as f64, unit)),
    }
}

fn as_json(series: &Series, names: &Names, window: Duration, describe: bool) -> serde_json::Value {
    let labels = series.labels.iter().map(|(k, v)| (k.clone(), json!(v)));
    let mut object = json!({
        "name": series.name,
        "labels": serde_json::Map::from_iter(labels),
        "service": names.of_service(series.service),
        "service_id": series.service.to_string(),
        "unit": series.unit.name(),
        "overflow": series.overflow,
        "catchup": series.catchup,
        "created_ns": series.created_ns,
        "rate_per_s": rate(series, window),
        "window_short": window_json(&series.short),
        "window_long": window_json(&series.long),
    });
    let (kind, value) = match &series.value {
        Value::Counter(total) => ("counter", json!({ "value": total })),
        Value::Gauge(value) => ("gauge", json!({ "value": value })),
        Value::Histogram { sum, buckets } => ("histogram", histogram_json(*sum, buckets)),
    };
    object["kind"] = json!(kind);
    if let (Some(object), Some(value)) = (object.as_object_mut(), value.as_object()) {
        object.extend(value.clone());
    }
    if describe {
        object["help"] = json!(help(series));
    }
    object
}

fn histogram_json(sum: i128, buckets: &[(Option<u64>, u64)]) -> serde_json::Value {
    let bucket = |(bound, count): &(Option<u64>, u64)| json!({ "le": bound, "count": count });
    let quantiles = QUANTILES.iter().filter_map(|(name, permille)| {
        let found = quantile(buckets, *permille)?;
        Some(((*name).to_owned(), json!({ "above": found.low, "at_most": found.high })))
    });
    json!({
        "count": buckets.iter().map(|(_, n)| n).sum::<u64>(),
        // JSON has no 128-bit integers that everybody reads.
        "sum": sum.to_string(),
        "buckets": buckets.iter().map(bucket).collect::<Vec<_>>(),
        "quantiles": serde_json::Map::from_iter(quantiles),
    })
}

fn window_json(window: &nexus_wire::metrics::WindowView) -> serde_json::Value {
    if window.count == 0 {
        return serde_json::Value::Null;
    }
    json!({
        "number": window.number,
        "count": window.count,
        "sum": window.sum.to_string(),
        "min": window.min,
        "max": window.max,
        "last": window.last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::metrics::WindowView;

    const TEN_S: Duration = Duration::from_secs(10);
    const SECOND: u64 = 1_000_000_000;

    /// A counter that rose by 60 in the window from 40 s to 50 s.
    fn counter(created_ns: u64) -> Series {
        let short = WindowView { number: 4, count: 3, sum: 60, ..WindowView::default() };
        Series { created_ns, short, ..Series::counter("n_total", 60) }
    }

    #[test]
    fn a_rate_is_of_the_time_that_the_series_lived() {
        assert_eq!(rate(&counter(0), TEN_S), Some(6.0));
        assert_eq!(rate(&counter(40 * SECOND), TEN_S), Some(6.0));
        assert_eq!(rate(&counter(47 * SECOND), TEN_S), Some(20.0), "born in the window");
        assert_eq!(rate(&counter(50 * SECOND - 1), TEN_S), Some(60.0), "a moment is no second");
        assert_eq!(rate(&counter(50 * SECOND), TEN_S), None, "no window of it has closed");
    }

    #[test]
    fn a_window_in_which_nothing_happened_has_the_rate_0() {
        let short = WindowView { number: 4, ..WindowView::default() };
        assert_eq!(rate(&Series { short, ..counter(0) }, TEN_S), Some(0.0));
    }

    #[test]
    fn what_a_metric_is_good_for_comes_with_its_unit_and_without_tricks() {
        let text = description("time of\u{202e}a job", Unit::Nanoseconds);
        assert!(text.starts_with("    time of") && text.ends_with(" (unit: ns)"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
    }

    #[test]
    fn json_has_the_help_if_it_is_asked_for_and_null_if_there_is_none() {
        let mut series = counter(0);
        let json = |series: &Series, describe| as_json(series, &Names::none(), TEN_S, describe);
        assert_eq!(json(&series, false).get("help"), None);
        assert_eq!(json(&series, true)["help"], serde_json::Value::Null);
        series.help = "jobs done".into();
        assert_eq!(json(&series, true)["help"], "jobs done");
        assert_eq!(json(&series, true)["unit"], "none");
    }

    #[test]
    fn each_kind_has_its_own_columns() {
        let (counter, mut gauge) = (counter(0), counter(0));
        gauge.value = Value::Gauge(5);
        let names = Names::none();
        let tables = tables(&[&counter, &gauge], &names, TEN_S, Detail::Short);
        let heads: Vec<_> = tables.iter().map(|(rows, _)| rows[0][0].as_str()).collect();
        assert_eq!(heads, ["COUNTER", "GAUGE"]);
        assert_eq!(tables[0].0[1][2..], ["60", "6"]);
    }
}
