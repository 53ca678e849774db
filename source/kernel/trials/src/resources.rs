//! Processes that use devices and memory that the image gives them, and nothing else.
#![expect(unsafe_code, reason = "reads and writes memory that was mapped")]

use nexus_abi::kernel::{CapabilityKind, KernelError, Received, Signals};
use nexus_rt::os::Clock;
use nexus_rt::os::calls::{self, Mapping, Slot};

use crate::role::{self, Case, End, slot};

pub(crate) const CASES: &[Case] = &[
    Case::exits("hears_its_interrupt", hears_its_interrupt),
    Case::exits("has_a_pool", has_a_pool),
    Case::exits("writes_a_shared_region", writes_a_shared_region),
    Case { ends: End::Fault(15), ..Case::exits("only_reads_it", only_reads_it) },
];

/// Registers of the board's clock (goldfish-rtc): nanoseconds, and an alarm.
const TIME_LOW: usize = 0x00;
const TIME_HIGH: usize = 0x04;
const ALARM_LOW: usize = 0x08;
const ALARM_HIGH: usize = 0x0c;
const INTERRUPT_ENABLED: usize = 0x10;
const CLEAR_INTERRUPT: usize = 0x1c;

const MILLISECOND: u64 = 1_000_000;
const PAGE: usize = 4096;
const WORD: u64 = 0x1122_3344_5566_7788;

/// What a capability stands for, mapped.
fn mapped(kind: CapabilityKind, name: &str) -> Option<Mapping> {
    let held = slot(kind, name);
    let mapping = calls::map(held).ok()?;
    let again = calls::map(held).ok()?;
    (again.address == mapping.address).then_some(mapping)
}

fn clock() -> Option<Mapping> {
    mapped(CapabilityKind::Device, "clock")
}

fn register(window: Mapping, offset: usize) -> *mut u32 {
    (window.address + offset) as *mut u32
}

fn read(window: Mapping, offset: usize) -> u32 {
    // SAFETY: the window is mapped and has this register.
    unsafe { register(window, offset).read_volatile() }
}

fn write(window: Mapping, offset: usize, value: u32) {
    // SAFETY: as for `read`.
    unsafe { register(window, offset).write_volatile(value) }
}

/// Nanoseconds; reading the lower half holds the upper one.
fn time(window: Mapping) -> u64 {
    let low = read(window, TIME_LOW);
    u64::from(read(window, TIME_HIGH)) << 32 | u64::from(low)
}

/// Whether the next alarm is heard.
fn alarm_is_heard(window: Mapping, interrupt: Slot) -> bool {
    let at = time(window) + MILLISECOND;
    write(window, INTERRUPT_ENABLED, 1);
    write(window, ALARM_HIGH, (at >> 32) as u32);
    write(window, ALARM_LOW, at as u32);
    let allowed = calls::interrupt_done(interrupt).is_ok();
    let heard = calls::wait(Clock::new().in_millis(500));
    write(window, CLEAR_INTERRUPT, 1);
    allowed && heard == Ok(Received::Signals(Signals::interrupt(interrupt.0 as usize)))
}

fn hears_its_interrupt() -> i32 {
    let Some(window) = clock() else { return 100 };
    let interrupt = slot(CapabilityKind::Interrupt, "alarm");
    let twice = [(); 2].map(|()| alarm_is_heard(window, interrupt));
    let silent = calls::wait(Clock::new().in_millis(5)) == Ok(Received::Deadline);
    let goes_on = time(window) > 0 && window.bytes == PAGE;
    let not_mapped = calls::map(interrupt).err() == Some(KernelError::NoCapability);
    role::all([twice[0], twice[1], silent, goes_on, not_mapped])
}

fn words(mapping: Mapping) -> impl Iterator<Item = *mut u64> {
    (0..mapping.bytes / 8).map(move |n| (mapping.address as *mut u64).wrapping_add(n))
}

fn has_a_pool() -> i32 {
    let Some(pool) = mapped(CapabilityKind::Dma, "pool") else { return 100 };
    // SAFETY: all of the pool is mapped for us to read and write.
    let zero = words(pool).all(|word| unsafe { word.read_volatile() } == 0);
    // SAFETY: as above.
    words(pool).for_each(|word| unsafe { word.write_volatile(WORD) });
    let is_memory = (0x8000_0000..0x8200_0000).contains(&pool.physical);
    role::all([zero, is_memory, pool.bytes == 4 * PAGE, pool.physical.is_multiple_of(PAGE as u64)])
}

fn writes_a_shared_region() -> i32 {
    let Some(region) = mapped(CapabilityKind::Shared, "region") else { return 100 };
    // SAFETY: the region is mapped for us to write.
    words(region).for_each(|word| unsafe { word.write_volatile(WORD) });
    role::all([region.physical == 0, region.bytes == 2 * PAGE])
}

/// The other one's words are there, and not ours to change.
fn only_reads_it() -> i32 {
    let Some(region) = mapped(CapabilityKind::Shared, "region") else { return 100 };
    // SAFETY: the region is mapped for us to read.
    if !words(region).all(|word| unsafe { word.read_volatile() } == WORD) {
        return 101;
    }
    // SAFETY: it must not come back from it.
    words(region).for_each(|word| unsafe { word.write_volatile(0) });
    1
}
