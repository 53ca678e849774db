//! Registers and memory of all processes: the machine that the kernel's decisions act on.
#![expect(unsafe_code, reason = "switches the address space")]

use core::arch::asm;

use neuron_core::{Machine, ProcessId, Span};
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
    /// Where each has received last, which is most often where it receives next.
    buffers: [(u64, Span); PROCESSES_MAX],
    pub(crate) floats: Floats,
    /// What is in `satp`.
    active: u64,
}

impl Hardware {
    /// Nobody is there.
    pub(crate) const fn new() -> Self {
        Self {
            frames: [Frame::ZERO; PROCESSES_MAX],
            spaces: [const { None }; PROCESSES_MAX],
            buffers: [(0, Span::EMPTY); PROCESSES_MAX],
            floats: Floats::new(),
            active: 0,
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
        self.buffers[id.index()] = (0, Span::EMPTY);
        self.floats.begin(id);
        self.spaces[id.index()] = Some(space);
    }

    /// Takes the space out of a row; `satp` must not need it any more.
    pub(crate) const fn remove(&mut self, id: ProcessId) -> Option<Space> {
        self.spaces[id.index()].take()
    }

    /// The span of a user's bytes.
    #[inline(always)]
    pub(crate) fn span(
        &mut self,
        id: ProcessId,
        [address, bytes]: [u64; 2],
        access: Access,
    ) -> Result<Span, KernelError> {
        self.space(id)?.span(address, bytes, access)
    }

    /// The span of a user's place for requests; none at address 0.
    #[inline(always)]
    pub(crate) fn buffer(
        &mut self,
        id: ProcessId,
        address: u64,
    ) -> Result<Option<Span>, KernelError> {
        if address == 0 {
            return Ok(None);
        }
        let (known, span) = self.buffers[id.index()];
        if known == address {
            return Ok(Some(span));
        }
        let span = self.span(id, [address, FRAME_BYTES_MAX as u64], Access::Write)?;
        self.buffers[id.index()] = (address, span);
        Ok(Some(span))
    }

    /// Makes the space of a process the active one; its registers.
    #[inline]
    pub(crate) fn enter(&mut self, id: ProcessId) -> &Frame {
        if let Some(satp) = self.spaces[id.index()].as_ref().map(Space::satp) {
            self.activate(satp);
        }
        self.floats.switch(id);
        &self.frames[id.index()]
    }

    /// Makes a root the active one. It maps the kernel as every root does.
    #[inline]
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
    #[inline]
    fn copy(&mut self, from: &Span, to: &Span, bytes: usize) {
        from.pieces(to, bytes, physical::copy);
    }

    #[inline]
    fn resume(&mut self, process: ProcessId, with: Received) {
        self.frame(process).answer(&with.registers());
    }
}
