use alloc::boxed::Box;
use alloc::vec;

use nexus_port::SECTOR_BYTES;

use super::page::{PAYLOAD_BYTES, PageHead};
use crate::sector::Sector;
use nexus_bounded::bytes::{Reader, Slot};

/// One record while it is made, written or read. Its memory is taken once.
pub(crate) struct Record {
    payload: Box<[u8]>,
    len: usize,
    pages: Box<[Sector]>,
}

impl Record {
    /// A record of at most `pages` pages.
    pub(crate) fn new(pages: u32) -> Self {
        let pages = pages as usize;
        Self {
            payload: vec![0; pages * PAYLOAD_BYTES].into_boxed_slice(),
            len: 0,
            pages: vec![[0; SECTOR_BYTES]; pages].into_boxed_slice(),
        }
    }

    pub(crate) const fn bytes(pages: u32) -> usize {
        pages as usize * (PAYLOAD_BYTES + SECTOR_BYTES)
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds what `write` writes.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Slot<'_>)) {
        let mut writer = Slot::new(self.payload.get_mut(self.len..).unwrap_or_default());
        write(&mut writer);
        self.len += writer.len();
    }

    /// Adds what a page holds; `false` if a record is never so long.
    pub(crate) fn add_page(&mut self, payload: &[u8]) -> bool {
        let Some(place) = self.payload.get_mut(self.len..self.len + payload.len()) else {
            return false;
        };
        place.copy_from_slice(payload);
        self.len += payload.len();
        true
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(self.payload.get(..self.len).unwrap_or_default())
    }

    /// Pages that it takes. An empty one takes one too: that of an empty store.
    pub(crate) const fn pages(&self) -> u32 {
        let pages = self.len.div_ceil(PAYLOAD_BYTES) as u32;
        if pages == 0 { 1 } else { pages }
    }

    /// Makes its pages; the first is `head`.
    pub(crate) fn seal(&mut self, generation: u32, head: PageHead) {
        let count = self.pages();
        let payload = self.payload.get(..self.len).unwrap_or_default();
        let chunks = payload.chunks(PAYLOAD_BYTES).chain(payload.is_empty().then_some(payload));
        for ((chunk, page), at) in chunks.zip(&mut self.pages).zip(0..) {
            let is_last = at + 1 == count;
            let head = PageHead { position: head.position + at, is_last, ..head };
            head.seal(generation, chunk, page);
        }
    }

    /// Some of its sealed pages.
    pub(crate) fn sealed(&self, from: u32, count: u32) -> &[u8] {
        let pages = self.pages.get(from as usize..(from + count) as usize);
        pages.unwrap_or_default().as_flattened()
    }
}
