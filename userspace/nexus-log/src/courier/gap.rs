use nexus_bounded::Mono;
use nexus_wire::{EncodeError, Fields, FieldsWriter};

use super::fields::Buffer;

/// What did not reach logd, and from when to when it was logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    /// Records that logd does not have: no room here, or refused there.
    pub(super) lost: u64,
    /// Records that were sent on a connection that broke before the answer came.
    pub(super) unconfirmed: u64,
    from: Mono,
    to: Mono,
}

impl Gap {
    pub(super) const NONE: Self =
        Self { lost: 0, unconfirmed: 0, from: Mono(u64::MAX), to: Mono(0) };

    pub(super) const fn is_none(&self) -> bool {
        self.lost == 0 && self.unconfirmed == 0
    }

    /// One more record, logged at `at`, did not reach logd.
    pub(super) fn lose(&mut self, at: Mono) {
        self.lost = self.lost.saturating_add(1);
        self.cover(at);
    }

    /// Of one more record, logged at `at`, nobody knows.
    pub(super) fn doubt(&mut self, at: Mono) {
        self.unconfirmed = self.unconfirmed.saturating_add(1);
        self.cover(at);
    }

    fn cover(&mut self, at: Mono) {
        self.from = self.from.min(at);
        self.to = self.to.max(at);
    }

    /// The fields of its record, which is the process's gap record `number`.
    pub(super) fn fields<'b>(
        &self,
        number: u64,
        out: &'b mut Buffer,
    ) -> Result<Fields<'b>, EncodeError> {
        let mut writer = FieldsWriter::new(out);
        let whole = writer.field("count", self.lost)
            && writer.field("event", "gap.v1")
            && writer.field("from_ns", self.from.0)
            && writer.field("gap", number)
            && writer.field("to_ns", self.to.0)
            && (self.unconfirmed == 0 || writer.field("unconfirmed", self.unconfirmed));
        if whole { writer.finish() } else { Err(EncodeError) }
    }
}
