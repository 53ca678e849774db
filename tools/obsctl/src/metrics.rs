//! `obsctl metrics`: values, rates and quantiles.

use std::time::Duration;

use nexus_wire::Unit;
use serde_json::json;

use crate::Verdict;
use crate::cli::{MetricsArgs, Output, Place};
use crate::daemons::{Metrics, Series, Value};
use crate::names::Names;
use crate::quantile::{Quantile, quantile};
use crate::render::{self, BOLD, Screen, quantity};

/// The quantiles shown, in thousandths.
const QUANTILES: [(&str, u64); 3] = [("p50", 500), ("p90", 900), ("p99", 990)];

pub(crate) fn run(place: &Place, args: &MetricsArgs) -> anyhow::Result<Verdict> {
    let names = Names::of(place)?;
    let mut screen = Screen::new();
    let mut metrics = Metrics::open(&place.dir())?;
    let window = window_seconds(&mut metrics)?;
    loop {
        let series = chosen(&mut metrics, args)?;
        if series.is_empty() && !args.follow {
            eprintln!("obsctl: no such series; without arguments all are shown");
        }
        match args.output.output {
            Output::Text => show_table(&mut screen, &names, &series, window, args.describe)?,
            Output::Json => {
                for series in &series {
                    screen.json(&as_json(series, &names, window))?;
                }
            }
        }
        if !args.follow {
            return Ok(Verdict::Fine);
        }
        screen.flush()?;
        std::thread::sleep(Duration::from_secs_f64(window));
    }
}

/// Length of the short windows in seconds.
pub(crate) fn window_seconds(metrics: &mut Metrics) -> anyhow::Result<f64> {
    let status = metrics.status()?;
    let length = status.iter().find(|(key, _)| key == "window_short_ns");
    let nanos = length.and_then(|(_, value)| value.parse::<f64>().ok());
    nanos.map(|nanos| nanos / 1e9).ok_or_else(|| anyhow::anyhow!("metricsd tells no window length"))
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

fn show_table(
    screen: &mut Screen,
    names: &Names,
    all: &[Series],
    window: f64,
    describe: bool,
) -> anyhow::Result<()> {
    let mut rows = vec![["METRIC", "SERVICE", "VALUE", "PER S", ""].map(str::to_owned).to_vec()];
    for series in all {
        rows.push(vec![
            series.title() + if series.overflow { " (overflow)" } else { "" },
            names.of_service(series.service),
            value_text(series),
            rate(series, window).map(|rate| rate_text(series, rate)).unwrap_or_default(),
            detail_text(series),
        ]);
    }
    let mut lines = render::table(2, &rows).into_iter();
    if let Some(head) = lines.next() {
        screen.line(&screen.paint(BOLD, &head))?;
    }
    for (line, series) in lines.zip(all) {
        screen.line(&line)?;
        if describe && !series.help.is_empty() {
            screen.line(&screen.paint(render::DIM, &format!("    {}", series.help)))?;
        }
    }
    Ok(())
}

/// What a series is worth in a word: total, value, or number of observations.
pub(crate) fn value_text(series: &Series) -> String {
    match &series.value {
        Value::Counter(total) => quantity(*total as f64, series.unit),
        Value::Gauge(value) => quantity(*value as f64, series.unit),
        Value::Histogram { buckets, .. } => {
            let count: u64 = buckets.iter().map(|(_, n)| n).sum();
            format!("{} obs", quantity(count as f64, Unit::None))
        }
    }
}

/// Increments (or observations) a second in the last closed short window; of a series in its first
/// window there is none yet.
pub(crate) fn rate(series: &Series, window: f64) -> Option<f64> {
    let closed = series.short.count > 0 || series.long.count > 0;
    match series.value {
        Value::Counter(_) if closed => Some(series.short.sum as f64 / window),
        Value::Histogram { .. } if closed => Some(f64::from(series.short.count) / window),
        Value::Gauge(_) | Value::Counter(_) | Value::Histogram { .. } => None,
    }
}

/// A rate in the unit of its series.
pub(crate) fn rate_text(series: &Series, rate: f64) -> String {
    match series.value {
        Value::Histogram { .. } => quantity(rate, Unit::None),
        Value::Counter(_) | Value::Gauge(_) => quantity(rate, series.unit),
    }
}

/// Quantiles of a histogram, the range of a gauge in the last window.
pub(crate) fn detail_text(series: &Series) -> String {
    match &series.value {
        Value::Counter(_) => String::new(),
        Value::Gauge(_) if series.short.count == 0 => String::new(),
        Value::Gauge(_) => {
            let (min, max) = (series.short.min as f64, series.short.max as f64);
            format!("min {} max {}", quantity(min, series.unit), quantity(max, series.unit))
        }
        Value::Histogram { buckets, .. } => {
            let parts = QUANTILES.iter().filter_map(|(name, permille)| {
                Some(format!(
                    "{name} {}",
                    quantile_text(quantile(buckets, *permille)?, series.unit)
                ))
            });
            parts.collect::<Vec<_>>().join("  ")
        }
    }
}

fn quantile_text(quantile: Quantile, unit: Unit) -> String {
    match quantile.middle() {
        Some((middle, error)) => {
            format!("{} ±{}", quantity(middle as f64, unit), quantity(error as f64, unit))
        }
        None => format!("> {}", quantity(quantile.low as f64, unit)),
    }
}

fn as_json(series: &Series, names: &Names, window: f64) -> serde_json::Value {
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
    if !series.help.is_empty() {
        object["help"] = json!(series.help);
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
