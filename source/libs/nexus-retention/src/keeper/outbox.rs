//! Bytes on their way into a file, in pieces that fit a frame.

use nexus_wire::FILE_BYTES_MAX;

use crate::bytes::{Buffer, Put};

/// Bytes of a file that are not there yet, behind those that are.
pub(super) struct Outbox {
    bytes: Buffer,
    /// Bytes of the file that are there.
    there: u32,
}

impl Outbox {
    /// For whoever puts at most `most` bytes at a time.
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Buffer::new(Self::memory(most)), there: 0 }
    }

    pub(super) const fn memory(most: usize) -> usize {
        FILE_BYTES_MAX + most
    }

    /// The file begins anew.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.there = 0;
    }

    /// Whether more may be put.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes.len() < FILE_BYTES_MAX
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        assert!(self.has_room(), "a full piece goes first");
        self.bytes.bytes(bytes);
    }

    /// Bytes of the file, those on their way among them.
    pub(super) const fn len(&self) -> u64 {
        self.there as u64 + self.bytes.len() as u64
    }

    /// Bytes that are not there yet, and where in the file they begin.
    pub(super) fn rest(&self) -> (u32, &[u8]) {
        (self.there, self.bytes.as_slice())
    }

    /// The next piece and its place in the file. `all`: also one that does not fill a frame.
    pub(super) fn piece(&self, all: bool) -> Option<(u32, &[u8])> {
        let len = self.bytes.len().min(FILE_BYTES_MAX);
        let is_due = len == FILE_BYTES_MAX || (all && len > 0);
        let bytes = self.bytes.as_slice().get(..len).filter(|_| is_due)?;
        Some((self.there, bytes))
    }

    /// The piece of so many bytes is there.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.bytes.cut(0..bytes);
        self.there += bytes as u32;
    }

    /// Takes back what is behind `at` and not there yet; where the file goes on.
    pub(super) fn take_back(&mut self, at: u32) -> u32 {
        let kept = at.saturating_sub(self.there) as usize;
        self.bytes.truncate(kept);
        at.max(self.there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_fill_frames_and_the_last_one_does_not() {
        let mut outbox = Outbox::new(9000);
        outbox.put(&[1; 9000]);
        assert!(!outbox.has_room());
        let mut sizes = alloc::vec::Vec::new();
        while let Some((at, bytes)) = outbox.piece(false) {
            let len = bytes.len();
            sizes.push((at, len));
            outbox.arrived(len);
        }
        assert_eq!(sizes, [(0, 4040), (4040, 4040)]);
        assert_eq!(outbox.piece(true).map(|(at, bytes)| (at, bytes.len())), Some((8080, 920)));
        assert_eq!(outbox.len(), 9000);
    }

    #[test]
    fn what_is_there_is_not_taken_back() {
        let mut outbox = Outbox::new(9000);
        outbox.put(&[1; 5000]);
        outbox.arrived(4040);
        assert_eq!(outbox.take_back(4500), 4500);
        assert_eq!(outbox.len(), 4500);
        assert_eq!(outbox.take_back(100), 4040);
        assert_eq!(outbox.len(), 4040);
    }
}
