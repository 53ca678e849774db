//! From a trap to whoever runs next.
#![expect(unsafe_code, reason = "the one state of the kernel, entered by traps")]

use core::cell::UnsafeCell;
use core::fmt::Write as _;
use core::mem::MaybeUninit;

use neuron_core::{Image, Kernel, ProcessId};
use nexus_abi::kernel::NEVER;
use nexus_abi::{ExitReason, Rights};
use riscv::register::{scause, sip};

use crate::console::{Console, Firmware};
use crate::devices::{self, Interrupts, Timer};
use crate::entry::{self, Frame};
use crate::hardware::Hardware;
use crate::memory::Memory;
use crate::physical::Page;
use crate::space::{self, Space};

/// What exists from the end of booting on.
pub(crate) struct Devices {
    pub(crate) memory: Memory,
    pub(crate) image: Image<'static>,
    pub(crate) kernel_root: Page,
    /// Where the pools and shared regions of the image lie, by number.
    pub(crate) reserved: [Page; RESOURCES_MAX],
    pub(crate) console: Console,
    pub(crate) timer: Timer,
    pub(crate) interrupts: Interrupts,
    pub(crate) ticks_per_second: u64,
}

/// As many as an image has at most.
pub(crate) const RESOURCES_MAX: usize = 256;

/// All that the kernel knows.
struct State {
    kernel: Kernel,
    hardware: Hardware,
    /// There from `begin` on, and before that there are no traps.
    devices: MaybeUninit<Devices>,
}

/// The state, for whoever is entered by the hardware.
struct Only(UnsafeCell<State>);

// SAFETY: there is one hart, and while it is in the kernel its interrupts are off.
unsafe impl Sync for Only {}

static STATE: Only = Only(UnsafeCell::new(State {
    kernel: Kernel::new(NEVER),
    hardware: Hardware::new(),
    devices: MaybeUninit::uninit(),
}));

/// The kernel while it does something.
pub(crate) struct Neuron<'a> {
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) hardware: &'a mut Hardware,
    pub(crate) devices: &'a mut Devices,
}

/// The kernel, once `devices` are known.
///
/// # Safety
/// Only `boot` calls it, once.
pub(crate) unsafe fn begin(devices: Devices) -> Neuron<'static> {
    // SAFETY: nothing else has reached the state before `boot` ends.
    let state = unsafe { &mut *STATE.0.get() };
    let devices = state.devices.write(devices);
    Neuron { kernel: &mut state.kernel, hardware: &mut state.hardware, devices }
}

/// Where `enter_kernel` goes on. It does not return, so that no registers are kept for it, which
/// would be a tenth of what a message costs.
#[unsafe(no_mangle)] // SAFETY: the assembly calls it by this name.
extern "C" fn trap() -> ! {
    // SAFETY: traps do not nest: interrupts are off here, and a fault of the kernel's own ends it.
    let state = unsafe { &mut *STATE.0.get() };
    let State { kernel, hardware, devices } = state;
    // SAFETY: `boot` enables traps after it has called `begin`.
    let devices = unsafe { devices.assume_init_mut() };
    let mut neuron = Neuron { kernel, hardware, devices };
    let cause = scause::read().bits();
    if cause == ECALL {
        neuron.system_call(neuron.hardware.running());
    } else {
        neuron.other_trap(cause);
    }
    entry::resume(neuron.leave())
}

const INTERRUPT: usize = 1 << 63;
const ECALL: usize = 8;
const ILLEGAL_INSTRUCTION: usize = 2;

impl Neuron<'_> {
    #[inline(never)]
    fn other_trap(&mut self, cause: usize) {
        let running = self.hardware.running();
        match cause {
            _ if cause & INTERRUPT != 0 => self.interrupts(),
            ILLEGAL_INSTRUCTION if self.hardware.floats.hand_over(running) => {}
            fault => self.end(running, ExitReason::Killed(fault as u32)),
        }
    }

    fn interrupts(&mut self) {
        while let Some(line) = self.devices.interrupts.take() {
            let resources = self.devices.image.resources();
            let listeners = (0..).zip(resources).filter(|(_, known)| known.size == line);
            for (number, _) in listeners {
                if let Some((id, signals)) = self.kernel.listener(number) {
                    self.kernel.raise(self.hardware, id, signals);
                }
            }
        }
        self.devices.timer.forget();
    }

    /// Who goes on, with which registers. The clock is read only where somebody else's slice is
    /// spent from now on, or a deadline is earlier than the timer's.
    #[inline(always)]
    pub(crate) fn leave(&mut self) -> *const Frame {
        match self.kernel.schedule().next_at_same_cost() {
            Some(next) if self.devices.timer.is_due_by(self.kernel.earliest()) => {
                self.hardware.enter(next)
            }
            _ => self.leave_by_the_clock(),
        }
    }

    /// Wakes whose deadline has come, and waits where nobody can run.
    #[inline(never)]
    fn leave_by_the_clock(&mut self) -> *const Frame {
        loop {
            let now = devices::now();
            if self.kernel.earliest() <= now {
                self.kernel.expire(self.hardware, now);
            }
            let next = self.kernel.schedule().choose(now);
            let slice_end = next.map_or(NEVER, |(_, end)| end);
            self.devices.timer.interrupt_at(slice_end.min(self.kernel.earliest()));
            if let Some((next, _)) = next {
                return self.hardware.enter(next);
            }
            self.idle();
        }
    }

    fn idle(&mut self) {
        riscv::asm::wfi();
        if sip::read().sext() {
            self.interrupts();
        }
    }

    /// Begins a life of `id`.
    pub(crate) fn start(
        &mut self,
        id: ProcessId,
        rights: Rights,
    ) -> Result<(), nexus_abi::kernel::KernelError> {
        let Devices { image, memory, kernel_root, .. } = &mut *self.devices;
        let entry = image.entry(id).ok_or(nexus_abi::kernel::KernelError::NotFound)?;
        let space = Space::of(&entry, image, memory, *kernel_root)?;
        let stack = nexus_abi::kernel::ADDRESS_STACK_END;
        self.hardware.place(id, space, Frame::begin(entry.start, stack, entry.argument));
        self.kernel.begin(id, rights);
        Ok(())
    }

    /// Ends a life, for whatever reason, and takes back what it had. Without the first process
    /// there is nobody who could start anything.
    pub(crate) fn end(&mut self, id: ProcessId, reason: ExitReason) {
        if id == ProcessId::FIRST {
            let _ = writeln!(self.devices.console, "neuron: the first process ended: {reason:?}");
            devices::stop(FIRST_ENDED);
        }
        self.kernel.end(self.hardware, id, reason);
        self.hardware.activate(space::satp(self.devices.kernel_root));
        if let Some(space) = self.hardware.remove(id) {
            space.free(&mut self.devices.memory);
        }
        self.silence(id);
    }

    /// Nobody listens to the interrupts of `id` any more.
    fn silence(&mut self, id: ProcessId) {
        let held = self.kernel.capabilities(id).iter();
        let lines = held.filter_map(|(_, held)| self.devices.line(held));
        lines.for_each(|line| self.devices.interrupts.enable(line, false));
    }
}

/// What QEMU ends with when the first process ends, and when the kernel gives up.
const FIRST_ENDED: u64 = 100;
const LOST: u64 = 101;

/// Where `enter_kernel` goes on if the kernel itself was interrupted, which only a fault of its own
/// can do: it says so and stops.
#[unsafe(no_mangle)] // SAFETY: the assembly calls it by this name.
extern "C" fn kernel_fault() -> ! {
    let (cause, at) = (scause::read().bits(), riscv::register::sepc::read());
    let value = riscv::register::stval::read();
    panic!("fault in the kernel: cause {cause:#x} at {at:#x}, value {value:#x}");
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Firmware, "neuron: {info}\r");
    devices::stop(LOST)
}
