//! Physical memory and device registers: all of it is mapped where it lies while the kernel runs.
#![expect(unsafe_code, reason = "memory by its address")]

use nexus_abi::kernel::PAGE_BYTES;

/// A page of memory, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page(pub(crate) u32);

impl Page {
    /// The page that holds an address.
    pub(crate) const fn of(address: u64) -> Self {
        Self((address / PAGE_BYTES as u64) as u32)
    }

    /// Where it begins.
    pub(crate) const fn address(self) -> u64 {
        self.0 as u64 * PAGE_BYTES as u64
    }

    /// The page `n` pages further.
    pub(crate) const fn plus(self, n: usize) -> Self {
        Self(self.0 + n as u32)
    }
}

/// Sets a page of ours to zero.
pub(crate) fn zero(page: Page) {
    // SAFETY: pages come from `Memory` or the image's table, which name RAM that the kernel maps
    // writable and that no Rust object of the kernel lies in.
    unsafe { core::ptr::write_bytes(page.address() as *mut u8, 0, PAGE_BYTES) }
}

/// Entry `index` of a table of 512 words.
#[inline]
pub(crate) fn entry(table: Page, index: usize) -> u64 {
    // SAFETY: as for `zero`; a page table is only ever read and written through here.
    unsafe { *(table.address() as *const u64).add(index % 512) }
}

/// Writes entry `index` of a table of 512 words.
#[inline]
pub(crate) fn set_entry(table: Page, index: usize, value: u64) {
    // SAFETY: as for `entry`.
    unsafe { *(table.address() as *mut u64).add(index % 512) = value }
}

const WORD: u64 = size_of::<u64>() as u64;
const BLOCK: usize = 4 * size_of::<u64>();

/// Copies within RAM. The ranges may be the same, overlap only if they are the same process's own
/// doing, and lie in pages of processes or of the image.
#[inline]
pub(crate) fn copy(from: u64, to: u64, bytes: usize) {
    let aligned = (from | to).is_multiple_of(WORD);
    let blocks = if aligned { bytes / BLOCK } else { 0 };
    copy_blocks(from as *const [u64; 4], to as *mut [u64; 4], blocks);
    let done = (blocks * BLOCK) as u64;
    copy_rest(from + done, to + done, bytes - blocks * BLOCK);
}

#[inline]
fn copy_blocks(from: *const [u64; 4], to: *mut [u64; 4], blocks: usize) {
    for n in 0..blocks {
        // SAFETY: both are aligned and within ranges that a span or a segment names: RAM that is
        // mapped and holds no Rust object of the kernel.
        unsafe { to.add(n).write(from.add(n).read()) }
    }
}

#[inline]
fn copy_rest(from: u64, to: u64, bytes: usize) {
    if bytes > 0 {
        // SAFETY: as for `copy_blocks`; `ptr::copy` allows any overlap.
        unsafe { core::ptr::copy(from as *const u8, to as *mut u8, bytes) }
    }
}

/// The bytes at an address, for as long as the machine runs.
///
/// # Safety
/// They lie in RAM that is mapped and that nobody ever writes again.
pub(crate) unsafe fn bytes(address: u64, length: usize) -> &'static [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(address as *const u8, length) }
}

/// The words at an address, for as long as the machine runs.
///
/// # Safety
/// They lie in RAM that is mapped, and nobody else ever reads or writes them.
pub(crate) unsafe fn words(address: u64, count: usize) -> &'static mut [u32] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts_mut(address as *mut u32, count) }
}

/// A register of a device.
#[derive(Clone, Copy)]
pub(crate) struct Register<T>(*mut T);

impl<T> Register<T> {
    /// The register at an address.
    ///
    /// # Safety
    /// A device of the platform has a register of that size there.
    pub(crate) const unsafe fn at(address: usize) -> Self {
        Self(address as *mut T)
    }

    /// Reads it.
    pub(crate) fn read(self) -> T {
        // SAFETY: the promise of `at`; device memory is mapped while the kernel runs.
        unsafe { self.0.read_volatile() }
    }

    /// Writes it.
    pub(crate) fn write(self, value: T) {
        // SAFETY: as for `read`.
        unsafe { self.0.write_volatile(value) }
    }
}
