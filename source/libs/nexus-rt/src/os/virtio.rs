//! Memory for a device that writes memory by itself, and what the image gives a driver.
//!
//! A device is shown the pool that the image gives this process, and nothing else.
#![expect(unsafe_code, reason = "memory that a device uses while we go on")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use nexus_abi::ServiceId;
use nexus_abi::kernel::{CapabilityKind, PAGE_BYTES};
use spin::Once;
use virtio_drivers::{BufferDirection, Hal, PhysAddr};

use super::calls::{self, Mapping, Slot};

/// Memory that the device reaches.
pub(super) struct Pool {
    address: usize,
    physical: u64,
    bytes: usize,
    next: AtomicUsize,
}

/// A process drives one device.
static POOL: Once<Pool> = Once::new();

impl Pool {
    /// What was mapped is the pool of this process from now on; the first one stays.
    pub(super) fn install(mapping: Mapping) {
        let Mapping { address, bytes, physical } = mapping;
        POOL.call_once(|| Self { address, physical, bytes, next: AtomicUsize::new(0) });
    }

    /// Whole pages of the pool, wiped, if it has as many left. The device must have been reset:
    /// what an earlier life of this process had given it is wiped too.
    pub(super) fn take(bytes: usize) -> Option<(PhysAddr, NonNull<u8>)> {
        POOL.get()?.take_pages(bytes)
    }

    fn take_pages(&self, bytes: usize) -> Option<(PhysAddr, NonNull<u8>)> {
        let at = self.next.load(Relaxed);
        let end = at + bytes.next_multiple_of(PAGE_BYTES);
        let start = NonNull::new((self.address + at) as *mut u8).filter(|_| end <= self.bytes)?;
        self.next.store(end, Relaxed);
        // SAFETY: they are mapped for as long as we live, no device is at them since its reset, and
        // nobody has been given them in this life.
        unsafe { start.write_bytes(0, end - at) };
        Some((self.physical + at as u64, start))
    }

    /// Where the device sees some of it.
    fn seen_at(&self, part: NonNull<[u8]>) -> PhysAddr {
        let offset = part.cast::<u8>().as_ptr() as usize - self.address;
        assert!(offset + part.len() <= self.bytes, "the device is shown the pool only");
        self.physical + offset as u64
    }
}

/// What `virtio-drivers` asks of its surroundings.
pub(super) struct Surroundings;

// SAFETY: `dma_alloc` gives pages of the pool, each once: mapped for us, aligned, wiped. The pool
// is mapped for as long as the process lives, so nothing is ever taken back.
unsafe impl Hal for Surroundings {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let taken = Pool::take(pages * PAGE_BYTES);
        taken.unwrap_or((0, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::dangling()
    }

    unsafe fn share(part: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        POOL.get().map_or(0, |pool| pool.seen_at(part))
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// The slot that holds what the image calls so.
pub(super) fn held(kind: CapabilityKind, name: &str) -> Option<Slot> {
    calls::find(kind, ServiceId::from_name(name)).ok()
}

/// The same, mapped.
pub(super) fn mapped(kind: CapabilityKind, name: &str) -> Option<Mapping> {
    calls::map(held(kind, name)?).ok()
}
