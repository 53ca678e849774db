//! Physical memory: what is reserved for ever, and the free pages.
#![expect(unsafe_code, reason = "gives the free memory its first use")]

use core::ops::Range;

use neuron_core::Frames;
use nexus_abi::kernel::PAGE_BYTES;

use crate::physical::{self, Page};

/// The pages that nobody uses. It is a place to take from, and never grows.
pub(crate) struct Memory(Frames<'static>);

/// The memory that is not handed out yet, while booting.
pub(crate) struct Unclaimed {
    pages: Range<u64>,
}

fn page_up(address: u64) -> u64 {
    address.next_multiple_of(PAGE_BYTES as u64)
}

impl Unclaimed {
    /// All of `memory` from `from` on.
    pub(crate) fn new(memory: &Range<u64>, from: u64) -> Self {
        Self { pages: page_up(from)..memory.end / PAGE_BYTES as u64 * PAGE_BYTES as u64 }
    }

    /// Takes `pages` of it in a row, past `hole`, for ever and zeroed.
    pub(crate) fn reserve(&mut self, pages: usize, hole: &Range<u64>) -> Option<Page> {
        let bytes = (pages * PAGE_BYTES) as u64;
        if self.pages.start < hole.end && self.pages.start + bytes > hole.start {
            self.pages.start = page_up(hole.end);
        }
        let first = Page::of(self.pages.start);
        self.pages.start += bytes;
        (0..pages).for_each(|n| physical::zero(first.plus(n)));
        (self.pages.start <= self.pages.end).then_some(first)
    }

    /// Hands the rest out, except what lies in `hole`.
    pub(crate) fn release(mut self, hole: &Range<u64>) -> Option<Memory> {
        let count = (self.pages.end.saturating_sub(self.pages.start)) as usize / PAGE_BYTES;
        let stack = self.reserve((count * size_of::<u32>()).div_ceil(PAGE_BYTES), hole)?;
        // SAFETY: pages that were just reserved, for as many words as fit them.
        let mut frames = Frames::new(unsafe { physical::words(stack.address(), count) });
        let all = (self.pages.start..self.pages.end).step_by(PAGE_BYTES);
        let (hole_start, hole_end) = (hole.start, page_up(hole.end));
        let free = all.filter(|at| *at + (PAGE_BYTES as u64) <= hole_start || *at >= hole_end);
        free.for_each(|at| frames.give(Page::of(at).number() as u32));
        Some(Memory(frames))
    }
}

impl Memory {
    /// A page of zeroes.
    pub(crate) fn take(&mut self) -> Option<Page> {
        let page = Page::numbered(u64::from(self.0.take()?));
        physical::zero(page);
        Some(page)
    }

    /// Gives back a page that `take` gave.
    pub(crate) fn give(&mut self, page: Page) {
        self.0.give(page.number() as u32);
    }

    /// How many pages are free.
    pub(crate) const fn free(&self) -> usize {
        self.0.len()
    }
}
