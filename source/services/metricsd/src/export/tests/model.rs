//! A world with a journal in it, series to export, and somebody who begins and ends spans.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos, TokenBucket};
use nexus_gate::{Budgets, Redactor, SenderSlot, Senders};
use nexus_port::{CallError, CallId, SubmitError, Token, World};
use nexus_recipe::Recipe;
use nexus_wire::logs::{
    self, AppendBatch, BatchReply, Found, Head, Op, Record, Reply, Request, Search, SearchWriter,
};
use nexus_wire::metrics::{SeriesValue, SeriesView, SpanEnd, SpanStart, WholeSpan, WindowView};
use nexus_wire::{
    AttrBytes, Fields, Level, LogStatus, NameBytes, Reason, RecordId, SpanId, SpanStatus, TraceId,
    Unit,
};

use crate::export::{Exporter, SeriesSource};
use crate::spans::{SpanOwner, SpanTable};

pub(crate) const BOOT: u32 = 9;

pub(crate) fn recipe() -> Recipe {
    let text = include_str!("../../../../../../recipes/observability/device-2mib.toml");
    Recipe::parse(text).unwrap()
}

/// Seats of as many senders.
pub(crate) fn seats(count: u32) -> Vec<SenderSlot> {
    let mut senders = Senders::new(count, Nanos(0), Budgets::of_metricsd(&recipe()));
    (0..u64::from(count)).map(|id| senders.seat(sender(id).id, Mono(0)).slot).collect()
}

pub(crate) fn sender(id: u64) -> Sender {
    let service = ServiceId::from_raw(0x5000 + id);
    Sender::stamped(service, 1, Incarnation::new(1), Rights::NONE)
}

/// A record that the journal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) level: Level,
    pub(crate) scope: String,
    pub(crate) message: String,
    pub(crate) fields: String,
}

impl Kept {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        Fields::parse(self.fields.as_bytes()).unwrap().get(key)
    }

    fn record(&self) -> Record<'_> {
        Record {
            id: RecordId(self.id),
            ts_ns: 0,
            service: ServiceId::from_name("metricsd"),
            level: self.level,
            scope: &self.scope,
            message: &self.message,
            fields: Fields::parse(self.fields.as_bytes()).unwrap(),
        }
    }
}

/// How the journal behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Up,
    /// Nobody serves under its name.
    Away,
    /// It takes calls and answers none.
    Stopped,
    /// It does what is asked and dies before it answers.
    LosesReplies,
    /// It dies before it does what is asked.
    LosesCalls,
    /// It refuses every frame as too much for now.
    RateLimits,
    /// It answers something else.
    Babbles,
    /// It refuses to search.
    Denies,
}

pub(crate) struct Journal {
    pub(crate) boot: u32,
    pub(crate) mood: Mood,
    pub(crate) records: Vec<Kept>,
    pub(crate) lines: Vec<String>,
    /// Messages of records that it refuses for good.
    pub(crate) refuses: BTreeSet<String>,
    /// What metricsd may send; whatever is beyond breaks the test.
    budget: (TokenBucket, TokenBucket),
    calls: VecDeque<(CallId, Vec<u8>)>,
    pub(crate) calls_max: usize,
    now: Mono,
    pub(crate) bytes_received: u64,
}

impl World for Journal {
    fn reply(&mut self, _: Token, _: &[u8]) {
        panic!("the export answers nobody");
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("logd"));
        assert!(frame.len() <= nexus_abi::FRAME_BYTES_MAX);
        assert!(self.calls.iter().all(|(other, _)| *other != call), "one call under one name");
        if self.mood == Mood::Away {
            return Err(SubmitError::NotReady);
        }
        if self.calls.len() == self.calls_max {
            return Err(SubmitError::Busy);
        }
        let records = match logs::decode(frame).unwrap().request {
            Request::AppendBatch(batch) => u64::from(batch.len()),
            _ => 1,
        };
        assert!(records > 0, "an empty frame");
        assert!(self.budget.0.take(records, self.now), "records beyond the budget");
        assert!(self.budget.1.take(frame.len() as u64, self.now), "bytes beyond the budget");
        self.bytes_received += frame.len() as u64;
        self.calls.push_back((call, frame.to_vec()));
        Ok(())
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.into());
    }
}

impl Journal {
    fn new(recipe: &Recipe) -> Self {
        let limits = &recipe.metricsd.export;
        let bucket = |rate: u32| TokenBucket::new(rate.into(), rate.into(), Mono(0));
        Self {
            boot: 1,
            mood: Mood::Up,
            records: Vec::new(),
            lines: Vec::new(),
            refuses: BTreeSet::new(),
            budget: (bucket(limits.records_per_s), bucket(limits.bytes_per_s)),
            calls: VecDeque::new(),
            calls_max: 16,
            now: Mono(0),
            bytes_received: 0,
        }
    }

    /// Forgets everything, as a journal in memory does.
    pub(crate) fn restart(&mut self) {
        self.boot += 1;
        self.records.clear();
    }

    fn answer(&mut self, frame: &[u8]) -> Result<Vec<u8>, CallError> {
        let asked = logs::decode(frame).unwrap();
        let mut out = [0; 4096];
        let plain = |op, status, out: &mut [u8]| {
            Reply::encode_plain(op, asked.head, status, out).unwrap().to_vec()
        };
        match (self.mood, asked.request) {
            (Mood::LosesCalls, _) => Err(CallError::PeerDied),
            (Mood::Babbles, _) => Ok(vec![7; 30]),
            (Mood::RateLimits, request) => {
                Ok(plain(request.op(), LogStatus::RateLimited, &mut out))
            }
            (Mood::Denies, Request::Search(_)) => {
                Ok(plain(Op::Search, LogStatus::Denied, &mut out))
            }
            (mood, Request::AppendBatch(batch)) => {
                let reply = self.append(&batch);
                let reply = reply.encode(asked.head, &mut out).unwrap().to_vec();
                if mood == Mood::LosesReplies { Err(CallError::PeerDied) } else { Ok(reply) }
            }
            (_, Request::Search(search)) => Ok(self.search(asked.head, &search, &mut out)),
            (_, other) => panic!("unexpected {other:?}"),
        }
    }

    fn append(&mut self, batch: &AppendBatch<'_>) -> BatchReply {
        let (accepted, refused, first_refused, why) = (0, 0, 0, LogStatus::Ok);
        let (first_id, last_id) = (RecordId(0), RecordId(0));
        let mut reply = BatchReply {
            boot: self.boot,
            accepted,
            refused,
            first_refused,
            why,
            first_id,
            last_id,
        };
        for (index, record) in (0..).zip(batch.records()) {
            let record = record.as_new();
            let fields = Fields::parse_claimless(record.fields).unwrap();
            if self.refuses.contains(record.message) {
                if reply.refused == 0 {
                    (reply.first_refused, reply.why) = (index, LogStatus::OverLimit);
                }
                reply.refused += 1;
                continue;
            }
            let id = self.records.last().map_or(1, |last| last.id + 1);
            self.records.push(Kept {
                id,
                level: record.level,
                scope: record.scope.into(),
                message: record.message.into(),
                fields: fields.as_str().into(),
            });
            reply.accepted += 1;
            reply.last_id = RecordId(id);
            if reply.accepted == 1 {
                reply.first_id = RecordId(id);
            }
        }
        reply
    }

    fn search(&self, head: Head, search: &Search<'_>, out: &mut [u8]) -> Vec<u8> {
        let mut writer = SearchWriter::new(head.nonce, self.boot, 0, 0, out);
        let from = if search.boot == self.boot { search.id.0 } else { 0 };
        let found = self.records.iter().filter(|record| record.id > from);
        let found = found.filter(|record| record.scope.starts_with(search.scope));
        for record in found.take(search.max.into()) {
            assert!(writer.found(&Found::Record(record.record())));
        }
        writer.finish(RecordId(0), false).unwrap().to_vec()
    }

    /// The ends of calls that can end now.
    fn completions(&mut self) -> Vec<(CallId, Result<Vec<u8>, CallError>)> {
        if self.mood == Mood::Stopped {
            return Vec::new();
        }
        let calls = core::mem::take(&mut self.calls);
        calls.into_iter().map(|(call, frame)| (call, self.answer(&frame))).collect()
    }
}

/// Counters by place.
#[derive(Default)]
pub(crate) struct Series {
    pub(crate) totals: BTreeMap<u32, u64>,
    pub(crate) changed: BTreeSet<u32>,
}

impl Series {
    pub(crate) fn add(&mut self, place: u32, increment: u64) {
        *self.totals.entry(place).or_default() += increment;
        self.changed.insert(place);
    }
}

impl SeriesSource for Series {
    fn capacity(&self) -> u32 {
        64
    }

    fn changed(&self, place: u32) -> bool {
        self.changed.contains(&place)
    }

    fn mark_exported(&mut self, place: u32) {
        self.changed.remove(&place);
    }

    fn with_view<R>(&self, place: u32, read: impl FnOnce(&SeriesView<'_>) -> R) -> Option<R> {
        let total = *self.totals.get(&place)?;
        Some(read(&SeriesView {
            service: sender(1).service(),
            slot: place,
            unit: Unit::None,
            overflow: false,
            catchup: false,
            created_ns: 1,
            name: "events_total",
            labels: "",
            help: "",
            value: SeriesValue::Counter(total),
            short: WindowView::default(),
            long: WindowView::default(),
        }))
    }
}

/// Everything together, with a clock.
pub(crate) struct Bench {
    pub(crate) now: Mono,
    pub(crate) spans: SpanTable,
    pub(crate) exporter: Exporter,
    pub(crate) senders: Senders,
    pub(crate) series: Series,
    pub(crate) journal: Journal,
    redactor: Redactor,
}

impl Bench {
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let limits = &recipe.metricsd;
        let budgets = Budgets::of_metricsd(recipe);
        Self {
            now: Mono(0),
            spans: SpanTable::new(limits, BOOT),
            exporter: Exporter::new(recipe, BOOT),
            senders: Senders::new(limits.senders, limits.sender_idle, budgets),
            series: Series::default(),
            journal: Journal::new(recipe),
            redactor: Redactor::new(&recipe.redaction),
        }
    }

    pub(crate) fn device() -> Self {
        Self::new(&recipe())
    }

    /// The seat and stamp of a sender, as the service has them before it looks at the frame.
    pub(crate) fn owner(&mut self, sender: Sender) -> SpanOwner {
        let seat = self.senders.seat(sender.id, self.now);
        if seat.displaced.is_some() {
            self.spans.displace(seat.slot, self.now, &mut self.exporter);
            self.exporter.displace(seat.slot);
        }
        SpanOwner { slot: seat.slot, sender }
    }

    fn count(&mut self, slot: SenderSlot, result: &Result<u32, Reason>) {
        self.senders.offer(slot, 1, 0, self.now);
        match result {
            Ok(_) => self.senders.accepted(slot, 1),
            Err(reason) => self.senders.refused(slot, *reason, 1),
        }
    }

    /// Secrets replaced in what was taken, or why it was refused.
    pub(crate) fn start(&mut self, sender: Sender, start: &SpanStart<'_>) -> Result<u32, Reason> {
        let owner = self.owner(sender);
        let result = self.spans.start(&owner, start, self.now, &mut self.redactor);
        let result = result.map(|accepted| accepted.redacted);
        self.count(owner.slot, &result);
        self.poll();
        result
    }

    pub(crate) fn end(&mut self, sender: Sender, end: &SpanEnd<'_>) -> Result<u32, Reason> {
        let owner = self.owner(sender);
        let result = self.spans.end(&owner, end, self.now, &mut self.redactor, &mut self.exporter);
        let result = result.map(|accepted| accepted.redacted);
        self.count(owner.slot, &result);
        self.poll();
        result
    }

    pub(crate) fn whole(&mut self, sender: Sender, whole: &WholeSpan<'_>) -> Result<u32, Reason> {
        let owner = self.owner(sender);
        let result =
            self.spans.whole(&owner, whole, self.now, &mut self.redactor, &mut self.exporter);
        let result = result.map(|accepted| accepted.redacted);
        self.count(owner.slot, &result);
        self.poll();
        result
    }

    pub(crate) fn gone(&mut self, sender: Sender, reason: ExitReason) {
        let Some(slot) = self.senders.find(sender.id) else { return };
        self.spans.abandon(slot, sender.incarnation, reason, self.now, &mut self.exporter);
        self.poll();
    }

    pub(crate) fn poll(&mut self) {
        self.journal.now = self.now;
        self.exporter.poll(self.now, &mut self.series, &mut self.senders, &mut self.journal);
    }

    /// Delivers the ends of calls until there are none.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..1000 {
            if !self.deliver_once() {
                return;
            }
        }
        panic!("the export never comes to rest");
    }

    /// Delivers the ends of the calls that are under way now; `false`: there are none.
    pub(crate) fn deliver_once(&mut self) -> bool {
        let ends = self.journal.completions();
        let any = !ends.is_empty();
        for (call, result) in ends {
            let result = result.as_deref().map_err(|error| *error);
            let (senders, world) = (&self.senders, &mut self.journal);
            self.exporter.completion(self.now, call, result, senders, world);
            self.poll();
        }
        any
    }

    /// Lets time pass as a port does: wakes at deadlines, delivers what is there.
    pub(crate) fn run_for(&mut self, time: Nanos) {
        let end = self.now.after(time);
        self.poll();
        self.deliver();
        let mut wakes = 0;
        while let Some(due) = self.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.spans.expire(self.now, &mut self.exporter);
            self.poll();
            self.deliver();
            wakes += 1;
            assert!(wakes < 100_000, "a deadline in the past");
        }
        self.now = end;
        self.poll();
        self.deliver();
    }

    fn deadline(&self) -> Option<Mono> {
        [self.spans.deadline(), self.exporter.deadline()].into_iter().flatten().min()
    }

    pub(crate) fn restart_journal(&mut self) {
        self.journal.restart();
    }

    /// The journal's records of a scope.
    pub(crate) fn records(&self, scope: &str) -> Vec<Kept> {
        self.journal.records.iter().filter(|kept| kept.scope == scope).cloned().collect()
    }

    /// Records lost according to `gap` records with this reason, repeats counted once.
    pub(crate) fn told_lost(&self, reason: &str) -> u64 {
        let gaps = self.records("metricsd").into_iter().filter(|kept| kept.message == "gap");
        let gaps = gaps.filter(|kept| kept.get("reason") == Some(reason));
        let number = |kept: &Kept, key| kept.get(key).unwrap().parse::<u64>().unwrap();
        let once = gaps.map(|kept| (number(&kept, "seq"), number(&kept, "count")));
        once.collect::<BTreeMap<_, _>>().values().sum()
    }

    pub(crate) fn dropped(&mut self, slot: SenderSlot) -> u64 {
        let row = self.senders.row(slot, 0, self.now);
        assert!(row.balances());
        row.dropped
    }
}

pub(crate) fn start<'a>(
    sender: Sender,
    local: u32,
    name: &'a str,
    attrs: &'a str,
) -> SpanStart<'a> {
    let service = sender.service();
    SpanStart {
        span: SpanId::new(service, local),
        trace: TraceId::new(service, local),
        parent: SpanId::NONE,
        start_ns: 100,
        name: NameBytes::new(name.as_bytes()).unwrap(),
        attrs: AttrBytes::new(attrs.as_bytes()).unwrap(),
    }
}

pub(crate) fn end(sender: Sender, local: u32, end_ns: u64, attrs: &str) -> SpanEnd<'_> {
    SpanEnd {
        span: SpanId::new(sender.service(), local),
        end_ns,
        status: SpanStatus::Ok,
        attrs: AttrBytes::new(attrs.as_bytes()).unwrap(),
    }
}

pub(crate) fn whole(sender: Sender, local: u32, name: &str) -> WholeSpan<'_> {
    WholeSpan { start: start(sender, local, name, ""), end_ns: 150, status: SpanStatus::Ok }
}
