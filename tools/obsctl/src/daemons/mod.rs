//! Typed conversations with the daemons.

mod line;
mod series;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_wire::logs::{self, Found, Head, Record, Search, Version};
use nexus_wire::metrics;
use nexus_wire::{LedgerRow, Level, LogStatus, MetricStatus, RecordId};

use crate::clock::Calendars;
use line::Line;
pub(crate) use series::{Series, Value};

const FRAME: usize = nexus_abi::FRAME_BYTES_MAX;
/// How long a request waits for its sender's budget, and between two attempts.
const BUDGET_PATIENCE: Duration = Duration::from_secs(30);
const BUDGET_PAUSE: Duration = Duration::from_millis(100);

/// metricsd, as logd knows it.
pub(crate) const METRICSD: ServiceId = ServiceId::from_name("metricsd");

/// A daemon is there and lets us not read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied(&'static str);

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lets only root, its own user and its readers' group read", self.0)
    }
}

impl std::error::Error for Denied {}

/// logd.
pub(crate) struct Journal {
    line: Line,
}

/// A record, or what stands for lost ones.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: RecordId,
    pub(crate) ts_ns: u64,
    pub(crate) service: ServiceId,
    pub(crate) level: Level,
    pub(crate) scope: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) is_gap: bool,
}

impl Entry {
    pub(crate) fn new(found: &Found<'_>) -> Self {
        let (record, is_gap) = match found {
            Found::Record(record) => (record, false),
            Found::Gap(record) => (record, true),
        };
        let Record { id, ts_ns, service, level, scope, message, fields } = *record;
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            id,
            ts_ns,
            service,
            level,
            scope: scope.to_owned(),
            message: message.to_owned(),
            fields: fields.iter().map(own).collect(),
            is_gap,
        }
    }

    /// An entry that says nothing.
    #[cfg(test)]
    pub(crate) const fn empty() -> Self {
        Self {
            id: RecordId(1),
            ts_ns: 0,
            service: ServiceId::from_raw(0),
            level: Level::Info,
            scope: String::new(),
            message: String::new(),
            fields: Vec::new(),
            is_gap: false,
        }
    }

    /// Whether it has a field, written `key=value\n`.
    pub(crate) fn has(&self, line: &str) -> bool {
        let pair = line.trim_end_matches('\n').split_once('=');
        pair.is_some_and(|(key, value)| self.field(key) == Some(value))
    }

    pub(crate) fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// One reply to a search.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) boot: u32,
    pub(crate) next_id: RecordId,
    pub(crate) more: bool,
    pub(crate) entries: Vec<Entry>,
}

impl Journal {
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { line: Line::open(dir, "logd")? })
    }

    fn ask<T>(
        &mut self,
        request: &logs::Request<'_>,
        take: impl FnOnce(LogStatus, logs::Reply<'_>) -> Option<T>,
    ) -> anyhow::Result<T> {
        let head = Head { version: Version::V2, nonce: self.line.next_nonce().into() };
        let mut frame = [0; FRAME];
        let frame = logs::encode(request, head, &mut frame)
            .map_err(|_| anyhow::anyhow!("the request does not fit into a frame"))?;
        let op = request.op();
        let status = |reply: &[u8]| logs::decode_reply(op, head, reply).map(|(status, _)| status);
        let limited = |reply: &[u8]| status(reply) == Some(LogStatus::RateLimited);
        let reply = self.line.exchange(frame, limited)?;
        let Some((status, reply)) = logs::decode_reply(op, head, reply) else {
            bail!("logd's answer is not one of this version");
        };
        if status == LogStatus::Denied {
            return Err(Denied("logd").into());
        }
        take(status, reply).with_context(|| format!("logd refused: {}", status.name()))
    }

    pub(crate) fn hello(&mut self) -> anyhow::Result<logs::HelloReply> {
        self.ask(&logs::Request::Hello, |_, reply| match reply {
            logs::Reply::Hello(hello) => Some(hello),
            _ => None,
        })
    }

    pub(crate) fn search(&mut self, search: &Search<'_>) -> anyhow::Result<Page> {
        self.ask(&logs::Request::Search(*search), |_, reply| match reply {
            logs::Reply::Search(found) => Some(Page {
                boot: found.boot,
                next_id: found.next_id,
                more: found.more,
                entries: found.found().map(|found| Entry::new(&found)).collect(),
            }),
            _ => None,
        })
    }

    /// The calendar of all boots that are remembered; the newest is the one that runs.
    pub(crate) fn calendars(&mut self) -> anyhow::Result<Calendars> {
        let anchors = self.ask(&logs::Request::Anchors, |_, reply| match reply {
            logs::Reply::Anchors(anchors) => Some(anchors.iter().collect()),
            _ => None,
        })?;
        Ok(Calendars::new(anchors, self.hello()?.boot))
    }

    pub(crate) fn audit(&mut self) -> anyhow::Result<Vec<LedgerRow>> {
        gather_rows(|cursor| {
            self.ask(&logs::Request::Audit { cursor }, |_, reply| match reply {
                logs::Reply::Audit(audit) => Some((audit.next_cursor, audit.rows().collect())),
                _ => None,
            })
        })
    }

    pub(crate) fn status(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        self.ask(&logs::Request::Status, |_, reply| match reply {
            logs::Reply::Status(fields) => Some(own_fields(fields)),
            _ => None,
        })
    }

    pub(crate) fn append(&mut self, record: &logs::NewRecord<'_>) -> anyhow::Result<RecordId> {
        let mut text = [0; size_of::<logs::RecordText>()];
        let record = record.join(&mut text);
        let record = record.map_err(|_| anyhow::anyhow!("the record is longer than logd takes"))?;
        self.ask(&logs::Request::Append(record), |status, reply| match reply {
            logs::Reply::Append(append) if status == LogStatus::Ok => Some(append.id),
            _ => None,
        })
    }
}

fn own_fields(fields: nexus_wire::Fields<'_>) -> Vec<(String, String)> {
    fields.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn gather_rows(
    mut page: impl FnMut(u32) -> anyhow::Result<(u32, Vec<LedgerRow>)>,
) -> anyhow::Result<Vec<LedgerRow>> {
    let mut rows = Vec::new();
    let mut cursor = 0;
    loop {
        let (next, mut more) = page(cursor)?;
        rows.append(&mut more);
        if next == 0 {
            return Ok(rows);
        }
        cursor = next;
    }
}

/// metricsd.
pub(crate) struct Metrics {
    line: Line,
}

/// A span that goes on.
#[derive(Clone, Debug)]
pub(crate) struct LiveSpan {
    pub(crate) service: ServiceId,
    pub(crate) incarnation: Incarnation,
    pub(crate) span: u64,
    pub(crate) trace: u64,
    pub(crate) parent: u64,
    pub(crate) start_ns: u64,
    pub(crate) name: String,
    pub(crate) attrs: Vec<(String, String)>,
}

/// What became of a question for what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paged {
    /// It goes on there; at the start: that was all.
    Next(metrics::RangeCursor),
    /// What was being read has been given up or put elsewhere.
    Replaced,
    /// metricsd keeps nothing.
    NothingKept,
}

/// All series at one time.
pub(crate) struct Scrape {
    pub(crate) now_ns: u64,
    pub(crate) series: Vec<Series>,
}

impl Metrics {
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { line: Line::open(dir, "metricsd")? })
    }

    fn ask<T>(
        &mut self,
        request: &metrics::Request<'_>,
        take: impl FnOnce(MetricStatus, metrics::Reply<'_>) -> Option<T>,
    ) -> anyhow::Result<T> {
        let nonce = self.line.next_nonce();
        let mut frame = [0; FRAME];
        let frame = metrics::encode(request, nonce, &mut frame)
            .map_err(|_| anyhow::anyhow!("the request does not fit into a frame"))?;
        let op = request.op();
        let status =
            |reply: &[u8]| metrics::decode_reply(op, nonce, reply).map(|(status, _)| status);
        let limited = |reply: &[u8]| status(reply) == Some(MetricStatus::RateLimited);
        let reply = self.line.exchange(frame, limited)?;
        let Some((status, reply)) = metrics::decode_reply(op, nonce, reply) else {
            bail!("metricsd's answer is not one of this version");
        };
        if status == MetricStatus::Denied {
            return Err(Denied("metricsd").into());
        }
        take(status, reply).with_context(|| format!("metricsd refused: {}", status.name()))
    }

    pub(crate) fn hello(&mut self) -> anyhow::Result<metrics::HelloReply> {
        self.ask(&metrics::Request::Hello(None), |_, reply| match reply {
            metrics::Reply::Hello(hello) => Some(hello),
            _ => None,
        })
    }

    /// Sends an update or a span's start or end; the status is the answer.
    pub(crate) fn update(
        &mut self,
        request: &metrics::Request<'_>,
    ) -> anyhow::Result<MetricStatus> {
        self.ask(request, |status, _| Some(status))
    }

    pub(crate) fn scrape(&mut self, with_help: bool) -> anyhow::Result<Scrape> {
        let mut all = Scrape { now_ns: 0, series: Vec::new() };
        let (mut cursor, mut epoch) = (0, None);
        loop {
            let request = metrics::Request::Scrape { cursor, with_help };
            let next = self.ask(&request, |_, reply| match reply {
                metrics::Reply::Scrape(page) => {
                    if *epoch.get_or_insert(page.epoch) != page.epoch {
                        return None;
                    }
                    all.now_ns = page.now_ns;
                    all.series.extend(page.series().map(|view| Series::new(&view)));
                    Some(page.next_cursor)
                }
                _ => None,
            })?;
            if next == 0 {
                return Ok(all);
            }
            cursor = next;
        }
    }

    /// One page of what is kept, and the cursor behind it; `each` gets the entries.
    pub(crate) fn range(
        &mut self,
        range: &metrics::Range<'_>,
        each: &mut dyn FnMut(&metrics::RangeHead, &metrics::RangeEntry<'_>),
    ) -> anyhow::Result<Paged> {
        let end = Instant::now() + BUDGET_PATIENCE;
        loop {
            let page = self.ask(&metrics::Request::Range(*range), |status, reply| match reply {
                metrics::Reply::Range(page) => {
                    page.entries().for_each(|entry| each(&page.head, &entry));
                    Some(Some(Paged::Next(page.next)))
                }
                _ => match status {
                    MetricStatus::Conflict => Some(Some(Paged::Replaced)),
                    MetricStatus::NotFound => Some(Some(Paged::NothingKept)),
                    MetricStatus::NotReady => Some(None),
                    _ => None,
                },
            })?;
            match page {
                Some(page) => return Ok(page),
                None if Instant::now() < end => std::thread::sleep(BUDGET_PAUSE),
                None => bail!("metricsd has been busy with others' questions for 30 s; try again"),
            }
        }
    }

    pub(crate) fn live_spans(&mut self) -> anyhow::Result<(u64, Vec<LiveSpan>)> {
        let (mut spans, mut cursor) = (Vec::new(), 0);
        loop {
            let (next, now_ns) =
                self.ask(&metrics::Request::Spans { cursor }, |_, reply| match reply {
                    metrics::Reply::Spans(page) => {
                        spans.extend(page.spans().map(|span| LiveSpan::new(&span)));
                        Some((page.next_cursor, page.now_ns))
                    }
                    _ => None,
                })?;
            if next == 0 {
                return Ok((now_ns, spans));
            }
            cursor = next;
        }
    }

    pub(crate) fn audit(&mut self) -> anyhow::Result<Vec<LedgerRow>> {
        gather_rows(|cursor| {
            self.ask(&metrics::Request::Audit { cursor }, |_, reply| match reply {
                metrics::Reply::Audit(audit) => Some((audit.next_cursor, audit.rows().collect())),
                _ => None,
            })
        })
    }

    pub(crate) fn status(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        self.ask(&metrics::Request::Status, |_, reply| match reply {
            metrics::Reply::Status(fields) => Some(own_fields(fields)),
            _ => None,
        })
    }
}

impl LiveSpan {
    fn new(live: &metrics::LiveSpan<'_>) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let attrs = text(live.start.attrs.as_bytes());
        let attrs = attrs.lines().filter_map(|line| line.split_once('='));
        Self {
            service: live.service,
            incarnation: live.incarnation,
            span: live.start.span.raw(),
            trace: live.start.trace.raw(),
            parent: live.start.parent.raw(),
            start_ns: live.start.start_ns,
            name: text(live.start.name.as_bytes()),
            attrs: attrs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

/// Both daemons, one of which may be away.
pub(crate) struct Both {
    pub(crate) journal: anyhow::Result<Journal>,
    pub(crate) metrics: anyhow::Result<Metrics>,
}

impl Both {
    pub(crate) fn open(dir: &Path) -> Self {
        Self { journal: Journal::open(dir), metrics: Metrics::open(dir) }
    }
}

/// A connection that is made anew when it breaks.
pub(crate) struct Steady<D> {
    dir: PathBuf,
    open: fn(&Path) -> anyhow::Result<D>,
    daemon: Option<D>,
}

pub(crate) type SteadyJournal = Steady<Journal>;
pub(crate) type SteadyMetrics = Steady<Metrics>;

impl SteadyJournal {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, open: Journal::open, daemon: None }
    }
}

impl SteadyMetrics {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, open: Metrics::open, daemon: None }
    }
}

impl<D> Steady<D> {
    /// Does something with the daemon; after an error the next call connects again.
    pub(crate) fn with<T>(
        &mut self,
        act: impl FnOnce(&mut D) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let daemon = match &mut self.daemon {
            Some(daemon) => daemon,
            none => none.insert((self.open)(&self.dir)?),
        };
        let done = act(daemon);
        if done.is_err() {
            self.daemon = None;
        }
        done
    }
}

/// What rights are called.
pub(crate) fn rights_text(rights: Rights) -> &'static str {
    if rights.has(Rights::QUERY) || rights.has(Rights::SCRAPE) {
        "may read"
    } else {
        "may write only"
    }
}
