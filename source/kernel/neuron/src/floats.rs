//! Floating-point registers, kept lazily: they stay those of whoever used them last until somebody
//! else does. The kernel itself is compiled without any.
#![expect(unsafe_code, reason = "registers that only assembly can name")]

use core::arch::global_asm;

use neuron_core::ProcessId;
use nexus_abi::kernel::PROCESSES_MAX;
use riscv::register::sstatus::{self, FS};

/// `f0` to `f31` and `fcsr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Saved([u64; 33]);

/// Whose registers are where.
pub(crate) struct Floats {
    owner: Option<ProcessId>,
    /// Whether they can be used now.
    usable: bool,
    saved: [Saved; PROCESSES_MAX],
}

impl Floats {
    pub(crate) const fn new() -> Self {
        Self { owner: None, usable: true, saved: [Saved([0; 33]); PROCESSES_MAX] }
    }

    /// `id` begins with zeroes.
    pub(crate) fn begin(&mut self, id: ProcessId) {
        self.saved[id.index()] = Saved([0; 33]);
        self.owner = self.owner.filter(|owner| *owner != id);
    }

    /// Lets `id` use the registers at once if they are its own, else only after a trap.
    #[inline]
    pub(crate) fn switch(&mut self, id: ProcessId) {
        let usable = self.owner == Some(id);
        if usable != self.usable {
            self.usable = usable;
            // SAFETY: the kernel itself uses no floating-point registers.
            unsafe { sstatus::set_fs(if usable { FS::Dirty } else { FS::Off }) }
        }
    }

    /// Hands the registers to `id`, unless it has them; whether it had not.
    pub(crate) fn hand_over(&mut self, id: ProcessId) -> bool {
        if self.owner == Some(id) {
            return false;
        }
        // SAFETY: both rows have 33 words, and access to the registers is on.
        unsafe {
            sstatus::set_fs(FS::Dirty);
            if let Some(owner) = self.owner {
                save_floats(&raw mut self.saved[owner.index()]);
            }
            load_floats(&raw const self.saved[id.index()]);
        }
        self.owner = Some(id);
        self.usable = true;
        true
    }
}

// SAFETY: they touch nothing but the row that they are given, `t0` and what they are about.
unsafe extern "C" {
    fn save_floats(to: *mut Saved);
    fn load_floats(from: *const Saved);
}

// SAFETY: as declared above.
global_asm!(
    r#"
.option push
.option arch, +d
.text
.balign 4
.globl save_floats
save_floats:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, (8 * \n)(a0)
    .endr
    frcsr t0
    sd t0, 256(a0)
    ret
.globl load_floats
load_floats:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, (8 * \n)(a0)
    .endr
    ld t0, 256(a0)
    fscsr t0
    ret
.option pop
"#
);
