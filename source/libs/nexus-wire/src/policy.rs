//! Frames of policyd, version 1: who may do what.
//!
//! Request: `'P' 'O' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce, then the decision. A refusal allows nothing.

use nexus_abi::ServiceId;

use crate::bundles::{BUNDLE_NAME_BYTES_MAX, BundleName};
use crate::bytes::{Reader, Writer};
use crate::numbers::{numbers, vocabulary};
use crate::{EncodeError, OBJECT_BYTES_MAX};

const MAGIC: [u8; 2] = *b"PO";
const VERSION: u8 = 1;
const REPLY: u8 = 0x80;

/// Bytes of the longest request.
pub const REQUEST_BYTES_MAX: usize = 18 + OBJECT_BYTES_MAX;
/// Bytes of a reply.
pub const REPLY_BYTES: usize = 10;

numbers! {
    /// What can be asked of policyd.
    Op {
        /// Whether somebody may do something.
        Check = 1,
    }
}

vocabulary! {
    /// Whether policyd could decide.
    PolicyStatus {
        /// It has decided.
        Ok = 0 "ok",
        /// Malformed, or of an unknown operation or action. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// The object is too long. Do not repeat it.
        OverLimit = 2 "over_limit",
    }
}

vocabulary! {
    /// What somebody may or may not do, and to what.
    Action {
        /// Have a bundle started.
        Spawn = 1 "spawn",
        /// Read the journal; to nothing.
        ReadLogs = 2 "read_logs",
        /// Read metrics; to nothing.
        ScrapeMetrics = 3 "scrape_metrics",
        /// Write a file.
        WriteState = 4 "write_state",
        /// Open a session with a service.
        OpenSession = 5 "open_session",
        /// Bring a bundle, or take it away.
        InstallBundle = 6 "install_bundle",
        /// Ask about others; to nothing.
        AskForOthers = 7 "ask_for_others",
    }
}

vocabulary! {
    /// What was decided. Everything but the first is a denial, and why.
    Decision {
        /// The policy grants it.
        Allowed = 0 "allowed",
        /// The policy does not grant it.
        NotGranted = 1 "not_granted",
        /// The policy knows nobody of that id.
        UnknownSubject = 2 "unknown_subject",
        /// Whoever asks may not ask about others.
        NotDelegate = 3 "not_delegate",
    }
}

/// What something is done to: at most 64 bytes of `[a-z0-9_./-]`, or nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// Nothing.
    pub const NONE: Self = Self("");

    /// `text`, if it is one.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let is_letter = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_./-".contains(&byte)
        };
        let is_legal = text.len() <= OBJECT_BYTES_MAX && text.bytes().all(is_letter);
        is_legal.then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> From<BundleName<'a>> for Object<'a> {
    /// The name of a bundle is the object of what is done to it.
    fn from(name: BundleName<'a>) -> Self {
        Self(name.as_str())
    }
}

const _: () = assert!(BUNDLE_NAME_BYTES_MAX <= OBJECT_BYTES_MAX, "every name is an object");

/// Whether somebody may do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check<'a> {
    /// Who.
    pub subject: ServiceId,
    /// What.
    pub action: Action,
    /// To what.
    pub object: Object<'a>,
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Chosen by the client, echoed in the reply.
    pub nonce: u32,
    /// What is asked.
    pub check: Check<'a>,
}

/// A frame that is refused, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Of the request; 0 if it is too short to have one.
    pub nonce: u32,
    /// What is wrong.
    pub status: PolicyStatus,
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for an object beyond its bound (checked before anything behind it),
/// else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let mut reader = Reader::new(frame);
    let malformed = |nonce| Refusal { nonce, status: PolicyStatus::InvalidArgs };
    let (head, nonce) = (reader.array(), reader.u32());
    let nonce = nonce.ok_or(malformed(0))?;
    let [m0, m1] = MAGIC;
    if head != Some([m0, m1, VERSION, Op::Check.raw()]) {
        return Err(malformed(nonce));
    }
    let check = read(&mut reader).map_err(|status| Refusal { nonce, status })?;
    Ok(Frame { nonce, check })
}

fn read<'a>(from: &mut Reader<'a>) -> Result<Check<'a>, PolicyStatus> {
    const SHORT: PolicyStatus = PolicyStatus::InvalidArgs;
    let subject = ServiceId::from_raw(from.u64().ok_or(SHORT)?);
    let action = from.u8().and_then(Action::from_raw).ok_or(SHORT)?;
    let len = usize::from(from.u8().ok_or(SHORT)?);
    if len > OBJECT_BYTES_MAX {
        return Err(PolicyStatus::OverLimit);
    }
    let object = from.str(len).and_then(Object::new).ok_or(SHORT)?;
    from.end().map(|()| Check { subject, action, object }).ok_or(SHORT)
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode<'b>(frame: &Frame<'_>, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let Frame { nonce, check: Check { subject, action, object } } = *frame;
    let mut writer = Writer::new(out);
    writer.bytes(&MAGIC);
    writer.bytes(&[VERSION, Op::Check.raw()]);
    writer.u32(nonce);
    writer.u64(subject.raw());
    writer.u8(action.raw());
    writer.len8(object.as_str().as_bytes());
    writer.bytes(object.as_str().as_bytes());
    writer.finish()
}

/// The bytes of a reply with a decision.
#[must_use]
pub const fn reply(nonce: u32, decision: Decision) -> [u8; REPLY_BYTES] {
    bytes_of_reply(nonce, PolicyStatus::Ok, decision)
}

/// The bytes of a refusal: what it says in the place of a decision is a denial.
#[must_use]
pub const fn refusal(refusal: Refusal) -> [u8; REPLY_BYTES] {
    bytes_of_reply(refusal.nonce, refusal.status, Decision::NotGranted)
}

const fn bytes_of_reply(nonce: u32, status: PolicyStatus, decision: Decision) -> [u8; REPLY_BYTES] {
    let ([m0, m1], [n0, n1, n2, n3]) = (MAGIC, nonce.to_le_bytes());
    let op = Op::Check.raw() | REPLY;
    [m0, m1, VERSION, op, status.raw(), n0, n1, n2, n3, decision.raw()]
}

/// Decodes the reply to the request with that nonce; `None` if it is none.
#[must_use]
pub fn decode_reply(nonce: u32, frame: &[u8]) -> Option<Result<Decision, PolicyStatus>> {
    let mut reader = Reader::new(frame);
    let [m0, m1] = MAGIC;
    let is_ours = reader.array() == Some([m0, m1, VERSION, Op::Check.raw() | REPLY]);
    let status = PolicyStatus::from_raw(reader.u8()?)?;
    if !is_ours || reader.u32()? != nonce {
        return None;
    }
    let decision = Decision::from_raw(reader.u8()?)?;
    reader.end()?;
    match status {
        PolicyStatus::Ok => Some(Ok(decision)),
        refused if decision == Decision::NotGranted => Some(Err(refused)),
        _ => None,
    }
}
