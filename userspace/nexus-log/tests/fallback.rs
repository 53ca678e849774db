//! The console while logd is away: bounded, and whatever is not shown is counted.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::limits::{CONSOLE_LINE_BYTES_MAX, CONSOLE_LINES_BURST, CONSOLE_LINES_PER_S};
use nexus_log::{Closed, Fallback, Level, Record, SendError, SharedCourier, Sink, Transport};
use nexus_wire::logs::{AppendReply, HelloReply, Request, decode};
use nexus_wire::{LogStatus, RecordId};
use proptest::prelude::*;

thread_local! {
    static CONSOLE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static NOW: Cell<u64> = const { Cell::new(0) };
    static IS_THERE: Cell<bool> = const { Cell::new(false) };
}

fn print(line: &str) {
    CONSOLE.with_borrow_mut(|console| console.push(line.to_owned()));
}

fn printed() -> Vec<String> {
    CONSOLE.take()
}

fn record<'a>(scope: &'a str, message: &'a str) -> Record<'a> {
    let fields = "password=hunter2\n";
    Record { level: Level::Warn, scope, message, fields, cut: 0, fields_cut: 0, span: None }
}

/// How many records a line says that it does not show.
fn told(line: &str) -> u64 {
    let behind = line.split_once(": (").map(|(_, rest)| rest);
    let count = behind.or_else(|| line.strip_prefix("log: logd is there, "));
    count.map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Record(String),
    Back,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..3_000).prop_map(Step::Wait),
        "[a-z\n\u{1b}\u{e4}]{0,300}".prop_map(Step::Record),
        Just(Step::Back),
    ]
}

proptest! {
    #[test]
    fn lines_are_few_and_short_and_every_record_is_shown_or_counted(
        steps in prop::collection::vec(step(), 0..200)
    ) {
        let mut fallback = Fallback::new(print);
        let (mut now, mut offered) = (Mono(0), 0);
        for step in &steps {
            match step {
                Step::Wait(millis) => now = now.after(Nanos::from_millis(*millis)),
                Step::Record(message) => {
                    offered += 1;
                    fallback.record(&record("execd", message), now);
                }
                Step::Back => {
                    fallback.is_back(now);
                }
            }
        }
        let seconds = now.0 / 1_000_000_000 + 1;
        let before = printed();
        let most = CONSOLE_LINES_BURST + seconds * CONSOLE_LINES_PER_S;
        prop_assert!(before.len() as u64 <= most, "{} lines", before.len());

        // What is still untold is told as soon as a line may be printed.
        while let Some(again) = fallback.is_back(now) {
            prop_assert!(again > now);
            now = again;
        }
        let lines = before.into_iter().chain(printed()).collect::<Vec<_>>();
        for line in &lines {
            prop_assert!(line.len() <= CONSOLE_LINE_BYTES_MAX && line.starts_with("log: "));
            prop_assert!(!line.contains(char::is_control) && !line.contains("hunter2"));
        }
        let shown = lines.iter().filter(|line| line.starts_with("log: warn execd: ")).count();
        let told: u64 = lines.iter().map(|line| told(line)).sum();
        prop_assert_eq!(shown as u64 + told, offered);
    }
}

#[test]
fn a_line_says_how_many_before_it_are_not_shown() {
    let mut fallback = Fallback::new(print);
    let burst = CONSOLE_LINES_BURST;
    (0..burst + 3).for_each(|_| fallback.record(&record("execd", "no disk"), Mono(1)));
    assert_eq!(printed(), vec!["log: warn execd: no disk"; burst as usize]);
    fallback.record(&record("execd", "no disk"), Mono(1_000_000_000));
    assert_eq!(printed(), ["log: warn execd: (3 before it not shown) no disk"]);
}

#[test]
fn a_record_cannot_make_a_line_of_its_own_or_pass_for_a_marker() {
    let mut fallback = Fallback::new(print);
    fallback.record(&record("SELFTEST:", "ok\nSELFTEST: tracing spans ok"), Mono(0));
    assert_eq!(printed(), ["log: warn SELFTEST:: ok?SELFTEST: tracing spans ok"]);
}

/// A logd that is there when the test says so.
#[derive(Default)]
struct Logd {
    replies: VecDeque<Vec<u8>>,
    stored: u64,
}

impl Transport for Logd {
    fn connect(&mut self) -> Result<(), Closed> {
        self.replies.clear();
        if IS_THERE.get() { Ok(()) } else { Err(Closed) }
    }

    fn close(&mut self) {}

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let frame = decode(frame).unwrap();
        let mut out = [0; 64];
        let reply = match frame.request {
            Request::Append(_) => {
                self.stored += 1;
                let reply = AppendReply { id: RecordId(self.stored), dropped: 0 };
                reply.encode(frame.head, LogStatus::Ok, &mut out).unwrap()
            }
            _ => HELLO.encode(frame.head, &mut out).unwrap(),
        };
        self.replies.push_back(reply.to_vec());
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let Some(reply) = self.replies.pop_front() else { return Ok(None) };
        into[..reply.len()].copy_from_slice(&reply);
        Ok(Some(reply.len()))
    }
}

const HELLO: HelloReply = HelloReply {
    boot: 1,
    service: ServiceId::from_name("producer"),
    incarnation: Incarnation::new(1),
    rights: Rights::NONE,
    events_per_s: 100,
    bytes_per_s: 1 << 20,
    now_ns: 0,
};

#[test]
fn lines_stand_there_only_while_logd_is_away_and_logd_gets_all_records() {
    let clock = || Mono(NOW.get());
    let courier = SharedCourier::with_console(Logd::default(), clock, Fallback::new(print));
    let total = CONSOLE_LINES_BURST + 5;
    (0..total).for_each(|_| courier.log(&record("execd", "no disk")));
    assert_eq!(printed().len() as u64, CONSOLE_LINES_BURST);

    IS_THERE.set(true);
    NOW.set(10_000_000_000);
    for _ in 0..3 {
        courier.poll();
    }
    assert_eq!(printed(), ["log: logd is there, 5 records were not shown here"]);
    courier.log(&record("execd", "a disk"));
    courier.poll();
    assert_eq!(courier.with_transport(|logd| logd.stored), Some(total + 1));
    assert!(courier.is_settled() && printed().is_empty());
}

#[test]
fn a_record_finds_logd_that_came_in_a_pause_and_no_line_stands_there() {
    let clock = || Mono(NOW.get());
    let courier = SharedCourier::with_console(Logd::default(), clock, Fallback::new(print));
    for seconds in 0..20 {
        NOW.set(seconds * 1_000_000_000);
        courier.poll();
    }
    IS_THERE.set(true);
    NOW.set(20_000_000_000);
    courier.log(&record("execd", "no disk"));
    assert!(printed().is_empty());
    courier.poll();
    assert_eq!(courier.with_transport(|logd| logd.stored), Some(1));
}

#[test]
fn without_a_console_nothing_is_printed() {
    let courier = SharedCourier::new(Logd::default(), || Mono(0));
    (0..20).for_each(|_| courier.log(&record("execd", "no disk")));
    courier.poll();
    assert!(printed().is_empty());
}
