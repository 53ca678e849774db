//! RANGE: what is kept of series, read back. Live values are SCRAPE's.
//!
//! Request body: `cursor from_boot:u32 from_ns:u64 to_boot:u32 to_ns:u64 step_ns:u64 tier:u8
//! flags:u8 service:u64 name_len:u8 labels_len:u16 name labels`, a cursor being four words. Reply
//! body: `cursor boot:u32 now_ns:u64 tier:u8 window_ns:u64 step_ns:u64 count:u16` and the entries,
//! each with `tag:u8` before it: clocks, series, rows of the series before them, and what is lost.

mod reply;
mod request;

pub use reply::{
    Counts, RangeClock, RangeEntry, RangeHead, RangeLost, RangePause, RangeReply, RangeRow,
    RangeSeries, RangeValue, RangeWriter,
};
pub use request::Range;

use crate::bytes::{Reader, Writer};

/// A time in one of the boots. Ordered as they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment {
    /// The boot, counted since the state was made.
    pub boot: u32,
    /// Time since that boot, ns.
    pub mono_ns: u64,
}

impl Moment {
    /// Before everything.
    pub const FIRST: Self = Self { boot: 0, mono_ns: 0 };
    /// Behind everything.
    pub const LAST: Self = Self { boot: u32::MAX, mono_ns: u64::MAX };

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { boot: from.u32()?, mono_ns: from.u64()? })
    }

    fn write(self, to: &mut Writer<'_>) {
        to.u32(self.boot);
        to.u64(self.mono_ns);
    }
}

/// Where a reader goes on. What the words mean is for whoever answers to know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct RangeCursor(pub [u64; 4]);

impl RangeCursor {
    /// The beginning; in a reply, that there is no more.
    pub const START: Self = Self([0; 4]);

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self([from.u64()?, from.u64()?, from.u64()?, from.u64()?]))
    }
}
