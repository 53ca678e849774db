use nexus_bounded::{Mono, Nanos, TokenBucket};
use nexus_recipe::ExportLimits;

/// Bytes that must be left before a frame is begun: one record of the largest size in it.
const FRAME_MIN: u64 = 1024;
/// After the budget was used up it fills for so long, so that records travel together.
const PAUSE: Nanos = Nanos::from_millis(100);

/// What may be sent to logd: records and bytes of frames, repeats included. A second's worth may go
/// at once.
pub(super) struct ExportBudget {
    records: TokenBucket,
    bytes: TokenBucket,
    until: Mono,
}

/// What a frame may have now.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    pub(super) records: u64,
    pub(super) bytes: usize,
}

impl ExportBudget {
    pub(super) fn new(limits: &ExportLimits) -> Self {
        let full = |rate: u32| TokenBucket::new(u64::from(rate), u64::from(rate), Mono(0));
        Self {
            records: full(limits.records_per_s),
            bytes: full(limits.bytes_per_s),
            until: Mono(0),
        }
    }

    /// What a new frame may have, if it may have anything worth while.
    pub(super) fn allowance(&mut self, now: Mono) -> Option<Allowance> {
        let (records, bytes) = (self.records.left(now), self.bytes.left(now));
        if now < self.until {
            return None;
        }
        if records == 0 || bytes < FRAME_MIN {
            self.until = now.after(PAUSE);
            return None;
        }
        Some(Allowance { records, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) })
    }

    /// Takes what a frame costs, or nothing.
    pub(super) fn take(&mut self, records: u16, bytes: usize, now: Mono) -> bool {
        let mut left = self.records;
        let taken = now >= self.until
            && left.take(u64::from(records), now)
            && self.bytes.take(bytes as u64, now);
        if taken {
            self.records = left;
        } else if now >= self.until {
            self.until = now.after(PAUSE);
        }
        taken
    }

    /// When more may be sent.
    pub(super) const fn until(&self) -> Mono {
        self.until
    }
}
