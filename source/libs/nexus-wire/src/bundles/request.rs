use super::{BUNDLE_NAME_BYTES_MAX, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, MAGIC, Op};
use crate::EncodeError;
use crate::bytes::{Reader, Writer};
use crate::head::{self, Echo};

/// What is answered to everything malformed.
const SHORT: BundleStatus = BundleStatus::InvalidArgs;

/// A decoded request to bundlemgrd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// LIST.
    List {
        /// Only those behind this name; `None`: from the first on.
        after: Option<BundleName<'a>>,
    },
    /// QUERY.
    Query {
        /// Of which.
        name: BundleName<'a>,
    },
    /// BEGIN.
    Begin {
        /// What it will be called.
        name: BundleName<'a>,
        /// Bytes of all of it.
        size: u32,
    },
    /// BRING.
    Bring {
        /// How many have come before.
        at: u32,
        /// The next ones, at most [`BUNDLE_PIECE_BYTES_MAX`].
        bytes: &'a [u8],
    },
    /// COMMIT.
    Commit,
    /// GIVE_UP.
    GiveUp,
    /// FETCH.
    Fetch {
        /// Of which.
        name: BundleName<'a>,
        /// The first of them.
        at: u32,
        /// How many at most; more than [`BUNDLE_PIECE_BYTES_MAX`] never come at a time.
        max: u16,
    },
    /// REMOVE.
    Remove {
        /// Which.
        name: BundleName<'a>,
    },
}

/// A decoded request.
pub type Frame<'a> = head::Frame<Request<'a>>;
/// A refused one.
pub type Refusal = head::Refusal<BundleStatus>;

impl Request<'_> {
    /// What is asked.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::List { .. } => Op::List,
            Self::Query { .. } => Op::Query,
            Self::Begin { .. } => Op::Begin,
            Self::Bring { .. } => Op::Bring,
            Self::Commit => Op::Commit,
            Self::GiveUp => Op::GiveUp,
            Self::Fetch { .. } => Op::Fetch,
            Self::Remove { .. } => Op::Remove,
        }
    }
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for a length beyond its bound (checked before anything behind it),
/// else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let (echo, mut body) =
        head::read(MAGIC, frame).map_err(|echo| Refusal { echo, status: SHORT })?;
    let request = Op::from_raw(echo.op).ok_or(SHORT).and_then(|op| read(op, &mut body));
    match request {
        Ok(request) if body.end().is_some() => Ok(Frame { echo, request }),
        Ok(_) => Err(Refusal { echo, status: SHORT }),
        Err(status) => Err(Refusal { echo, status }),
    }
}

fn read<'a>(op: Op, from: &mut Reader<'a>) -> Result<Request<'a>, BundleStatus> {
    Ok(match op {
        Op::List => Request::List { after: read_after(from)? },
        Op::Query => Request::Query { name: read_name(from)? },
        Op::Remove => Request::Remove { name: read_name(from)? },
        Op::Commit => Request::Commit,
        Op::GiveUp => Request::GiveUp,
        Op::Begin => {
            let len = read_len(from)?;
            let size = from.u32().ok_or(SHORT)?;
            Request::Begin { size, name: read_text(len, from)? }
        }
        Op::Fetch => {
            let len = read_len(from)?;
            let (at, max) = (from.u32().ok_or(SHORT)?, from.u16().ok_or(SHORT)?);
            Request::Fetch { at, max, name: read_text(len, from)? }
        }
        Op::Bring => {
            let (at, len) = (from.u32().ok_or(SHORT)?, from.u16().ok_or(SHORT)?.into());
            if len > BUNDLE_PIECE_BYTES_MAX {
                return Err(BundleStatus::OverLimit);
            }
            Request::Bring { at, bytes: from.bytes(len).ok_or(SHORT)? }
        }
    })
}

fn read_len(from: &mut Reader<'_>) -> Result<usize, BundleStatus> {
    let len = usize::from(from.u8().ok_or(SHORT)?);
    if len <= BUNDLE_NAME_BYTES_MAX { Ok(len) } else { Err(BundleStatus::OverLimit) }
}

fn read_text<'a>(len: usize, from: &mut Reader<'a>) -> Result<BundleName<'a>, BundleStatus> {
    from.str(len).and_then(BundleName::new).ok_or(SHORT)
}

fn read_name<'a>(from: &mut Reader<'a>) -> Result<BundleName<'a>, BundleStatus> {
    let len = read_len(from)?;
    read_text(len, from)
}

fn read_after<'a>(from: &mut Reader<'a>) -> Result<Option<BundleName<'a>>, BundleStatus> {
    let len = read_len(from)?;
    if len == 0 { Ok(None) } else { read_text(len, from).map(Some) }
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or more bytes shall be brought than a frame may carry.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = head::write(MAGIC, Echo { op: request.op().raw(), nonce }, out);
    match *request {
        Request::List { after } => write_name(after.map_or("", BundleName::as_str), &mut writer),
        Request::Query { name } | Request::Remove { name } => {
            write_name(name.as_str(), &mut writer);
        }
        Request::Begin { name, size } => {
            writer.len8(name.as_str().as_bytes());
            writer.u32(size);
            writer.bytes(name.as_str().as_bytes());
        }
        Request::Bring { at, bytes } => {
            writer.require(bytes.len() <= BUNDLE_PIECE_BYTES_MAX);
            writer.u32(at);
            writer.len16(bytes);
            writer.bytes(bytes);
        }
        Request::Fetch { name, at, max } => {
            writer.len8(name.as_str().as_bytes());
            writer.u32(at);
            writer.u16(max);
            writer.bytes(name.as_str().as_bytes());
        }
        Request::Commit | Request::GiveUp => {}
    }
    writer.finish()
}

fn write_name(name: &str, to: &mut Writer<'_>) {
    to.len8(name.as_bytes());
    to.bytes(name.as_bytes());
}
