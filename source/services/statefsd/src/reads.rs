//! Requests that only look. What lies in memory is answered at once, bytes on the disk when it has
//! brought them.

use nexus_port::{BlockOutcome, SECTOR_BYTES, World};
use nexus_wire::files::{
    FilesWriter, HelloReply, List, Listed, Op, Read, ReadWriter, StatReply, Target,
};
use nexus_wire::{FILE_BYTES_MAX, FileKind, FileStatus};
use statefs::{Entry, Found, Kind};

use crate::changes::status;
use crate::pending::{Pending, Reading, Waits};
use crate::service::{Answer, Asked, Statefsd, whole};

type Looked<'a> = Result<Answer<'a>, FileStatus>;

const fn kind(entry: &Entry) -> FileKind {
    match entry.kind {
        Kind::Log => FileKind::Log,
        Kind::Whole => FileKind::Whole,
    }
}

impl Statefsd {
    pub(crate) fn hello<'a>(&self, asked: &Asked, out: &'a mut [u8]) -> Looked<'a> {
        let share = self.shares.get(asked.share);
        let reply = HelloReply {
            epoch: self.disk.epoch(&self.store),
            quota: share.bytes,
            used: self.store.used(asked.share.0).unwrap_or_default(),
            free: u64::from(self.store.free_sectors()) * SECTOR_BYTES as u64,
            refused: share.refused,
        };
        Ok(Answer::Frame(whole(reply.encode(asked.nonce, out))))
    }

    pub(crate) fn stat<'a>(
        &self,
        asked: &Asked,
        target: Target<'_>,
        out: &'a mut [u8],
    ) -> Looked<'a> {
        let (_, file) = self.target(asked, target)?;
        let entry = self.store.entry(file).ok_or(FileStatus::NotFound)?;
        let reply = StatReply { kind: kind(&entry), len: entry.len, capacity: entry.capacity };
        Ok(Answer::Frame(whole(reply.encode(asked.nonce, out))))
    }

    pub(crate) fn list<'a>(&self, asked: &Asked, list: List<'_>, out: &'a mut [u8]) -> Looked<'a> {
        let share = self.shares.get(asked.share);
        let (prefix, after) = (list.prefix.as_str(), list.after.as_str());
        let full = share.full(prefix);
        let mut writer = FilesWriter::new(asked.nonce, out);
        let mut more = false;
        for entry in self.store.list(full.as_str()) {
            let Some(name) = share.own(entry.name.as_str()) else { continue };
            let file = Listed { name, kind: kind(&entry), len: entry.len };
            if name.as_str() > after && !writer.file(&file) {
                more = true;
                break;
            }
        }
        Ok(Answer::Frame(whole(writer.finish(more))))
    }

    pub(crate) fn read<'a>(
        &mut self,
        asked: &Asked,
        read: Read<'_>,
        out: &'a mut [u8],
    ) -> Looked<'a> {
        let target = Target { name: read.name, draft: read.draft };
        let (_, file) = self.target(asked, target)?;
        let len = self.store.entry(file).ok_or(FileStatus::NotFound)?.len;
        let max = u32::from(read.max).min(FILE_BYTES_MAX as u32);
        let mut writer = ReadWriter::new(asked.nonce, len, out);
        match self.store.locate(file, read.at, max).map_err(status)? {
            Found::End => {}
            Found::Memory(bytes) => writer.bytes(bytes),
            Found::Disk(span) => {
                return self.wait(asked, Waits::ToRead(Reading { file, len, span }));
            }
        }
        Ok(Answer::Frame(whole(writer.finish())))
    }

    /// The disk has brought, or has not, what somebody wants to read.
    pub(crate) fn read_ended(
        &mut self,
        pending: &Pending,
        reading: &Reading,
        outcome: BlockOutcome<'_>,
        world: &mut impl World,
    ) {
        let mut out = self.take_reply();
        let result = self.bytes_of(pending.nonce, reading, outcome, &mut out).map(Some);
        self.conclude(pending, Op::Read, result, world);
        self.give_reply(out);
    }

    /// The bytes as far as they are whole.
    fn bytes_of<'a>(
        &self,
        nonce: u32,
        reading: &Reading,
        outcome: BlockOutcome<'_>,
        out: &'a mut [u8],
    ) -> Result<&'a [u8], FileStatus> {
        let BlockOutcome::Read(bytes) = outcome else { return Err(FileStatus::IoError) };
        let mut pieces = reading.span.pieces(bytes).map_while(Result::ok).peekable();
        if pieces.peek().is_none() {
            return Err(self.why_damaged(reading));
        }
        let mut writer = ReadWriter::new(nonce, reading.len, out);
        pieces.for_each(|piece| writer.bytes(piece));
        Ok(whole(writer.finish()))
    }

    /// A file that was deleted meanwhile is no damage: others may lie there now.
    fn why_damaged(&self, reading: &Reading) -> FileStatus {
        let is_there = self.store.entry(reading.file).is_some();
        if is_there { FileStatus::Damaged } else { FileStatus::NotFound }
    }
}
