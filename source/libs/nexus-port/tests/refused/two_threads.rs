//! Two threads do not hand events to one service at the same time.

use nexus_port::{Event, Now, Service, World};

/// What threads in a scope ask.
fn at_once(_: impl FnOnce() + Send, _: impl FnOnce() + Send) {}

fn drive<S: Service + Send, W: World + Send>(mut service: S, now: Now, one: &mut W, two: &mut W) {
    at_once(
        || service.handle(now, Event::Wake, one),
        || service.handle(now, Event::Wake, two),
    );
}

fn main() {}
