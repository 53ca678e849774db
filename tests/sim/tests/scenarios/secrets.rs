//! Secrets that programs let slip are in no byte that leaves a daemon.

use std::cell::RefCell;
use std::rc::Rc;

use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_bounded::Nanos;
use nexus_recipe::{OnSecret, Recipe};
use nexus_wire::metrics::{self, BatchWriter, Item, Register, SpanEnd, SpanStart, WholeSpan};
use nexus_wire::{AttrBytes, Help, Kind, LabelBytes, NameBytes, SpanId, SpanStatus, TraceId, Unit};
use sim::{Bed, Make, Sink, app, append, machine, update};
use simkit::{Client, Config};

/// What must not be seen. It looks like what it is: `ghp_` begins tokens of a common service.
const TOKEN: &str = "ghp_Zq3vW8xK2mN7pR4tY9bC6dF1hJ5";
/// It looks like a key in hexadecimal: 36 digits.
const HEX: &str = "c0ffee5ca1ab1e0ddba11dec0de5eed0facade";
/// It looks like nothing: only what it is called gives it away.
const PLAIN: &str = "correct-horse-battery";

/// Both daemons, somebody who lets secrets slip, and all that comes out.
struct House {
    bed: Bed,
    careless: Client,
    sink: Sink,
}

impl House {
    fn new(recipe: &Recipe) -> Self {
        let sink = Sink::new(RefCell::default());
        let make = Make::new(Config::kind(4), recipe);
        let mut bed = Bed::with(Make { sink: Some(Rc::clone(&sink)), ..make });
        let careless = bed.world.client(&app(0), Rights::NONE);
        bed.world.run_for(Nanos::from_secs(15));
        Self { bed, careless, sink }
    }

    fn say(&mut self, daemon: &str, frame: &[u8]) {
        self.bed.world.call(self.careless, daemon, frame).unwrap();
    }

    /// All that comes out of both daemons: replies, exports, console, and everything that can be
    /// read.
    fn output(mut self) -> Vec<u8> {
        self.bed.world.run_for(Nanos::from_secs(70));
        drop(self.bed.live_spans());
        self.bed.world.renew(self.careless, ExitReason::Killed(9));
        self.bed.world.run_for(Nanos::from_secs(30));
        drop((self.bed.journal(), self.bed.scrape(), self.bed.live_spans()));
        for daemon in ["logd", "metricsd"] {
            drop((self.bed.audit(daemon), self.bed.status(daemon)));
        }
        self.with_helps();
        self.sink.take()
    }

    fn with_helps(&mut self) {
        let mut cursor = 0;
        loop {
            let request = metrics::Request::Scrape { cursor, with_help: true };
            cursor = self.bed.metricsd(request, |reply| match reply {
                metrics::Reply::Scrape(page) => page.next_cursor,
                other => panic!("{other:?}"),
            });
            if cursor == 0 {
                return;
            }
        }
    }
}

fn metric_frame(request: &metrics::Request<'_>) -> Vec<u8> {
    metrics::encode(request, 5, &mut [0; 4096]).unwrap().to_vec()
}

fn me() -> ServiceId {
    ServiceId::from_name(&app(0))
}

fn start<'a>(local: u32, name: &'a str, attrs: &'a str) -> SpanStart<'a> {
    SpanStart {
        span: SpanId::new(me(), local),
        trace: TraceId::new(me(), local),
        parent: SpanId::NONE,
        start_ns: 1,
        name: NameBytes::new(name.as_bytes()).unwrap(),
        attrs: AttrBytes::new(attrs.as_bytes()).unwrap(),
    }
}

fn end(local: u32, attrs: &str) -> SpanEnd<'_> {
    let attrs = AttrBytes::new(attrs.as_bytes()).unwrap();
    SpanEnd { span: SpanId::new(me(), local), end_ns: 9, status: SpanStatus::Ok, attrs }
}

/// Pairs in which a secret is given away by its key or by its shape.
fn pairs() -> Vec<(&'static str, String)> {
    let pair = |secret, key: &str, value: &str| (secret, format!("{key}={value}\n"));
    vec![
        pair(PLAIN, "password", PLAIN),
        pair(PLAIN, "db.passwd", PLAIN),
        pair(PLAIN, "user_token", PLAIN),
        pair(TOKEN, "authorization", &format!("Bearer {TOKEN}")),
        pair(TOKEN, "note", TOKEN),
        pair(TOKEN, "note", &format!("see {TOKEN}, please")),
        pair(HEX, "note", HEX),
        pair(HEX, "url", &format!("http://h/p?k={HEX}")),
    ]
}

/// Something a program may let slip: what, and the frames by which it does.
struct Slip {
    secret: &'static str,
    daemon: &'static str,
    frames: Vec<Vec<u8>>,
}

fn slips() -> Vec<Slip> {
    let mut all = Vec::new();
    for (secret, pair) in pairs() {
        let to_metricsd = |frames| Slip { secret, daemon: "metricsd", frames };
        for kind in [Kind::Counter, Kind::Gauge, Kind::Histogram] {
            all.push(to_metricsd(vec![update(kind, "m", &pair, 1)]));
        }
        let labels = LabelBytes::new(pair.as_bytes()).unwrap();
        let name = NameBytes::new(b"r").unwrap();
        let register =
            Register::new(Kind::Counter, Unit::None, name, labels, Help::new("").unwrap());
        all.push(to_metricsd(vec![metric_frame(&metrics::Request::Register(register))]));
        let begin = metric_frame(&metrics::Request::SpanStart(start(1, "s", &pair)));
        all.push(to_metricsd(vec![begin]));
        let begin = metric_frame(&metrics::Request::SpanStart(start(2, "s", "")));
        let finish = metric_frame(&metrics::Request::SpanEnd(end(2, &pair)));
        all.push(to_metricsd(vec![begin, finish]));
        let mut buffer = [0; 4096];
        let mut batch = BatchWriter::new(1, 5, &mut buffer);
        let whole = WholeSpan { start: start(3, "s", &pair), end_ns: 5, status: SpanStatus::Ok };
        assert!(batch.item(&Item::Span(whole)) && batch.item(&Item::Open(start(4, "o", &pair))));
        all.push(to_metricsd(vec![batch.finish().unwrap().to_vec()]));
        let in_fields = append("app", "m", &pair);
        let in_message = append("app", &format!("login with {}", pair.trim_end()), "");
        for frame in [in_fields, in_message] {
            all.push(Slip { secret, daemon: "logd", frames: vec![frame] });
        }
    }
    let help = format!("counts logins, e.g. by {TOKEN}");
    let (name, labels) = (NameBytes::new(b"helped").unwrap(), LabelBytes::new(b"").unwrap());
    let help = Help::new(&help).unwrap();
    let register = Register::new(Kind::Counter, Unit::None, name, labels, help);
    let frames = vec![metric_frame(&metrics::Request::Register(register))];
    all.push(Slip { secret: TOKEN, daemon: "metricsd", frames });
    let name = format!("k_{HEX}");
    let begin = metric_frame(&metrics::Request::SpanStart(start(5, &name, "")));
    for frame in [update(Kind::Counter, &name, "", 1), begin] {
        all.push(Slip { secret: HEX, daemon: "metricsd", frames: vec![frame] });
    }
    for message in [format!("password: {PLAIN}"), format!("{{\"token\": \"{PLAIN}\"}}")] {
        all.push(Slip { secret: PLAIN, daemon: "logd", frames: vec![append("app", &message, "")] });
    }
    all.push(Slip { secret: HEX, daemon: "logd", frames: vec![append(HEX, "m", "")] });
    all
}

/// What would give away 8 bytes of a secret: plain, in hexadecimal, in base64 wherever it begins.
fn tracks(secret: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for piece in secret.as_bytes().windows(8) {
        all.push(piece.to_vec());
        let hex = piece.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        all.push(hex.to_uppercase().into_bytes());
        all.push(hex.into_bytes());
        for alphabet in [*b"+/", *b"-_"] {
            all.extend((0..3).map(|before| base64_inside(piece, before, alphabet)));
        }
    }
    all
}

/// The characters of base64 that `piece` alone decides when `before` bytes stand before it.
fn base64_inside(piece: &[u8], before: usize, last: [u8; 2]) -> Vec<u8> {
    let mut alphabet = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').collect::<Vec<_>>();
    alphabet.extend(last);
    let (from, to) = (before * 8, (before + piece.len()) * 8);
    let bit = |at: usize| usize::from(piece[at / 8 - before] >> (7 - at % 8) & 1);
    let chars = from.div_ceil(6)..to / 6;
    let value = |char: usize| (0..6).fold(0, |sum, at| sum * 2 + bit(char * 6 + at));
    chars.map(|char| alphabet[value(char)]).collect()
}

fn contains(output: &[u8], track: &[u8]) -> bool {
    output.windows(track.len()).any(|window| window == track)
}

/// Whether any piece of the secret is in the output, in any letter case.
fn gives_away(output: &[u8], secret: &str) -> Option<Vec<u8>> {
    tracks(secret).into_iter().find(|track| contains(output, track))
}

fn output_of(recipe: &Recipe, slips: &[Slip]) -> Vec<u8> {
    let mut house = House::new(recipe);
    for slip in slips {
        slip.frames.iter().for_each(|frame| house.say(slip.daemon, frame));
        house.bed.world.run_for(Nanos::from_millis(100));
    }
    house.output()
}

fn without_rules() -> Recipe {
    let mut recipe = machine(1);
    recipe.redaction.deny_keys = [].into();
    recipe.redaction.deny_prefixes = [].into();
    (recipe.redaction.hex_run, recipe.redaction.base64_run) = (0, 0);
    recipe
}

#[test]
fn no_piece_of_a_secret_is_in_any_output_in_any_coding() {
    for on_secret in [OnSecret::Replace, OnSecret::Refuse] {
        let mut recipe = machine(1);
        recipe.redaction.on_secret = on_secret;
        let output = output_of(&recipe, &slips());
        assert!(output.len() > 10_000, "there is output to look at");
        for secret in [TOKEN, HEX, PLAIN] {
            let given_away = gives_away(&output, secret);
            assert_eq!(given_away.map(|track| String::from_utf8_lossy(&track).into_owned()), None);
        }
    }
}

#[test]
fn without_rules_every_slip_is_seen() {
    for slip in slips() {
        let output = output_of(&without_rules(), core::slice::from_ref(&slip));
        let (daemon, frames) = (slip.daemon, &slip.frames);
        let seen = gives_away(&output, slip.secret).is_some();
        assert!(seen, "{daemon} {:?}", String::from_utf8_lossy(&frames.concat()));
    }
}

#[test]
fn pieces_are_found_in_every_coding() {
    let secret = "correct-horse-battery";
    // `xxcorrect-horse-battery!` by any encoder of base64, and in hexadecimal.
    for text in [
        "eHhjb3JyZWN0LWhvcnNlLWJhdHRlcnkh",
        "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5",
        "2d686f7273652d6261747465",
        "the horse-batt",
    ] {
        assert!(gives_away(text.as_bytes(), secret).is_some(), "{text}");
    }
    assert!(gives_away(b"horse, battery, staple", secret).is_none());
}
