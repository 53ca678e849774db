//! One picture of both daemons: how they fare, who sends how much, what is busiest, and, for the
//! demo, what has come back from the journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use nexus_abi::ServiceId;
use nexus_wire::logs::Search;
use nexus_wire::state::{logd, metricsd};
use nexus_wire::{Fields, Kind, LedgerRow, Unit};

use crate::clock::{self, Calendar};
use crate::daemons::{Both, Entry, Journal, METRICSD, Metrics, Series};
use crate::metrics::{Detail, tables, window_length};
use crate::names::Names;
use crate::render::{duration, fitted, quantity, visible};
use crate::spans::Span;
use crate::spark::spark;

/// Spans that are read back.
const SPANS: u16 = 3;
/// Snapshots of each kind among which one is chosen: rather another service's than metricsd's own.
const SNAPSHOTS: u16 = 16;
const KINDS: [&[u8]; 3] = [b"kind=counter\n", b"kind=gauge\n", b"kind=histogram\n"];

/// Short windows of a series that are drawn at most.
const RECENT: usize = 12;

/// What was offered at the last picture, by daemon and sender, and when; and what series did in the
/// short windows that pictures have seen.
#[derive(Default)]
pub(crate) struct Rates {
    taken: Option<Instant>,
    offered: Vec<(&'static str, u64, u64)>,
    recent: BTreeMap<String, Vec<(u64, f64)>>,
}

impl Rates {
    /// Notes the last short window of each series; series that are gone are forgotten.
    fn note(&mut self, all: &[Series]) {
        let mut before = std::mem::take(&mut self.recent);
        for series in all {
            let name = recent_name(series);
            let mut windows = before.remove(&name).unwrap_or_default();
            let number = series.short.number;
            if windows.last().is_none_or(|(last, _)| *last < number) {
                windows.push((number, activity(series)));
                windows.drain(..windows.len().saturating_sub(RECENT));
            }
            self.recent.insert(name, windows);
        }
    }

    /// The windows that were seen as bars; blanks for those between them.
    fn bars(&self, series: &Series) -> String {
        let windows = self.recent.get(&recent_name(series)).map(Vec::as_slice).unwrap_or_default();
        let (Some((first, _)), Some((newest, _))) = (windows.first(), windows.last()) else {
            return String::new();
        };
        let first = newest.saturating_sub(RECENT as u64 - 1).max(*first);
        let number = |at| windows.iter().find(|(number, _)| *number == at).map(|(_, value)| *value);
        spark(&(first..=*newest).map(number).collect::<Vec<_>>())
    }
}

fn recent_name(series: &Series) -> String {
    format!("{} {:?} {}", series.service, series.value.kind(), series.title())
}

/// What is drawn of a window: what was added, how often was observed, the mean of a gauge.
fn activity(series: &Series) -> f64 {
    let short = &series.short;
    match series.value.kind() {
        Kind::Counter => short.sum as f64,
        Kind::Histogram => f64::from(short.count),
        Kind::Gauge if short.count == 0 => f64::NAN,
        Kind::Gauge => short.sum as f64 / f64::from(short.count),
    }
}

/// What a picture shows and how large it may be.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Columns.
    pub(crate) width: usize,
    /// Lines.
    pub(crate) height: Height,
}

/// What bounds the lines of a picture.
#[derive(Clone, Copy)]
pub(crate) enum Height {
    /// So many series, whatever that takes.
    Series(usize),
    /// So many lines in all.
    Lines(usize),
}

/// Kinds of series, each with a table of its own.
const TABLES: usize = 3;

/// Everything that one picture shows.
pub(crate) struct Picture {
    taken: Instant,
    logd: Result<Said, String>,
    metricsd: Result<(Said, Vec<Series>, Duration), String>,
    journal: Option<Back>,
}

/// A daemon's state and ledger.
struct Said {
    state: Vec<(String, String)>,
    rows: Vec<LedgerRow>,
}

/// What SEARCH has brought back.
struct Back {
    calendar: Calendar,
    spans: Vec<Entry>,
    snapshots: Vec<Entry>,
}

impl Picture {
    /// `with_journal`: reads back what metricsd wrote there.
    pub(crate) fn take(dir: &Path, with_journal: bool) -> Self {
        let both = Both::open(dir);
        let mut journal = None;
        let logd = both.journal.and_then(|mut logd| {
            journal = with_journal.then(|| Back::of(&mut logd)).transpose()?;
            Ok(Said { state: logd.status()?, rows: logd.audit()? })
        });
        let metricsd = both.metrics.and_then(Self::of_metricsd);
        let brief = |error: anyhow::Error| format!("{error:#}");
        let (logd, metricsd) = (logd.map_err(brief), metricsd.map_err(brief));
        Self { taken: Instant::now(), logd, metricsd, journal }
    }

    fn of_metricsd(mut metricsd: Metrics) -> anyhow::Result<(Said, Vec<Series>, Duration)> {
        let said = Said { state: metricsd.status()?, rows: metricsd.audit()? };
        let window = window_length(&mut metricsd)?;
        Ok((said, metricsd.scrape(false)?.series, window))
    }

    /// Why nothing at all can be shown, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        match (&self.logd, &self.metricsd) {
            (Err(logd), Err(metricsd)) => Some(format!("{logd}; {metricsd}")),
            _ => None,
        }
    }

    pub(crate) fn lines(&self, last: &mut Rates, names: &Names, frame: Frame) -> Vec<String> {
        let metricsd = self.metricsd.as_ref().map(|(said, ..)| said);
        let mut parts = vec![vec![
            head("logd", self.logd.as_ref(), &LOGD_HEAD),
            head("metricsd", metricsd, &METRICSD_HEAD),
        ]];
        let mut tables_of = vec![self.senders(last, names)];
        tables_of.extend(
            self.journal.iter().flat_map(|back| [back.spans(names), back.snapshots(names)]),
        );
        let fixed: usize = parts.iter().map(Vec::len).chain(tables_of.iter().map(Vec::len)).sum();
        let blanks = tables_of.len() + TABLES;
        // Where lines are few none are blank.
        let (each, airy) = match frame.height {
            Height::Series(series) => (series.div_ceil(TABLES), true),
            Height::Lines(lines) => {
                let left = lines.saturating_sub(fixed + TABLES);
                let airy = left >= blanks + 2 * TABLES;
                ((left - if airy { blanks } else { 0 }) / TABLES, airy)
            }
        };
        if let Ok((_, series, window)) = &self.metricsd {
            last.note(series);
            let chosen = busiest(series, each.max(1));
            let tables = tables(&chosen, names, *window, Detail::Short);
            tables_of.extend(tables.into_iter().map(|(rows, of)| with_bars(rows, &of, last)));
        }
        let shown = tables_of.into_iter().filter(|rows| rows.len() > 1);
        parts.extend(shown.map(|rows| fitted(2, rows, frame.width)));
        let blank = vec![String::new()];
        let join = |part: Vec<String>| if airy { [part, blank.clone()].concat() } else { part };
        let mut lines: Vec<String> = parts.into_iter().flat_map(join).collect();
        lines.pop_if(|last| last.is_empty());
        lines
    }

    fn senders(&self, last: &mut Rates, names: &Names) -> Vec<Vec<String>> {
        let head =
            ["SENDER", "AT", "ITEMS/S", "OFFERED", "REFUSED", "FOLDED", "DROPPED", "KEPT NOW"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        let seconds = last.taken.map(|taken| (self.taken - taken).as_secs_f64());
        let logd = self.logd.iter().flat_map(|said| &said.rows).map(|row| ("logd", row));
        let metricsd = self.metricsd.iter().flat_map(|(said, ..)| &said.rows);
        let rows: Vec<_> = logd.chain(metricsd.map(|row| ("metricsd", row))).collect();
        for (at, row) in rows.iter().filter(|(_, row)| row.offered > 0) {
            let known =
                last.offered.iter().find(|(daemon, id, _)| daemon == at && *id == row.service);
            let rate = known.zip(seconds).map(|((_, _, before), seconds)| {
                format!("{:.1}", row.offered.saturating_sub(*before) as f64 / seconds)
            });
            let mut cells = vec![names.of_row(row), (*at).to_owned(), rate.unwrap_or_default()];
            let counts = [row.offered, row.refused_total(), row.folded, row.dropped];
            cells.extend(counts.map(|count| count.to_string()));
            let what = if *at == "logd" { "records" } else { "series" };
            cells.push(format!("{} {what}", row.kept));
            lines.push(cells);
        }
        last.taken = Some(self.taken);
        last.offered = rows.iter().map(|(at, row)| (*at, row.service, row.offered)).collect();
        lines
    }
}

/// A word of a head line: what it is called, and the parts of the state that it is the sum of.
type Word = (&'static str, &'static [&'static str]);

const LOGD_HEAD: [Word; 4] = [
    ("boot", &[logd::BOOT]),
    ("records", &[logd::RECORDS]),
    ("dropped", &[logd::DROPPED]),
    ("senders", &[logd::SENDERS]),
];

const METRICSD_HEAD: [Word; 5] = [
    ("boot", &[metricsd::BOOT]),
    ("series", &[metricsd::SERIES]),
    ("live spans", &[metricsd::SPANS_LIVE]),
    ("exported", &[metricsd::EXPORT_ACKNOWLEDGED]),
    (
        "lost on export",
        &[metricsd::EXPORT_LOST, metricsd::EXPORT_REFUSED, metricsd::EXPORT_SPANS_DROPPED],
    ),
];

/// A line about a daemon.
fn head(name: &str, said: Result<&Said, &String>, words: &[Word]) -> String {
    let said = match said {
        Err(why) => return format!("{name}: {}", visible(why)),
        Ok(said) => said,
    };
    let number = |key: &&str| {
        said.state.iter().find(|(name, _)| name == key).and_then(|(_, v)| v.parse::<u64>().ok())
    };
    let word = |(word, keys): &Word| {
        let sum: Option<u64> = keys.iter().map(number).sum();
        format!("{word} {}", sum.map_or_else(|| "?".to_owned(), |sum| sum.to_string()))
    };
    format!("{name}: {}", words.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// A table with what its series did lately behind its other columns.
fn with_bars(mut rows: Vec<Vec<String>>, series: &[&Series], recent: &Rates) -> Vec<Vec<String>> {
    let bars = series.iter().map(|series| recent.bars(series));
    let cells = std::iter::once("RECENT".to_owned()).chain(bars);
    let named = |head: &Vec<String>| head.iter().take_while(|cell| !cell.is_empty()).count();
    let columns = rows.first().map_or(0, named);
    for (row, cell) in rows.iter_mut().zip(cells) {
        row.resize(columns, String::new());
        row.push(cell);
    }
    rows
}

/// The series that changed most in their last window, of each kind so many.
fn busiest(all: &[Series], each: usize) -> Vec<&Series> {
    let mut all: Vec<_> = all.iter().collect();
    let busy = |series: &Series| series.short.count;
    all.sort_by(|a, b| (busy(b), &a.name, &a.labels).cmp(&(busy(a), &b.name, &b.labels)));
    let mut taken = [(Kind::Counter, 0), (Kind::Gauge, 0), (Kind::Histogram, 0)];
    all.retain(|series| {
        let counts = taken.iter_mut().filter(|(kind, _)| *kind == series.value.kind());
        counts.fold(false, |_, (_, count)| {
            *count += 1;
            *count <= each
        })
    });
    all
}

impl Back {
    fn of(logd: &mut Journal) -> anyhow::Result<Self> {
        let newest = |scope, max| Search {
            scope,
            max,
            service: Some(METRICSD),
            backward: true,
            ..Search::ALL
        };
        let mut snapshots = Vec::new();
        for pair in KINDS {
            let pair = Fields::parse(pair).unwrap_or(Fields::EMPTY);
            let mut found = logd.search(&Search { pair, ..newest("metrics", SNAPSHOTS) })?.entries;
            let own = METRICSD.to_string();
            let others = found.iter().position(|entry| entry.field("origin") != Some(&own));
            if !found.is_empty() {
                snapshots.push(found.swap_remove(others.unwrap_or(0)));
            }
        }
        let spans = logd.search(&newest("spans", SPANS))?.entries;
        let calendar = logd.calendars()?.of(0).clone();
        Ok(Self { calendar, spans, snapshots })
    }

    fn time(&self, mono_ns: u64) -> String {
        clock::time_of_day(&self.calendar, mono_ns, &TimeZone::system())
    }

    fn spans(&self, names: &Names) -> Vec<Vec<String>> {
        let head = ["SPAN IN THE JOURNAL", "SERVICE", "TOOK", "STATUS", "RECORDED"];
        let row = |entry: &Entry| {
            let span = Span::of_entry(entry)?;
            Some(vec![
                visible(&span.name).into_owned(),
                names.of_service(span.origin),
                duration(span.duration_ns),
                visible(&span.status).into_owned(),
                self.time(entry.ts_ns),
            ])
        };
        let head = [head.map(str::to_owned).to_vec()].into_iter();
        head.chain(self.spans.iter().filter_map(row)).collect()
    }

    /// A new snapshot of each kind.
    fn snapshots(&self, names: &Names) -> Vec<Vec<String>> {
        let head = ["METRIC IN THE JOURNAL", "SERVICE", "KIND", "VALUE", "RECORDED"];
        let row = |entry: &Entry| {
            let origin = entry.field("origin").and_then(|text| u64::from_str_radix(text, 16).ok());
            Some(vec![
                snapshot_title(entry),
                names.of_service(ServiceId::from_raw(origin?)),
                visible(entry.field("kind")?).into_owned(),
                snapshot_value(entry)?,
                self.time(entry.ts_ns),
            ])
        };
        let head = [head.map(str::to_owned).to_vec()].into_iter();
        head.chain(self.snapshots.iter().filter_map(row)).collect()
    }
}

fn snapshot_title(entry: &Entry) -> String {
    let labels = entry.fields.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix("label.")?;
        Some(format!("{}=\"{}\"", visible(key), visible(value)))
    });
    let labels: Vec<_> = labels.collect();
    let name = visible(entry.field("name").unwrap_or(&entry.message));
    if labels.is_empty() { name.into_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

fn snapshot_value(entry: &Entry) -> Option<String> {
    let unit = entry.field("unit").and_then(Unit::from_name).unwrap_or(Unit::None);
    let number = |key| entry.field(key).and_then(|text| text.parse::<f64>().ok());
    match entry.field("kind")? {
        "histogram" => Some(format!("{} obs", quantity(number("count")?, Unit::None))),
        _ => Some(quantity(number("value")?, unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemons::Value;

    fn said(keys: &[&str]) -> Said {
        let state = keys.iter().map(|key| ((*key).to_owned(), "7".to_owned())).collect();
        Said { state, rows: Vec::new() }
    }

    #[test]
    fn a_head_names_what_it_looks_for_and_shows_what_is_missing() {
        let whole = head("metricsd", Ok(&said(metricsd::ALL)), &METRICSD_HEAD);
        assert!(whole.ends_with("live spans 7, exported 7, lost on export 21"), "{whole}");
        assert!(!head("logd", Ok(&said(logd::ALL)), &LOGD_HEAD).contains('?'));
        assert!(head("logd", Ok(&said(&[])), &LOGD_HEAD).contains("records ?"));
    }

    #[test]
    fn some_series_of_each_kind_are_shown() {
        let mut all: Vec<Series> = (0..9).map(|n| Series::counter(&n.to_string(), n)).collect();
        all.push(Series { value: Value::Gauge(1), ..Series::counter("g", 0) });
        let names: Vec<_> = busiest(&all, 2).iter().map(|series| series.name.clone()).collect();
        assert_eq!(names, ["0", "1", "g"]);
    }

    #[test]
    fn windows_that_pictures_have_seen_are_drawn_as_bars() {
        let mut rates = Rates::default();
        let mut series = Series::counter("n_total", 0);
        for (number, sum) in [(4, 0), (4, 9), (5, 70), (7, 35)] {
            (series.short.number, series.short.sum) = (number, sum);
            rates.note(std::slice::from_ref(&series));
        }
        let bars = rates.bars(&series);
        assert_eq!(bars.chars().count(), 4, "one bar a window: {bars}");
        assert_eq!(
            bars.find(' ').map(|at| bars[..at].chars().count()),
            Some(2),
            "none for one not seen"
        );
        rates.note(&[]);
        assert_eq!(rates.bars(&series), "");
    }

    #[test]
    fn a_picture_keeps_to_its_lines_and_shows_every_kind() {
        let kinds =
            [Value::Counter(1), Value::Gauge(1), Value::Histogram { sum: 0, buckets: vec![] }];
        let series = kinds.into_iter().flat_map(|value| {
            (0..40).map(move |n| Series {
                value: value.clone(),
                ..Series::counter(&format!("a_name_that_is_rather_long_for_a_column_{n}"), 0)
            })
        });
        let row = LedgerRow { service: 1, offered: 5, accepted: 5, ..LedgerRow::default() };
        let with_row = |keys: &[&str]| Said { rows: vec![row], ..said(keys) };
        let picture = Picture {
            taken: Instant::now(),
            logd: Ok(with_row(logd::ALL)),
            metricsd: Ok((with_row(metricsd::ALL), series.collect(), Duration::from_secs(10))),
            journal: None,
        };
        for (width, height) in [(80, 23), (80, 14), (100, 50)] {
            let frame = Frame { width, height: Height::Lines(height) };
            let lines = picture.lines(&mut Rates::default(), &Names::none(), frame);
            assert!(lines.len() <= height, "{lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
            for kind in ["COUNTER", "GAUGE", "HISTOGRAM"] {
                assert!(lines.iter().any(|line| line.starts_with(kind)), "{kind} {lines:#?}");
            }
        }
    }
}
