//! No memory is taken after the start, and none at it.

use allocation_counter::measure;
use entropyd::{Entropyd, Source};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_wire::entropy::request;

struct Counts(u8);

impl Source for Counts {
    fn take(&mut self, into: &mut [u8]) -> bool {
        self.0 = self.0.wrapping_add(1);
        into.iter_mut().zip(0..=255).for_each(|(byte, at): (_, u8)| *byte = self.0 ^ at);
        true
    }
}

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

fn day(entropyd: &mut Entropyd<Counts>, world: &mut Still) {
    let from = ServiceId::from_name("user");
    let from = Sender::stamped(from, 7, Incarnation::new(1), Rights::NONE);
    for frame in [&request(1, 32)[..], &request(2, 0), &request(3, 256), &[]] {
        let event = Event::Request { from, token: Token::from_raw(1), frame };
        entropyd.handle(Now { mono: Mono(1), wall: None }, event, world);
    }
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let (mut entropyd, mut world) = (Entropyd::new(Counts(0)), Still(0));
    // Places in the source take their series when they first count.
    day(&mut entropyd, &mut world);
    let taken = measure(|| (0..50).for_each(|_| day(&mut entropyd, &mut world)));
    assert_eq!((taken.count_total, world.0), (0, 51 * 4));
}

#[test]
fn what_is_taken_counts() {
    assert_ne!(measure(|| drop(vec![0_u8; 9])).count_total, 0);
}
