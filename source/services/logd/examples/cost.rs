//! The loop behind the figures of `cargo xtask bench`: appends in a steady state, one after
//! another, through the whole of `handle`.
//!
//! `cost CASE COUNT` with CASE one of `four` (4 fields, a message of 14 bytes), `eight` (8 fields,
//! a message of 150 bytes), `four-new` and `eight-new` (the same, but the message and each value of
//! more than 4 bytes is one that never came before) and `span` (an ended span as metricsd exports
//! it). The difference of two counts, counted in instructions, is the cost of the appends between
//! them: start and filling are the same in both.

use logd::{Keep, Logd};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;
use nexus_wire::Level;
use nexus_wire::logs::{Head, NewRecord, RecordText, Request, Version, encode};

/// A world that only looks at what it is told.
struct Sink {
    bytes: usize,
}

impl World for Sink {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.bytes += frame.len();
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}
}

const FOUR: &str = "code=42\nname=demo.exit42\npid=117\nstate=gone\n";
const EIGHT: &str = "attempt=3\nbundle=org.example.app\ncode=42\nduration_ms=1250\npid=117\n\
                     reason=timeout\nstate=running\nversion=1.2.3\n";
const SPAN: &str = "attr.path=/svc/demo\ndur_ns=1250417\nend_ns=81235818307\nevent=span.v1\n\
                    incarnation=3\nname=exec.spawn\norigin=6d2f0c1b9a8e7f55\n\
                    parent=00000003000000a1\nseq=4711\nspan=00000003000000a2\n\
                    start_ns=81234567890\nstatus=ok\ntrace=6d2f0c1b9a8e7f550000000300000a21\n";
const MESSAGE: &str = "the service did not answer within its deadline and was started again; \
    this is the third attempt within the last minute, so the next one waits for longer";

fn record(case: &str) -> Option<NewRecord<'static>> {
    let (message, fields) = match case.trim_end_matches(NEW) {
        "four" => ("process exited", FOUR),
        "span" => ("exec.spawn", SPAN),
        "eight" => (MESSAGE.get(..150)?, EIGHT),
        _ => return None,
    };
    Some(NewRecord { level: Level::Info, scope: "execd", message, fields: fields.as_bytes() })
}

const NEW: &str = "-new";
/// The letters that are another at each append: of the message of both, and of values.
const CHANGED: [&[u8]; 6] =
    [b"cess exited", b"ervice did", b"emo.exit", b"xample.app", b"imeout", b"unning"];

/// Makes of a frame one that has never come: writes a number, in letters, over each changed text.
fn renew(frame: &mut [u8], places: &[usize], n: u64) {
    for place in places {
        let digits = (0..5).map(|digit| b'a' + (n / 26_u64.pow(digit) % 26) as u8);
        for (byte, letter) in frame.iter_mut().skip(*place).zip(digits) {
            *byte = letter;
        }
    }
}

/// Where the texts lie that change.
fn changed(frame: &[u8]) -> Vec<usize> {
    let find = |text: &&[u8]| frame.windows(text.len()).position(|window| window == *text);
    CHANGED.iter().filter_map(find).collect()
}

/// What is counted.
#[inline(never)]
fn serve_one(logd: &mut Logd, from: Sender, n: u64, frame: &[u8], sink: &mut Sink) {
    let now = Now { mono: Mono(n * 1_000_000), wall: None };
    logd.handle(now, Event::Request { from, token: Token::from_raw(n), frame }, sink);
}

fn run(case: &str, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let record =
        record(case).ok_or("no such case: `four`, `eight`, `four-new`, `eight-new` or `span`")?;
    let mut recipe = Recipe::parse(include_str!("../../../../recipes/observability/metrics.toml"))?;
    // Budgets that this loop does not meet.
    for rule in &mut recipe.senders {
        let budget = rule.logd_budget.get_or_insert(recipe.logd.budget);
        (budget.events_burst, budget.bytes_burst) = (u32::MAX, u32::MAX);
        (budget.events_per_s, budget.bytes_per_s) = (u32::MAX, u32::MAX);
    }
    let mut buffer = [0; 1024];
    let head = Head { version: Version::V2, nonce: 1 };
    let mut text = [0; size_of::<RecordText>()];
    let record = record.join(&mut text).map_err(|e| format!("{e:?}"))?;
    let encoded = encode(&Request::Append(record), head, &mut buffer);
    let len = encoded.map_err(|e| format!("{e:?}"))?.len();
    let frame = buffer.get_mut(..len).unwrap_or_default();
    let places = if case.ends_with(NEW) { changed(frame) } else { Vec::new() };

    let mut logd = Logd::new(&recipe, 1, Keep::Nothing);
    let mut sink = Sink { bytes: 0 };
    let id = ServiceId::from_name("execd");
    let from = Sender::stamped(id, 1, Incarnation::new(1), Rights::NONE);
    let fill = 2 * u64::from(recipe.logd.journal_records);
    for n in 0..fill + count {
        renew(frame, &places, n);
        serve_one(&mut logd, from, n, frame, &mut sink);
    }
    println!("{case}: {count} appends of {} bytes, {} bytes of replies", frame.len(), sink.bytes);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().collect::<Vec<_>>();
    match args.as_slice() {
        [_, case, count] => run(case, count.parse()?),
        _ => Err("usage: cost CASE COUNT".into()),
    }
}
