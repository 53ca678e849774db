//! The courier against a model of logd: every record is there once and in order, or counted.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, VecDeque};

use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::{Closed, Courier, Level, Record, SendError, SpanLife, SpanRef, Transport};
use nexus_wire::logs::{AppendReply, Head, HelloReply, Request, decode};
use nexus_wire::{Fields, LogStatus, RecordId, SpanId, TraceId};
use proptest::prelude::*;

const SERVICE: ServiceId = ServiceId::from_name("producer");

#[derive(Clone, Copy, Debug)]
enum Fault {
    Break,
    LoseReplies(u32),
    RateLimit(u32),
    Refuse(u32),
    Full(u32),
    NotThere(u32),
}

/// logd, and the connection to it.
#[derive(Default)]
struct Logd {
    stored: Vec<(String, BTreeMap<String, String>)>,
    replies: Option<VecDeque<Vec<u8>>>,
    lose_replies: u32,
    rate_limit: u32,
    refuse: u32,
    full: u32,
    not_there: u32,
}

impl Logd {
    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Break => self.replies = None,
            Fault::LoseReplies(count) => self.lose_replies += count,
            Fault::RateLimit(count) => self.rate_limit += count,
            Fault::Refuse(count) => self.refuse += count,
            Fault::Full(count) => self.full += count,
            Fault::NotThere(count) => self.not_there = self.not_there.saturating_add(count),
        }
    }

    fn heal(&mut self) {
        let (stored, replies) = (std::mem::take(&mut self.stored), self.replies.take());
        *self = Self { stored, replies, ..Self::default() };
    }

    fn handle(&mut self, frame: &[u8]) -> Vec<u8> {
        let frame = decode(frame).unwrap();
        match frame.request {
            Request::Hello => hello(frame.head),
            Request::Append(record) => {
                let status = if self.rate_limit > 0 {
                    self.rate_limit -= 1;
                    LogStatus::RateLimited
                } else if self.refuse > 0 {
                    self.refuse -= 1;
                    LogStatus::OverLimit
                } else {
                    let record = record.as_new();
                    let fields = Fields::parse_claimless(record.fields).unwrap();
                    let fields = fields.iter().map(|(key, value)| (key.into(), value.into()));
                    self.stored.push((record.message.into(), fields.collect()));
                    LogStatus::Ok
                };
                let reply = AppendReply { id: RecordId(1), dropped: 0 };
                reply.encode(frame.head, status, &mut [0; 64]).unwrap().to_vec()
            }
            other => panic!("the courier does not send {other:?}"),
        }
    }

    /// Messages of records that are no gap records.
    fn messages(&self) -> Vec<u32> {
        let own = self.stored.iter().filter(|(_, fields)| !fields.contains_key("event"));
        own.map(|(message, _)| message.parse().unwrap()).collect()
    }

    /// Sum of a field of all gap records, each counted once.
    fn gaps(&self, key: &str) -> usize {
        let gaps = self.stored.iter().filter(|(_, fields)| fields.contains_key("gap"));
        let gaps: BTreeMap<_, _> = gaps.map(|(_, fields)| (&fields["gap"], fields)).collect();
        gaps.values().filter_map(|fields| fields.get(key)?.parse::<usize>().ok()).sum()
    }
}

fn hello(head: Head) -> Vec<u8> {
    let reply = HelloReply {
        boot: 1,
        service: SERVICE,
        incarnation: Incarnation::new(1),
        rights: Rights::NONE,
        events_per_s: 100,
        bytes_per_s: 1 << 20,
        now_ns: 0,
    };
    reply.encode(head, &mut [0; 256]).unwrap().to_vec()
}

impl Transport for Logd {
    fn connect(&mut self) -> Result<(), Closed> {
        if self.not_there > 0 {
            self.not_there -= 1;
            return Err(Closed);
        }
        self.replies = Some(VecDeque::new());
        Ok(())
    }

    fn close(&mut self) {
        self.replies = None;
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if self.replies.is_none() {
            return Err(SendError::Closed);
        }
        if self.full > 0 {
            self.full -= 1;
            return Err(SendError::Full);
        }
        let reply = self.handle(frame);
        if self.lose_replies > 0 {
            self.lose_replies -= 1;
        } else if let Some(replies) = &mut self.replies {
            replies.push_back(reply);
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let Some(reply) = self.replies.as_mut().ok_or(Closed)?.pop_front() else { return Ok(None) };
        into[..reply.len()].copy_from_slice(&reply);
        Ok(Some(reply.len()))
    }
}

struct Process {
    courier: Courier,
    logd: Logd,
    now: Mono,
    logged: u32,
}

impl Process {
    fn new() -> Self {
        let (courier, logd) = (Courier::new(), Logd::default());
        Self { courier, logd, now: Mono(1_000_000_000), logged: 0 }
    }

    fn log(&mut self) {
        self.logged += 1;
        let message = self.logged.to_string();
        self.submit(&Record { message: &message, ..RECORD });
    }

    fn submit(&mut self, record: &Record<'_>) {
        self.courier.submit(record, self.now, &mut self.logd);
    }

    fn wait(&mut self, time: Nanos) {
        let until = self.now.after(time);
        loop {
            let next = self.courier.poll(self.now, &mut self.logd);
            if self.logd.replies.as_ref().is_some_and(|replies| !replies.is_empty()) {
                continue;
            }
            if next > until {
                break;
            }
            self.now = next.max(self.now.after(Nanos(1000)));
        }
        self.now = until;
    }

    fn finish(&mut self) {
        self.logd.heal();
        for _ in 0..200 {
            self.wait(Nanos::from_millis(500));
            if self.courier.is_settled() {
                return;
            }
        }
        panic!("the courier never settled");
    }
}

const RECORD: Record<'static> = Record {
    level: Level::Info,
    scope: "test",
    message: "0",
    fields: "a=1\nz=2\n",
    cut: 0,
    fields_cut: 0,
    span: None,
};

#[derive(Clone, Debug)]
enum Act {
    Log(u32),
    Wait(u64),
    Fault(Fault),
}

fn act() -> impl Strategy<Value = Act> {
    let fault = prop_oneof![
        Just(Fault::Break),
        (1..4u32).prop_map(Fault::LoseReplies),
        (1..4u32).prop_map(Fault::RateLimit),
        (1..4u32).prop_map(Fault::Refuse),
        (1..4u32).prop_map(Fault::Full),
        (1..4u32).prop_map(Fault::NotThere),
    ];
    prop_oneof![
        4 => (1..200u32).prop_map(Act::Log),
        3 => (0..3000u64).prop_map(Act::Wait),
        3 => fault.prop_map(Act::Fault),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_record_is_there_once_and_in_order_or_counted(
        acts in prop::collection::vec(act(), 1..40)
    ) {
        let mut process = Process::new();
        for act in &acts {
            match *act {
                Act::Log(count) => (0..count).for_each(|_| process.log()),
                Act::Wait(ms) => process.wait(Nanos::from_millis(ms)),
                Act::Fault(fault) => process.logd.fail(fault),
            }
        }
        process.finish();
        let stored = process.logd.messages();
        prop_assert!(stored.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", stored);
        let (lost, unconfirmed) = (process.logd.gaps("count"), process.logd.gaps("unconfirmed"));
        let missing = process.logged as usize - stored.len();
        // What is unconfirmed may be there or not.
        prop_assert!((lost..=lost + unconfirmed).contains(&missing), "{} {}", lost, missing);
    }
}

#[test]
fn records_wait_while_logd_is_away_and_a_gap_tells_what_had_no_room() {
    let mut process = Process::new();
    process.logd.fail(Fault::NotThere(u32::MAX));
    (0..5000).for_each(|_| process.log());
    assert!(process.logd.stored.is_empty());
    let dropped = process.courier.take_dropped();
    assert!(dropped > 0);
    process.finish();
    let stored = process.logd.messages();
    assert_eq!(stored, (1..=stored.len() as u32).collect::<Vec<_>>());
    assert_eq!(process.logd.gaps("count"), 5000 - stored.len());
    assert_eq!(process.logd.gaps("count") as u64, dropped);
    let (message, gap) = process.logd.stored.last().unwrap();
    assert_eq!(message, "records are missing");
    assert_eq!(gap["from_ns"], "1000000000");
}

#[test]
fn a_record_that_waited_says_when_it_was_logged() {
    let mut process = Process::new();
    process.logd.fail(Fault::NotThere(3));
    process.log();
    process.finish();
    process.log();
    process.finish();
    let times: Vec<_> = process.logd.stored.iter().map(|(_, fields)| fields.get("at_ns")).collect();
    assert_eq!(times, [Some(&"1000000000".to_string()), None]);
}

#[test]
fn a_record_carries_its_span_and_what_was_cut() {
    let mut process = Process::new();
    let life = Some(SpanLife { boot: 2, life: 9 });
    let span = Some(SpanRef { span: 5, trace: 3, life });
    process.submit(&Record { span, cut: 7, fields_cut: 2, ..RECORD });
    process.finish();
    let (_, fields) = &process.logd.stored[0];
    let expected = [
        ("a", "1".to_string()),
        ("cut", "7".to_string()),
        ("fields_cut", "2".to_string()),
        ("span_id", SpanId::new(SERVICE, 5).to_string()),
        ("trace_id", TraceId::new(SERVICE, 3).to_string()),
        ("trace_life", "2.9".to_string()),
        ("z", "2".to_string()),
    ];
    assert_eq!(*fields, expected.into_iter().map(|(k, v)| (k.to_string(), v)).collect());
}

#[test]
fn the_largest_record_still_fits_a_frame() {
    let mut process = Process::new();
    let value = "v".repeat(256);
    let rest = "w".repeat(368 - 256 - 6);
    let fields = format!("a={value}\nb={rest}\n");
    assert_eq!(fields.len(), 368);
    let (scope, message) = ("s".repeat(64), "1".repeat(256));
    process.logd.fail(Fault::NotThere(1));
    let life = Some(SpanLife { boot: u32::MAX, life: 0x00ff_ffff });
    let span = Some(SpanRef { span: u32::MAX, trace: u32::MAX, life });
    let (cut, fields_cut) = (u16::MAX, u16::MAX);
    process.now = Mono(u64::MAX / 2);
    let record = Record { scope: &scope, message: &message, fields: &fields, ..RECORD };
    process.submit(&Record { span, cut, fields_cut, ..record });
    process.finish();
    assert_eq!(process.logd.stored.len(), 1);
    assert_eq!(process.logd.stored[0].1.len(), 8);
}
