use crate::bytes::{Reader, Writer};
use crate::files::{FileName, FilePrefix, Op};
use crate::{FILE_BYTES_MAX, FILE_NAME_BYTES_MAX, FileStatus};

/// What is answered to everything malformed.
const SHORT: FileStatus = FileStatus::InvalidArgs;

/// A file, or the draft of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// Its name; of a draft, the one it will have.
    pub name: FileName<'a>,
    /// Whether the draft of that name is meant.
    pub draft: bool,
}

/// A file to be begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewFile<'a> {
    /// Its name.
    pub name: FileName<'a>,
    /// Bytes that it may grow to; room for them is reserved at once.
    pub capacity: u32,
}

/// Bytes to be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Append<'a> {
    /// To what.
    pub to: Target<'a>,
    /// How long it is, as the asker knows: so a repeat adds nothing.
    pub at: u32,
    /// The bytes, at most [`FILE_BYTES_MAX`].
    pub bytes: &'a [u8],
}

/// Bytes to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read<'a> {
    /// Of which file.
    pub name: FileName<'a>,
    /// Whether it is a draft of the asker's own.
    pub draft: bool,
    /// The first of them.
    pub at: u32,
    /// How many at most; more than [`FILE_BYTES_MAX`] never come at a time.
    pub max: u16,
}

/// A file to be written whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replace<'a> {
    /// Its name.
    pub name: FileName<'a>,
    /// What it shall hold, at most [`FILE_BYTES_MAX`].
    pub bytes: &'a [u8],
}

/// Files to be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List<'a> {
    /// How their names begin.
    pub prefix: FilePrefix<'a>,
    /// Only those behind this name, bytewise; empty: from the first on.
    pub after: FilePrefix<'a>,
}

/// A decoded request to statefsd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// HELLO.
    Hello,
    /// STAT.
    Stat(Target<'a>),
    /// LIST.
    List(List<'a>),
    /// READ.
    Read(Read<'a>),
    /// CREATE.
    Create(NewFile<'a>),
    /// DRAFT.
    Draft(NewFile<'a>),
    /// APPEND.
    Append(Append<'a>),
    /// FINISH.
    Finish(Target<'a>),
    /// REPLACE.
    Replace(Replace<'a>),
    /// DELETE.
    Delete(Target<'a>),
    /// SYNC.
    Sync {
        /// Of HELLO: in another one, something of what was done is lost.
        epoch: u64,
    },
}

impl<'a> Request<'a> {
    /// What is asked.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Hello => Op::Hello,
            Self::Stat(_) => Op::Stat,
            Self::List(_) => Op::List,
            Self::Read(_) => Op::Read,
            Self::Create(_) => Op::Create,
            Self::Draft(_) => Op::Draft,
            Self::Append(_) => Op::Append,
            Self::Finish(_) => Op::Finish,
            Self::Replace(_) => Op::Replace,
            Self::Delete(_) => Op::Delete,
            Self::Sync { .. } => Op::Sync,
        }
    }

    pub(super) fn read(op: Op, mut from: Reader<'a>) -> Result<Self, FileStatus> {
        let from = &mut from;
        let request = match op {
            Op::Hello => Self::Hello,
            Op::Stat => Self::Stat(read_target(from)?),
            Op::List => Self::List(read_list(from)?),
            Op::Read => Self::Read(read_read(from)?),
            Op::Create => Self::Create(read_new(from)?),
            Op::Draft => Self::Draft(read_new(from)?),
            Op::Append => Self::Append(read_append(from)?),
            Op::Finish => Self::Finish(read_target(from)?),
            Op::Replace => Self::Replace(read_replace(from)?),
            Op::Delete => Self::Delete(read_target(from)?),
            Op::Sync => Self::Sync { epoch: from.u64().ok_or(SHORT)? },
        };
        from.end().ok_or(SHORT)?;
        Ok(request)
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        match *self {
            Self::Hello => {}
            Self::Stat(target) | Self::Finish(target) | Self::Delete(target) => {
                write_target(target, to);
            }
            Self::List(List { prefix, after }) => {
                to.len8(prefix.as_str().as_bytes());
                to.len8(after.as_str().as_bytes());
                to.bytes(prefix.as_str().as_bytes());
                to.bytes(after.as_str().as_bytes());
            }
            Self::Read(Read { name, draft, at, max }) => {
                write_name_len(name, to);
                to.u8(u8::from(draft));
                to.u32(at);
                to.u16(max);
                write_name(name, to);
            }
            Self::Create(NewFile { name, capacity }) | Self::Draft(NewFile { name, capacity }) => {
                write_name_len(name, to);
                to.u32(capacity);
                write_name(name, to);
            }
            Self::Append(Append { to: Target { name, draft }, at, bytes }) => {
                write_name_len(name, to);
                to.u8(u8::from(draft));
                to.u32(at);
                write_bytes(name, bytes, to);
            }
            Self::Replace(Replace { name, bytes }) => {
                write_name_len(name, to);
                write_bytes(name, bytes, to);
            }
            Self::Sync { epoch } => to.u64(epoch),
        }
    }
}

fn write_name_len(name: FileName<'_>, to: &mut Writer<'_>) {
    to.len8(name.as_str().as_bytes());
}

fn write_name(name: FileName<'_>, to: &mut Writer<'_>) {
    to.bytes(name.as_str().as_bytes());
}

fn write_bytes(name: FileName<'_>, bytes: &[u8], to: &mut Writer<'_>) {
    to.require(bytes.len() <= FILE_BYTES_MAX);
    to.len16(bytes);
    write_name(name, to);
    to.bytes(bytes);
}

fn write_target(target: Target<'_>, to: &mut Writer<'_>) {
    write_name_len(target.name, to);
    to.u8(u8::from(target.draft));
    write_name(target.name, to);
}

/// The length of a name, which stands before it.
fn read_name_len(from: &mut Reader<'_>) -> Result<usize, FileStatus> {
    let len = usize::from(from.u8().ok_or(SHORT)?);
    let is_legal = len <= FILE_NAME_BYTES_MAX;
    if is_legal { Ok(len) } else { Err(FileStatus::OverLimit) }
}

fn read_bytes_len(from: &mut Reader<'_>) -> Result<usize, FileStatus> {
    let len = usize::from(from.u16().ok_or(SHORT)?);
    let is_legal = len <= FILE_BYTES_MAX;
    if is_legal { Ok(len) } else { Err(FileStatus::OverLimit) }
}

fn read_name<'a>(len: usize, from: &mut Reader<'a>) -> Result<FileName<'a>, FileStatus> {
    from.str(len).and_then(FileName::new).ok_or(SHORT)
}

fn read_prefix<'a>(len: usize, from: &mut Reader<'a>) -> Result<FilePrefix<'a>, FileStatus> {
    from.str(len).and_then(FilePrefix::new).ok_or(SHORT)
}

fn read_target<'a>(from: &mut Reader<'a>) -> Result<Target<'a>, FileStatus> {
    let len = read_name_len(from)?;
    let draft = from.flag().ok_or(SHORT)?;
    Ok(Target { draft, name: read_name(len, from)? })
}

fn read_list<'a>(from: &mut Reader<'a>) -> Result<List<'a>, FileStatus> {
    let (prefix, after) = (read_name_len(from)?, read_name_len(from)?);
    Ok(List { prefix: read_prefix(prefix, from)?, after: read_prefix(after, from)? })
}

fn read_read<'a>(from: &mut Reader<'a>) -> Result<Read<'a>, FileStatus> {
    let len = read_name_len(from)?;
    let draft = from.flag().ok_or(SHORT)?;
    let (at, max) = (from.u32().ok_or(SHORT)?, from.u16().ok_or(SHORT)?);
    Ok(Read { draft, at, max, name: read_name(len, from)? })
}

fn read_new<'a>(from: &mut Reader<'a>) -> Result<NewFile<'a>, FileStatus> {
    let len = read_name_len(from)?;
    let capacity = from.u32().ok_or(SHORT)?;
    Ok(NewFile { capacity, name: read_name(len, from)? })
}

fn read_append<'a>(from: &mut Reader<'a>) -> Result<Append<'a>, FileStatus> {
    let len = read_name_len(from)?;
    let (draft, at) = (from.flag().ok_or(SHORT)?, from.u32().ok_or(SHORT)?);
    let bytes = read_bytes_len(from)?;
    let to = Target { draft, name: read_name(len, from)? };
    Ok(Append { to, at, bytes: from.bytes(bytes).ok_or(SHORT)? })
}

fn read_replace<'a>(from: &mut Reader<'a>) -> Result<Replace<'a>, FileStatus> {
    let len = read_name_len(from)?;
    let bytes = read_bytes_len(from)?;
    let name = read_name(len, from)?;
    Ok(Replace { name, bytes: from.bytes(bytes).ok_or(SHORT)? })
}
