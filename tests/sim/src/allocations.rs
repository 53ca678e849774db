//! Counts what the services take from the heap while they handle events, and what is taken in all.
#![expect(unsafe_code, reason = "an allocator that counts is an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static SERVING: Cell<bool> = const { Cell::new(false) };
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came; counting touches cells of
// the thread that neither allocate nor have anything to drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size().cast_signed() as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

fn note(bytes: usize) {
    LIVE.set(LIVE.get() + bytes.cast_signed() as i64);
    if SERVING.get() {
        TAKEN.set(TAKEN.get() + 1);
    }
}

/// How often a service of this thread has taken memory while it handled an event.
#[must_use]
pub fn while_serving() -> u64 {
    TAKEN.get()
}

/// Bytes that this thread has taken and not given back.
#[must_use]
pub fn live_bytes() -> i64 {
    LIVE.get()
}

/// What a scenario itself keeps may vary by this much.
const SLACK_BYTES: i64 = 512 * 1024;

/// Memory is flat: services took it `taken` times while they handled events, and the thread had
/// `before` bytes when all that happens had happened before, and `after` at the end.
///
/// # Panics
/// If it is not.
pub fn assert_flat(taken: u64, (before, after): (i64, i64)) {
    assert_eq!(taken, 0, "services take no memory while they serve");
    assert!(after < before + SLACK_BYTES, "memory grows: {before} B, then {after} B");
}

/// Runs `work` as a service's (`true`) or as the world's, in which taking memory is free.
pub fn as_service<R>(serving: bool, work: impl FnOnce() -> R) -> R {
    let outer = SERVING.replace(serving);
    let result = work();
    SERVING.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_taken_by_a_service_is_counted_and_that_of_the_world_is_not() {
        let before = while_serving();
        as_service(true, || as_service(false, || drop(Box::new(1))));
        assert_eq!(while_serving(), before);
        as_service(true, || drop(std::hint::black_box(Box::new(1))));
        assert_eq!(while_serving(), before + 1);
    }
}
