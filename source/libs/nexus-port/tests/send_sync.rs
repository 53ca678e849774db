//! Which types may cross threads: said to the compiler, and done.
//!
//! Everything here is plain data without interior change, so all of it may be moved and read from
//! anywhere. What keeps an event where it belongs is not a missing `Sync` but its borrow of the
//! frame, and what keeps a service to one thread at a time is `&mut self`: `refused/` has both.

use std::thread;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{
    CallError, CallId, Closed, Event, Now, SendError, Service, SubmitError, Token, World,
};

const fn is_send_and_sync<T: Send + Sync>() {}

const _: () = {
    is_send_and_sync::<Event<'_>>();
    is_send_and_sync::<Now>();
    is_send_and_sync::<Token>();
    is_send_and_sync::<CallId>();
    is_send_and_sync::<CallError>();
    is_send_and_sync::<SubmitError>();
    is_send_and_sync::<SendError>();
    is_send_and_sync::<Closed>();
};

#[test]
fn neither_an_event_outlives_its_frame_nor_do_two_threads_drive_one_service() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}

/// Answers with the frame and submits it.
struct Echo;

impl Service for Echo {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl World) {
        if let Event::Request { from, token, frame } = event {
            world.reply(token, frame);
            let _busy = world.submit(from.service(), CallId(token.raw() as u32), frame);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn stopped(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct Told(Vec<(u64, Vec<u8>)>);

impl World for Told {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.0.push((token.raw(), frame.to_vec()));
    }

    fn submit(&mut self, _: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.0.push((call.0.into(), frame.to_vec()));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

#[test]
fn an_event_made_in_one_thread_is_handled_in_another_and_the_effects_read_in_a_third() {
    let from = Sender::stamped(ServiceId::from_name("execd"), 1, Incarnation::new(1), Rights::NONE);
    let now = Now { mono: Mono(1), wall: None };
    let frame = vec![1, 2, 3];
    let events = [
        Event::Request { from, token: Token::from_raw(7), frame: &frame },
        Event::PeerGone {
            id: from.id,
            incarnation: from.incarnation,
            reason: ExitReason::Disconnected,
        },
    ];
    let mut told = Told::default();
    thread::scope(|scope| {
        scope.spawn(|| events.into_iter().for_each(|event| Echo.handle(now, event, &mut told)));
    });
    let read = thread::spawn(move || told.0).join();
    assert_eq!(read.ok(), Some(vec![(7, frame.clone()), (7, frame)]));
}
