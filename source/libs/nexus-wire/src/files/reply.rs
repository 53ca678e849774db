use crate::bytes::{Reader, Writer};
use crate::files::{FileName, MAGIC, Op, REPLY, VERSION, begin_reply};
use crate::list::ListWriter;
use crate::{EncodeError, FILE_BYTES_MAX, FILE_NAME_BYTES_MAX, FileKind, FileStatus};

/// Answer to HELLO: which store this is, and how much of it is the asker's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct HelloReply {
    /// Another one means that all that was done and not synced is lost.
    pub epoch: u64,
    /// Bytes of the disk that its files may take.
    pub quota: u64,
    /// Bytes that they take now.
    pub used: u64,
    /// Bytes of the disk that nobody's files take.
    pub free: u64,
    /// Requests of the asker's that were refused, since statefsd's start.
    pub refused: u64,
}

/// Answer to STAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatReply {
    /// Whether it grows; a draft does.
    pub kind: FileKind,
    /// Bytes.
    pub len: u32,
    /// Bytes that it may grow to.
    pub capacity: u32,
}

/// Answer to READ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadReply<'a> {
    /// Bytes of the whole file now.
    pub len: u32,
    /// Those that were asked for, or the first of them: none only behind the file's end.
    pub bytes: &'a [u8],
}

/// A file in the answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed<'a> {
    /// Its name.
    pub name: FileName<'a>,
    /// Whether it grows.
    pub kind: FileKind,
    /// Bytes.
    pub len: u32,
}

/// Answer to LIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListReply<'a> {
    /// Whether there are more behind the last one.
    pub more: bool,
    files: &'a [u8],
}

/// A decoded reply of statefsd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// Nothing but a status.
    Plain,
    /// HELLO.
    Hello(HelloReply),
    /// STAT.
    Stat(StatReply),
    /// LIST.
    List(ListReply<'a>),
    /// READ.
    Read(ReadReply<'a>),
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(FileStatus, Reply<'_>)> {
    let mut reader = Reader::new(frame);
    let [m0, m1] = MAGIC;
    if reader.bytes(4)? != [m0, m1, VERSION, op.raw() | REPLY] {
        return None;
    }
    let status = FileStatus::from_raw(reader.u8()?)?;
    if reader.u32()? != nonce {
        return None;
    }
    let reply = match op {
        _ if status != FileStatus::Ok => Reply::Plain,
        Op::Hello => Reply::Hello(HelloReply::read(&mut reader)?),
        Op::Stat => Reply::Stat(StatReply::read(&mut reader)?),
        Op::List => Reply::List(ListReply::read(&mut reader)?),
        Op::Read => Reply::Read(ReadReply::read(&mut reader)?),
        _ => Reply::Plain,
    };
    reader.end()?;
    Some((status, reply))
}

impl HelloReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (epoch, quota, used) = (from.u64()?, from.u64()?, from.u64()?);
        Some(Self { epoch, quota, used, free: from.u64()?, refused: from.u64()? })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, nonce: u32, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut writer = begin_reply(Op::Hello, nonce, out);
        let Self { epoch, quota, used, free, refused } = *self;
        [epoch, quota, used, free, refused].into_iter().for_each(|number| writer.u64(number));
        writer.finish()
    }
}

impl StatReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let kind = FileKind::from_raw(from.u8()?)?;
        Some(Self { kind, len: from.u32()?, capacity: from.u32()? })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, nonce: u32, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut writer = begin_reply(Op::Stat, nonce, out);
        writer.u8(self.kind.raw());
        writer.u32(self.len);
        writer.u32(self.capacity);
        writer.finish()
    }
}

impl<'a> ReadReply<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (len, count) = (from.u32()?, usize::from(from.u16()?));
        let bytes = from.bytes(count)?;
        (count <= FILE_BYTES_MAX).then_some(Self { len, bytes })
    }
}

/// Writes the answer to a READ, whose bytes come piece by piece.
#[derive(Debug)]
pub struct ReadWriter<'a> {
    writer: Writer<'a>,
    count_at: usize,
    count: usize,
}

impl<'a> ReadWriter<'a> {
    /// A reply at the front of `out` that has no bytes yet. `len`: those of the whole file.
    #[must_use]
    pub fn new(nonce: u32, len: u32, out: &'a mut [u8]) -> Self {
        let mut writer = begin_reply(Op::Read, nonce, out);
        writer.u32(len);
        let count_at = writer.len();
        writer.u16(0);
        Self { writer, count_at, count: 0 }
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.writer.bytes(bytes);
        self.count += bytes.len();
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer is too short, or holds more than [`FILE_BYTES_MAX`] bytes.
    pub fn finish(mut self) -> Result<&'a [u8], EncodeError> {
        self.writer.require(self.count <= FILE_BYTES_MAX);
        self.writer.patch_u16(self.count_at, self.count as u16);
        self.writer.finish()
    }
}

impl<'a> Listed<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let len = usize::from(from.u8()?);
        let (kind, bytes) = (FileKind::from_raw(from.u8()?)?, from.u32()?);
        let name = FileName::new(from.str(len)?)?;
        Some(Self { name, kind, len: bytes })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.len8(self.name.as_str().as_bytes());
        to.u8(self.kind.raw());
        to.u32(self.len);
        to.bytes(self.name.as_str().as_bytes());
    }
}

impl<'a> ListReply<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (more, count) = (from.flag()?, from.u16()?);
        let files = from.rest();
        for _ in 0..count {
            Listed::read(from)?;
        }
        Some(Self { more, files })
    }

    /// The files, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = Listed<'a>> {
        let mut rest = Reader::new(self.files);
        core::iter::from_fn(move || Listed::read(&mut rest))
    }
}

/// Writes the answer to a LIST.
#[derive(Debug)]
pub struct FilesWriter<'a>(ListWriter<'a>);

const _: () = assert!(FILE_NAME_BYTES_MAX <= u8::MAX as usize, "a byte says how long a name is");

/// Where a LIST reply says whether there is more.
const MORE_AT: usize = super::REPLY_HEAD_BYTES;

impl<'a> FilesWriter<'a> {
    /// A reply at the front of `out` that names nothing yet.
    #[must_use]
    pub fn new(nonce: u32, out: &'a mut [u8]) -> Self {
        let mut writer = begin_reply(Op::List, nonce, out);
        writer.u8(0);
        Self(ListWriter::begin(writer))
    }

    /// Names a file; `false` and nothing when it does not fit.
    pub fn file(&mut self, file: &Listed<'_>) -> bool {
        self.0.entry(|writer| file.write(writer))
    }

    /// The frame. `more`: whether there are more files behind the last one.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer was too short for a reply.
    pub fn finish(self, more: bool) -> Result<&'a [u8], EncodeError> {
        self.0.finish(|writer| writer.patch_u8(MORE_AT, u8::from(more)))
    }
}
