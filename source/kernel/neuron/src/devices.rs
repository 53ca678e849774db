//! What a kernel cannot do without: the timer, the interrupt controller, and the way to stop.
#![expect(unsafe_code, reason = "registers of the hart and of devices")]

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
    /// It interrupts before any time that is later than this.
    before: u64,
}

impl Timer {
    pub(crate) const fn new(has_stimecmp: bool) -> Self {
        Self { has_stimecmp, before: NEVER }
    }

    /// Whether it interrupts at `at`, in ticks, or earlier.
    #[inline]
    pub(crate) const fn is_due_by(&self, at: u64) -> bool {
        self.before < at
    }

    /// It has interrupted, or may have: nothing is known of it any more.
    pub(crate) const fn forget(&mut self) {
        self.before = NEVER;
    }

    /// Interrupts at `at`, in ticks, and not before.
    pub(crate) fn interrupt_at(&mut self, at: u64) {
        self.before = at.saturating_sub(1);
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
        let register = self.register(0x2000 + CONTEXT * 0x80 + line as usize / 32 * 4);
        let bit = 1 << (line % 32);
        let others = register.read() & !bit;
        register.write(if enabled { others | bit } else { others });
        // The priority comes last: QEMU 7.2 looks whether something is pending when a priority is
        // written, and not when a line is enabled; what has come meanwhile would be lost.
        self.register(4 * line as usize).write(1);
    }

    /// A line that interrupts, which is kept from doing it again.
    pub(crate) fn take(self) -> Option<u32> {
        let claim = self.register(0x20_0004 + CONTEXT * 0x1000);
        let line = Some(claim.read()).filter(|&line| line != 0)?;
        // First the end of it, then the line: the controller overlooks the end of what is disabled
        // (RISC-V PLIC specification, "Interrupt Completion").
        claim.write(line);
        self.enable(line, false);
        Some(line)
    }
}

/// Stops the machine; whoever runs it learns a number of 16 bits, where there is a device for that.
pub(crate) fn stop(code: u64) -> ! {
    let code = code as u32 & 0xffff;
    let finisher = FINISHER.load(Relaxed);
    if finisher != 0 {
        // SAFETY: `set_finisher` was promised the device.
        let register = unsafe { Register::<u32>::at(finisher) };
        register.write(if code == 0 { 0x5555 } else { code << 16 | 0x3333 });
    }
    loop {
        riscv::asm::wfi();
    }
}

/// Where the device lies that stops the machine. On its own, as it is needed even if all is lost.
static FINISHER: AtomicUsize = AtomicUsize::new(0);

/// From now on [`stop`] knows the device (`sifive,test0`) whose registers begin at `base`.
///
/// # Safety
/// There is one.
pub(crate) unsafe fn set_finisher(base: usize) {
    FINISHER.store(base, Relaxed);
}
