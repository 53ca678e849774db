//! The ways into the kernel and out of it, in assembly.
#![expect(unsafe_code, reason = "what a compiler cannot write")]

use core::arch::global_asm;

/// The registers of a process while it does not run.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Where it goes on.
    pub(crate) pc: u64,
    /// `x1` to `x31`.
    pub(crate) x: [u64; 31],
}

const A0: usize = 9;
const SP: usize = 1;
const A7: usize = 16;

impl Frame {
    pub(crate) const ZERO: Self = Self { pc: 0, x: [0; 31] };

    /// A process that begins.
    pub(crate) const fn begin(pc: usize, sp: usize, argument: u64) -> Self {
        let mut frame = Self { pc: pc as u64, ..Self::ZERO };
        frame.x[SP] = sp as u64;
        frame.x[A0] = argument;
        frame
    }

    /// The number of the system call and its arguments.
    #[inline]
    pub(crate) const fn asked(&self) -> (u64, [u64; 6]) {
        let x = &self.x;
        (x[A7], [x[A0], x[A0 + 1], x[A0 + 2], x[A0 + 3], x[A0 + 4], x[A0 + 5]])
    }

    /// What the system call comes back with.
    #[inline]
    pub(crate) fn answer(&mut self, registers: &[u64; 6]) {
        self.x[A0..A0 + 6].copy_from_slice(registers);
    }

    /// The same, where there is only whether it went well.
    #[inline]
    pub(crate) const fn status(&mut self, status: u64) {
        self.x[A0] = status;
    }
}

// SAFETY: `_start` runs once, with the hart's number and the device tree's address in a0 and a1, on
// a stack of its own. `enter_kernel` finds the frame of the process in sscratch, where `resume` has
// put it, saves all its registers and calls `trap` on the kernel's stack, of which nothing is kept
// from one trap to the next. While the kernel runs sscratch is zero: a trap then is a fault of its
// own, for which nothing is saved, and of which `kernel_fault` does not come back. `resume` takes a
// frame and never returns.
global_asm!(
    r#"
.section .text.start, "ax"
.globl _start
_start:
    csrw sscratch, zero
    la sp, __stack_end
    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  j boot

.text
.balign 4
.globl enter_kernel
enter_kernel:
    csrrw t6, sscratch, t6
    beqz t6, 1f
    sd x1, 8(t6)
    sd x2, 16(t6)
    sd x3, 24(t6)
    sd x4, 32(t6)
    sd x5, 40(t6)
    sd x6, 48(t6)
    sd x7, 56(t6)
    sd x8, 64(t6)
    sd x9, 72(t6)
    sd x10, 80(t6)
    sd x11, 88(t6)
    sd x12, 96(t6)
    sd x13, 104(t6)
    sd x14, 112(t6)
    sd x15, 120(t6)
    sd x16, 128(t6)
    sd x17, 136(t6)
    sd x18, 144(t6)
    sd x19, 152(t6)
    sd x20, 160(t6)
    sd x21, 168(t6)
    sd x22, 176(t6)
    sd x23, 184(t6)
    sd x24, 192(t6)
    sd x25, 200(t6)
    sd x26, 208(t6)
    sd x27, 216(t6)
    sd x28, 224(t6)
    sd x29, 232(t6)
    sd x30, 240(t6)
    csrrw t0, sscratch, zero
    sd t0, 248(t6)
    csrr t0, sepc
    sd t0, 0(t6)
    la sp, __stack_end
    j trap
1:  csrw sscratch, zero
    la sp, __stack_end
    j kernel_fault
.globl resume
resume:
    csrw sscratch, a0
    ld t0, 0(a0)
    csrw sepc, t0
    mv t6, a0
    ld x1, 8(t6)
    ld x2, 16(t6)
    ld x3, 24(t6)
    ld x4, 32(t6)
    ld x5, 40(t6)
    ld x6, 48(t6)
    ld x7, 56(t6)
    ld x8, 64(t6)
    ld x9, 72(t6)
    ld x10, 80(t6)
    ld x11, 88(t6)
    ld x12, 96(t6)
    ld x13, 104(t6)
    ld x14, 112(t6)
    ld x15, 120(t6)
    ld x16, 128(t6)
    ld x17, 136(t6)
    ld x18, 144(t6)
    ld x19, 152(t6)
    ld x20, 160(t6)
    ld x21, 168(t6)
    ld x22, 176(t6)
    ld x23, 184(t6)
    ld x24, 192(t6)
    ld x25, 200(t6)
    ld x26, 208(t6)
    ld x27, 216(t6)
    ld x28, 224(t6)
    ld x29, 232(t6)
    ld x30, 240(t6)
    ld x31, 248(t6)
    sret
"#
);

// SAFETY: symbols of the linker script and of the assembly above; only their addresses are used.
unsafe extern "C" {
    static __text_end: u8;
    static __rodata_end: u8;
    static __stack_guard: u8;
    static __end: u8;
    fn enter_kernel();
    #[link_name = "resume"]
    fn resume_frame(frame: *const Frame) -> !;
}

/// Lets a process go on.
#[inline(always)]
pub(crate) fn resume(frame: *const Frame) -> ! {
    // SAFETY: the frame is one of `Hardware`'s, and the process's space is active.
    unsafe { resume_frame(frame) }
}

/// Where the kernel lies in memory.
pub(crate) struct Layout {
    pub(crate) start: u64,
    pub(crate) text_end: u64,
    pub(crate) rodata_end: u64,
    pub(crate) stack_guard: u64,
    pub(crate) end: u64,
}

pub(crate) fn layout() -> Layout {
    Layout {
        start: 0x8020_0000,
        text_end: &raw const __text_end as u64,
        rodata_end: &raw const __rodata_end as u64,
        stack_guard: &raw const __stack_guard as u64,
        end: &raw const __end as u64,
    }
}

/// Where traps go.
pub(crate) fn vector() -> usize {
    enter_kernel as *const () as usize
}
