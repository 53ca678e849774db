//! Timers of a class end together, none before its deadline; what is no timer, or one too many, is
//! refused; and timed's own numbers of all that come back from logd as exactly.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::timers::{Frame, Qos, Reply, Request, TimerId, TimerStatus, decode_reply, encode};

use crate::Why;
use crate::metrics::{COUNTER, GAUGE, HISTOGRAM, NO_UNIT};
use crate::series::{Metric, Series, told};
use crate::talk::Talk;

pub(crate) const TIMED: ServiceId = ServiceId::from_name("timed");

/// The deadlines of what ends lie so far ahead, and as far again as this machine took for all that
/// went before: so all four of them are set by then, on a busy machine too, where each call of the
/// hundred and more before them took longer.
const AHEAD: Nanos = Nanos::from_millis(250);
/// Those of what is taken back lie beyond the end of the case.
pub(crate) const FAR: Nanos = Nanos::from_secs(3600);

/// How much earlier than their common end timers are due.
const EARLIER: [Nanos; 3] = [Nanos(7_999_999), Nanos(3_000_000), Nanos(1)];
/// The same of who sleeps until then.
const SLEEPER_EARLIER: Nanos = Nanos(2_000_000);

/// Timers that an owner may have.
const PER_OWNER: usize = 64;

/// Frames that are none: how long a good one is made, where it is changed, and to what.
const MALFORMED: [(usize, (usize, u8)); 8] = [
    (GOOD_BYTES - 1, (0, b'T')),
    (GOOD_BYTES + 1, (0, b'T')),
    (FRAME_BYTES_MAX, (0, b'T')),
    (GOOD_BYTES, (0, b'X')),
    (GOOD_BYTES, (2, 2)),
    (GOOD_BYTES, (3, 9)),
    (GOOD_BYTES, (8, 4)),
    (GOOD_BYTES, (9, 1)),
];
const GOOD_BYTES: usize = 18;
/// Where the status stands in an answer.
const STATUS: usize = 4;

type Answer = (TimerStatus, Reply);

pub(crate) fn coalesce(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    what_is_no_timer(talk)?;
    a_flood(talk)?;
    each_class(talk)?;
    end_together(talk, since)?;
    are_counted(talk, since)
}

fn request(request: Request, nonce: u32, out: &mut [u8]) -> Result<usize, Why> {
    encode(&Frame { nonce, request }, out).map(<[u8]>::len).map_err(|_| "no such frame")
}

fn ask(talk: &mut Talk<'_>, asked: Request) -> Result<Answer, Why> {
    let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
    let length = request(asked, nonce, &mut frame)?;
    let answer = talk.send(TIMED, frame.get(..length).unwrap_or_default())?;
    decode_reply(asked.op(), nonce, answer).ok_or("timed's answer is none to the request")
}

/// Sets a timer that must be taken, and run out then: its number.
pub(crate) fn set(
    talk: &mut Talk<'_>,
    qos: Qos,
    deadline: Mono,
    end: Mono,
) -> Result<TimerId, Why> {
    match ask(talk, Request::Register { qos, deadline })? {
        (TimerStatus::Ok, Reply::Registered { timer, coalesced }) if coalesced == end => Ok(timer),
        (TimerStatus::Ok, _) => Err("a deadline is not rounded up to its class"),
        _ => Err("a good timer was refused"),
    }
}

pub(crate) fn take_back(talk: &mut Talk<'_>, timer: TimerId) -> Result<(), Why> {
    match ask(talk, Request::Cancel { timer })? {
        (TimerStatus::Ok, Reply::Cancelled) => Ok(()),
        _ => Err("a timer cannot be taken back"),
    }
}

fn is_refused(talk: &mut Talk<'_>, asked: Request, status: TimerStatus) -> Result<(), Why> {
    match ask(talk, asked)?.0 == status {
        true => Ok(()),
        false => Err("what must be refused is not, or for another reason"),
    }
}

fn before(end: Mono, by: Nanos) -> Mono {
    Mono(end.0.saturating_sub(by.0))
}

/// A time that every class keeps as it is, so long from now at least.
pub(crate) fn boundary(talk: &mut Talk<'_>, ahead: Nanos) -> Result<Mono, Why> {
    Qos::Idle.coalesced(talk.now().after(ahead)).ok_or("time has no end")
}

/// Malformed frames, and a deadline beyond the end of time; a number that is no timer's.
fn what_is_no_timer(talk: &mut Talk<'_>) -> Result<(), Why> {
    let (qos, deadline) = (Qos::Normal, boundary(talk, FAR)?);
    for (length, (at, byte)) in MALFORMED {
        let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
        request(Request::Register { qos, deadline }, nonce, &mut frame)?;
        frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        let answer = talk.send(TIMED, frame.get(..length).unwrap_or_default())?;
        if answer.get(STATUS) != Some(&TimerStatus::InvalidArgs.raw()) {
            return Err("a malformed frame was not refused as one");
        }
    }
    let endless = Request::Register { qos, deadline: Mono(u64::MAX) };
    is_refused(talk, endless, TimerStatus::InvalidArgs)?;
    is_refused(talk, Request::Cancel { timer: TimerId(0) }, TimerStatus::NotFound)
}

/// As many timers as one may have, and one more; all but one are taken back.
fn a_flood(talk: &mut Talk<'_>) -> Result<(), Why> {
    let (qos, end) = (Qos::Idle, boundary(talk, FAR)?);
    let mut timers = [TimerId(0); PER_OWNER];
    for timer in &mut timers {
        *timer = set(talk, qos, end, end)?;
    }
    is_refused(talk, Request::Register { qos, deadline: end }, TimerStatus::OverLimit)?;
    timers.into_iter().skip(1).try_for_each(|timer| take_back(talk, timer))
}

fn each_class(talk: &mut Talk<'_>) -> Result<(), Why> {
    let start = boundary(talk, FAR)?;
    let deadline = start.after(Nanos(1));
    for (qos, end) in [
        (Qos::Idle, start.after(Nanos::from_millis(8))),
        (Qos::Normal, start.after(Nanos::from_millis(4))),
        (Qos::Interactive, start.after(Nanos::from_millis(1))),
        (Qos::PerfBurst, deadline),
    ] {
        let timer = set(talk, qos, deadline, end)?;
        take_back(talk, timer)?;
    }
    Ok(())
}

/// Timers and a sleeper that share one wake-up, and are there no more.
fn end_together(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let took = talk.now().since(since);
    let end = boundary(talk, Nanos(AHEAD.0.saturating_add(took.0)))?;
    let mut latest = TimerId(0);
    for earlier in EARLIER {
        latest = set(talk, Qos::Idle, before(end, earlier), end)?;
    }
    let deadline = before(end, SLEEPER_EARLIER);
    match ask(talk, Request::SleepUntil { qos: Qos::Idle, deadline })? {
        (TimerStatus::Ok, Reply::Woken { at }) if at >= end && talk.now() >= end => {}
        _ => return Err("a sleeper does not sleep until its time"),
    }
    is_refused(talk, Request::Cancel { timer: latest }, TimerStatus::NotFound)
}

/// Four ended in one wake-up, and one of the flood goes on. Those of the flood and of the class
/// without a window were where they had to be, others were late by nearly all of their windows.
fn are_counted(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let counter = |number| [COUNTER, NO_UNIT, ("value", number)];
    let [ended, saved, cancelled] = ["4", "3", "67"].map(counter);
    let [ended, saved, cancelled] =
        [&ended, &saved, &cancelled].map(|values| [Series { labels: &[], values }]);
    let refused = [
        Series { labels: &[("label.reason", "invalid_args")], values: &counter("9") },
        Series { labels: &[("label.reason", "over_limit")], values: &counter("1") },
        Series { labels: &[("label.reason", "not_found")], values: &counter("2") },
    ];
    let delta = [
        HISTOGRAM,
        ("unit", "ns"),
        ("count", "72"),
        ("sum", "25999997"),
        ("le.0", "65"),
        ("le.250000", "66"),
        ("le.1000000", "67"),
        ("le.2000000", "68"),
        ("le.4000000", "70"),
        ("le.8000000", "72"),
    ];
    let delta = [Series { labels: &[], values: &delta }];
    let live = [Series { labels: &[], values: &[GAUGE, NO_UNIT, ("value", "1")] }];
    let metrics = [
        Metric { name: "timed_ended_total", series: &ended },
        Metric { name: "timed_wakeups_saved_total", series: &saved },
        Metric { name: "timed_cancelled_total", series: &cancelled },
        Metric { name: "timed_refusals_total", series: &refused },
        Metric { name: "timed_coalesce_delta_ns", series: &delta },
        Metric { name: "timed_timers_live", series: &live },
    ];
    told(talk, TIMED, since, &metrics, "what timed counts is not in the journal")
}
