//! Memory for programs that take all of it at their start: it is never given back, and once the
//! heap is sealed asking for more ends the program.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use nexus_abi::kernel::{ADDRESS_HEAP, GROW_PAGES_MAX, PAGE_BYTES};

use super::calls;

/// What everything is aligned to: bytes are copied by words, frames above all.
const ALIGN: usize = size_of::<u64>();

/// A process has one thread: loads and stores of these cannot interleave.
struct Heap {
    next: AtomicUsize,
    end: AtomicUsize,
    is_sealed: AtomicBool,
}

#[global_allocator]
static HEAP: Heap = Heap {
    next: AtomicUsize::new(ADDRESS_HEAP),
    end: AtomicUsize::new(ADDRESS_HEAP),
    is_sealed: AtomicBool::new(false),
};

/// From now on nothing can be allocated: a service does so before it receives.
pub fn seal() {
    HEAP.is_sealed.store(true, Relaxed);
}

/// Bytes that have been handed out.
#[must_use]
pub fn taken() -> usize {
    HEAP.next.load(Relaxed) - ADDRESS_HEAP
}

impl Heap {
    /// Where `layout` fits next, if there is memory or can be.
    fn place(&self, layout: Layout) -> Option<usize> {
        if self.is_sealed.load(Relaxed) {
            return None;
        }
        let align = layout.align().max(ALIGN);
        let start = self.next.load(Relaxed).checked_next_multiple_of(align)?;
        let end = start.checked_add(layout.size())?;
        while end > self.end.load(Relaxed) {
            let missing = (end - self.end.load(Relaxed)).div_ceil(PAGE_BYTES);
            let pages = missing.min(GROW_PAGES_MAX);
            let added = calls::grow(pages).ok()?;
            self.end.store(added + pages * PAGE_BYTES, Relaxed);
        }
        self.next.store(end, Relaxed);
        Some(start)
    }
}

// SAFETY: what it hands out is memory that the kernel has mapped for us, each byte once; memory is
// never taken back, so `dealloc` has nothing to do.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.place(layout).map_or(core::ptr::null_mut(), |at| at as *mut u8)
    }

    unsafe fn dealloc(&self, _at: *mut u8, _layout: Layout) {}
}
