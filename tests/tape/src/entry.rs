//! One event on a tape.

use alloc::vec::Vec;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Wall};
use nexus_port::{CallError, CallId, Event, Now, SubmitError, Token};

/// What a tape begins with.
const MAGIC: [u8; 8] = *b"NXTAPE\0\x01";
/// Bytes before the first entry.
pub(crate) const HEAD_BYTES: usize = 16;
/// Where the calendar is not known.
const NO_WALL: u64 = u64::MAX;

const REQUEST: u8 = 1;
const COMPLETION: u8 = 2;
const PEER_DIED: u8 = 3;
const PEER_GONE: u8 = 4;
const WAKE: u8 = 5;
const STOP: u8 = 6;

/// One event. Its bytes: the length of what follows as u16, the kind of the event, two clocks
/// (u64; all ones: no calendar), how many calls were made meanwhile (u8), the name of each (u32)
/// with what became of it (u8: 0 under way, 1 busy, 2 nobody serves), and the event:
///
/// | kind | what follows |
/// |---|---|
/// | 1 a request | service u64, process u32, incarnation u32, rights u8, token u64, frame |
/// | 2 an answer | call u32, frame |
/// | 3 no answer | call u32 |
/// | 4 a life has ended | service u64, incarnation u32, reason u64 |
/// | 5 a wake, 6 a stop | |
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When.
    pub now: Now,
    /// What.
    pub event: Event<'a>,
    /// The calls that were made meanwhile.
    pub calls: Calls<'a>,
}

/// Calls that a service has made, each with what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a>(pub(crate) &'a [u8]);

const CALL_BYTES: usize = 5;

/// A call and what became of it, as bytes.
pub(crate) fn call(call: CallId, result: Result<(), SubmitError>) -> [u8; CALL_BYTES] {
    let [a, b, c, d] = call.0.to_le_bytes();
    let result = match result {
        Ok(()) => 0,
        Err(SubmitError::Busy) => 1,
        Err(SubmitError::NotReady) => 2,
    };
    [a, b, c, d, result]
}

impl Iterator for Calls<'_> {
    type Item = (CallId, Result<(), SubmitError>);

    fn next(&mut self) -> Option<Self::Item> {
        let ([a, b, c, d, result], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let result = match result {
            0 => Ok(()),
            1 => Err(SubmitError::Busy),
            _ => Err(SubmitError::NotReady),
        };
        Some((CallId(u32::from_le_bytes([*a, *b, *c, *d])), result))
    }
}

/// The first bytes of a tape of `bytes` bytes in all.
pub(crate) fn head(bytes: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let (magic, length) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    length.copy_from_slice(&bytes.to_le_bytes());
    head
}

/// How long a tape is that begins so; `None`: it is none.
pub(crate) fn length(tape: &[u8]) -> Option<u64> {
    let rest = tape.strip_prefix(&MAGIC)?;
    rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

impl<'a> Entry<'a> {
    /// The first entry of some bytes, and how many are its own: `None` if it is not there whole.
    ///
    /// # Errors
    /// `Err(())` for bytes that are no entry.
    #[expect(clippy::result_unit_err, reason = "there is one thing to say of a tape that is none")]
    pub fn first(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, ()> {
        let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_le_bytes(*length));
        let Some(own) = rest.get(..length) else { return Ok(None) };
        let entry = Self::read(&mut Bytes(own)).ok_or(())?;
        Ok(Some((entry, length + 2)))
    }

    fn read(bytes: &mut Bytes<'a>) -> Option<Self> {
        let kind = bytes.u8()?;
        let mono = Mono(bytes.u64()?);
        let wall = Some(bytes.u64()?).filter(|wall| *wall != NO_WALL).map(Wall);
        let count = bytes.u8()?;
        let calls = Calls(bytes.some(usize::from(count) * CALL_BYTES)?);
        let event = match kind {
            REQUEST => Event::Request {
                from: bytes.sender()?,
                token: Token::from_raw(bytes.u64()?),
                frame: bytes.0,
            },
            COMPLETION => Event::Completion { call: CallId(bytes.u32()?), result: Ok(bytes.0) },
            PEER_DIED => {
                let call = CallId(bytes.u32()?);
                Event::Completion { call, result: Err(CallError::PeerDied) }
            }
            PEER_GONE => {
                let id = Sender::stamped(bytes.service()?, 0, Incarnation::new(0), Rights::NONE).id;
                let incarnation = Incarnation::new(bytes.u32()?);
                Event::PeerGone { id, incarnation, reason: ExitReason::from_raw(bytes.u64()?)? }
            }
            WAKE => Event::Wake,
            STOP => Event::Stop,
            _ => return None,
        };
        Some(Self { now: Now { mono, wall }, event, calls })
    }

    /// Puts the entry behind a tape.
    ///
    /// # Panics
    /// For an event of a disk, which services on tapes do not have.
    pub fn write(&self, tape: &mut Vec<u8>) {
        let start = tape.len();
        tape.extend([0; 2]);
        let kind = tape.len();
        tape.push(0);
        tape.extend(self.now.mono.0.to_le_bytes());
        tape.extend(self.now.wall.map_or(NO_WALL, |wall| wall.0).to_le_bytes());
        let calls = self.calls.0.len() / CALL_BYTES;
        assert!(calls <= u8::MAX.into(), "an event makes few calls");
        tape.push(calls as u8);
        tape.extend(self.calls.0);
        tape[kind] = write_event(&self.event, tape);
        let length = tape.len() - start - 2;
        assert!(length <= u16::MAX.into(), "frames are short");
        tape[start..start + 2].copy_from_slice(&(length as u16).to_le_bytes());
    }
}

/// Writes an event, and says of which kind it is.
fn write_event(event: &Event<'_>, tape: &mut Vec<u8>) -> u8 {
    match *event {
        Event::Request { from, token, frame } => {
            tape.extend(from.service().raw().to_le_bytes());
            tape.extend(from.pid.to_le_bytes());
            tape.extend(from.incarnation.raw().to_le_bytes());
            tape.push(from.rights.raw());
            tape.extend(token.raw().to_le_bytes());
            tape.extend(frame);
            REQUEST
        }
        Event::Completion { call, result } => {
            tape.extend(call.0.to_le_bytes());
            tape.extend(result.unwrap_or_default());
            if result.is_ok() { COMPLETION } else { PEER_DIED }
        }
        Event::PeerGone { id, incarnation, reason } => {
            tape.extend(id.service().raw().to_le_bytes());
            tape.extend(incarnation.raw().to_le_bytes());
            tape.extend(reason.raw().to_le_bytes());
            PEER_GONE
        }
        Event::Wake => WAKE,
        Event::Stop => STOP,
        Event::Block { .. } => panic!("a service on a tape has no disk"),
    }
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn some(&mut self, count: usize) -> Option<&'a [u8]> {
        let (some, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(some)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.some(N)?.first_chunk().copied()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn service(&mut self) -> Option<ServiceId> {
        self.u64().map(ServiceId::from_raw)
    }

    fn sender(&mut self) -> Option<Sender> {
        let (service, pid, incarnation) = (self.service()?, self.u32()?, self.u32()?);
        let rights = Rights::from_raw(self.u8()?);
        Some(Sender::stamped(service, pid, Incarnation::new(incarnation), rights))
    }
}
