//! All memory is taken at the start: none while it decides, refuses and counts.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use allocation_counter::measure;
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::Policy;
use nexus_wire::policy::{Action, Check, Frame, Object, encode};
use policyd::Policyd;

const POLICY: &str = include_str!("../../../../recipes/system/policy.toml");

/// A world that takes no memory.
struct Still(u64);

impl World for Still {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        assert_eq!(frame.len(), 10);
        self.0 += 1;
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}
}

fn day(policyd: &mut Policyd, world: &mut Still, at: u64) {
    let now = Now { mono: Mono(at), wall: None };
    let token = Token::from_raw(at);
    for name in ["metricsd", "selftest-client", "stranger"] {
        let service = ServiceId::from_name(name);
        let from = Sender::stamped(service, 7, Incarnation::new(1), Rights::NONE);
        for action in Action::ALL.iter().copied() {
            for subject in [service, ServiceId::from_name("logd")] {
                let object = Object::new("metricsd/a").unwrap();
                let check = Check { subject, action, object };
                let mut frame = [0; 64];
                let frame = encode(&Frame { nonce: 1, check }, &mut frame).unwrap();
                policyd.handle(now, Event::Request { from, token, frame }, world);
                policyd.handle(now, Event::Request { from, token, frame: &frame[..9] }, world);
            }
        }
    }
    policyd.handle(now, Event::Wake, world);
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let (mut policyd, mut world) = (Policyd::new(&Policy::parse(POLICY).unwrap()), Still(0));
    // Places in the source take their series when they first count.
    day(&mut policyd, &mut world, 1);
    let taken = measure(|| (2..50).for_each(|at| day(&mut policyd, &mut world, at)));
    assert_eq!((taken.count_total, world.0), (0, 49 * 84));
}

#[test]
fn what_is_taken_counts() {
    assert_ne!(measure(|| drop(Policyd::new(&Policy::parse(POLICY).unwrap()))).count_total, 0);
}
