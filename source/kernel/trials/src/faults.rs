//! Processes that end by what they do.
#![expect(unsafe_code, reason = "does what must not work")]

use core::arch::asm;
use core::hint::black_box;

use nexus_abi::kernel::{ADDRESS_HEAP, ADDRESS_IMAGE};

use crate::role::{Case, End};

const JUMPED: u32 = 12;
const LOADED: u32 = 13;
const STORED: u32 = 15;
const ILLEGAL: u32 = 2;
const BREAKPOINT: u32 = 3;

const KERNEL: usize = 0x8020_0000;
const FIRMWARE: usize = 0x8000_0000;
const SERIAL_PORT: usize = 0x1000_0000;
const END_OF_SV39: usize = 0xffff_ffff_ffff_f000;

const fn fault(name: &'static str, run: fn() -> i32, cause: u32) -> Case {
    Case { ends: End::Fault(cause), ..Case::exits(name, run) }
}

pub(crate) const CASES: &[Case] = &[
    fault("reads_the_kernel", || load(KERNEL), LOADED),
    fault("reads_the_kernels_data", || load(KERNEL + 0x20_0000), LOADED),
    fault("reads_the_firmware", || load(FIRMWARE), LOADED),
    fault("reads_a_device", || load(SERIAL_PORT), LOADED),
    fault("reads_memory_that_others_have", || load(ADDRESS_HEAP), LOADED),
    fault("reads_nothing", || load(0), LOADED),
    fault("reads_the_end_of_memory", || load(END_OF_SV39), LOADED),
    fault("writes_the_kernel", || store(KERNEL), STORED),
    fault("writes_its_own_code", || store(ADDRESS_IMAGE), STORED),
    fault("writes_constants", || store(CONSTANT.as_ptr() as usize), STORED),
    fault(
        "jumps_into_its_stack",
        || jump(&raw const *black_box(&[0x8067_u32; 4]) as usize),
        JUMPED,
    ),
    fault("jumps_into_constants", || jump(CONSTANT.as_ptr() as usize), JUMPED),
    fault("jumps_into_the_kernel", || jump(KERNEL), JUMPED),
    fault("overflows_its_stack", || overflow(black_box(1)), STORED),
    fault("changes_the_page_table", change_page_table, ILLEGAL),
    fault("turns_interrupts_off", turn_interrupts_off, ILLEGAL),
    fault("returns_from_a_trap", return_from_trap, ILLEGAL),
    fault("runs_what_is_no_instruction", no_instruction, ILLEGAL),
    fault("stops_at_a_breakpoint", breakpoint, BREAKPOINT),
];

static CONSTANT: [u32; 4] = [0x8067; 4];

fn load(address: usize) -> i32 {
    // SAFETY: it must not come back from it, and would do no harm if it did.
    unsafe { (address as *const u32).read_volatile() as i32 | 1 }
}

fn store(address: usize) -> i32 {
    // SAFETY: it must not come back from it; if it does the trial has failed.
    unsafe { (address as *mut u32).write_volatile(0) }
    1
}

fn jump(address: usize) -> i32 {
    // SAFETY: it must not arrive there; if it does the trial has failed.
    unsafe { asm!("jalr ra, {}", in(reg) address, clobber_abi("C")) }
    1
}

#[expect(unconditional_recursion, reason = "the stack ends it")]
fn overflow(depth: i32) -> i32 {
    let here = black_box([depth; 64]);
    overflow(here[0] + 1) + here[63]
}

fn change_page_table() -> i32 {
    // SAFETY: it must not come back from it.
    unsafe { asm!("csrw satp, zero") }
    1
}

fn turn_interrupts_off() -> i32 {
    // SAFETY: it must not come back from it.
    unsafe { asm!("csrci sstatus, 2") }
    1
}

fn return_from_trap() -> i32 {
    // SAFETY: it must not come back from it.
    unsafe { asm!("sret") }
    1
}

fn no_instruction() -> i32 {
    // SAFETY: it must not come back from it.
    unsafe { asm!("unimp") }
    1
}

fn breakpoint() -> i32 {
    // SAFETY: it must not come back from it.
    unsafe { asm!("ebreak") }
    1
}
