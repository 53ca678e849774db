//! What a kernel cannot do without: the timer, the interrupt controller, and the way to stop.
#![expect(unsafe_code, reason = "registers of the hart and of devices")]

use core::arch::asm;

use nexus_abi::kernel::NEVER;

use crate::physical::Register;

/// The time now, in ticks.
#[inline]
pub(crate) fn now() -> u64 {
    riscv::register::time::read64()
}

/// The timer of the hart.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    has_stimecmp: bool,
    set: u64,
}

impl Timer {
    pub(crate) const fn new(has_stimecmp: bool) -> Self {
        Self { has_stimecmp, set: NEVER }
    }

    /// Whether it interrupts at `at`, in ticks, or earlier.
    #[inline]
    pub(crate) const fn is_due_by(&self, at: u64) -> bool {
        self.set <= at && self.set < NEVER
    }

    /// It has interrupted, or may have: nothing is known of it any more.
    pub(crate) const fn forget(&mut self) {
        self.set = NEVER;
    }

    /// Interrupts at `at`, in ticks, and not before.
    pub(crate) fn interrupt_at(&mut self, at: u64) {
        self.set = at;
        if self.has_stimecmp {
            // SAFETY: the device tree says that the register (stimecmp) is there.
            unsafe { asm!("csrw 0x14d, {}", in(reg) at, options(nomem, nostack)) }
        } else {
            // Without the call the firmware has no timer at all: then nothing is ever late.
            let _ = sbi_rt::set_timer(at).is_ok();
        }
    }
}

/// The interrupt controller, as it serves the supervisor of hart 0.
#[derive(Clone, Copy)]
pub(crate) struct Interrupts {
    base: usize,
}

const CONTEXT: usize = 1;

impl Interrupts {
    /// The controller whose registers begin at `base`.
    ///
    /// # Safety
    /// There is one.
    pub(crate) unsafe fn at(base: usize) -> Self {
        let this = Self { base };
        this.register(0x20_0000 + CONTEXT * 0x1000).write(0);
        this
    }

    fn register(self, offset: usize) -> Register<u32> {
        // SAFETY: the offsets used here are those of the controller's registers, by its
        // specification; `at` was promised a controller.
        unsafe { Register::at(self.base + offset) }
    }

    /// Lets a line interrupt, or keeps it from it.
    pub(crate) fn enable(self, line: u32, enabled: bool) {
        self.register(4 * line as usize).write(1);
        let register = self.register(0x2000 + CONTEXT * 0x80 + line as usize / 32 * 4);
        let bit = 1 << (line % 32);
        let others = register.read() & !bit;
        register.write(if enabled { others | bit } else { others });
    }

    /// A line that interrupts, which is kept from doing it again.
    pub(crate) fn take(self) -> Option<u32> {
        let claim = self.register(0x20_0004 + CONTEXT * 0x1000);
        let line = Some(claim.read()).filter(|&line| line != 0)?;
        self.enable(line, false);
        claim.write(line);
        Some(line)
    }
}

/// Stops the machine, telling whoever runs it a number of 16 bits.
#[derive(Clone, Copy)]
pub(crate) struct Finisher(Register<u32>);

impl Finisher {
    /// The device at `base`.
    ///
    /// # Safety
    /// There is one.
    pub(crate) unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { Register::at(base) })
    }

    pub(crate) fn stop(self, code: u64) -> ! {
        let code = code as u32 & 0xffff;
        self.0.write(if code == 0 { 0x5555 } else { code << 16 | 0x3333 });
        loop {
            riscv::asm::wfi();
        }
    }
}
