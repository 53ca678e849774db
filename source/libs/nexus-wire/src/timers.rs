//! Frames of timed, version 1, as the field has them.
//!
//! Request: `'T' 'M' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce, then the body.

use nexus_bounded::{Mono, Nanos};

use crate::EncodeError;
use crate::bytes::{Reader, Writer};
use crate::numbers::{numbers, vocabulary};

const MAGIC: [u8; 2] = *b"TM";
const VERSION: u8 = 1;
const REPLY: u8 = 0x80;

/// Bytes of the longest reply.
pub const REPLY_BYTES_MAX: usize = 21;

numbers! {
    /// What can be asked of timed.
    Op {
        /// Sets a timer.
        Register = 1,
        /// Takes a timer back.
        Cancel = 2,
        /// Asks to be answered at a time.
        SleepUntil = 3,
    }
}

vocabulary! {
    /// What timed answers.
    TimerStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed, unknown, or a deadline beyond the end of time. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// As many timers as the sender, or all together, may have. Try when one has ended.
        OverLimit = 2 "over_limit",
        /// No such timer of this sender.
        NotFound = 3 "not_found",
    }
}

vocabulary! {
    /// How exact a deadline has to be. The less, the more of them share a wake-up.
    Qos {
        /// To 8 ms.
        Idle = 0 "idle",
        /// To 4 ms.
        Normal = 1 "normal",
        /// To 1 ms.
        Interactive = 2 "interactive",
        /// As it is.
        PerfBurst = 3 "perf_burst",
    }
}

impl Qos {
    /// What deadlines are multiples of.
    #[must_use]
    pub const fn window(self) -> Nanos {
        match self {
            Self::Idle => Nanos::from_millis(8),
            Self::Normal => Nanos::from_millis(4),
            Self::Interactive => Nanos::from_millis(1),
            Self::PerfBurst => Nanos(1),
        }
    }

    /// The deadline, rounded up to a multiple of the window; `None` beyond the end of time.
    #[must_use]
    pub fn coalesced(self, deadline: Mono) -> Option<Mono> {
        deadline.0.checked_next_multiple_of(self.window().0).map(Mono)
    }
}

/// A timer of one sender; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(pub u32);

/// A request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Sets a timer: the reply says when it will have run out.
    Register {
        /// How exact.
        qos: Qos,
        /// When.
        deadline: Mono,
    },
    /// Takes a timer back.
    Cancel {
        /// Which.
        timer: TimerId,
    },
    /// Asks to be answered at a time.
    SleepUntil {
        /// How exact.
        qos: Qos,
        /// When.
        deadline: Mono,
    },
}

impl Request {
    /// The operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Register { .. } => Op::Register,
            Self::Cancel { .. } => Op::Cancel,
            Self::SleepUntil { .. } => Op::SleepUntil,
        }
    }
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Chosen by the client, echoed in the reply.
    pub nonce: u32,
    /// What is asked.
    pub request: Request,
}

/// A frame that is refused, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Of the request; 0 if it is too short to have one.
    pub nonce: u32,
    /// Operation whose reply shape answers it.
    pub op: Op,
    /// What is wrong.
    pub status: TimerStatus,
}

/// What is answered. A refusal has zeros in the place of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To REGISTER.
    Registered {
        /// The new timer.
        timer: TimerId,
        /// When it will have run out.
        coalesced: Mono,
    },
    /// To CANCEL.
    Cancelled,
    /// To SLEEP_UNTIL.
    Woken {
        /// The time of the wake-up: never before the deadline.
        at: Mono,
    },
}

impl Reply {
    const fn op(&self) -> Op {
        match self {
            Self::Registered { .. } => Op::Register,
            Self::Cancelled => Op::Cancel,
            Self::Woken { .. } => Op::SleepUntil,
        }
    }

    /// What a refusal of `op` has in the place of its numbers.
    const fn nothing(op: Op) -> Self {
        match op {
            Op::Register => Self::Registered { timer: TimerId(0), coalesced: Mono(0) },
            Op::Cancel => Self::Cancelled,
            Op::SleepUntil => Self::Woken { at: Mono(0) },
        }
    }
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`] with `invalid_args`. What cannot be answered in its own shape is answered in that of
/// CANCEL.
pub fn decode(frame: &[u8]) -> Result<Frame, Refusal> {
    let mut reader = Reader::new(frame);
    let refuse = |nonce, op| Refusal { nonce, op, status: TimerStatus::InvalidArgs };
    let Some([m0, m1, version, op]) = reader.array() else { return Err(refuse(0, Op::Cancel)) };
    let known = Op::from_raw(op).filter(|_| [m0, m1] == MAGIC && version == VERSION);
    let op = known.unwrap_or(Op::Cancel);
    let Some(nonce) = reader.u32() else { return Err(refuse(0, op)) };
    if known.is_none() {
        return Err(refuse(nonce, op));
    }
    let request = read(op, &mut reader).filter(|_| reader.end().is_some());
    request.map(|request| Frame { nonce, request }).ok_or(refuse(nonce, op))
}

fn read(op: Op, body: &mut Reader<'_>) -> Option<Request> {
    Some(match op {
        Op::Cancel => Request::Cancel { timer: TimerId(body.u32()?) },
        Op::Register => {
            let (qos, deadline) = read_deadline(body)?;
            Request::Register { qos, deadline }
        }
        Op::SleepUntil => {
            let (qos, deadline) = read_deadline(body)?;
            Request::SleepUntil { qos, deadline }
        }
    })
}

fn read_deadline(body: &mut Reader<'_>) -> Option<(Qos, Mono)> {
    let [qos, pad] = body.array()?;
    let qos = Qos::from_raw(qos).filter(|_| pad == 0)?;
    Some((qos, Mono(body.u64()?)))
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode<'b>(frame: &Frame, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    let [m0, m1] = MAGIC;
    writer.bytes(&[m0, m1, VERSION, frame.request.op().raw()]);
    writer.u32(frame.nonce);
    match frame.request {
        Request::Cancel { timer } => writer.u32(timer.0),
        Request::Register { qos, deadline } | Request::SleepUntil { qos, deadline } => {
            writer.bytes(&[qos.raw(), 0]);
            writer.u64(deadline.0);
        }
    }
    writer.finish()
}

/// Encodes a reply that says `ok`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode_reply<'b>(
    nonce: u32,
    reply: &Reply,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    write_reply(nonce, TimerStatus::Ok, reply, out)
}

/// Encodes a refusal.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode_refusal<'b>(refusal: &Refusal, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let Refusal { nonce, op, status } = *refusal;
    write_reply(nonce, status, &Reply::nothing(op), out)
}

fn write_reply<'b>(
    nonce: u32,
    status: TimerStatus,
    reply: &Reply,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    let [m0, m1] = MAGIC;
    writer.bytes(&[m0, m1, VERSION, reply.op().raw() | REPLY, status.raw()]);
    writer.u32(nonce);
    match reply {
        Reply::Registered { timer, coalesced } => {
            writer.u32(timer.0);
            writer.u64(coalesced.0);
        }
        Reply::Woken { at } => writer.u64(at.0),
        Reply::Cancelled => {}
    }
    writer.finish()
}

/// Decodes the reply to a request of `op` with that nonce; `None` if it is none.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(TimerStatus, Reply)> {
    let mut reader = Reader::new(frame);
    let [m0, m1, version, of, status] = reader.array()?;
    let is_ours = [m0, m1] == MAGIC && version == VERSION && of == op.raw() | REPLY;
    if !is_ours || reader.u32()? != nonce {
        return None;
    }
    let status = TimerStatus::from_raw(status)?;
    let reply = match op {
        Op::Register => {
            Reply::Registered { timer: TimerId(reader.u32()?), coalesced: Mono(reader.u64()?) }
        }
        Op::Cancel => Reply::Cancelled,
        Op::SleepUntil => Reply::Woken { at: Mono(reader.u64()?) },
    };
    reader.end().map(|()| (status, reply))
}
