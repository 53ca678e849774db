//! Frames of execd, version 1: programs started from bundles.
//!
//! Request: `'E' 'X' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce and, where something was asked for and done, a body.

use nexus_bounded::Mono;

use crate::EncodeError;
use crate::bundles::{BUNDLE_NAME_BYTES_MAX, BundleName};
use crate::bytes::{Reader, Writer};
use crate::head::{self, Echo, REPLY_HEAD_BYTES};
use crate::list::ListWriter;
use crate::numbers::{numbers, vocabulary};

const MAGIC: [u8; 2] = *b"EX";

/// Bytes of the longest request.
pub const REQUEST_BYTES_MAX: usize = 9 + BUNDLE_NAME_BYTES_MAX;
/// Bytes of the answer to START.
pub const STARTED_BYTES: usize = REPLY_HEAD_BYTES + 4;

numbers! {
    /// What can be asked of execd.
    Op {
        /// Starts what a bundle holds.
        Start = 1,
        /// Ends what the sender had started.
        Kill = 2,
        /// What runs.
        List = 3,
    }
}

vocabulary! {
    /// What execd answers.
    ExecStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// A name is too long, or as many processes run as may. Try when one has ended.
        OverLimit = 2 "over_limit",
        /// No bundle has that name, or nothing of the sender's runs under that number.
        NotFound = 3 "not_found",
        /// The policy does not allow it, to the sender or to the program, or could not be asked.
        Denied = 4 "denied",
        /// What came is not the bundle that was announced.
        Corrupt = 5 "corrupt",
        /// bundlemgrd is not there, or did not answer.
        FetchFailed = 6 "fetch_failed",
        /// The program cannot be loaded here.
        LoadFailed = 7 "load_failed",
        /// The kernel did not start it.
        StartFailed = 8 "start_failed",
        /// Others have to be answered first. Repeat it.
        Busy = 9 "busy",
    }
}

/// A decoded request to execd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// START.
    Start {
        /// The bundle.
        name: BundleName<'a>,
    },
    /// KILL.
    Kill {
        /// The process.
        pid: u32,
    },
    /// LIST.
    List,
}

/// A decoded request.
pub type Frame<'a> = head::Frame<Request<'a>>;
/// A refused one.
pub type Refusal = head::Refusal<ExecStatus>;

/// A process in the answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running<'a> {
    /// Its number.
    pub pid: u32,
    /// When it was started.
    pub since: Mono,
    /// Its bundle.
    pub name: BundleName<'a>,
}

/// Answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListReply<'a>(&'a [u8]);

/// A decoded reply of execd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// Nothing but a status.
    Plain,
    /// START: the process.
    Started {
        /// Its number.
        pid: u32,
    },
    /// LIST.
    List(ListReply<'a>),
}

impl Request<'_> {
    /// What is asked.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Start { .. } => Op::Start,
            Self::Kill { .. } => Op::Kill,
            Self::List => Op::List,
        }
    }
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for a length beyond its bound (checked before anything behind it),
/// else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    const SHORT: ExecStatus = ExecStatus::InvalidArgs;
    let (echo, mut body) =
        head::read(MAGIC, frame).map_err(|echo| Refusal { echo, status: SHORT })?;
    let request = Op::from_raw(echo.op).ok_or(SHORT).and_then(|op| match op {
        Op::Start => read_name(&mut body).map(|name| Request::Start { name }),
        Op::Kill => body.u32().map(|pid| Request::Kill { pid }).ok_or(SHORT),
        Op::List => Ok(Request::List),
    });
    match request {
        Ok(request) if body.end().is_some() => Ok(Frame { echo, request }),
        Ok(_) => Err(Refusal { echo, status: SHORT }),
        Err(status) => Err(Refusal { echo, status }),
    }
}

fn read_name<'a>(from: &mut Reader<'a>) -> Result<BundleName<'a>, ExecStatus> {
    let len = usize::from(from.u8().ok_or(ExecStatus::InvalidArgs)?);
    if len > BUNDLE_NAME_BYTES_MAX {
        return Err(ExecStatus::OverLimit);
    }
    from.str(len).and_then(BundleName::new).ok_or(ExecStatus::InvalidArgs)
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = head::write(MAGIC, Echo { op: request.op().raw(), nonce }, out);
    match *request {
        Request::Start { name } => {
            writer.len8(name.as_str().as_bytes());
            writer.bytes(name.as_str().as_bytes());
        }
        Request::Kill { pid } => writer.u32(pid),
        Request::List => {}
    }
    writer.finish()
}

/// A reply without a body.
#[must_use]
pub const fn plain_reply(echo: Echo, status: ExecStatus) -> [u8; REPLY_HEAD_BYTES] {
    head::reply(MAGIC, echo, status.raw())
}

fn begin(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(Echo { op: op.raw(), nonce }, ExecStatus::Ok));
    writer
}

/// The answer to START: the process's number.
#[must_use]
pub fn started_reply(pid: u32, nonce: u32) -> [u8; STARTED_BYTES] {
    let head = plain_reply(Echo { op: Op::Start.raw(), nonce }, ExecStatus::Ok);
    let mut reply = [0; STARTED_BYTES];
    for (to, from) in reply.iter_mut().zip(head.into_iter().chain(pid.to_le_bytes())) {
        *to = from;
    }
    reply
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(ExecStatus, Reply<'_>)> {
    let (status, mut reader) = head::read_reply(MAGIC, Echo { op: op.raw(), nonce }, frame)?;
    let status = ExecStatus::from_raw(status)?;
    let reply = match op {
        _ if status != ExecStatus::Ok => Reply::Plain,
        Op::Start => Reply::Started { pid: reader.u32()? },
        Op::List => Reply::List(ListReply::read(&mut reader)?),
        Op::Kill => Reply::Plain,
    };
    reader.end()?;
    Some((status, reply))
}

impl<'a> Running<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (pid, since, len) = (from.u32()?, Mono(from.u64()?), usize::from(from.u8()?));
        Some(Self { pid, since, name: BundleName::new(from.str(len)?)? })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.u32(self.pid);
        to.u64(self.since.0);
        to.len8(self.name.as_str().as_bytes());
        to.bytes(self.name.as_str().as_bytes());
    }
}

impl<'a> ListReply<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let count = from.u16()?;
        let running = from.rest();
        for _ in 0..count {
            Running::read(from)?;
        }
        Some(Self(running))
    }

    /// The processes.
    pub fn running(&self) -> impl Iterator<Item = Running<'a>> {
        let mut rest = Reader::new(self.0);
        core::iter::from_fn(move || Running::read(&mut rest))
    }
}

/// Writes the answer to a LIST.
#[derive(Debug)]
pub struct RunningWriter<'a>(ListWriter<'a>);

impl<'a> RunningWriter<'a> {
    /// A reply at the front of `out` that names nothing yet.
    #[must_use]
    pub fn new(nonce: u32, out: &'a mut [u8]) -> Self {
        Self(ListWriter::begin(begin(Op::List, nonce, out)))
    }

    /// Names a process; `false` and nothing when it does not fit.
    pub fn process(&mut self, process: &Running<'_>) -> bool {
        self.0.entry(|writer| process.write(writer))
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer was too short for a reply.
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        self.0.finish(|_| {})
    }
}
