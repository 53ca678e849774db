//! Records that the log has given back and that the recorder has not taken yet.

use nexus_wire::FILE_BYTES_MAX;

use crate::bytes::{Buffer, Put, Reader};
use crate::wal::Place;

/// Bytes in front of a record: its length and its place.
const PREFIX_BYTES: usize = 4 + 8 + 8;

/// Fewest bytes of a record in the log, with its length.
const RECORD_BYTES_MIN: usize = 8;

/// As many as come with one answer of statefsd's, and one that began before it.
pub(super) struct Backlog {
    bytes: Buffer,
    /// Bytes of those that are taken.
    taken: usize,
}

impl Backlog {
    pub(super) fn new(record_bytes: u32) -> Self {
        Self { bytes: Buffer::new(Self::memory(record_bytes)), taken: 0 }
    }

    pub(super) const fn memory(record_bytes: u32) -> usize {
        let records = FILE_BYTES_MAX / RECORD_BYTES_MIN + 2;
        FILE_BYTES_MAX + 2 * record_bytes as usize + records * PREFIX_BYTES
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }

    /// Adds a record behind the others; `false` if there is no room.
    pub(super) fn push(&mut self, place: Place, record: &[u8]) -> bool {
        if self.is_empty() {
            self.clear();
        }
        let has_room = self.bytes.room() >= PREFIX_BYTES + record.len();
        if has_room {
            self.bytes.u32(record.len() as u32);
            self.bytes.u64(place.sequence);
            self.bytes.u64(place.position);
            self.bytes.bytes(record);
        }
        has_room
    }

    /// The next record.
    pub(super) fn first(&self) -> Option<(Place, &[u8])> {
        let mut bytes = Reader::new(self.bytes.as_slice().get(self.taken..)?);
        let (len, sequence, position) = (bytes.u32()?, bytes.u64()?, bytes.u64()?);
        Some((Place { sequence, position }, bytes.bytes(len as usize)?))
    }

    /// The next record is taken.
    pub(super) fn pop(&mut self) {
        let len = self.first().map_or(0, |(_, record)| PREFIX_BYTES + record.len());
        self.taken += len;
    }
}
