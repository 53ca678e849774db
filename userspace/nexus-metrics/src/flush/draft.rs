use nexus_wire::SeriesId;
use nexus_wire::metrics::{BatchWriter, Item};

use super::outbox::Content;

/// A BATCH in the making.
pub(super) struct Draft<'a> {
    writer: BatchWriter<'a>,
    /// It is still to say that its totals are what an earlier epoch was told.
    owes_earlier: bool,
    /// How many things it may still say, besides what its bytes allow.
    left: u32,
    content: Content,
}

impl<'a> Draft<'a> {
    pub(super) fn new(seq: u32, nonce: u32, items: u32, out: &'a mut [u8]) -> Self {
        let writer = BatchWriter::new(seq, nonce, out);
        Self { writer, owes_earlier: false, left: items, content: Content::default() }
    }

    /// One whose totals are what an earlier epoch was told; `items` is more than 1.
    pub(super) fn earlier(seq: u32, nonce: u32, items: u32, out: &'a mut [u8]) -> Self {
        // The place for saying so: as many values as there may be leave bytes for it.
        Self { owes_earlier: true, ..Self::new(seq, nonce, items - 1, out) }
    }

    fn say_earlier(&mut self) {
        if core::mem::take(&mut self.owes_earlier) {
            let is_said = self.writer.item(&Item::Earlier);
            assert!(is_said, "values alone do not fill a frame");
        }
    }

    /// Appends a total or a gauge; `false` if the BATCH is full.
    pub(super) fn value(&mut self, series: SeriesId, value: u64) -> bool {
        let written = self.left > 0 && self.writer.value(series, value);
        self.left -= u32::from(written);
        self.content.totals += u64::from(written);
        written
    }

    /// Appends an item; `false` if the BATCH is full.
    pub(super) fn item(&mut self, item: &Item<'_>) -> bool {
        self.say_earlier();
        let written = self.left > 0 && self.writer.item(item);
        self.left -= u32::from(written);
        match item {
            Item::Histogram(_) | Item::Lost { .. } => self.content.totals += u64::from(written),
            Item::Recorded(_) | Item::Earlier => {}
            Item::Span(_) | Item::Open(_) | Item::Close(_) => {
                self.content.spans += u64::from(written);
            }
        }
        written
    }

    /// Its length and content; `None` if it says nothing.
    pub(super) fn finish(mut self) -> Option<(usize, Content)> {
        if self.writer.is_empty() {
            return None;
        }
        self.say_earlier();
        self.writer.finish().ok().map(|frame| (frame.len(), self.content))
    }
}
