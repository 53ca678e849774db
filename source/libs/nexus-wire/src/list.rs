//! What stands in a frame as often as a number before it says.

use crate::bytes::{EncodeError, Writer};

/// Writes a frame that ends with a list; how many entries it has is known at its end.
#[derive(Debug)]
pub(crate) struct ListWriter<'a> {
    writer: Writer<'a>,
    count_at: usize,
    count: u16,
}

/// How far a list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PausedList {
    len: usize,
    count_at: usize,
    count: u16,
}

impl<'a> ListWriter<'a> {
    /// The list begins where the writer stands.
    pub(crate) fn begin(mut writer: Writer<'a>) -> Self {
        let count_at = writer.len();
        writer.u16(0);
        Self { writer, count_at, count: 0 }
    }

    /// How far the list is: what [`Self::resume`] needs besides the buffer.
    pub(crate) const fn pause(&self) -> PausedList {
        PausedList { len: self.writer.len(), count_at: self.count_at, count: self.count }
    }

    /// Goes on with a list in the buffer in which it was begun.
    pub(crate) fn resume(paused: PausedList, buffer: &'a mut [u8]) -> Self {
        let PausedList { len, count_at, count } = paused;
        Self { writer: Writer::behind(buffer, len), count_at, count }
    }

    /// Appends what `write` writes; `false` and nothing when it does not fit.
    #[inline]
    pub(crate) fn entry(&mut self, write: impl FnOnce(&mut Writer<'a>)) -> bool {
        let written = self.count < u16::MAX && self.writer.attempt(write);
        self.count += u16::from(written);
        written
    }

    pub(crate) const fn len(&self) -> u16 {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frame, after `patch` has corrected what stands before the list.
    pub(crate) fn finish(
        mut self,
        patch: impl FnOnce(&mut Writer<'a>),
    ) -> Result<&'a [u8], EncodeError> {
        patch(&mut self.writer);
        self.writer.patch_u16(self.count_at, self.count);
        self.writer.finish()
    }
}
