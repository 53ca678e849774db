//! Pages of cells: where counters and histogram buckets live.
//!
//! A *cell* is a u64 that only rises and wraps. A *page* is 512 cells in one 4 KiB page of memory,
//! aligned to it, and nothing else: no header, no pointer. Cell `n` of the process lies in column
//! `n / 512` at place `n % 512` of the pages of that column. Each page belongs to at most one
//! thread at a time; only its owner writes it, with a plain load and a plain store. The value of
//! a cell is the wrapping sum of its place in all pages of its column and in the column's shared
//! page, which everybody writes with `fetch_add`. A page is never zeroed: when its thread ends it
//! passes on as it is, so the sum never falls. A reader needs no more than the pages and may read
//! at any time; each word is whole. This is the layout to map into another process one day.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use spin::Once;

use crate::limits::{CELLS, CELLS_PER_PAGE, COLUMNS, PAGES_MAX};
use crate::threads::Lock;

/// 512 cells, written by one thread.
#[repr(C, align(4096))]
pub(crate) struct Page([AtomicU64; CELLS_PER_PAGE]);

impl Page {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; CELLS_PER_PAGE])
    }

    /// Adds to a cell of one's own page.
    #[inline]
    pub(crate) fn add_owned(&self, cell: CellId, count: u64) {
        let place = self.place(cell);
        place.store(place.load(Relaxed).wrapping_add(count), Relaxed);
    }

    fn add_shared(&self, cell: CellId, count: u64) {
        self.place(cell).fetch_add(count, Relaxed);
    }

    fn read(&self, cell: CellId) -> u64 {
        self.place(cell).load(Relaxed)
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the cells of a page")]
    fn place(&self, cell: CellId) -> &AtomicU64 {
        &self.0[cell.place()]
    }
}

/// Number of a cell of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CellId(u32);

impl CellId {
    /// Cell number `raw`, wrapped into the cells there are.
    #[inline]
    pub(crate) const fn new(raw: u32) -> Self {
        Self(raw & (CELLS as u32 - 1))
    }

    pub(crate) const fn raw(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn offset(self, by: usize) -> Self {
        Self::new(self.0.wrapping_add(by as u32))
    }

    #[inline]
    pub(crate) const fn column(self) -> usize {
        self.0 as usize / CELLS_PER_PAGE % COLUMNS
    }

    #[inline]
    const fn place(self) -> usize {
        self.0 as usize % CELLS_PER_PAGE
    }
}

/// All pages of a process.
pub(crate) struct Pages {
    /// Taken when somebody has no page of their own; most processes never need them.
    shared: [Once<Box<Page>>; COLUMNS],
    owned: Lock<Owned>,
    /// Set when there is no page left to lease, so that nobody asks in vain for every update.
    exhausted: AtomicBool,
}

/// The right to write a page; dropping it passes the page on.
pub(crate) struct PageLease {
    pages: &'static Pages,
    column: usize,
    page: &'static Page,
}

impl PageLease {
    #[inline]
    pub(crate) const fn page(&self) -> &'static Page {
        self.page
    }
}

impl Drop for PageLease {
    fn drop(&mut self) {
        self.pages.owned.with(|owned| owned.column(self.column).free.push(self.page));
        self.pages.exhausted.store(false, Relaxed);
    }
}

struct Owned {
    made: usize,
    columns: [Column; COLUMNS],
}

struct Column {
    all: Vec<&'static Page>,
    free: Vec<&'static Page>,
}

impl Pages {
    pub(crate) const fn new() -> Self {
        Self {
            shared: [const { Once::new() }; COLUMNS],
            owned: Lock::new(Owned {
                made: 0,
                columns: [const { Column { all: Vec::new(), free: Vec::new() } }; COLUMNS],
            }),
            exhausted: AtomicBool::new(false),
        }
    }

    /// A page for the calling thread alone, or `None`: count in the shared page this time. Never
    /// waits for another thread.
    pub(crate) fn lease(&'static self, column: usize) -> Option<PageLease> {
        if self.exhausted.load(Relaxed) {
            return None;
        }
        let page = self.owned.try_with(|owned| {
            let page = owned.lease(column);
            self.exhausted.store(page.is_none(), Relaxed);
            page
        })??;
        Some(PageLease { pages: self, column, page })
    }

    /// Adds to a cell from anywhere.
    pub(crate) fn add_shared(&self, cell: CellId, count: u64) {
        self.shared(cell).call_once(|| Box::new(Page::new())).add_shared(cell, count);
    }

    /// The page of a cell that everybody writes.
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the columns")]
    fn shared(&self, cell: CellId) -> &Once<Box<Page>> {
        &self.shared[cell.column()]
    }

    /// Sums of the cells `cells`, which lie in one column, to the front of `out`.
    pub(crate) fn read(&self, cells: Range<u32>, out: &mut [u64]) {
        let column = CellId::new(cells.start).column();
        for (cell, sum) in cells.clone().zip(&mut *out) {
            let cell = CellId::new(cell);
            *sum = self.shared(cell).get().map_or(0, |page| page.read(cell));
        }
        self.owned.with(|owned| {
            for page in &owned.column(column).all {
                for (cell, sum) in cells.clone().zip(&mut *out) {
                    *sum = sum.wrapping_add(page.read(CellId::new(cell)));
                }
            }
        });
    }
}

impl Owned {
    /// The pages of a column, which is one that a [`CellId`] names.
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the columns")]
    fn column(&mut self, column: usize) -> &mut Column {
        &mut self.columns[column % COLUMNS]
    }

    fn lease(&mut self, column: usize) -> Option<&'static Page> {
        if let Some(page) = self.column(column).free.pop() {
            return Some(page);
        }
        if self.made == PAGES_MAX {
            return None;
        }
        self.made += 1;
        let page: &'static Page = Box::leak(Box::new(Page::new()));
        self.column(column).all.push(page);
        Some(page)
    }
}
