use nexus_abi::Rights;

use super::{
    BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundleVersion, DIGEST_BYTES, MAGIC, Op,
    Origin,
};
use crate::EncodeError;
use crate::bytes::{Reader, Writer};
use crate::head::{self, Echo, REPLY_HEAD_BYTES};
use crate::list::ListWriter;

/// What is known of a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info<'a> {
    /// Bytes of all of it.
    pub size: u32,
    /// KiB of memory that its program may take.
    pub memory_kib: u32,
    /// What its program has to be allowed.
    pub rights: Rights,
    /// Where it is.
    pub origin: Origin,
    /// Which it is.
    pub version: BundleVersion<'a>,
    /// What it starts.
    pub entry: BundleName<'a>,
    /// SHA-256 of all that stands before its digest.
    pub digest: [u8; DIGEST_BYTES],
}

/// Bytes of a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece<'a> {
    /// Bytes of all of it.
    pub size: u32,
    /// Those that were asked for, or the first of them: none only behind its end.
    pub bytes: &'a [u8],
}

/// A bundle in the answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed<'a> {
    /// Its name.
    pub name: BundleName<'a>,
    /// Which it is.
    pub version: BundleVersion<'a>,
    /// Where it is.
    pub origin: Origin,
    /// Bytes of all of it.
    pub size: u32,
}

/// Answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListReply<'a> {
    /// Whether there are more behind the last one.
    pub more: bool,
    bundles: &'a [u8],
}

/// A decoded reply of bundlemgrd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// Nothing but a status.
    Plain,
    /// LIST.
    List(ListReply<'a>),
    /// QUERY.
    Info(Info<'a>),
    /// FETCH.
    Piece(Piece<'a>),
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(BundleStatus, Reply<'_>)> {
    let (status, mut reader) = head::read_reply(MAGIC, Echo { op: op.raw(), nonce }, frame)?;
    let status = BundleStatus::from_raw(status)?;
    let reply = match op {
        _ if status != BundleStatus::Ok => Reply::Plain,
        Op::List => Reply::List(ListReply::read(&mut reader)?),
        Op::Query => Reply::Info(Info::read(&mut reader)?),
        Op::Fetch => Reply::Piece(Piece::read(&mut reader)?),
        _ => Reply::Plain,
    };
    reader.end()?;
    Some((status, reply))
}

/// A reply without a body.
#[must_use]
pub const fn plain_reply(echo: Echo, status: BundleStatus) -> [u8; REPLY_HEAD_BYTES] {
    head::reply(MAGIC, echo, status.raw())
}

fn begin(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(Echo { op: op.raw(), nonce }, BundleStatus::Ok));
    writer
}

/// Encodes the answer to QUERY to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode_info<'b>(
    info: &Info<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = begin(Op::Query, nonce, out);
    let (version, entry) = (info.version.as_str().as_bytes(), info.entry.as_str().as_bytes());
    writer.u32(info.size);
    writer.u32(info.memory_kib);
    writer.bytes(&[info.rights.raw(), info.origin.raw()]);
    writer.bytes(&info.digest);
    writer.len8(version);
    writer.len8(entry);
    writer.bytes(version);
    writer.bytes(entry);
    writer.finish()
}

/// Encodes the answer to FETCH to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or there are more bytes than a frame may carry.
pub fn encode_piece<'b>(
    piece: &Piece<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = begin(Op::Fetch, nonce, out);
    writer.require(piece.bytes.len() <= BUNDLE_PIECE_BYTES_MAX);
    writer.u32(piece.size);
    writer.len16(piece.bytes);
    writer.bytes(piece.bytes);
    writer.finish()
}

impl<'a> Info<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (size, memory_kib) = (from.u32()?, from.u32()?);
        let (rights, origin) = (Rights::from_raw(from.u8()?), Origin::from_raw(from.u8()?)?);
        let digest = from.array()?;
        let (version, entry) = (usize::from(from.u8()?), usize::from(from.u8()?));
        let version = BundleVersion::new(from.str(version)?)?;
        let entry = BundleName::new(from.str(entry)?)?;
        Some(Self { size, memory_kib, rights, origin, version, entry, digest })
    }
}

impl<'a> Piece<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (size, len) = (from.u32()?, usize::from(from.u16()?));
        let bytes = from.bytes(len)?;
        (len <= BUNDLE_PIECE_BYTES_MAX).then_some(Self { size, bytes })
    }
}

impl<'a> Listed<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (name, version) = (usize::from(from.u8()?), usize::from(from.u8()?));
        let (origin, size) = (Origin::from_raw(from.u8()?)?, from.u32()?);
        let name = BundleName::new(from.str(name)?)?;
        let version = BundleVersion::new(from.str(version)?)?;
        Some(Self { name, version, origin, size })
    }

    fn write(&self, to: &mut Writer<'_>) {
        let (name, version) = (self.name.as_str().as_bytes(), self.version.as_str().as_bytes());
        to.len8(name);
        to.len8(version);
        to.u8(self.origin.raw());
        to.u32(self.size);
        to.bytes(name);
        to.bytes(version);
    }
}

impl<'a> ListReply<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (more, count) = (from.flag()?, from.u16()?);
        let bundles = from.rest();
        for _ in 0..count {
            Listed::read(from)?;
        }
        Some(Self { more, bundles })
    }

    /// The bundles, in the order of their names.
    pub fn bundles(&self) -> impl Iterator<Item = Listed<'a>> {
        let mut rest = Reader::new(self.bundles);
        core::iter::from_fn(move || Listed::read(&mut rest))
    }
}

/// Writes the answer to a LIST.
#[derive(Debug)]
pub struct BundlesWriter<'a>(ListWriter<'a>);

impl<'a> BundlesWriter<'a> {
    /// A reply at the front of `out` that names nothing yet.
    #[must_use]
    pub fn new(nonce: u32, out: &'a mut [u8]) -> Self {
        let mut writer = begin(Op::List, nonce, out);
        writer.u8(0);
        Self(ListWriter::begin(writer))
    }

    /// Names a bundle; `false` and nothing when it does not fit.
    pub fn bundle(&mut self, bundle: &Listed<'_>) -> bool {
        self.0.entry(|writer| bundle.write(writer))
    }

    /// The frame. `more`: whether there are more behind the last one.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer was too short for a reply.
    pub fn finish(self, more: bool) -> Result<&'a [u8], EncodeError> {
        self.0.finish(|writer| writer.patch_u8(REPLY_HEAD_BYTES, u8::from(more)))
    }
}
