//! timed by its frames alone.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_wire::markers;
use nexus_wire::timers::{Frame, Qos, Reply, Request, TimerId, TimerStatus, decode_reply, encode};
use proptest::prelude::*;
use timed::{PER_OWNER, TIMERS_MAX, Timed};

#[derive(Default)]
struct Console {
    replies: BTreeMap<u64, Vec<u8>>,
    lines: Vec<String>,
}

impl World for Console {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        let twice = self.replies.insert(token.raw(), frame.to_vec());
        assert!(twice.is_none(), "one reply for each request");
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

/// timed, its world, and who asks it.
struct Bed {
    timed: Timed,
    world: Console,
    now: u64,
    asked: u64,
}

fn owner(number: u32) -> Sender {
    let service = ServiceId::from_name(&format!("owner{number}"));
    Sender::stamped(service, 7, Incarnation::new(1), Rights::NONE)
}

impl Bed {
    fn new() -> Self {
        let mut bed = Self { timed: Timed::new(), world: Console::default(), now: 1, asked: 0 };
        bed.at(1);
        bed
    }

    fn handle(&mut self, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        self.timed.handle(now, event, &mut self.world);
        self.timed.check_invariants();
    }

    /// Time goes on to `now`, waking timed whenever it wants to be.
    fn at(&mut self, now: u64) {
        while let Some(deadline) = self.timed.deadline().filter(|at| at.0 <= now) {
            self.now = self.now.max(deadline.0);
            self.handle(Event::Wake);
        }
        self.now = now;
    }

    fn send(&mut self, from: Sender, frame: &[u8]) -> u64 {
        self.asked += 1;
        let token = Token::from_raw(self.asked);
        self.handle(Event::Request { from, token, frame });
        self.asked
    }

    fn submit(&mut self, from: Sender, request: Request) -> u64 {
        let nonce = self.asked as u32 + 1;
        let mut out = [0; 32];
        let frame = encode(&Frame { nonce, request }, &mut out).unwrap().to_vec();
        self.send(from, &frame)
    }

    fn reply(&self, token: u64, request: Request) -> Option<(TimerStatus, Reply)> {
        let frame = self.world.replies.get(&token)?;
        Some(decode_reply(request.op(), token as u32, frame).unwrap())
    }

    fn ask(&mut self, from: Sender, request: Request) -> (TimerStatus, Reply) {
        let token = self.submit(from, request);
        self.reply(token, request).unwrap()
    }

    fn register(&mut self, from: Sender, qos: Qos, deadline: u64) -> (TimerStatus, TimerId, u64) {
        match self.ask(from, Request::Register { qos, deadline: Mono(deadline) }) {
            (status, Reply::Registered { timer, coalesced }) => (status, timer, coalesced.0),
            other => panic!("{other:?}"),
        }
    }

    fn cancel(&mut self, from: Sender, timer: TimerId) -> TimerStatus {
        self.ask(from, Request::Cancel { timer }).0
    }
}

#[test]
fn timed_is_ready_once_a_timer_of_its_own_has_run_out() {
    let captured = nexus_log::memory::capture();
    let bed = Bed::new();
    assert_eq!(bed.world.lines, [markers::TIMED_READY]);
    assert_eq!(bed.timed.deadline(), None);
    let records = captured.records();
    let [began] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&*began.scope, &*began.message), ("timed", "keeps time"));
    assert_eq!(began.fields, "event=timed.began.v1\nper_owner=64\ntimers_max=1024\n");
}

#[test]
fn deadlines_are_rounded_up_to_the_window_of_their_class() {
    let mut bed = Bed::new();
    for (qos, coalesced) in [
        (Qos::Idle, 16_000_000),
        (Qos::Normal, 12_000_000),
        (Qos::Interactive, 11_000_000),
        (Qos::PerfBurst, 10_000_001),
    ] {
        let (status, _, at) = bed.register(owner(1), qos, 10_000_001);
        assert_eq!((status, at), (TimerStatus::Ok, coalesced), "{qos:?}");
        let (_, _, again) = bed.register(owner(1), qos, coalesced);
        assert_eq!(again, coalesced, "a multiple stays");
    }
}

#[test]
fn a_sleeper_is_answered_at_its_time_and_not_before() {
    let mut bed = Bed::new();
    let request = Request::SleepUntil { qos: Qos::Normal, deadline: Mono(10_000_001) };
    let token = bed.submit(owner(1), request);
    bed.at(11_999_999);
    assert_eq!(bed.reply(token, request), None);
    bed.at(12_000_000);
    let woken = Reply::Woken { at: Mono(12_000_000) };
    assert_eq!(bed.reply(token, request), Some((TimerStatus::Ok, woken)));
}

#[test]
fn a_timer_that_has_run_out_or_was_taken_back_is_there_no_more() {
    let mut bed = Bed::new();
    let (_, timer, _) = bed.register(owner(1), Qos::PerfBurst, 100);
    let (_, other, _) = bed.register(owner(1), Qos::PerfBurst, 200);
    assert_eq!(bed.cancel(owner(1), other), TimerStatus::Ok);
    assert_eq!(bed.cancel(owner(1), other), TimerStatus::NotFound);
    bed.at(100);
    assert_eq!(bed.cancel(owner(1), timer), TimerStatus::NotFound);
}

#[test]
fn test_reject_timer_of_another_sender() {
    let mut bed = Bed::new();
    let (_, timer, _) = bed.register(owner(1), Qos::Idle, 1_000_000_000);
    assert_eq!(bed.cancel(owner(2), timer), TimerStatus::NotFound);
    let later = Sender { incarnation: Incarnation::new(2), ..owner(1) };
    assert_eq!(bed.cancel(later, timer), TimerStatus::NotFound, "of another life");
    assert_eq!(bed.cancel(owner(1), timer), TimerStatus::Ok, "it was untouched");
}

#[test]
fn test_reject_deadline_beyond_the_end_of_time() {
    let mut bed = Bed::new();
    let (status, timer, at) = bed.register(owner(1), Qos::Normal, u64::MAX);
    assert_eq!((status, timer, at), (TimerStatus::InvalidArgs, TimerId(0), 0));
    let (status, _, at) = bed.register(owner(1), Qos::PerfBurst, u64::MAX);
    assert_eq!((status, at), (TimerStatus::Ok, u64::MAX));
}

#[test]
fn test_reject_timer_flood_of_one_owner_and_of_all() {
    let mut bed = Bed::new();
    let owners = TIMERS_MAX.div_ceil(PER_OWNER) as u32;
    for number in 0..owners {
        for _ in 0..PER_OWNER {
            let (status, ..) = bed.register(owner(number), Qos::Idle, 1_000_000_000);
            assert_eq!(status, TimerStatus::Ok);
        }
        let (status, ..) = bed.register(owner(number), Qos::Idle, 1_000_000_000);
        assert_eq!(status, TimerStatus::OverLimit);
    }
    let (status, ..) = bed.register(owner(owners), Qos::Idle, 1_000_000_000);
    assert_eq!(status, TimerStatus::OverLimit, "all together");
    bed.at(1_000_000_000);
    let (status, ..) = bed.register(owner(0), Qos::Idle, 2_000_000_000);
    assert_eq!(status, TimerStatus::Ok);
}

#[test]
fn test_reject_malformed_frames() {
    let mut bed = Bed::new();
    let mut out = [0; 32];
    let request = Request::Register { qos: Qos::Idle, deadline: Mono(9) };
    let good = encode(&Frame { nonce: 0x0102_0304, request }, &mut out).unwrap().to_vec();
    let changed = |at: usize, to: u8| {
        let mut frame = good.clone();
        frame[at] = to;
        frame
    };
    let long = [&good[..], &[0; 4079]].concat();
    for frame in [
        vec![],
        vec![0; 3],
        good[..7].to_vec(),
        good[..17].to_vec(),
        long,
        changed(0, b'X'),
        changed(2, 2),
        changed(3, 9),
        changed(8, 4),
        changed(9, 1),
    ] {
        let token = bed.send(owner(1), &frame);
        let reply = &bed.world.replies[&token];
        assert_eq!(reply[4], TimerStatus::InvalidArgs.raw(), "{frame:?}");
        let nonce = if frame.len() < 8 { [0; 4] } else { [4, 3, 2, 1] };
        assert_eq!(reply[5..9], nonce, "{frame:?}");
    }
    assert_eq!(bed.timed.deadline(), None, "nothing was set");
}

#[test]
fn timers_go_with_the_life_of_their_owner() {
    let mut bed = Bed::new();
    bed.register(owner(1), Qos::Idle, 1_000_000_000);
    let (_, kept, at) = bed.register(owner(2), Qos::Idle, 2_000_000_000);
    let Sender { id, incarnation, .. } = owner(1);
    bed.handle(Event::PeerGone { id, incarnation, reason: ExitReason::Exited(0) });
    assert_eq!(bed.timed.deadline(), Some(Mono(at)));
    assert_eq!(bed.cancel(owner(2), kept), TimerStatus::Ok);
}

/// What timed has told so far: refusals by reason, wake-ups saved, and of the coalescing delta how
/// many there were and their sum.
fn told(recording: &nexus_metrics::memory::Recording) -> [u64; 6] {
    let refused = |reason| recording.counter("timed_refusals_total", &[("reason", reason)]);
    let deltas = recording.histogram("timed_coalesce_delta_ns", &[]);
    let (count, sum) = deltas.map_or((0, 0), |deltas| (deltas.counts.iter().sum(), deltas.sum));
    let saved = recording.counter("timed_wakeups_saved_total", &[]);
    let [invalid, over, unknown] = ["invalid_args", "over_limit", "not_found"].map(refused);
    [invalid, over, unknown, saved, count, sum]
}

#[test]
fn what_it_did_is_counted_exactly() {
    let recording = nexus_metrics::memory::record();
    let before = told(&recording);
    let mut bed = Bed::new();
    assert_eq!(told(&recording), before, "its proof at start is nobody's work");
    for deadline in [9_000_001, 10_000_001, 11_999_999] {
        bed.register(owner(1), Qos::Normal, deadline);
    }
    assert_eq!(recording.gauge("timed_timers_live", &[]), Some(3));
    bed.at(12_000_000);
    assert_eq!(recording.gauge("timed_timers_live", &[]), Some(0));
    bed.register(owner(1), Qos::Normal, u64::MAX);
    bed.cancel(owner(1), TimerId(9));
    let after = told(&recording);
    let grown = std::array::from_fn(|at| after[at] - before[at]);
    assert_eq!(grown, [1, 0, 1, 2, 3, 2_999_999 + 1_999_999 + 1]);
}

/// The classes' windows are no powers of two, and who is not late at all is not a little late.
#[test]
fn how_late_timers_are_is_told_in_fractions_of_windows() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new();
    for deadline in [8_000_000, 7_999_999, 7_000_000, 6_999_999, 1, 8_000_001] {
        bed.register(owner(1), Qos::Idle, deadline);
    }
    let deltas = recording.histogram("timed_coalesce_delta_ns", &[]).unwrap();
    assert_eq!(deltas.bounds, [0, 250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000]);
    assert_eq!(deltas.counts, [1, 1, 0, 1, 1, 0, 2, 0]);
}

/// What somebody may do: set, sleep, take back the n-th that was set, die, or let time pass.
#[derive(Clone, Debug)]
enum Step {
    Set(u32, u8, u64),
    Sleep(u32, u8, u64),
    Cancel(u32, usize),
    Die(u32),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u32..3, 0u8..4, 0u64..50_000_000).prop_map(|(who, qos, at)| Step::Set(who, qos, at)),
        (0u32..3, 0u8..4, 0u64..50_000_000).prop_map(|(who, qos, at)| Step::Sleep(who, qos, at)),
        (0u32..3, 0usize..40).prop_map(|(who, nth)| Step::Cancel(who, nth)),
        (0u32..3).prop_map(Step::Die),
        (0u64..9_000_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

/// A timer as the model knows it: one that was registered, or a sleeper's request.
#[derive(Clone, Copy, Debug)]
struct Known {
    who: u32,
    until: u64,
    timer: Option<TimerId>,
    asleep: Option<(u64, Request)>,
}

proptest! {
    /// Against a plain list of timers.
    #[test]
    fn timers_end_in_time_for_whoever_set_them(steps in steps()) {
        let mut bed = Bed::new();
        let (mut live, mut set, mut sleepers) = (Vec::<Known>::new(), Vec::new(), Vec::new());
        for step in steps {
            // Whatever happens next, what is due ends first.
            let now = bed.now;
            live.retain(|known| known.until > now);
            match step {
                Step::Set(who, qos, at) => {
                    let qos = Qos::from_raw(qos).unwrap();
                    let (status, timer, until) = bed.register(owner(who), qos, at);
                    prop_assert_eq!(status, TimerStatus::Ok);
                    prop_assert!(until >= at && until - at < 8_000_000);
                    prop_assert!(live.iter().all(|known| known.timer != Some(timer)), "its own");
                    set.push((who, timer));
                    live.push(Known { who, until, timer: Some(timer), asleep: None });
                }
                Step::Sleep(who, qos, at) => {
                    let (qos, deadline) = (Qos::from_raw(qos).unwrap(), Mono(at));
                    let request = Request::SleepUntil { qos, deadline };
                    let asleep = Some((bed.submit(owner(who), request), request));
                    let until = qos.coalesced(deadline).unwrap().0;
                    live.push(Known { who, until, timer: None, asleep });
                    sleepers.push(Known { who, until, timer: None, asleep });
                }
                Step::Cancel(who, nth) => {
                    let Some((_, timer)) = set.get(nth).copied() else { continue };
                    let is_his = |known: &Known| known.timer == Some(timer) && known.who == who;
                    let is_there = live.iter().any(is_his);
                    live.retain(|known| !is_his(known));
                    let expected = if is_there { TimerStatus::Ok } else { TimerStatus::NotFound };
                    prop_assert_eq!(bed.cancel(owner(who), timer), expected);
                }
                Step::Die(who) => {
                    let Sender { id, incarnation, .. } = owner(who);
                    bed.handle(Event::PeerGone { id, incarnation, reason: ExitReason::Exited(0) });
                    live.retain(|known| known.who != who);
                    sleepers.retain(|known| known.who != who || known.until <= now);
                }
                Step::Pass(nanos) => {
                    let then = now + nanos;
                    bed.at(then);
                    live.retain(|known| known.until > then);
                    for known in &sleepers {
                        let (token, request) = known.asleep.unwrap();
                        match bed.reply(token, request) {
                            Some((TimerStatus::Ok, Reply::Woken { at })) => {
                                prop_assert!(at.0 >= known.until && known.until <= then);
                            }
                            other => prop_assert!(other.is_none() && known.until > then),
                        }
                    }
                }
            }
            let next = live.iter().map(|known| known.until).min();
            prop_assert_eq!(bed.timed.deadline().map(|at| at.0), next);
        }
    }
}
