//! Time without a system call.
#![expect(unsafe_code, reason = "reads a register")]

use core::arch::asm;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nexus_bounded::Mono;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The clock of the machine: ticks since it was switched on, and what they are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ticks_per_second: u64,
    /// What a tick is, where that is a whole number: then no long division is needed.
    tick: Option<NonZeroU64>,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::of(super::calls::info().ticks_per_second.max(1))
    }

    fn of(ticks_per_second: u64) -> Self {
        let tick = NonZeroU64::new(NANOS_PER_SECOND / ticks_per_second);
        let is_whole = NANOS_PER_SECOND.is_multiple_of(ticks_per_second);
        Self { ticks_per_second, tick: tick.filter(|_| is_whole) }
    }

    /// Now, in ticks.
    #[must_use]
    #[inline]
    pub fn ticks(self) -> u64 {
        let ticks;
        // SAFETY: the kernel lets processes read this register.
        unsafe { asm!("rdtime {}", out(reg) ticks, options(nomem, nostack)) }
        ticks
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> Mono {
        if let Some(tick) = self.tick {
            return Mono(self.ticks().saturating_mul(tick.get()));
        }
        let scaled = u128::from(self.ticks()) * u128::from(NANOS_PER_SECOND);
        Mono(u64::try_from(scaled / u128::from(self.ticks_per_second)).unwrap_or(u64::MAX))
    }

    /// The first tick that is not before `at`: a deadline is never early.
    #[must_use]
    pub fn deadline(self, at: Mono) -> u64 {
        if let Some(tick) = self.tick {
            return at.0.div_ceil(tick.get());
        }
        let scaled = u128::from(at.0) * u128::from(self.ticks_per_second);
        u64::try_from(scaled.div_ceil(u128::from(NANOS_PER_SECOND))).unwrap_or(u64::MAX)
    }

    /// The deadline `millis` from now.
    #[must_use]
    pub fn in_millis(self, millis: u64) -> u64 {
        self.ticks() + millis * self.ticks_per_second.div_ceil(1000)
    }
}

/// Now, for those who keep no [`Clock`].
#[must_use]
pub fn monotonic() -> Mono {
    static TICKS_PER_SECOND: AtomicU64 = AtomicU64::new(0);
    if TICKS_PER_SECOND.load(Relaxed) == 0 {
        TICKS_PER_SECOND.store(super::calls::info().ticks_per_second.max(1), Relaxed);
    }
    Clock::of(TICKS_PER_SECOND.load(Relaxed)).now()
}

/// Instructions that the machine has run since it was switched on; by time where they are not
/// counted.
#[must_use]
pub fn instructions() -> u64 {
    let count;
    // SAFETY: the kernel lets processes read this counter.
    unsafe { asm!("rdinstret {}", out(reg) count, options(nomem, nostack)) }
    count
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
