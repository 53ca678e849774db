//! Processes that use devices and memory that the image gives them, and nothing else.
#![expect(unsafe_code, reason = "reads and writes memory that was mapped")]

use nexus_abi::kernel::{CapabilityKind, KernelError, NEVER, Received, Signals, SystemCall};
use nexus_rt::os::Clock;
use nexus_rt::os::calls::{self, Mapping, Slot};

use crate::hostile::ask;
use crate::role::{self, Case, End, server, slot};

pub(crate) const CASES: &[Case] = &[
    Case::exits("hears_its_interrupt", hears_its_interrupt),
    Case::exits("has_a_pool", has_a_pool),
    Case::exits("gives_registers_for_memory", gives_registers_for_memory),
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

/// Places in a window that has few registers: the device behind the first says what it is, and at
/// the second there is none.
const REGISTERS: [usize; 2] = [0, 0x800];

/// Registers are no memory: the kernel neither reads nor writes them for anybody.
fn gives_registers_for_memory() -> i32 {
    let Some(window) = mapped(CapabilityKind::Device, "transport") else { return 100 };
    let (to, console) = (server("echo").0, slot(CapabilityKind::Console, "").0);
    let mut memory = [0_u8; 64];
    let good = memory.as_mut_ptr() as u64;
    let refused = |call, a| ask(call, a) == Err(KernelError::BadAddress);
    role::all(REGISTERS.into_iter().flat_map(|offset| {
        let bad = (window.address + offset) as u64;
        [
            refused(SystemCall::Submit, [to, bad, 8, good, 8, 0]),
            refused(SystemCall::Submit, [to, good, 8, bad, 8, 0]),
            refused(SystemCall::Call, [to, bad, 8, good, 8, NEVER]),
            refused(SystemCall::Call, [to, good, 8, bad, 8, NEVER]),
            refused(SystemCall::Receive, [bad, 0, 0, 0, 0, 0]),
            refused(SystemCall::Reply, [0, bad, 8, 0, 0, 0]),
            refused(SystemCall::ReplyReceive, [0, bad, 8, good, 0, 0]),
            refused(SystemCall::ReplyReceive, [0, good, 8, bad, 0, 0]),
            refused(SystemCall::Print, [console, bad, 8, 0, 0, 0]),
        ]
    }))
}

/// QEMU's firmware configuration: the one device here that reads and writes memory by itself.
const DMA_ADDRESS_HIGH: usize = 0x10;
const DMA_ADDRESS_LOW: usize = 0x14;
/// Selects item 0, the signature, and reads it.
const SELECT_AND_READ: u32 = 0x08 | 0x02;
const SIGNATURE: [u8; 4] = *b"QEMU";
/// Where it goes, in the pool.
const SIGNATURE_AT: usize = PAGE;

/// Whether a device sees the pool at its physical address: it is told there what to write where.
fn a_device_reaches(pool: Mapping) -> bool {
    let Some(window) = mapped(CapabilityKind::Device, "configuration") else { return false };
    let to = pool.physical + SIGNATURE_AT as u64;
    let length = SIGNATURE.len() as u32;
    let order = [SELECT_AND_READ, length, (to >> 32) as u32, to as u32];
    (0..).step_by(4).zip(order).for_each(|(at, word)| write(pool, at, word.to_be()));
    write(window, DMA_ADDRESS_HIGH, ((pool.physical >> 32) as u32).to_be());
    write(window, DMA_ADDRESS_LOW, (pool.physical as u32).to_be());
    read(pool, SIGNATURE_AT).to_le_bytes() == SIGNATURE && read(pool, 0) == 0
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
    let is_whole = pool.bytes == 4 * PAGE && pool.physical.is_multiple_of(PAGE as u64);
    role::all([zero, is_memory, is_whole, a_device_reaches(pool)])
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
