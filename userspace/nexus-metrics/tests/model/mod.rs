//! A metricsd as the wire's documents describe it, in maps, and a connection to it that fails on
//! demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_metrics::{Closed, LossReason, SendError, Transport};
use nexus_wire::metrics::{
    Batch, BatchAck, HelloReply, Item, Op, Recorded, Register, Registered, Request, Resume,
    SpanStart, bounds_to_bytes, decode, plain_reply,
};
use nexus_wire::{MetricStatus, SeriesId};

const SERVICE: ServiceId = ServiceId::from_name("producer");

type Key = (u8, String, String);

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection breaks; replies under way are gone.
    Break,
    /// The connection breaks after so many more frames have been handled.
    BreakAfter(u32),
    /// So many replies never come, on a connection that seems well.
    LoseReplies(u32),
    /// So many BATCHes are refused for now.
    RateLimit(u32),
    /// So many frames are not taken.
    Full(u32),
    /// So many attempts to connect fail.
    NotThere(u32),
    /// Acknowledgements that wait are made into one.
    Coalesce,
    /// metricsd restarts and knows nothing.
    Restart,
    /// metricsd gives up our life but keeps its series.
    Forget,
}

#[derive(Default)]
struct Life {
    ids: BTreeMap<u64, Key>,
    told: BTreeMap<(u64, u8), u64>,
    lost: BTreeMap<u8, u64>,
    /// What has come of counters and histograms.
    taken: Recorded,
    applied: u32,
    /// As what the client asked for it last: it may not have heard the reply.
    asked_for_as: u32,
}

pub(crate) struct Metricsd {
    epoch: u32,
    lives: BTreeMap<u32, Life>,
    totals: BTreeMap<Key, u64>,
    buckets: BTreeMap<String, BTreeMap<u8, u64>>,
    sums: BTreeMap<String, u64>,
    gauges: BTreeMap<String, i64>,
    open: BTreeSet<u64>,
    /// How often each span was finished, in all epochs: what logd would have.
    finished: BTreeMap<u32, u32>,
    /// Told losses in all epochs: the most that was ever told.
    lost: BTreeMap<u8, u64>,
    refused_names: BTreeSet<String>,
    /// What the client said last that it has recorded.
    recorded: Option<Recorded>,
    /// Increments and observations in the windows of all epochs.
    kept: u64,
    next_id: u64,
}

impl Metricsd {
    pub(crate) fn new(epoch: u32) -> Self {
        Self {
            epoch,
            lives: BTreeMap::new(),
            totals: BTreeMap::new(),
            buckets: BTreeMap::new(),
            sums: BTreeMap::new(),
            gauges: BTreeMap::new(),
            open: BTreeSet::new(),
            finished: BTreeMap::new(),
            lost: BTreeMap::new(),
            refused_names: BTreeSet::new(),
            recorded: None,
            kept: 0,
            next_id: 1 << 32,
        }
    }

    fn restart(&mut self) {
        let before = std::mem::replace(self, Self::new(self.epoch + 1));
        self.finished = before.finished;
        self.kept = before.kept;
        self.refused_names = before.refused_names;
    }

    pub(crate) fn total(&self, name: &str, labels: &str) -> u64 {
        self.totals.get(&(1, name.into(), labels.into())).copied().unwrap_or(0)
    }

    pub(crate) fn buckets(&self, name: &str) -> BTreeMap<u8, u64> {
        self.buckets.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn sum(&self, name: &str) -> u64 {
        self.sums.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn gauge(&self, name: &str) -> Option<i64> {
        self.gauges.get(name).copied()
    }

    pub(crate) fn finished_spans(&self) -> BTreeMap<u32, u32> {
        self.finished.clone()
    }

    pub(crate) fn open_spans(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.values().sum()
    }

    pub(crate) fn lost_for(&self, reason: LossReason) -> u64 {
        self.lost.get(&reason.raw()).copied().unwrap_or(0)
    }

    pub(crate) const fn recorded(&self) -> Option<Recorded> {
        self.recorded
    }

    pub(crate) const fn kept(&self) -> u64 {
        self.kept
    }

    pub(crate) fn refuse_name(&mut self, name: &str) {
        self.refused_names.insert(name.into());
    }

    fn hello(&mut self, incarnation: u32, nonce: u32, resume: Option<Resume>) -> Vec<u8> {
        let earlier = resume
            .filter(|resume| resume.epoch == self.epoch)
            .and_then(|resume| self.find(resume.incarnation.raw()))
            .and_then(|incarnation| self.lives.remove(&incarnation));
        let resumed = earlier.is_some();
        let mut life = earlier.unwrap_or_default();
        let asked = resume.filter(|_| resumed).map(|resume| resume.incarnation.raw());
        life.asked_for_as = asked.unwrap_or(incarnation);
        let reply = HelloReply {
            epoch: self.epoch,
            service: SERVICE,
            incarnation: Incarnation::new(incarnation),
            rights: Rights::NONE,
            resumed,
            applied_seq: life.applied,
            events_per_s: 1000,
            bytes_per_s: 1 << 20,
            now_ns: 0,
        };
        self.lives.insert(incarnation, life);
        reply.encode(nonce, &mut [0; 256]).unwrap().to_vec()
    }

    fn find(&self, incarnation: u32) -> Option<u32> {
        let is_it = |(known, life): &(&u32, &Life)| {
            **known == incarnation || life.asked_for_as == incarnation
        };
        self.lives.iter().find(is_it).map(|(known, _)| *known)
    }

    fn register(&mut self, incarnation: u32, nonce: u32, register: &Register<'_>) -> Vec<u8> {
        let name = text(register.name.as_bytes());
        if self.refused_names.contains(&name) {
            return plain_reply(Op::Register.raw(), MetricStatus::OverLimit, nonce).to_vec();
        }
        let key = (register.kind.raw(), name, text(register.labels.as_bytes()));
        let life = self.lives.entry(incarnation).or_default();
        let known = life.ids.iter().find(|(_, known)| **known == key).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| {
            self.next_id += 1;
            life.ids.insert(self.next_id, key);
            self.next_id
        });
        let bounds: Vec<u64> = register.bounds().collect();
        let mut buffer = [0; 200];
        let bounds = bounds_to_bytes(&bounds, &mut buffer).unwrap();
        let reply = Registered::new(SeriesId::from_raw(id).unwrap(), bounds).unwrap();
        reply.encode(Op::Register, MetricStatus::Ok, nonce, &mut [0; 256]).unwrap().to_vec()
    }

    fn batch(&mut self, incarnation: u32, batch: &Batch<'_>) -> (MetricStatus, BatchAck) {
        let mut life = self.lives.remove(&incarnation).unwrap_or_default();
        let status = match batch.seq.checked_sub(life.applied) {
            Some(1) => {
                self.apply(&mut life, batch);
                life.applied = batch.seq;
                MetricStatus::Ok
            }
            None | Some(0) => MetricStatus::Ok,
            Some(_) => MetricStatus::OutOfOrder,
        };
        let ack = BatchAck { applied_seq: life.applied, refused_items: 0 };
        self.lives.insert(incarnation, life);
        (status, ack)
    }

    fn apply(&mut self, life: &mut Life, batch: &Batch<'_>) {
        let before = life.taken;
        for item in batch.values() {
            let id = item.series.unwrap().raw();
            let key = life.ids[&id].clone();
            if key.0 == 2 {
                self.gauges.insert(key.1, item.value.cast_signed());
            } else {
                let rise = life.rise(id, 0, item.value);
                life.taken.counted += rise;
                *self.totals.entry(key).or_default() += rise;
            }
        }
        for item in batch.items() {
            self.apply_item(life, &item);
        }
        if !batch.is_earlier() {
            let taken = life.taken.missing_in(before);
            self.kept += taken.counted + taken.observed;
        }
    }

    fn apply_item(&mut self, life: &mut Life, item: &Item<'_>) {
        match item {
            Item::Histogram(item) => {
                let id = item.series.raw();
                let name = life.ids[&id].1.clone();
                for (bucket, total) in item.buckets.iter() {
                    let rise = life.rise(id, bucket, total);
                    life.taken.observed += rise;
                    if rise > 0 {
                        let buckets = self.buckets.entry(name.clone()).or_default();
                        *buckets.entry(bucket).or_default() += rise;
                    }
                }
                let rise = life.rise(id, u8::MAX, item.sum);
                life.taken.sum += rise;
                *self.sums.entry(name).or_default() += rise;
            }
            Item::Span(span) => {
                check(&span.start);
                assert!(span.end_ns >= span.start.start_ns);
                *self.finished.entry(span.start.span.raw() as u32).or_default() += 1;
            }
            Item::Open(start) => {
                check(start);
                assert!(self.open.insert(start.span.raw()), "a start came twice");
            }
            Item::Close(end) => {
                assert!(self.open.remove(&end.span.raw()), "the end of a span that is not open");
                *self.finished.entry(end.span.raw() as u32).or_default() += 1;
            }
            Item::Lost { reason, count } => {
                let before = life.lost.insert(reason.raw(), *count).unwrap_or(0);
                *self.lost.entry(reason.raw()).or_default() += count - before;
            }
            // Seen with the whole BATCH.
            Item::Earlier => {}
            Item::Recorded(recorded) => {
                assert_eq!(recorded.missing_in(life.taken), Recorded::default(), "all has come");
                self.recorded = Some(*recorded);
            }
        }
    }

    /// A life ends: its open spans are abandoned.
    fn forget_lives(&mut self) {
        self.lives.clear();
        self.open.clear();
    }
}

impl Life {
    /// By how much a total has risen since it was last told.
    fn rise(&mut self, id: u64, part: u8, total: u64) -> u64 {
        total - self.told.insert((id, part), total).unwrap_or(0)
    }
}

fn check(start: &SpanStart<'_>) {
    assert!(start.span.belongs_to(SERVICE) && start.trace.belongs_to(SERVICE));
    assert!(nexus_wire::Fields::parse(start.attrs.as_bytes()).is_ok());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The connection.
pub(crate) struct Wire {
    pub(crate) metricsd: Metricsd,
    connection: Option<Connection>,
    incarnations: u32,
    break_after: Option<u32>,
    lose_replies: u32,
    rate_limit: u32,
    full: u32,
    not_there: u32,
}

struct Connection {
    incarnation: u32,
    /// Replies, and whether each is an acknowledgement.
    replies: VecDeque<(Vec<u8>, bool)>,
}

impl Wire {
    pub(crate) fn new(metricsd: Metricsd) -> Self {
        Self {
            metricsd,
            connection: None,
            incarnations: 0,
            break_after: None,
            lose_replies: 0,
            rate_limit: 0,
            full: 0,
            not_there: 0,
        }
    }

    pub(crate) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Break => self.connection = None,
            Fault::BreakAfter(frames) => self.break_after = Some(frames),
            Fault::LoseReplies(count) => self.lose_replies += count,
            Fault::RateLimit(count) => self.rate_limit += count,
            Fault::Full(count) => self.full += count,
            Fault::NotThere(count) => self.not_there = self.not_there.saturating_add(count),
            Fault::Coalesce => self.coalesce(),
            Fault::Restart => {
                self.metricsd.restart();
                self.connection = None;
            }
            Fault::Forget => {
                self.metricsd.forget_lives();
                self.connection = None;
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.break_after = None;
        (self.lose_replies, self.rate_limit, self.full, self.not_there) = (0, 0, 0, 0);
    }

    pub(crate) fn has_reply(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| !connection.replies.is_empty())
    }

    /// Of acknowledgements in a row only the last stays.
    fn coalesce(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let replies = std::mem::take(&mut connection.replies);
        for (reply, is_ack) in replies {
            if is_ack && connection.replies.back().is_some_and(|(_, before)| *before) {
                connection.replies.pop_back();
            }
            connection.replies.push_back((reply, is_ack));
        }
    }

    fn handle(&mut self, frame: &[u8], incarnation: u32) -> (Vec<u8>, bool) {
        let frame = decode(frame).expect("the flusher sends legal frames");
        match frame.request {
            Request::Hello(resume) => {
                (self.metricsd.hello(incarnation, frame.nonce, resume), false)
            }
            Request::Register(register) => {
                (self.metricsd.register(incarnation, frame.nonce, &register), false)
            }
            Request::Batch(batch) => {
                let (status, ack) = if self.rate_limit > 0 {
                    self.rate_limit -= 1;
                    let applied_seq = self.metricsd.lives.entry(incarnation).or_default().applied;
                    (MetricStatus::RateLimited, BatchAck { applied_seq, refused_items: 0 })
                } else {
                    self.metricsd.batch(incarnation, &batch)
                };
                (ack.encode(status, frame.nonce).to_vec(), true)
            }
            other => panic!("the flusher does not send {other:?}"),
        }
    }
}

impl Transport for Wire {
    fn connect(&mut self) -> Result<(), Closed> {
        if self.not_there > 0 {
            self.not_there -= 1;
            return Err(Closed);
        }
        self.incarnations += 1;
        let incarnation = self.incarnations;
        self.connection = Some(Connection { incarnation, replies: VecDeque::new() });
        Ok(())
    }

    fn close(&mut self) {
        self.connection = None;
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let Some(connection) = &self.connection else { return Err(SendError::Closed) };
        if self.full > 0 {
            self.full -= 1;
            return Err(SendError::Full);
        }
        let reply = self.handle(frame, connection.incarnation);
        if self.lose_replies > 0 {
            self.lose_replies -= 1;
        } else if let Some(connection) = &mut self.connection {
            connection.replies.push_back(reply);
        }
        match &mut self.break_after {
            Some(0) => {
                self.break_after = None;
                self.connection = None;
            }
            Some(frames) => *frames -= 1,
            None => {}
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let connection = self.connection.as_mut().ok_or(Closed)?;
        let Some((reply, _)) = connection.replies.pop_front() else { return Ok(None) };
        into[..reply.len()].copy_from_slice(&reply);
        Ok(Some(reply.len()))
    }
}
