//! A piece of a file that comes in parts, kept until another is wanted.

use alloc::boxed::Box;
use alloc::vec;

use crate::segment::{Extent, SegmentError, open_block};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// So many bytes are here.
    Filling(usize),
    Whole,
    /// Whole, and its checksum is right.
    Checked,
    Failed(SegmentError),
}

/// One piece.
pub(super) struct Piece {
    bytes: Box<[u8]>,
    extent: Extent,
    state: State,
}

const NOTHING: Extent = Extent { offset: 0, len: 0 };

impl Piece {
    /// Takes the memory for pieces of up to so many bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into_boxed_slice(), extent: NOTHING, state: State::Whole }
    }

    /// Forgets what it holds: it is another file's.
    pub(super) const fn clear(&mut self) {
        self.extent = NOTHING;
        self.state = State::Whole;
    }

    /// What is still wanted.
    pub(super) fn wants(&self) -> Option<Extent> {
        let State::Filling(filled) = self.state else { return None };
        let (filled, Extent { offset, len }) = (filled as u32, self.extent);
        Some(Extent { offset: offset.saturating_add(filled), len: len.saturating_sub(filled) })
    }

    /// Takes the first of the bytes that are wanted; none at all: the file ends before them.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let State::Filling(filled) = self.state else { return };
        let len = self.extent.len as usize;
        let count = bytes.len().min(len.saturating_sub(filled));
        let place = self.bytes.get_mut(filled..filled.saturating_add(count));
        let (Some(place), Some(bytes), true) = (place, bytes.get(..count), count > 0) else {
            return self.fail();
        };
        place.copy_from_slice(bytes);
        let filled = filled + count;
        self.state = if filled == len { State::Whole } else { State::Filling(filled) };
    }

    /// The device does not read it.
    pub(super) const fn fail(&mut self) {
        self.state = State::Failed(SegmentError::Unreadable(self.extent));
    }

    /// The bytes of an extent; `None`: they are wanted first.
    pub(super) fn bytes(&mut self, extent: Extent) -> Result<Option<&[u8]>, SegmentError> {
        if self.extent != extent {
            self.extent = extent;
            self.state = match extent.len as usize {
                0 => State::Whole,
                len if len > self.bytes.len() => State::Failed(SegmentError::Damaged(extent)),
                _ => State::Filling(0),
            };
        }
        match self.state {
            State::Filling(_) => Ok(None),
            State::Failed(why) => Err(why),
            State::Whole | State::Checked => Ok(self.bytes.get(..extent.len as usize)),
        }
    }

    /// What a block holds, once its checksum is seen to be right; `None`: it is wanted first.
    pub(super) fn block(&mut self, extent: Extent) -> Result<Option<&[u8]>, SegmentError> {
        if self.bytes(extent)?.is_none() {
            return Ok(None);
        }
        let bytes = self.bytes.get(..extent.len as usize).unwrap_or_default();
        if self.state != State::Checked {
            if let Err(why) = open_block(extent, bytes) {
                self.state = State::Failed(why);
                return Err(why);
            }
            self.state = State::Checked;
        }
        Ok(bytes.get(..bytes.len().saturating_sub(crate::bytes::CRC_BYTES)))
    }
}
