//! Physical memory and device registers: all of it is mapped where it lies while the kernel runs.
#![expect(unsafe_code, reason = "memory by its address")]

use nexus_abi::kernel::PAGE_BYTES;

/// A page of memory, by its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page(u64);

impl Page {
    /// The page that holds an address.
    pub(crate) const fn of(address: u64) -> Self {
        Self(address / PAGE_BYTES as u64 * PAGE_BYTES as u64)
    }

    /// The page of that number.
    pub(crate) const fn numbered(number: u64) -> Self {
        Self(number * PAGE_BYTES as u64)
    }

    /// Where it begins.
    pub(crate) const fn address(self) -> u64 {
        self.0
    }

    /// How many pages are before it.
    pub(crate) const fn number(self) -> u64 {
        self.0 / PAGE_BYTES as u64
    }

    /// The page `n` pages further.
    pub(crate) const fn plus(self, n: usize) -> Self {
        Self(self.0 + (n * PAGE_BYTES) as u64)
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

/// Copies within RAM. Both ranges lie in pages that a space maps as memory, never in the registers
/// of a device, or in the image; where they overlap it is their process's own doing, and its loss.
#[inline(always)]
pub(crate) fn copy(from: u64, to: u64, bytes: usize) {
    if (from | to | bytes as u64).is_multiple_of(WORD) {
        copy_words(from as *const u64, to as *mut u64, bytes);
    } else {
        copy_bytes(from as *const u8, to as *mut u8, bytes);
    }
}

#[inline(always)]
fn copy_words(mut from: *const u64, mut to: *mut u64, bytes: usize) {
    // SAFETY: both are aligned and `bytes` long, in ranges that an extent or a segment names:
    // pages whose entries say that they are memory, or the image's, which is RAM that is mapped.
    // Of the kernel's own objects only the line of `print` is ever named, by who holds it alone.
    unsafe {
        for _ in 0..bytes / BLOCK {
            to.cast::<[u64; 4]>().write(from.cast::<[u64; 4]>().read());
            (from, to) = (from.add(4), to.add(4));
        }
        for _ in 0..bytes % BLOCK / size_of::<u64>() {
            to.write(from.read());
            (from, to) = (from.add(1), to.add(1));
        }
    }
}

#[inline(never)]
fn copy_bytes(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: as for `copy_words`, but that neither is aligned; `ptr::copy` allows any overlap.
    unsafe { core::ptr::copy(from, to, bytes) }
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
