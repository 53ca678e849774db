//! Address spaces: Sv39 page tables, a budget of pages, and what user pointers mean in them.
//!
//! All of a process lies in one gigabyte, so a space is a root, one middle table, and last tables
//! as they are needed. Nothing that was mapped is unmapped before the process ends.

use neuron_core::{Entry, Extent, Image, RESOURCE_STRIDE, Segment};
use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::kernel::{
    ADDRESS_HEAP, ADDRESS_IMAGE, ADDRESS_RESOURCES, ADDRESS_STACK_END, KernelError, PAGE_BYTES,
};

use crate::memory::Memory;
use crate::physical::{self, Page, entry, set_entry};

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const ACCESSED_DIRTY: u64 = 1 << 6 | 1 << 7;
/// A bit that hardware leaves to us: the page goes back when the process ends.
const OWN: u64 = 1 << 8;
/// Another: the page is memory, so that the kernel may read and write it for its process.
const MEMORY: u64 = 1 << 9;

/// What may be done with a page of the kernel's.
pub(crate) const KERNEL_DATA: u64 = VALID | READ | WRITE | ACCESSED_DIRTY;
pub(crate) const KERNEL_CONSTANTS: u64 = VALID | READ | ACCESSED_DIRTY;
pub(crate) const KERNEL_CODE: u64 = VALID | READ | EXECUTE | ACCESSED_DIRTY;

/// Which entry of a root all of a process lies in.
const USER_GIGABYTE: usize = ADDRESS_IMAGE >> 30;
const SPACE_END: usize = (USER_GIGABYTE + 1) << 30;
/// What one last table leads to.
const TABLE_BYTES: usize = 512 * PAGE_BYTES;
const MODE_SV39: u64 = 8 << 60;

/// An entry that leads to `page`.
pub(crate) const fn leaf(page: Page, flags: u64) -> u64 {
    page.number() << 10 | flags
}

/// An entry that leads to a table.
pub(crate) const fn table(page: Page) -> u64 {
    leaf(page, VALID)
}

const fn target(entry: u64) -> Page {
    // The bits above the number are zero: nobody but us writes entries.
    Page::of(entry << 2)
}

/// How a page of a process may be used.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Read,
    Write,
    Execute,
    /// As registers of a device, by the process itself and not by the kernel for it: reading them
    /// may do something, and where there are none it is a fault.
    Registers,
}

impl Access {
    const fn flags(self) -> u64 {
        let more = match self {
            Self::Read => MEMORY,
            Self::Write => MEMORY | WRITE,
            Self::Execute => MEMORY | EXECUTE,
            Self::Registers => WRITE,
        };
        VALID | READ | USER | ACCESSED_DIRTY | more
    }
}

/// The address space of a process.
pub(crate) struct Space {
    root: Page,
    middle: Page,
    heap_end: usize,
    /// Pages that it may still take.
    budget: usize,
}

type Result<T> = core::result::Result<T, KernelError>;

impl Space {
    /// The space in which a life of `entry` begins; the kernel's part is as in `kernel_root`.
    pub(crate) fn of(
        entry: &Entry<'_>,
        image: &Image<'_>,
        memory: &mut Memory,
        kernel_root: Page,
    ) -> Result<Self> {
        let mut space = Self::empty(entry.pages, memory, kernel_root)?;
        let filled = space.fill(entry, image, memory);
        if let Err(error) = filled {
            space.free(memory);
            return Err(error);
        }
        Ok(space)
    }

    fn empty(budget: usize, memory: &mut Memory, kernel_root: Page) -> Result<Self> {
        let budget = budget.checked_sub(2).ok_or(KernelError::NoMemory)?;
        let root = memory.take().ok_or(KernelError::NoMemory)?;
        let Some(middle) = memory.take() else {
            memory.give(root);
            return Err(KernelError::NoMemory);
        };
        (0..512).for_each(|n| set_entry(root, n, entry(kernel_root, n)));
        set_entry(root, USER_GIGABYTE, table(middle));
        Ok(Self { root, middle, heap_end: ADDRESS_HEAP, budget })
    }

    fn fill(&mut self, entry: &Entry<'_>, image: &Image<'_>, memory: &mut Memory) -> Result<()> {
        for segment in image.segments(entry) {
            if segment.writable {
                self.copy_segment(&segment, memory)?;
            } else {
                self.map_segment(&segment, memory)?;
            }
        }
        let stack = ADDRESS_STACK_END - entry.stack_pages * PAGE_BYTES;
        self.add(stack, entry.stack_pages, memory)
    }

    /// What nobody writes is used where it lies, by all lives at once.
    fn map_segment(&mut self, segment: &Segment<'_>, memory: &mut Memory) -> Result<()> {
        let access = if segment.executable { Access::Execute } else { Access::Read };
        let first = Page::of(segment.bytes.as_ptr() as u64);
        self.map(segment.address, first, segment.pages, access, memory)
    }

    fn copy_segment(&mut self, segment: &Segment<'_>, memory: &mut Memory) -> Result<()> {
        self.add(segment.address, segment.pages, memory)?;
        for (n, bytes) in segment.bytes.chunks(PAGE_BYTES).enumerate() {
            let at = segment.address + n * PAGE_BYTES;
            let to = self.find(at, Access::Write).ok_or(KernelError::NoMemory)?;
            physical::copy(bytes.as_ptr() as u64, to, bytes.len());
        }
        Ok(())
    }

    /// Maps `pages` from `first` on at `address`, or none; they stay somebody else's.
    pub(crate) fn map(
        &mut self,
        address: usize,
        first: Page,
        pages: usize,
        access: Access,
        memory: &mut Memory,
    ) -> Result<()> {
        self.affords(0, address, pages, memory)?;
        for n in 0..pages {
            let last = self.last_table(address + n * PAGE_BYTES, memory)?;
            let entry = leaf(first.plus(n), access.flags());
            set_entry(last, (address >> 12) + n, entry);
        }
        Ok(())
    }

    /// Adds `pages` of zeroes at `address`, to be read and written, or none.
    fn add(&mut self, address: usize, pages: usize, memory: &mut Memory) -> Result<()> {
        self.affords(pages, address, pages, memory)?;
        for at in (0..pages).map(|n| address + n * PAGE_BYTES) {
            let last = self.last_table(at, memory)?;
            let page = self.take(memory)?;
            set_entry(last, at >> 12, leaf(page, Access::Write.flags() | OWN));
        }
        Ok(())
    }

    /// Whether there are `new` pages, and the tables that are missing for `pages` at `address`.
    fn affords(&self, new: usize, address: usize, pages: usize, memory: &Memory) -> Result<()> {
        let end = address + pages * PAGE_BYTES;
        let tables = address / TABLE_BYTES..end.div_ceil(TABLE_BYTES);
        let missing = tables.filter(|&index| entry(self.middle, index) == 0).count();
        let there = self.budget.min(memory.free());
        if new + missing <= there { Ok(()) } else { Err(KernelError::NoMemory) }
    }

    /// Adds `pages` at the end of the heap; where they begin.
    pub(crate) fn grow(&mut self, pages: usize, memory: &mut Memory) -> Result<usize> {
        let start = self.heap_end;
        let end = start + pages * PAGE_BYTES;
        if end >= ADDRESS_RESOURCES {
            return Err(KernelError::NoMemory);
        }
        self.add(start, pages, memory)?;
        self.heap_end = end;
        Ok(start)
    }

    fn take(&mut self, memory: &mut Memory) -> Result<Page> {
        let budget = self.budget.checked_sub(1).ok_or(KernelError::NoMemory)?;
        let page = memory.take().ok_or(KernelError::NoMemory)?;
        self.budget = budget;
        Ok(page)
    }

    fn last_table(&mut self, address: usize, memory: &mut Memory) -> Result<Page> {
        let index = address / TABLE_BYTES;
        let found = entry(self.middle, index);
        if found != 0 {
            return Ok(target(found));
        }
        let page = self.take(memory)?;
        set_entry(self.middle, index, table(page));
        Ok(page)
    }

    /// Where the resource of the capability in `slot` is mapped, and whether it is already.
    pub(crate) fn place(&self, slot: u64) -> (usize, bool) {
        let address = ADDRESS_RESOURCES + slot as usize * RESOURCE_STRIDE;
        (address, self.leaf_of(address) != 0)
    }

    /// The entry for the page of an address in the process's gigabyte, 0 if there is none.
    #[inline(always)]
    fn leaf_of(&self, address: usize) -> u64 {
        match entry(self.middle, address / TABLE_BYTES) {
            0 => 0,
            last => entry(target(last), address >> 12),
        }
    }

    /// The physical address of a byte of memory that may be used so.
    #[inline(always)]
    fn find(&self, address: usize, access: Access) -> Option<u64> {
        if !(ADDRESS_IMAGE..SPACE_END).contains(&address) {
            return None;
        }
        let found = self.leaf_of(address);
        let needed = access.flags();
        let physical = target(found).address() + (address % PAGE_BYTES) as u64;
        (found & needed == needed).then_some(physical)
    }

    /// The extent of `bytes` at a user's `address`.
    #[inline(always)]
    pub(crate) fn extent(&self, address: u64, bytes: u64, access: Access) -> Result<Extent> {
        if bytes > FRAME_BYTES_MAX as u64 {
            return Err(KernelError::TooLong);
        }
        if bytes == 0 {
            return Ok(Extent::EMPTY);
        }
        let (address, bytes) = (address as usize, bytes as usize);
        let first = self.find(address, access).ok_or(KernelError::BadAddress)?;
        let in_first = PAGE_BYTES - address % PAGE_BYTES;
        if bytes <= in_first {
            return Ok(Extent::whole(first, bytes));
        }
        let second = self.find(address + in_first, access).ok_or(KernelError::BadAddress)?;
        Ok(Extent::split(first, in_first, Page::of(second).number() as u32, bytes))
    }

    /// What the hart's `satp` holds while the process runs.
    #[inline]
    pub(crate) const fn satp(&self) -> u64 {
        MODE_SV39 | self.root.number()
    }

    /// Pages that it may still take.
    pub(crate) const fn budget(&self) -> usize {
        self.budget
    }

    /// Gives everything back.
    pub(crate) fn free(self, memory: &mut Memory) {
        for last in (0..512).map(|n| entry(self.middle, n)).filter(|&last| last != 0) {
            let last = target(last);
            let own = (0..512).map(|n| entry(last, n)).filter(|found| found & OWN != 0);
            own.for_each(|found| memory.give(target(found)));
            memory.give(last);
        }
        memory.give(self.middle);
        memory.give(self.root);
    }
}

/// The `satp` of a root.
pub(crate) const fn satp(root: Page) -> u64 {
    MODE_SV39 | root.number()
}
