use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_gate::{Asker, Turns};

/// A frame that waits for its turn.
pub(crate) struct Kept {
    room: Box<[u8]>,
    len: usize,
}

impl Kept {
    pub(crate) fn frame(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

/// Requests that wait for their turn.
pub(crate) struct Waiting {
    turns: Turns<Kept>,
    /// Where frames will be kept, one for each that may wait, and one for whoever was taken out.
    spare: Vec<Kept>,
}

impl Waiting {
    /// At most so many; takes its memory now.
    pub(crate) fn new(most: u32) -> Self {
        let kept = |_| Kept { room: vec![0; FRAME_BYTES_MAX].into(), len: 0 };
        Self { turns: Turns::new(most), spare: (0..=most).map(kept).collect() }
    }

    /// Lets a request wait; `false` if there is no room, or the sender has one waiting.
    pub(crate) fn add(&mut self, asker: Asker, frame: &[u8]) -> bool {
        let Some(mut kept) = self.spare.pop() else { return false };
        let room = kept.room.get_mut(..frame.len());
        assert!(room.is_some(), "no frame is longer");
        room.into_iter().for_each(|room| room.copy_from_slice(frame));
        kept.len = frame.len();
        match self.turns.add(asker, kept) {
            Ok(()) => true,
            Err(kept) => {
                self.give_back(kept);
                false
            }
        }
    }

    /// Takes the first one, to be given back.
    pub(crate) fn take(&mut self) -> Option<(Asker, Kept)> {
        self.turns.take()
    }

    pub(crate) fn give_back(&mut self, kept: Kept) {
        self.spare.push(kept);
    }
}
