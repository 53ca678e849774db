//! How history looks.

use nexus_retention::history::{Step, Total};
use nexus_wire::{Kind, Unit};
use serde_json::{Value, json};

use super::History;
use super::data::{Did, Lost, Who, buckets};
use super::when::Times;
use crate::cli::{MetricsArgs, Output};
use crate::helps;
use crate::metrics::description;
use crate::names::Names;
use crate::quantile::quantile;
use crate::render::{self, BOLD, Screen, WARN, quantity, visible};
use crate::spark::{narrowed, spark};

/// Columns of a line of bars.
const SPARK_WIDTH: usize = 40;

/// Step by step, series by series.
pub(super) fn steps(
    history: &History,
    times: &Times,
    names: &Names,
    output: Output,
) -> anyhow::Result<()> {
    let mut screen = Screen::new();
    for ((who, did), at) in history.series.iter().zip(0..) {
        if output == Output::Json {
            let steps = did.steps.iter();
            steps
                .map(|(at, step)| step_json(history, times, names, who, did, *at, step))
                .try_for_each(|line| screen.json(&line))?;
            continue;
        }
        if at > 0 {
            screen.line("")?;
        }
        let service = visible(&names.of_service(who.service)).into_owned();
        screen.line(&screen.paint(BOLD, &format!("{}  {service}", who.title())))?;
        screen.line(&line(history, who, did))?;
        let rows = rows(history, times, who, did);
        render::table(1, &rows).iter().try_for_each(|line| screen.line(line))?;
    }
    show_lost(&mut screen, history, times, output)
}

/// A line for each series.
pub(super) fn summary(
    history: &History,
    times: &Times,
    names: &Names,
    args: &MetricsArgs,
) -> anyhow::Result<()> {
    let (mut screen, output) = (Screen::new(), args.output.output);
    if output == Output::Json {
        for (who, did) in &history.series {
            screen.json(&summary_json(history, times, names, who, did))?;
        }
        return show_lost(&mut screen, history, times, output);
    }
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram];
    let mut is_first = true;
    for kind in kinds {
        let of_kind: Vec<_> = history.series.iter().filter(|(who, _)| who.kind == kind).collect();
        let rows = of_kind.iter().map(|(who, did)| summary_row(history, names, who, did));
        let head = summary_head(kind).map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        if rows.len() == 1 {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            screen.line("")?;
        }
        let mut lines = render::table(2, &rows).into_iter();
        if let Some(head) = lines.next() {
            screen.line(&screen.paint(BOLD, &head))?;
        }
        let mut last = None;
        for (line, (who, did)) in lines.zip(of_kind) {
            screen.line(&line)?;
            let is_new = last.replace((&who.name, who.service)) != Some((&who.name, who.service));
            if args.describe && is_new {
                let help = helps::of(&who.name).unwrap_or("no help is kept");
                let text = description(help, did.unit);
                screen.line(&screen.paint(render::DIM, &text))?;
            }
        }
    }
    show_lost(&mut screen, history, times, output)
}

fn show_lost(
    screen: &mut Screen,
    history: &History,
    times: &Times,
    output: Output,
) -> anyhow::Result<()> {
    for lost in &history.lost {
        match output {
            Output::Json => screen.json(&lost_json(times, lost))?,
            Output::Text => {
                let who = lost
                    .who
                    .as_ref()
                    .map_or_else(String::new, |who| format!(" of {}", who.title()));
                let text = format!(
                    "-- what was kept{who} from {} to {} cannot be read: {} --",
                    times.text(lost.what.from),
                    times.text(lost.what.to),
                    lost.what.why.name()
                );
                screen.line(&screen.paint(WARN, &text))?;
            }
        }
    }
    Ok(())
}

const fn summary_head(kind: Kind) -> [&'static str; 6] {
    match kind {
        Kind::Counter => ["COUNTER", "SERVICE", "ADDED", "PER S", "MOST PER S", "HISTORY"],
        Kind::Gauge => ["GAUGE", "SERVICE", "LAST", "MIN", "MAX", "HISTORY"],
        Kind::Histogram => ["HISTOGRAM", "SERVICE", "COUNT", "P50 <=", "P99 <=", "HISTORY"],
    }
}

fn summary_row(history: &History, names: &Names, who: &Who, did: &Did) -> Vec<String> {
    let mut cells = vec![who.title(), visible(&names.of_service(who.service)).into_owned()];
    let whole = did.steps.values().copied().reduce(Step::then);
    let numbers = numbers(history, who, did);
    let most = numbers.iter().flatten().copied().fold(0.0, f64::max);
    let seconds = numbers.len() as f64 * history.step_ns() as f64 / 1e9;
    cells.extend(match whole.map(|step| step.total) {
        Some(Total::Counter(added)) => [
            quantity(added as f64, did.unit),
            quantity(added as f64 / seconds, did.unit),
            quantity(most, did.unit),
        ],
        Some(Total::Gauge(all)) => {
            [all.last, all.min, all.max].map(|value| quantity(value as f64, did.unit))
        }
        Some(total @ Total::Histogram { .. }) => {
            let buckets = buckets(who, &total);
            let count: u64 = buckets.iter().map(|(_, count)| count).sum();
            let [p50, p99] = [500, 990].map(|permille| bound(&buckets, permille, did.unit));
            [quantity(count as f64, Unit::None), p50, p99]
        }
        None => [const { String::new() }; 3],
    });
    cells.push(spark(&narrowed(&numbers, SPARK_WIDTH)));
    cells
}

fn bound(buckets: &[(Option<u64>, u64)], permille: u64, unit: Unit) -> String {
    quantile(buckets, permille).map_or_else(String::new, |found| match found.high {
        Some(high) => quantity(high as f64, unit),
        None => format!("> {}", quantity(found.low as f64, unit)),
    })
}

/// What is drawn of a step: what was added a second, or the mean of a gauge.
fn number(history: &History, who: &Who, step: &Step) -> f64 {
    let seconds = history.step_ns() as f64 / 1e9;
    match &step.total {
        Total::Counter(added) => *added as f64 / seconds,
        Total::Gauge(all) => all.sum as f64 / all.count as f64,
        total @ Total::Histogram { .. } => {
            let count: u64 = buckets(who, total).iter().map(|(_, count)| count).sum();
            count as f64 / seconds
        }
    }
}

/// Step by step from the first to the last of each boot; nothing where nothing is recorded.
fn numbers(history: &History, who: &Who, did: &Did) -> Vec<Option<f64>> {
    let mut numbers = Vec::new();
    let mut last: Option<(u32, u64)> = None;
    for (at, step) in &did.steps {
        if let Some((boot, before)) = last
            && boot == at.0
        {
            let gap = (at.1 - before - 1).min(100_000) as usize;
            numbers.extend(std::iter::repeat_n(None, gap));
        }
        numbers.push(Some(number(history, who, step)));
        last = Some(*at);
    }
    numbers
}

fn line(history: &History, who: &Who, did: &Did) -> String {
    spark(&narrowed(&numbers(history, who, did), 2 * SPARK_WIDTH))
}

fn rows(history: &History, times: &Times, who: &Who, did: &Did) -> Vec<Vec<String>> {
    let head: &[&str] = match who.kind {
        Kind::Counter => &["TIME", "ADDED", "PER S", "NOTE"],
        Kind::Gauge => &["TIME", "LAST", "MIN", "MEAN", "MAX", "NOTE"],
        Kind::Histogram => &["TIME", "COUNT", "PER S", "P50 <=", "P99 <=", "NOTE"],
    };
    let mut rows = vec![head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
    let mut boot = None;
    for (at, step) in &did.steps {
        let is_other = boot.replace(at.0).is_some_and(|before| before != at.0);
        let mut notes = if is_other { vec![format!("boot {}", at.0)] } else { Vec::new() };
        notes.extend(step.is_catchup.then(|| "caught up".to_owned()));
        notes.extend(history.lost_in(who, *at).map(|why| format!("partly lost: {why}")));
        let mut cells = vec![times.text(history.moment(*at))];
        cells.extend(values(history, who, did.unit, step));
        cells.push(notes.join(", "));
        rows.push(cells);
    }
    rows
}

fn values(history: &History, who: &Who, unit: Unit, step: &Step) -> Vec<String> {
    let rate = number(history, who, step);
    match &step.total {
        Total::Counter(added) => vec![quantity(*added as f64, unit), quantity(rate, unit)],
        Total::Gauge(all) => vec![
            quantity(all.last as f64, unit),
            quantity(all.min as f64, unit),
            quantity(rate, unit),
            quantity(all.max as f64, unit),
        ],
        total @ Total::Histogram { .. } => {
            let buckets = buckets(who, total);
            let count: u64 = buckets.iter().map(|(_, count)| count).sum();
            let [p50, p99] = [500, 990].map(|permille| bound(&buckets, permille, unit));
            let (count, rate) = (quantity(count as f64, Unit::None), quantity(rate, Unit::None));
            vec![count, rate, p50, p99]
        }
    }
}

fn who_json(names: &Names, who: &Who, unit: Unit) -> Value {
    let labels = who.labels.iter().map(|(key, value)| (key.clone(), json!(value)));
    json!({
        "name": who.name,
        "labels": serde_json::Map::from_iter(labels),
        "service": names.of_service(who.service),
        "service_id": who.service.to_string(),
        "metric": who.kind.name(),
        "unit": unit.name(),
        "overflow": who.overflow,
    })
}

/// Two objects as one.
fn joined(mut object: Value, more: Value) -> Value {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

fn total_json(who: &Who, total: &Total) -> Value {
    match total {
        Total::Counter(added) => json!({ "added": added }),
        Total::Gauge(all) => json!({
            // JSON has no 128-bit integers that everybody reads.
            "count": all.count, "sum": all.sum.to_string(), "min": all.min, "max": all.max,
            "last": all.last,
        }),
        Total::Histogram { sum, .. } => {
            let buckets = buckets(who, total);
            let bucket =
                |(bound, count): &(Option<u64>, u64)| json!({ "le": bound, "count": count });
            json!({
                "count": buckets.iter().map(|(_, count)| count).sum::<u64>(),
                "sum": sum.to_string(),
                "buckets": buckets.iter().map(bucket).collect::<Vec<_>>(),
            })
        }
    }
}

fn when_json(history: &History, times: &Times, who: &Who, at: (u32, u64), step: &Step) -> Value {
    let begin = history.moment(at);
    json!({
        "boot": at.0, "mono_ns": begin.mono_ns, "time": times.rfc3339(begin),
        "windows": step.windows, "catchup": step.is_catchup, "lost": history.lost_in(who, at),
    })
}

fn step_json(
    history: &History,
    times: &Times,
    names: &Names,
    who: &Who,
    did: &Did,
    at: (u32, u64),
    step: &Step,
) -> Value {
    let head = json!({ "kind": "step", "step_ns": history.step_ns() });
    let head = joined(head, who_json(names, who, did.unit));
    let head = joined(head, when_json(history, times, who, at, step));
    joined(head, total_json(who, &step.total))
}

fn summary_json(history: &History, times: &Times, names: &Names, who: &Who, did: &Did) -> Value {
    let steps = did.steps.iter().map(|(at, step)| {
        joined(when_json(history, times, who, *at, step), total_json(who, &step.total))
    });
    let steps: Vec<_> = steps.collect();
    let head = json!({ "kind": "series", "step_ns": history.step_ns() });
    let head = joined(head, who_json(names, who, did.unit));
    joined(head, json!({ "help": helps::of(&who.name), "steps": steps }))
}

fn lost_json(times: &Times, lost: &Lost) -> Value {
    json!({
        "kind": "lost",
        "why": lost.what.why.name(),
        "name": lost.who.as_ref().map(|who| &who.name),
        "from_boot": lost.what.from.boot,
        "from_mono_ns": lost.what.from.mono_ns,
        "from": times.rfc3339(lost.what.from),
        "to_boot": lost.what.to.boot,
        "to_mono_ns": lost.what.to.mono_ns,
        "to": times.rfc3339(lost.what.to),
    })
}
