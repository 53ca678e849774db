//! A service whose tape is written.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{
    BLOCK_SECTORS_MAX, CallId, Event, Now, SECTOR_BYTES, Service, SubmitError, Token, World,
};
use nexus_wire::metrics::{Frame, Request, Update, decode, encode};

use crate::entry::{Calls, Entry, HEAD_BYTES, call as call_bytes, head};

/// The entries of a tape that is being recorded.
pub type Tape = Rc<RefCell<Vec<u8>>>;

/// See the module.
pub struct Recording<S> {
    service: S,
    tape: Tape,
}

impl<S> Recording<S> {
    /// Records what happens to `service`.
    pub const fn new(service: S, tape: Tape) -> Self {
        Self { service, tape }
    }

    /// Who is recorded.
    pub const fn service(&self) -> &S {
        &self.service
    }
}

impl<S: Service> Service for Recording<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let mut heard = Heard { world, calls: Vec::new() };
        self.service.handle(now, event, &mut heard);
        let entry = Entry { now, event, calls: Calls(&heard.calls) };
        entry.write(&mut self.tape.borrow_mut());
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }

    fn undone(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.service.undone(out)
    }

    fn check_invariants(&self) {
        self.service.check_invariants();
    }
}

/// The world, and the calls that were made. It has no totals of its own, as they are on no tape.
struct Heard<'w, W> {
    world: &'w mut W,
    calls: Vec<u8>,
}

impl<W: World> World for Heard<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.world.reply(token, frame);
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.world.acknowledge(token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let result = self.world.submit(to, call, frame);
        self.calls.extend(call_bytes(call, result));
        result
    }

    fn print(&mut self, line: &str) {
        self.world.print(line);
    }
}

/// The tape of some entries, in whole blocks.
#[must_use]
pub fn whole(entries: &[u8]) -> Vec<u8> {
    let bytes = HEAD_BYTES + entries.len();
    let mut tape = head(bytes as u64).to_vec();
    tape.extend(entries);
    tape.resize(bytes.next_multiple_of(BLOCK_SECTORS_MAX as usize * SECTOR_BYTES), 0);
    tape
}

/// The same entries with another value in the first gauge that is set behind the `at`-th entry.
/// `None`: there is none.
#[must_use]
pub fn altered(entries: &[u8], at: usize) -> Option<Vec<u8>> {
    let (mut out, mut rest, mut number) = (entries.to_vec(), entries, 0);
    while let Ok(Some((entry, bytes))) = Entry::first(rest) {
        let start = entries.len() - rest.len();
        let place = out.get_mut(start..start + bytes)?;
        if number > at && alter(&entry, place) {
            return Some(out);
        }
        rest = rest.get(bytes..)?;
        number += 1;
    }
    None
}

/// Alters an entry that lies in `place`, if it sets a gauge.
fn alter(entry: &Entry<'_>, place: &mut [u8]) -> bool {
    let Event::Request { frame, .. } = entry.event else { return false };
    let Ok(Frame { nonce, request: Request::GaugeSet(update) }) = decode(frame) else {
        return false;
    };
    let update = Update { value: update.value ^ 1, ..update };
    let mut bytes = [0; FRAME_BYTES_MAX];
    let Ok(other) = encode(&Request::GaugeSet(update), nonce, &mut bytes) else { return false };
    let frame_at = place.len() - other.len();
    place[frame_at..].copy_from_slice(other);
    true
}
