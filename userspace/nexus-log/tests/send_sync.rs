//! Which types may cross threads: said to the compiler, and done.

use std::sync::LazyLock;
use std::thread;

use nexus_bounded::Mono;
use nexus_log::{
    Closed, Courier, Level, Record, Secret, SendError, SharedCourier, Sink, StaticKey, StaticScope,
    Transport,
};

const fn is_send<T: Send>() {}
const fn is_send_and_sync<T: Send + Sync>() {}

const _: () = {
    is_send::<Courier>();
    is_send_and_sync::<SharedCourier<Nowhere>>();
    is_send_and_sync::<Record<'static>>();
    is_send_and_sync::<StaticKey>();
    is_send_and_sync::<StaticScope>();
    is_send_and_sync::<Secret<String>>();
    is_send_and_sync::<&'static dyn Sink>();
};

const RECORD: Record<'static> = Record {
    level: Level::Info,
    scope: "test",
    message: "x",
    fields: "",
    cut: 0,
    fields_cut: 0,
    span: None,
};

struct Nowhere;

impl Transport for Nowhere {
    fn connect(&mut self) -> Result<(), Closed> {
        Err(Closed)
    }

    fn close(&mut self) {}

    fn send(&mut self, _: &[u8]) -> Result<(), SendError> {
        Err(SendError::Closed)
    }

    fn receive(&mut self, _: &mut [u8]) -> Result<Option<usize>, Closed> {
        Err(Closed)
    }
}

#[test]
fn threads_share_a_courier_and_what_has_no_room_is_counted() {
    let courier = SharedCourier::new(Nowhere, || Mono(1));
    let waiting = |count: u64| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..count).for_each(|_| courier.log(&RECORD)));
            }
        });
    };
    waiting(10);
    assert_eq!(courier.take_dropped(), 0);
    waiting(10_000);
    let dropped = courier.take_dropped();
    assert!(dropped > 0);
    waiting(10);
    assert_eq!(courier.take_dropped(), 40);
}

/// Logs when it is asked to connect, as nothing inside may.
struct Chatty;

static CHATTY: LazyLock<SharedCourier<Chatty>> =
    LazyLock::new(|| SharedCourier::new(Chatty, || Mono(1)));

impl Transport for Chatty {
    fn connect(&mut self) -> Result<(), Closed> {
        CHATTY.log(&RECORD);
        Err(Closed)
    }

    fn close(&mut self) {}

    fn send(&mut self, _: &[u8]) -> Result<(), SendError> {
        Err(SendError::Closed)
    }

    fn receive(&mut self, _: &mut [u8]) -> Result<Option<usize>, Closed> {
        Err(Closed)
    }
}

#[test]
fn a_record_from_inside_of_the_courier_is_counted_and_waits_for_nobody() {
    CHATTY.log(&RECORD);
    assert_eq!(CHATTY.take_dropped(), 0);
    CHATTY.poll();
    assert_eq!(CHATTY.take_dropped(), 1);
}
