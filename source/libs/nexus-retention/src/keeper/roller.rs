//! Rolling up segments that are in memory, for whoever has them whole.

use super::draft::{Ask, Draft};
use super::reader::Reader;
use super::roll::{Roll, Scratch, Step};
use crate::segment::{Anchor, BLOCK_BYTES_MAX, Limits, Meta, SegmentError};

/// Why a segment is not rolled up. Those before it are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RollError {
    /// It cannot be read, or its windows make more longer ones than a group has.
    Source(SegmentError),
    /// The segment of longer windows has no room for it.
    Full,
}

/// Rolls segments up, one after another, each to a group of another segment, as a keeper does.
/// What it writes is given to `append`: where in the file, and the bytes.
pub struct Roller {
    roll: Roll,
    scratch: Scratch,
    reader: Reader,
    draft: Draft,
}

impl Roller {
    /// Takes all memory: for longer windows of `ratio` shorter ones, and for so many series, whose
    /// keys have so many bytes together.
    #[must_use]
    pub fn new(ratio: u64, limits: Limits, key_bytes: u32) -> Self {
        Self {
            roll: Roll::new(ratio, limits.series, key_bytes),
            scratch: Scratch::new(),
            reader: Reader::new(BLOCK_BYTES_MAX),
            draft: Draft::new(limits, u32::MAX),
        }
    }

    /// Begins a segment of longer windows; what was begun before is given up.
    pub fn begin(&mut self, meta: Meta, first: u64) {
        self.draft.drop();
        self.draft.begin(meta, first);
        self.roll.forget_keys();
    }

    /// Adds all of a segment as a group.
    ///
    /// # Errors
    /// See [`RollError`].
    pub fn add(
        &mut self,
        from: &[u8],
        mut append: impl FnMut(u32, &[u8]),
    ) -> Result<(), RollError> {
        self.reader.open(u32::try_from(from.len()).unwrap_or(u32::MAX));
        self.roll.begin();
        loop {
            match self.roll.step(&mut self.reader, &mut self.draft, &mut self.scratch) {
                Step::Again => {}
                Step::Wait => self.go_on(from, &mut append),
                Step::Done => return Ok(()),
                Step::Full(_) => return Err(RollError::Full),
                Step::Lost(why) => return Err(RollError::Source(why)),
            }
        }
    }

    /// Gives what is written, and takes what is wanted.
    fn go_on(&mut self, from: &[u8], append: &mut impl FnMut(u32, &[u8])) {
        self.write(append);
        if let Some(wanted) = self.reader.wants() {
            let start = wanted.offset as usize;
            let end = start.saturating_add(wanted.len as usize).min(from.len());
            self.reader.take(from.get(start..end).unwrap_or_default());
        }
    }

    /// Ends the segment.
    pub fn finish(&mut self, anchor: Anchor, mut append: impl FnMut(u32, &[u8])) {
        self.write(&mut append);
        self.draft.finish(anchor);
        self.write(&mut append);
    }

    fn write(&mut self, append: &mut impl FnMut(u32, &[u8])) {
        while let Some(ask @ (Ask::Draft | Ask::Append(_))) = self.draft.ask() {
            if let Ask::Append(_) = ask {
                let (at, bytes) = self.draft.piece();
                append(at, bytes);
            }
            self.draft.done();
        }
    }
}
