//! System calls: arguments checked, decisions left to `neuron-core`, answers put into registers.

use neuron_core::{Capability, Extent, Machine as _, ProcessId};
use nexus_abi::kernel::{
    CapabilityKind, GROW_PAGES_MAX, KernelError, LINE_BYTES_MAX, PAGE_BYTES, Signals, SystemCall,
    VERSION,
};
use nexus_abi::{ExitReason, Rights};

use crate::devices;
use crate::neuron::{Devices, Neuron};
use crate::physical::{self, Page};
use crate::space::Access;

type Registers = [u64; 6];

/// The instruction has no shorter form.
const ECALL_BYTES: u64 = 4;

/// What went wrong, if anything did. Otherwise the caller has its answer, or waits, or is no more.
type Answer = Result<(), KernelError>;

impl Neuron<'_> {
    #[inline(always)]
    pub(crate) fn system_call(&mut self, who: ProcessId) {
        let frame = self.hardware.frame(who);
        frame.pc = frame.pc.wrapping_add(ECALL_BYTES);
        let (number, arguments) = frame.asked();
        let answer = match SystemCall::from_raw(number) {
            Some(call) => self.perform(call, who, arguments),
            None => Err(KernelError::UnknownCall),
        };
        if let Err(error) = answer {
            self.hardware.frame(who).status(error.raw().wrapping_neg());
        }
    }

    /// The call is done, and has nothing more to say than that.
    #[inline]
    fn done(&mut self, who: ProcessId) -> Answer {
        self.hardware.frame(who).status(0);
        Ok(())
    }

    /// The call is done and brings these.
    #[inline]
    fn give(&mut self, who: ProcessId, registers: Registers) -> Answer {
        self.hardware.frame(who).answer(&registers);
        Ok(())
    }

    #[inline(always)]
    fn perform(&mut self, call: SystemCall, who: ProcessId, a: Registers) -> Answer {
        match call {
            SystemCall::Submit => self.submit(who, a),
            SystemCall::Receive => {
                let buffer = self.hardware.buffer(who, a[0])?;
                self.receive(who, buffer, a[1])
            }
            SystemCall::Reply => self.reply(who, [a[0], a[1], a[2]]),
            SystemCall::Call => self.call(who, a),
            SystemCall::ReplyReceive => {
                // First, as a refusal must have changed nothing.
                let buffer = self.hardware.buffer(who, a[3])?;
                self.reply(who, [a[0], a[1], a[2]])?;
                self.receive(who, buffer, a[4])
            }
            _ => self.perform_other(call, who),
        }
    }

    /// What need not be fast, kept out of the way of what must.
    #[inline(never)]
    fn perform_other(&mut self, call: SystemCall, who: ProcessId) -> Answer {
        let (_, a) = self.hardware.frame(who).asked();
        match call {
            SystemCall::Submit
            | SystemCall::Receive
            | SystemCall::Reply
            | SystemCall::Call
            | SystemCall::ReplyReceive => Ok(()),
            SystemCall::Info => self.info(who),
            SystemCall::Find => self.find(who, a[0], a[1]),
            SystemCall::Spawn => self.spawn(who, a[0], a[1]),
            SystemCall::Kill => self.kill(who, a[0]),
            SystemCall::Signal => self.signal(who, a[0], Signals(a[1])),
            SystemCall::Child => self.child(who, a[0]),
            SystemCall::Acknowledge => self.acknowledge(who, a[0], a[1]),
            SystemCall::Grow => self.grow(who, a[0]),
            SystemCall::Map => self.map(who, a[0]),
            SystemCall::InterruptDone => self.interrupt_done(who, a[0]),
            SystemCall::Print => self.print(who, a[0], [a[1], a[2]]),
            SystemCall::Exit => self.exit(who, a[0]),
            SystemCall::Halt => self.halt(who, a[0], a[1]),
        }
    }

    // --- messages ----------------------------------------------------------------------------

    #[inline(always)]
    fn extents(&mut self, who: ProcessId, a: Registers) -> Result<(Extent, Extent), KernelError> {
        let space = self.hardware.space(who)?;
        let request = space.extent(a[1], a[2], Access::Read)?;
        Ok((request, space.extent(a[3], a[4], Access::Write)?))
    }

    #[inline(always)]
    fn submit(&mut self, who: ProcessId, a: Registers) -> Answer {
        let extents = self.extents(who, a)?;
        self.kernel.submit(self.hardware, who, a[0], extents, a[5])?;
        self.done(who)
    }

    #[inline(always)]
    fn call(&mut self, who: ProcessId, a: Registers) -> Answer {
        let extents = self.extents(who, a)?;
        self.kernel.call(self.hardware, who, a[0], extents, a[5])?;
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, who: ProcessId, buffer: Extent, deadline: u64) -> Answer {
        let received = self.kernel.receive(self.hardware, who, buffer, deadline);
        if let Some(received) = received {
            self.hardware.resume(who, received);
        }
        Ok(())
    }

    #[inline(always)]
    fn reply(&mut self, who: ProcessId, [token, address, bytes]: [u64; 3]) -> Answer {
        let answer = self.hardware.extent(who, [address, bytes], Access::Read)?;
        self.kernel.reply(self.hardware, who, token, &answer)?;
        self.done(who)
    }

    // --- oneself -----------------------------------------------------------------------------

    fn info(&mut self, who: ProcessId) -> Answer {
        let stamp = self.kernel.stamp(who);
        let life = u64::from(stamp.incarnation.raw()) << 32 | u64::from(stamp.pid);
        let rights = u64::from(VERSION) << 32 | u64::from(stamp.rights.raw());
        let budget = self.hardware.space(who)?.budget() as u64;
        let ticks = self.devices.ticks_per_second;
        self.give(who, [0, stamp.service().raw(), life, rights, ticks, budget])
    }

    fn find(&mut self, who: ProcessId, kind: u64, key: u64) -> Answer {
        let image = self.devices.image;
        let held =
            |(_, c): &(usize, Capability)| c.kind().raw() == kind && image.key(*c).raw() == key;
        let found = self.kernel.capabilities(who).iter().find(held);
        let (slot, _) = found.ok_or(KernelError::NotFound)?;
        self.give(who, [0, slot as u64, 0, 0, 0, 0])
    }

    fn exit(&mut self, who: ProcessId, code: u64) -> Answer {
        self.end(who, ExitReason::Exited(code as i32));
        Ok(())
    }

    // --- children ----------------------------------------------------------------------------

    fn spawn(&mut self, who: ProcessId, slot: u64, rights: u64) -> Answer {
        let rights = u8::try_from(rights).map_err(|_| KernelError::Denied)?;
        let rights = Rights::from_raw(rights);
        let child = self.kernel.may_spawn(who, slot, rights)?;
        self.start(child, rights)?;
        self.give(who, [0, u64::from(self.kernel.stamp(child).pid), 0, 0, 0, 0])
    }

    fn kill(&mut self, who: ProcessId, slot: u64) -> Answer {
        let child = self.kernel.living_child(who, slot)?;
        self.end(child, ExitReason::Killed(ExitReason::BY_PARENT));
        self.done(who)
    }

    fn signal(&mut self, who: ProcessId, slot: u64, signals: Signals) -> Answer {
        self.kernel.signal(self.hardware, who, slot, signals)?;
        self.done(who)
    }

    fn child(&mut self, who: ProcessId, slot: u64) -> Answer {
        let [a1, a2, a3, a4, a5] = self.kernel.child(who, slot)?.registers();
        self.give(who, [0, a1, a2, a3, a4, a5])
    }

    fn acknowledge(&mut self, who: ProcessId, slot: u64, ends: u64) -> Answer {
        self.kernel.acknowledge(who, slot, ends)?;
        self.done(who)
    }

    // --- memory and devices ------------------------------------------------------------------

    fn grow(&mut self, who: ProcessId, pages: u64) -> Answer {
        if pages > GROW_PAGES_MAX as u64 {
            return Err(KernelError::TooLong);
        }
        let memory = &mut self.devices.memory;
        let start = self.hardware.space(who)?.grow(pages as usize, memory)?;
        riscv::asm::sfence_vma_all();
        self.give(who, [0, start as u64, 0, 0, 0, 0])
    }

    fn map(&mut self, who: ProcessId, slot: u64) -> Answer {
        let held = self.kernel.capabilities(who).get(slot).ok_or(KernelError::NoCapability)?;
        let Window { first, pages, access, is_dma } = self.devices.window(held)?;
        let space = self.hardware.space(who)?;
        let (address, is_mapped) = space.place(slot);
        if !is_mapped {
            space.map(address, first, pages, access, &mut self.devices.memory)?;
            riscv::asm::sfence_vma_all();
        }
        let physical = if is_dma { first.address() } else { 0 };
        self.give(who, [0, address as u64, (pages * PAGE_BYTES) as u64, physical, 0, 0])
    }

    fn interrupt_done(&mut self, who: ProcessId, slot: u64) -> Answer {
        let held = self.kernel.capabilities(who).get(slot).ok_or(KernelError::NoCapability)?;
        let line = self.devices.line(held).ok_or(KernelError::NoCapability)?;
        self.devices.interrupts.enable(line, true);
        self.done(who)
    }

    fn print(&mut self, who: ProcessId, slot: u64, text: [u64; 2]) -> Answer {
        self.kernel.capabilities(who).needs(slot, Capability::Console)?;
        if text[1] > LINE_BYTES_MAX as u64 {
            return Err(KernelError::TooLong);
        }
        let from = self.hardware.extent(who, text, Access::Read)?;
        let mut line = [0_u8; LINE_BYTES_MAX];
        let to = Extent::whole(line.as_mut_ptr() as u64, line.len());
        from.pieces(&to, from.bytes(), physical::copy);
        self.devices.console.line(line.iter().copied().take(from.bytes()));
        self.done(who)
    }

    fn halt(&mut self, who: ProcessId, slot: u64, code: u64) -> Answer {
        self.kernel.capabilities(who).needs(slot, Capability::Halt)?;
        devices::stop(code)
    }
}

/// Memory that a capability stands for.
struct Window {
    first: Page,
    pages: usize,
    access: Access,
    is_dma: bool,
}

impl Devices {
    fn window(&self, held: Capability) -> Result<Window, KernelError> {
        let Capability::Resource { kind, number, writable } = held else {
            return Err(KernelError::NoCapability);
        };
        let number = usize::from(number);
        let resource = self.image.resource(number).ok_or(KernelError::NoCapability)?;
        let (first, access) = match (kind, writable) {
            (CapabilityKind::Device, _) => (Page::of(resource.physical), Access::Registers),
            (CapabilityKind::Dma, _) | (CapabilityKind::Shared, true) => {
                (self.reserved[number], Access::Write)
            }
            (CapabilityKind::Shared, false) => (self.reserved[number], Access::Read),
            _ => return Err(KernelError::NoCapability),
        };
        let is_dma = kind == CapabilityKind::Dma;
        Ok(Window { first, pages: resource.size as usize, access, is_dma })
    }

    /// The interrupt line that a capability stands for.
    pub(crate) fn line(&self, held: Capability) -> Option<u32> {
        match held {
            Capability::Resource { kind: CapabilityKind::Interrupt, number, .. } => {
                Some(self.image.resource(usize::from(number))?.size)
            }
            _ => None,
        }
    }
}
