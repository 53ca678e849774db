//! Registers and memory of all processes: the machine that the kernel's decisions act on.
#![expect(unsafe_code, reason = "switches the address space")]

use core::arch::asm;

use neuron_core::{Extent, Machine, ProcessId};
use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::kernel::{KernelError, PROCESSES_MAX, Received};

use crate::entry::Frame;
use crate::floats::Floats;
use crate::physical;
use crate::space::{Access, Space};

/// One row for each process.
pub(crate) struct Hardware {
    frames: [Frame; PROCESSES_MAX],
    spaces: [Option<Space>; PROCESSES_MAX],
    /// What `satp` holds while each runs.
    roots: [u64; PROCESSES_MAX],
    /// Where each has received last, which is most often where it receives next.
    buffers: [(u64, Extent); PROCESSES_MAX],
    pub(crate) floats: Floats,
    /// What is in `satp`.
    active: u64,
    /// Who runs, or ran last.
    running: ProcessId,
}

/// Address 0, where nothing is ever mapped, stands for no place at all.
const NO_BUFFER: (u64, Extent) = (0, Extent::EMPTY);

impl Hardware {
    /// Nobody is there.
    pub(crate) const fn new() -> Self {
        Self {
            frames: [Frame::ZERO; PROCESSES_MAX],
            spaces: [const { None }; PROCESSES_MAX],
            roots: [0; PROCESSES_MAX],
            buffers: [NO_BUFFER; PROCESSES_MAX],
            floats: Floats::new(),
            active: 0,
            running: ProcessId::FIRST,
        }
    }

    #[inline]
    pub(crate) const fn frame(&mut self, id: ProcessId) -> &mut Frame {
        &mut self.frames[id.index()]
    }

    /// The space of a process that lives.
    #[inline]
    pub(crate) fn space(&mut self, id: ProcessId) -> Result<&mut Space, KernelError> {
        self.spaces[id.index()].as_mut().ok_or(KernelError::NotRunning)
    }

    /// Puts a process in its row.
    pub(crate) fn place(&mut self, id: ProcessId, space: Space, frame: Frame) {
        self.frames[id.index()] = frame;
        self.roots[id.index()] = space.satp();
        self.buffers[id.index()] = NO_BUFFER;
        self.floats.begin(id);
        self.spaces[id.index()] = Some(space);
    }

    /// Takes the space out of a row; `satp` must not need it any more.
    pub(crate) const fn remove(&mut self, id: ProcessId) -> Option<Space> {
        self.spaces[id.index()].take()
    }

    /// The extent of a user's bytes.
    #[inline(always)]
    pub(crate) fn extent(
        &mut self,
        id: ProcessId,
        [address, bytes]: [u64; 2],
        access: Access,
    ) -> Result<Extent, KernelError> {
        self.space(id)?.extent(address, bytes, access)
    }

    /// The extent of a user's place for requests; at address 0 there is none.
    #[inline(always)]
    pub(crate) fn buffer(&mut self, id: ProcessId, address: u64) -> Result<Extent, KernelError> {
        if self.buffers[id.index()].0 == address {
            return Ok(self.buffers[id.index()].1);
        }
        if address == 0 {
            return Ok(Extent::EMPTY);
        }
        let extent = self.extent(id, [address, FRAME_BYTES_MAX as u64], Access::Write)?;
        self.buffers[id.index()] = (address, extent);
        Ok(extent)
    }

    /// Who runs, or ran last.
    #[inline]
    pub(crate) const fn running(&self) -> ProcessId {
        self.running
    }

    /// Lets a process run: its registers.
    #[inline(always)]
    pub(crate) fn enter(&mut self, id: ProcessId) -> *const Frame {
        self.running = id;
        self.activate(self.roots[id.index()]);
        self.floats.switch(id);
        &raw const self.frames[id.index()]
    }

    /// Makes a root the active one. It maps the kernel as every root does.
    #[inline(always)]
    pub(crate) fn activate(&mut self, satp: u64) {
        if self.active != satp {
            self.active = satp;
            // SAFETY: `satp` comes from `Space` or the kernel's own root, which map the kernel
            // where it runs.
            unsafe { asm!("csrw satp, {}", "sfence.vma", in(reg) satp, options(nostack)) }
        }
    }
}

impl Machine for Hardware {
    #[inline(always)]
    fn copy(&mut self, from: &Extent, to: &Extent, bytes: usize) {
        from.pieces(to, bytes, physical::copy);
    }

    #[inline(always)]
    fn resume(&mut self, process: ProcessId, with: Received) {
        self.frame(process).answer(&with.registers());
    }
}
