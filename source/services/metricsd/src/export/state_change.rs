//! The record that says that what is kept on a disk fares otherwise than before.

use nexus_wire::{Fields, FieldsWriter, Level};

/// What to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StateChange {
    /// `keeping`, `degraded`, ..
    pub(crate) state: &'static str,
    /// Why, in one word.
    pub(crate) reason: &'static str,
    /// What the start has found, in one word.
    pub(crate) found: &'static str,
    /// Where what former lives have kept ends: boot, and ns since that; zeros: nowhere.
    pub(crate) before: (u32, u64),
    /// Since when this life keeps windows, ns since boot; 0: it does not.
    pub(crate) from_ns: u64,
    /// Records that the log should have had and did not.
    pub(crate) lost_records: u64,
    /// Windows that were recorded and are in no segment.
    pub(crate) lost_windows: u64,
    /// Windows that were over and could not be kept.
    pub(crate) skipped: u64,
    /// It is worse than it should be.
    pub(crate) is_bad: bool,
}

impl StateChange {
    pub(super) const fn level(&self) -> Level {
        if self.is_bad { Level::Warn } else { Level::Info }
    }

    /// Writes its fields; `None` if they do not fit.
    pub(super) fn write<'a>(&self, boot: u32, seq: u64, out: &'a mut [u8]) -> Option<Fields<'a>> {
        let mut to = FieldsWriter::new(out);
        let (before_boot, before_end_ns) = self.before;
        let all = to.field("before_boot", before_boot)
            && to.field("before_end_ns", before_end_ns)
            && to.field("boot", boot)
            && to.field("event", "retention.v1")
            && to.field("found", self.found)
            && to.field("from_ns", self.from_ns)
            && to.field("lost_records", self.lost_records)
            && to.field("lost_windows", self.lost_windows)
            && to.field("reason", self.reason)
            && to.field("seq", seq)
            && to.field("skipped", self.skipped)
            && to.field("state", self.state);
        to.finish().ok().filter(|_| all)
    }
}
