use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::FRAME_BYTES_MAX;

/// BATCHes that may be under way at a time.
const PARCELS: usize = 8;

/// BATCHes that were made and not yet acknowledged, kept byte by byte: what is sent again under
/// its number must be what was sent before.
pub(super) struct Outbox {
    parcels: Box<[Parcel]>,
    /// Number of the oldest parcel, or of the next one if there is none.
    first_seq: u32,
    kept: usize,
    /// How many of the kept have been sent on this connection since the last rewind.
    sent: usize,
}

struct Parcel {
    nonce: u32,
    bytes: Box<[u8]>,
    len: usize,
    content: Content,
}

/// A BATCH to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unsent<'a> {
    pub(super) nonce: u32,
    pub(super) bytes: &'a [u8],
}

/// How many things a BATCH, or several, say.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Content {
    /// Cumulative: a later BATCH says them again.
    pub(super) totals: u64,
    /// Starts, ends and whole spans: said once.
    pub(super) spans: u64,
}

impl Outbox {
    pub(super) fn new() -> Self {
        let parcel = || Parcel {
            nonce: 0,
            bytes: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            len: 0,
            content: Content::default(),
        };
        let parcels = (0..PARCELS).map(|_| parcel()).collect();
        Self { parcels, first_seq: 1, kept: 0, sent: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.kept == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.kept < self.parcels.len()
    }

    /// The number that the next BATCH gets.
    pub(super) const fn next_seq(&self) -> u32 {
        self.first_seq.wrapping_add(self.kept as u32)
    }

    /// Lets `write` make a BATCH, whose length and content it returns; `None`: there is nothing
    /// to say. Call only while there is room.
    pub(super) fn add(
        &mut self,
        nonce: u32,
        write: impl FnOnce(&mut [u8]) -> Option<(usize, Content)>,
    ) {
        let next = self.place(self.kept);
        let Some(parcel) = self.parcels.get_mut(next) else { return };
        if let Some((len, content)) = write(&mut parcel.bytes) {
            parcel.nonce = nonce;
            parcel.len = len;
            parcel.content = content;
            self.kept += 1;
        }
    }

    /// The oldest BATCH that was not sent yet.
    pub(super) fn unsent(&self) -> Option<Unsent<'_>> {
        if self.sent == self.kept {
            return None;
        }
        let parcel = self.parcels.get(self.place(self.sent))?;
        Some(Unsent { nonce: parcel.nonce, bytes: parcel.bytes.get(..parcel.len)? })
    }

    pub(super) const fn note_sent(&mut self) {
        self.sent += 1;
    }

    /// Everything that is kept has to be sent again.
    pub(super) const fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Everything up to `seq` has been applied: how many BATCHes that confirms, or `None` if it
    /// cannot be.
    pub(super) fn acknowledge(&mut self, seq: u32) -> Option<usize> {
        let confirmed = seq.wrapping_sub(self.first_seq).wrapping_add(1) as usize;
        if confirmed > self.kept {
            return None;
        }
        self.first_seq = self.first_seq.wrapping_add(confirmed as u32);
        self.kept -= confirmed;
        self.sent = self.sent.saturating_sub(confirmed);
        Some(confirmed)
    }

    /// Forgets everything and counts from 1 again. Returns what the forgotten said.
    pub(super) fn reset(&mut self) -> Content {
        let mut content = Content::default();
        for at in 0..self.kept {
            if let Some(parcel) = self.parcels.get(self.place(at)) {
                content.totals += parcel.content.totals;
                content.spans += parcel.content.spans;
            }
        }
        (self.first_seq, self.kept, self.sent) = (1, 0, 0);
        content
    }

    /// Where the parcel `at` places behind the oldest lies. Numbers wrap at a multiple of the
    /// number of places.
    fn place(&self, at: usize) -> usize {
        (self.first_seq as usize).wrapping_add(at) % self.parcels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Content = Content { totals: 2, spans: 1 };

    fn add(outbox: &mut Outbox, byte: u8) {
        outbox.add(u32::from(byte), |bytes| {
            bytes[0] = byte;
            Some((1, ONE))
        });
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_byte_by_byte() {
        let mut outbox = Outbox::new();
        for byte in 1..=3 {
            add(&mut outbox, byte);
            outbox.note_sent();
        }
        assert_eq!(outbox.acknowledge(1), Some(1));
        outbox.rewind();
        assert_eq!(outbox.unsent(), Some(Unsent { nonce: 2, bytes: &[2] }));
        outbox.note_sent();
        assert_eq!(outbox.unsent(), Some(Unsent { nonce: 3, bytes: &[3] }));
        assert_eq!(outbox.acknowledge(3), Some(2));
        assert!(outbox.is_empty() && outbox.unsent().is_none());
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_made_is_none() {
        let mut outbox = Outbox::new();
        add(&mut outbox, 1);
        assert_eq!(outbox.acknowledge(2), None);
        assert_eq!(outbox.acknowledge(1), Some(1));
        assert_eq!(outbox.acknowledge(1), Some(0));
        assert_eq!(outbox.acknowledge(0), None);
    }

    #[test]
    fn a_full_outbox_says_so_and_reset_tells_what_it_held() {
        let mut outbox = Outbox::new();
        let mut count = 0;
        while outbox.has_room() {
            add(&mut outbox, 0);
            count += 1;
        }
        assert_eq!(outbox.reset(), Content { totals: 2 * count, spans: count });
        assert_eq!((outbox.next_seq(), outbox.is_empty()), (1, true));
    }
}
