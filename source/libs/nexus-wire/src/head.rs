//! The heads of the frames of bundlemgrd, execd, dsoftbusd and entropyd, which differ in their
//! magic only: request
//! `magic 1 op:u8 nonce:u32`, reply `magic 1 (op|0x80) status:u8 nonce:u32`.

use crate::bytes::{Reader, Writer};

pub(crate) const VERSION: u8 = 1;
const REPLY: u8 = 0x80;

/// Bytes of a reply that has no body.
pub(crate) const REPLY_HEAD_BYTES: usize = 9;

/// What of a request its reply echoes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    /// The operation as it came, known or not; 0 where the frame is too short or foreign.
    pub op: u8,
    /// Chosen by the client; 0 where the frame is too short or foreign.
    pub nonce: u32,
}

/// A decoded request, and what its reply echoes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<R> {
    /// What its reply echoes.
    pub echo: Echo,
    /// What is asked.
    pub request: R,
}

/// A frame that is refused for its shape, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<S> {
    /// What its reply echoes.
    pub echo: Echo,
    /// What is wrong.
    pub status: S,
}

/// The head of a request, and its body.
///
/// # Errors
/// What to echo to a frame that is too short, foreign or of another version.
pub(crate) fn read(magic: [u8; 2], frame: &[u8]) -> Result<(Echo, Reader<'_>), Echo> {
    let mut reader = Reader::new(frame);
    let (head, nonce) = (reader.array::<4>(), reader.u32());
    let (Some([m0, m1, version, op]), Some(nonce)) = (head, nonce) else {
        return Err(Echo { op: 0, nonce: 0 });
    };
    if [m0, m1] != magic {
        return Err(Echo { op: 0, nonce: 0 });
    }
    let echo = Echo { op, nonce };
    if version == VERSION { Ok((echo, reader)) } else { Err(echo) }
}

pub(crate) fn write(magic: [u8; 2], echo: Echo, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&magic);
    writer.bytes(&[VERSION, echo.op]);
    writer.u32(echo.nonce);
    writer
}

/// The head of a reply, which is all of a refusal.
pub(crate) const fn reply(magic: [u8; 2], echo: Echo, status: u8) -> [u8; REPLY_HEAD_BYTES] {
    let ([m0, m1], [n0, n1, n2, n3]) = (magic, echo.nonce.to_le_bytes());
    [m0, m1, VERSION, echo.op | REPLY, status, n0, n1, n2, n3]
}

/// The status of a reply to the request that had this head, and the reply's body.
pub(crate) fn read_reply(magic: [u8; 2], echo: Echo, frame: &[u8]) -> Option<(u8, Reader<'_>)> {
    let mut reader = Reader::new(frame);
    let [m0, m1, version, op, status] = reader.array()?;
    let is_ours = [m0, m1] == magic && version == VERSION && op == echo.op | REPLY;
    (is_ours && reader.u32()? == echo.nonce).then_some((status, reader))
}
