//! All memory is taken at the start: none while timers are set, run out, are taken back or refused.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use allocation_counter::measure;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_wire::timers::{Frame, Qos, Request, TimerId, encode};
use timed::{PER_OWNER, TIMERS_MAX, Timed};

/// A world that takes no memory.
struct Still(u64);

impl World for Still {
    fn reply(&mut self, _: Token, _: &[u8]) {
        self.0 += 1;
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}
}

const SECOND: u64 = 1_000_000_000;

fn send(timed: &mut Timed, world: &mut Still, from: Sender, at: u64, request: Request) {
    let mut out = [0; 32];
    let frame = encode(&Frame { nonce: 1, request }, &mut out).unwrap();
    let (now, token) = (Now { mono: Mono(at), wall: None }, Token::from_raw(at));
    timed.handle(now, Event::Request { from, token, frame }, world);
    timed.handle(now, Event::Request { from, token, frame: &frame[..9] }, world);
}

/// All owners set as many timers as they may, and one more; some sleep, and some are gone before
/// the timers run out.
fn day(timed: &mut Timed, world: &mut Still, at: u64) {
    let service = ServiceId::from_name("owner");
    let owners = TIMERS_MAX.div_ceil(PER_OWNER) as u32 + 1;
    let owner = |n| Sender::stamped(service, n, Incarnation::new(n), Rights::NONE);
    for from in (0..owners).map(owner) {
        for n in 0..=PER_OWNER as u64 {
            let (qos, deadline) = (Qos::Normal, Mono(at + n * 1_000_000));
            let set = match n % 3 {
                0 => Request::SleepUntil { qos, deadline },
                _ => Request::Register { qos, deadline },
            };
            send(timed, world, from, at, set);
        }
        send(timed, world, from, at, Request::Cancel { timer: TimerId(0) });
    }
    let now = Now { mono: Mono(at), wall: None };
    let Sender { id, incarnation, .. } = owner(1);
    timed.handle(now, Event::PeerGone { id, incarnation, reason: ExitReason::Exited(0) }, world);
    let later = Now { mono: Mono(at + SECOND - 1), wall: None };
    timed.handle(later, Event::Wake, world);
    timed.check_invariants();
    assert_eq!(timed.deadline(), None, "all have run out");
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let (mut timed, mut world) = (Timed::new(), Still(0));
    // Places in the source take their series when they first count.
    day(&mut timed, &mut world, SECOND);
    let taken = measure(|| (2..5).for_each(|n| day(&mut timed, &mut world, n * SECOND)));
    assert_eq!(taken.count_total, 0);
    assert!(world.0 > TIMERS_MAX as u64 * 4, "work was done");
}

#[test]
fn what_is_taken_counts() {
    assert_ne!(measure(|| drop(Timed::new())).count_total, 0);
}
