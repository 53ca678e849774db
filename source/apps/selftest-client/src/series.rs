//! Evidence of series: the last snapshot of each shows what was told, all of it and nothing else,
//! and goes on to do so.

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Text};
use nexus_wire::LABELS_BYTES_MAX;
use nexus_wire::logs::Record;

use crate::Why;
use crate::journal::{Expected, has, is_number};
use crate::metrics::{gauge, is_ours, origin};
use crate::spans::shown;
use crate::talk::Talk;

/// A series as its snapshots have to show it.
#[derive(Clone, Copy)]
pub(crate) struct Series<'a> {
    /// `label.<key>` and value.
    pub(crate) labels: &'a [(&'a str, &'a str)],
    /// All else but its name, whose it is, and what depends on time.
    pub(crate) values: &'a [(&'a str, &'a str)],
}

/// All series of one name.
#[derive(Clone, Copy)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) series: &'a [Series<'a>],
}

/// All that one service has to export.
pub(crate) type Exports<'a> = (ServiceId, &'a [Metric<'a>]);

/// Series that a case waits for at most.
const SERIES_MAX: usize = 32;

/// What depends on time in every snapshot.
const NUMBERS: &[&str] = &["at_ns", "boot", "created_ns", "seq", "series"];

/// Set after what has to hold, until it is exported: a round has passed then.
const ROUNDS: &str = "selftest_rounds";

/// Waits until `who` has exported these, and no other series of those names; after a further round
/// they must still be what was exported last.
pub(crate) fn told(
    talk: &mut Talk<'_>,
    who: ServiceId,
    since: Mono,
    metrics: &[Metric<'_>],
    late: Why,
) -> Result<(), Why> {
    all_told(talk, since, &[(who, metrics)], late)
}

/// The same of several services, for all of which one further round is enough.
pub(crate) fn all_told(
    talk: &mut Talk<'_>,
    since: Mono,
    exports: &[Exports<'_>],
    late: Why,
) -> Result<(), Why> {
    assert!(each(exports).count() <= SERIES_MAX, "a case has few series");
    talk.until(late, |talk| Ok(are_last(talk, since, exports)?.then_some(())))?;
    a_round_passes(talk, each(exports).next().map_or("", |(_, name, _)| name))?;
    if are_last(talk, since, exports)? {
        Ok(())
    } else {
        Err("a series of a service changes that nobody has touched")
    }
}

/// Every series, with the service and the metric that it is of.
fn each<'a>(
    exports: &'a [Exports<'a>],
) -> impl Iterator<Item = (ServiceId, &'a str, &'a Series<'a>)> {
    let metrics = exports.iter().flat_map(|(who, metrics)| metrics.iter().map(|one| (*who, one)));
    metrics.flat_map(|(who, metric)| metric.series.iter().map(move |one| (who, metric.name, one)))
}

/// Whether the last snapshot of each of their series is as it must be.
fn are_last(talk: &mut Talk<'_>, since: Mono, exports: &[Exports<'_>]) -> Result<bool, Why> {
    let mut last = [false; SERIES_MAX];
    talk.each_record(since, |record| {
        let Some((who, name)) = told_of(record, exports) else { return Ok(()) };
        let mut of = last.iter_mut().zip(each(exports));
        let of = of.find(|(_, (service, metric, series))| {
            (*service, *metric) == (who, name) && series.is_of(record)
        });
        let (last, (.., series)) =
            of.ok_or("a service tells of a series that nobody has touched")?;
        let origin = origin(who);
        let ids = [("event", "metric.v1"), ("name", name), ("origin", origin.as_str())];
        let fixed = [&ids, series.labels, series.values];
        *last = Expected { fixed, numbers: NUMBERS, may_be: by_time }.is(record);
        Ok(())
    })?;
    Ok(last.iter().zip(each(exports)).all(|(last, _)| *last))
}

/// Of whose metric, if of any of these, a record is the snapshot.
fn told_of<'a>(record: &Record<'_>, exports: &'a [Exports<'a>]) -> Option<(ServiceId, &'a str)> {
    if is_further_part(record) {
        return None;
    }
    exports.iter().find_map(|(who, metrics)| {
        let origin = origin(*who);
        let is_its = || has(record, &[("origin", origin.as_str())]);
        let metric = metrics.iter().find(|metric| is_ours(record, metric.name) && is_its())?;
        Some((*who, metric.name))
    })
}

impl Series<'_> {
    fn is_of(&self, record: &Record<'_>) -> bool {
        let labels = record.fields.iter().filter(|(key, _)| key.starts_with("label."));
        labels.count() == self.labels.len() && has(record, self.labels)
    }
}

/// What a snapshot may have besides: a full round, a window that has closed, a further part.
fn by_time(key: &str, value: &str) -> bool {
    match key {
        "catchup" => value == "1",
        "part" => is_part(value) && value.starts_with("1/"),
        _ => is_of_window(key) && is_number(value.strip_prefix('-').unwrap_or(value)),
    }
}

/// `w10s.count` and the like.
fn is_of_window(key: &str) -> bool {
    let (window, value) = key.split_once('.').unwrap_or_default();
    let is_value = matches!(value, "count" | "last" | "max" | "min" | "n" | "sum");
    window.starts_with('w') && is_value
}

fn is_part(value: &str) -> bool {
    value.split_once('/').is_some_and(|(part, parts)| is_number(part) && is_number(parts))
}

/// Windows stand last in a snapshot, and all else of ours fits its first part.
fn is_further_part(record: &Record<'_>) -> bool {
    const IDS: &[&str] = &["boot", "event", "name", "origin", "part", "seq", "series"];
    let is_further = |part: &str| is_part(part) && !part.starts_with("1/");
    let is_rest = |(key, value)| IDS.contains(&key) || by_time(key, value);
    record.fields.get("part").is_some_and(is_further) && record.fields.iter().all(is_rest)
}

/// Sets a gauge, and waits until it is exported.
fn a_round_passes(talk: &mut Talk<'_>, of: &str) -> Result<(), Why> {
    let since = talk.fresh_time();
    let round = talk.next_round();
    let mut labels = Text::<LABELS_BYTES_MAX>::EMPTY;
    writeln!(labels, "of={of}").map_err(|_| "a name is too long")?;
    talk.tell(&gauge(ROUNDS, labels.as_str(), i64::from(round))?)?;
    let round = shown(round);
    talk.wait_for(since, "no further round is exported", |record| {
        is_ours(record, ROUNDS) && has(record, &[("label.of", of), ("value", round.as_str())])
    })
}
