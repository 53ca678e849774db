//! Memory for programs. Most take all of it at their start: it is never given back, and once the
//! heap is sealed asking for more ends the program.
//!
//! A program that cannot do without asks for blocks that are given back to be kept by their size
//! ([`reuse`]): then as much is taken as is in use at the same time, if the blocks are of the same
//! few sizes. Nothing is ever split or joined, so that nothing can break into pieces.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use nexus_abi::kernel::{ADDRESS_HEAP, GROW_PAGES_MAX, PAGE_BYTES};

use super::calls;

/// What everything is aligned to: bytes are copied by words, frames above all.
const ALIGN: usize = size_of::<u64>();
/// Blocks that are kept have so many bytes, or twice, four times, .. as many.
const LEAST: usize = 16;
/// So many sizes of blocks are kept; larger ones are not.
const SIZES: usize = 8;
/// Where no block is.
const NONE: usize = 0;

/// A process has one thread: loads and stores of these cannot interleave.
struct Heap {
    next: AtomicUsize,
    end: AtomicUsize,
    is_sealed: AtomicBool,
    /// From here on blocks are kept that are given back; their sizes are rounded up.
    kept_from: AtomicUsize,
    /// The block of each size that was given back last; each has the one before in its first word.
    kept: [AtomicUsize; SIZES],
}

#[global_allocator]
static HEAP: Heap = Heap {
    next: AtomicUsize::new(ADDRESS_HEAP),
    end: AtomicUsize::new(ADDRESS_HEAP),
    is_sealed: AtomicBool::new(false),
    kept_from: AtomicUsize::new(usize::MAX),
    kept: [const { AtomicUsize::new(NONE) }; SIZES],
};

/// From now on nothing can be allocated: a service does so before it receives.
pub fn seal() {
    HEAP.is_sealed.store(true, Relaxed);
}

/// From now on blocks of at most 2 KiB are used again when they were given back.
pub fn reuse() {
    let from = HEAP.next.load(Relaxed);
    HEAP.kept_from.fetch_min(from, Relaxed);
}

/// Bytes that have been handed out, those that were given back among them.
#[must_use]
pub fn taken() -> usize {
    HEAP.next.load(Relaxed) - ADDRESS_HEAP
}

/// Which size of blocks fits, if one that is kept does.
fn size_of_block(layout: Layout) -> Option<usize> {
    let bytes = layout.size().max(LEAST).checked_next_power_of_two()?;
    let size = (bytes / LEAST).ilog2() as usize;
    (size < SIZES && layout.align() <= ALIGN).then_some(size)
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

    fn keeps(&self) -> bool {
        self.kept_from.load(Relaxed) != usize::MAX
    }

    /// A block of this size that was given back, or a new one.
    fn block(&self, size: usize) -> Option<usize> {
        let kept = self.kept.get(size)?;
        let block = kept.load(Relaxed);
        if block == NONE {
            return self.place(Layout::from_size_align(LEAST << size, ALIGN).ok()?);
        }
        // SAFETY: the block was given back, and nobody has it; `keep` has written its first word.
        let before = unsafe { (block as *const usize).read() };
        kept.store(before, Relaxed);
        Some(block)
    }

    /// Keeps a block of this size that nobody uses any more, wiped: it may have been a key.
    fn keep(&self, block: usize, size: usize) {
        let Some(kept) = self.kept.get(size) else { return };
        // SAFETY: the block has this size and is aligned to a word, and its user has just given it
        // up.
        unsafe {
            (block as *mut u8).write_bytes(0, LEAST << size);
            (block as *mut usize).write(kept.load(Relaxed));
        }
        kept.store(block, Relaxed);
    }
}

// SAFETY: what it hands out is memory that the kernel has mapped for us. Each byte is handed out
// once, or again when it was given back: only blocks from `kept_from` on are kept, all of which
// were made with the size that `size_of_block` says of the layout with which they are given back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = size_of_block(layout).filter(|_| self.keeps());
        let place = size.map_or_else(|| self.place(layout), |size| self.block(size));
        place.map_or(core::ptr::null_mut(), |at| at as *mut u8)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let block = at as usize;
        if let Some(size) = size_of_block(layout).filter(|_| block >= self.kept_from.load(Relaxed))
        {
            self.keep(block, size);
        }
    }
}
