//! A service that plays a tape to another one.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Text};
use nexus_port::{
    BLOCK_SECTORS_MAX, BlockOutcome, BlockRequest, CallId, Event, Now, SECTOR_BYTES, Service,
    SubmitError, Token, World,
};

use crate::entry::{Calls, Entry, HEAD_BYTES, length};
use crate::prints::Prints;

const BLOCK_BYTES: usize = BLOCK_SECTORS_MAX as usize * SECTOR_BYTES;
/// More than any entry takes.
const ENTRY_BYTES_MAX: usize = FRAME_BYTES_MAX + 512;

const READ: CallId = CallId(1);

/// Bytes of a line.
const LINE_BYTES: usize = 160;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The next block is to be asked for.
    Wanting,
    Reading,
    Over,
}

/// Says how much work was done so far, in instructions.
pub type Counter = fn() -> u64;

/// See the module. Takes all memory when it is made.
pub struct Player<S> {
    service: S,
    /// Where work can be counted.
    counter: Option<Counter>,
    /// The most work that an event has taken, and which one.
    most: (u64, u64),
    phase: Phase,
    /// The first sector that has not been read.
    sector: u32,
    /// What has been read and not been played.
    buffer: Vec<u8>,
    /// Bytes of the tape that have not been played; `None` before its beginning is read.
    left: Option<u64>,
    events: u64,
    /// The service has called otherwise than on the tape: what follows there fits no more.
    differs: bool,
    prints: Prints,
}

impl<S: Service> Player<S> {
    /// Plays the tape on its disk to `service`.
    pub fn new(service: S) -> Self {
        Self {
            service,
            counter: None,
            most: (0, 0),
            phase: Phase::Wanting,
            sector: 0,
            buffer: Vec::with_capacity(BLOCK_BYTES + ENTRY_BYTES_MAX),
            left: None,
            events: 0,
            differs: false,
            prints: Prints::new(),
        }
    }

    /// The same, where work can be counted: the most that an event takes is printed too.
    #[must_use]
    pub fn counting(self, counter: Counter) -> Self {
        Self { counter: Some(counter), ..self }
    }

    /// What the service has let out so far.
    pub const fn prints(&self) -> &Prints {
        &self.prints
    }

    fn ask(&mut self, world: &mut impl World) {
        let request = BlockRequest::Read { sector: self.sector, sectors: BLOCK_SECTORS_MAX };
        match world.submit_block(READ, request) {
            Ok(()) => {
                self.sector += BLOCK_SECTORS_MAX;
                self.phase = Phase::Reading;
            }
            Err(_) => self.give_up("there is no disk with a tape", world),
        }
    }

    fn take(&mut self, bytes: &[u8], world: &mut impl World) {
        self.buffer.extend_from_slice(bytes);
        self.phase = Phase::Wanting;
        let mut played = 0;
        if self.left.is_none() {
            let Some(length) = length(&self.buffer) else {
                return self.give_up("the disk holds no tape", world);
            };
            played = HEAD_BYTES;
            self.left = Some(length.saturating_sub(HEAD_BYTES as u64));
        }
        // Out of `self`, so that entries can be lent while the service handles them.
        let buffer = core::mem::take(&mut self.buffer);
        while self.phase == Phase::Wanting {
            match Entry::first(buffer.get(played..).unwrap_or_default()) {
                _ if self.differs || self.left == Some(0) => self.end(world),
                Ok(Some((entry, bytes))) => {
                    self.play(&entry);
                    played += bytes;
                    self.left = self.left.and_then(|left| left.checked_sub(bytes as u64));
                }
                Ok(None) if buffer.len() - played <= ENTRY_BYTES_MAX => break,
                Ok(None) | Err(()) => self.give_up("the tape is damaged", world),
            }
        }
        self.buffer = buffer;
        self.buffer.drain(..played);
    }

    fn play(&mut self, entry: &Entry<'_>) {
        let mut played = Played { calls: entry.calls, differs: false, prints: &mut self.prints };
        let count = || self.counter.map_or(0, |counter| counter());
        let start = count();
        self.service.handle(entry.now, entry.event, &mut played);
        let work = count() - start;
        self.differs |= played.differs || played.calls.next().is_some();
        self.events += 1;
        self.most = self.most.max((work, self.events));
    }

    fn give_up(&mut self, why: &str, world: &mut impl World) {
        self.phase = Phase::Over;
        say(world, format_args!("tape: {why}, after {} events", self.events));
    }

    fn end(&mut self, world: &mut impl World) {
        self.phase = Phase::Over;
        let Prints { calls, others, unseen, .. } = &self.prints;
        for (stream, number) in self.prints.streams().iter().zip(1..) {
            let (name, (bytes, hash)) = (stream.name(), stream.value());
            say(world, format_args!("tape: file {number} {name}, {bytes} bytes, {hash:016x}"));
        }
        for (what, hash) in [("calls for files", calls), ("everything else", others)] {
            let (bytes, hash) = hash.value();
            say(world, format_args!("tape: {what}, {bytes} bytes, {hash:016x}"));
        }
        if self.counter.is_some() {
            let (work, event) = self.most;
            say(world, format_args!("tape: at most {work} instructions, by event {event}"));
        }
        if self.differs {
            say(world, format_args!("tape: its events fit no more, other calls were made"));
        }
        say(world, format_args!("tape: {} events, {unseen} files unseen", self.events));
    }
}

fn say(world: &mut impl World, line: fmt::Arguments<'_>) {
    let mut text = Text::<LINE_BYTES>::EMPTY;
    // A line that is too long is cut, and then no world says the same as another.
    let is_whole = text.write_fmt(line).is_ok();
    assert!(is_whole, "names of files are short");
    world.print(text.as_str());
}

impl<S: Service> Service for Player<S> {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl World) {
        match (self.phase, event) {
            (Phase::Wanting, Event::Wake) => self.ask(world),
            (Phase::Reading, Event::Block { outcome: BlockOutcome::Read(bytes), .. }) => {
                self.take(bytes, world);
            }
            (Phase::Reading, Event::Block { .. }) => {
                self.give_up("the disk cannot be read", world);
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Mono> {
        (self.phase == Phase::Wanting).then_some(Mono(0))
    }

    fn stopped(&self) -> bool {
        self.phase == Phase::Over
    }
}

/// The world as it was when the tape was recorded.
struct Played<'a> {
    /// The calls that come next.
    calls: Calls<'a>,
    /// Another one was made.
    differs: bool,
    prints: &'a mut Prints,
}

impl World for Played<'_> {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.prints.out(frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let next = self.calls.next().filter(|(next, _)| *next == call);
        let Some((_, result)) = next else {
            self.differs = true;
            return Err(SubmitError::NotReady);
        };
        if result.is_ok() {
            self.prints.call(to, frame);
        }
        result
    }

    fn print(&mut self, line: &str) {
        self.prints.out(line.as_bytes());
    }
}
