//! timed's cases in the simulated world; and worlds in which they must fail.

use guest::{Alteration, Lie, Twin};
use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{Token, World};
use nexus_wire::timers::{Frame, Qos, Request, TimerStatus, decode, encode};
use selftest_client::TIMED;
use timed::Timed;

mod hosted;

use hosted::{Hosted, expected, fails};

fn hosted(altered: Option<Alteration>) -> Hosted {
    Hosted::new(&["timed"], |world| world.spawn("timed", |_| Timed::new()), altered)
}

#[test]
fn timers_end_together_and_what_timed_counts_of_them_comes_back() {
    assert_eq!(hosted(None).prove(TIMED), expected(TIMED));
}

/// On a machine that takes so long for each call.
fn on_a_slow_machine(takes: Nanos) -> (bool, Vec<String>) {
    let mut hosted = hosted(None);
    hosted.slow = Some(("timed", takes));
    hosted.prove(TIMED)
}

#[test]
fn a_slow_machine_has_time_to_set_timers_and_all_is_counted_as_exactly() {
    // Without the time that went before, four calls were too slow for the last two.
    for millis in [1, 20, 100, 250] {
        let told = on_a_slow_machine(Nanos::from_millis(millis));
        assert_eq!(told, expected(TIMED), "{millis}");
    }
}

#[test]
fn numbers_of_timed_that_are_not_exactly_what_it_did_are_no_proof() {
    for (of, key, honest, told) in [
        ("timed_ended_total", "value", Some("4"), Some("5")),
        ("timed_wakeups_saved_total", "value", Some("3"), Some("4")),
        ("timed_cancelled_total", "value", Some("67"), Some("68")),
        ("timed_refusals_total", "value", Some("9"), Some("8")),
        ("timed_refusals_total", "label.reason", Some("not_found"), Some("unknown")),
        ("timed_coalesce_delta_ns", "sum", Some("25999997"), Some("25999998")),
        ("timed_coalesce_delta_ns", "le.1000000", Some("67"), Some("68")),
        ("timed_coalesce_delta_ns", "unit", None, Some("none")),
        ("timed_timers_live", "value", Some("1"), Some("0")),
        ("timed_timers_live", "origin", None, Some("00000000000000ab")),
    ] {
        let altered = Some(Alteration { of, key, honest, told });
        fails(&TIMED[0], &hosted(altered).prove(TIMED), &format!("{of} {key}"));
    }
}

/// Changes what is asked for.
fn asks(frame: &mut [u8], change: fn(Request) -> Request) {
    let Ok(Frame { nonce, request }) = decode(frame) else { return };
    let mut out = [0; FRAME_BYTES_MAX];
    let told = encode(&Frame { nonce, request: change(request) }, &mut out).unwrap_or_default();
    frame.iter_mut().zip(told).for_each(|(to, from)| *to = *from);
}

/// To it every timer is of the class without a window.
#[derive(Clone, Copy)]
struct Eager;

impl Lie for Eager {
    fn request(frame: &mut [u8]) {
        asks(frame, |request| match request {
            Request::Register { deadline, .. } => {
                Request::Register { qos: Qos::PerfBurst, deadline }
            }
            other => other,
        });
    }
}

/// Wakes sleepers too early.
#[derive(Clone, Copy)]
struct Hasty;

impl Lie for Hasty {
    fn request(frame: &mut [u8]) {
        asks(frame, |request| match request {
            Request::SleepUntil { qos, deadline } => {
                Request::SleepUntil { qos, deadline: Mono(deadline.0 - 16_000_000) }
            }
            other => other,
        });
    }
}

/// Refuses nothing.
#[derive(Clone, Copy)]
struct Boundless;

impl Lie for Boundless {
    fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        told[4] = TimerStatus::Ok.raw();
        world.reply(token, &told);
    }
}

fn told_by(lie: impl Lie + Copy + 'static) -> (bool, Vec<String>) {
    let make = move |_| Twin { service: Timed::new(), lie };
    Hosted::new(&["timed"], |world| world.spawn("timed", make), None).prove(TIMED)
}

#[test]
fn a_timed_that_keeps_no_windows_wakes_too_early_or_refuses_nothing_is_found() {
    fails(&TIMED[0], &told_by(Eager), "eager");
    fails(&TIMED[0], &told_by(Hasty), "hasty");
    fails(&TIMED[0], &told_by(Boundless), "boundless");
}
