//! How lives begin and end, and who is told.

use nexus_abi::kernel::{CapabilityKind, Change, ChildStatus, KernelError, Signals};
use nexus_abi::{ExitReason, Rights};

use super::{Kernel, Machine};
use crate::process::{End, Process};
use crate::{Capability, ProcessId};

impl Kernel {
    /// Begins a life of `id`, which has none, with those of its role's rights.
    pub fn begin(&mut self, id: ProcessId, rights: Rights) {
        self.pids = self.pids.wrapping_add(1);
        self.processes[id].begin(self.pids, rights);
        if let Some(parent) = self.processes[id].role.parent {
            self.processes[parent].changed_children.remove(id);
        }
        self.tell_again(id);
        self.schedule.admit(id, self.processes[id].role.level);
    }

    /// Ends of children that no life of `parent` has acknowledged are to be received by this one,
    /// whether or not a former one has.
    fn tell_again(&mut self, parent: ProcessId) {
        for child in ProcessId::all() {
            let Process { role, alive, ends, .. } = &self.processes[child];
            if role.parent == Some(parent) && !alive && *ends > 0 {
                self.processes[parent].changed_children.insert(child);
            }
        }
    }

    /// Whether `who` may begin a life of the child in `slot` with `rights`, and which that is.
    ///
    /// # Errors
    /// [`KernelError`]: `NoCapability`, `Denied`, `Running`.
    pub fn may_spawn(
        &self,
        who: ProcessId,
        slot: u64,
        rights: Rights,
    ) -> Result<ProcessId, KernelError> {
        let child = self.capabilities(who).child(slot)?;
        match &self.processes[child] {
            process if !process.role.rights.has(rights) => Err(KernelError::Denied),
            process if process.alive => Err(KernelError::Running),
            _ => Ok(child),
        }
    }

    /// The child in `slot`, alive.
    ///
    /// # Errors
    /// [`KernelError`]: `NoCapability`, `NotRunning`.
    pub fn living_child(&self, who: ProcessId, slot: u64) -> Result<ProcessId, KernelError> {
        let child = self.capabilities(who).child(slot)?;
        if self.is_alive(child) { Ok(child) } else { Err(KernelError::NotRunning) }
    }

    /// Raises signals of the child in `slot`.
    ///
    /// # Errors
    /// [`KernelError`]: `NoCapability`, `NotRunning`, `TooLong`.
    pub fn signal(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        slot: u64,
        signals: Signals,
    ) -> Result<(), KernelError> {
        let child = self.living_child(who, slot)?;
        if !Signals::RAISED_BY_PARENTS.has(signals) {
            return Err(KernelError::TooLong);
        }
        self.raise(machine, child, signals);
        Ok(())
    }

    /// Who is to be signalled of interrupt `number` of the image, if they live, and how.
    #[must_use]
    pub fn listener(&self, number: u8) -> Option<(ProcessId, Signals)> {
        let kind = CapabilityKind::Interrupt;
        let wanted = Capability::Resource { kind, number, writable: true };
        ProcessId::all().filter(|&id| self.is_alive(id)).find_map(|id| {
            let slot = self.capabilities(id).iter().find(|&(_, held)| held == wanted)?.0;
            Some((id, Signals::interrupt(slot)))
        })
    }

    /// Raises signals of `id`, who lives.
    pub fn raise(&mut self, machine: &mut impl Machine, id: ProcessId, signals: Signals) {
        let raised = &mut self.processes[id].signals;
        *raised = raised.with(signals);
        self.poke(machine, id);
    }

    /// Ends the life of `id`: its calls vanish, calls to it end, and whoever has to know is told.
    pub fn end(&mut self, machine: &mut impl Machine, id: ProcessId, reason: ExitReason) {
        for slot in self.processes[id].submitted.iter() {
            let callee = self.processes[id].calls[slot].callee;
            self.processes[callee].callers.leave(id);
        }
        let incarnation = self.processes[id].incarnation;
        self.processes[id].forget();
        self.processes[id].ends = self.processes[id].ends.saturating_add(1);
        self.schedule.block(id);
        self.change(machine, id, Change::Ended(reason));
        for other in ProcessId::all() {
            if self.processes[other].heard.remove(id) {
                self.ends[other][id] = End { incarnation, reason };
                self.processes[other].ended_peers.insert(id);
                self.poke(machine, other);
            }
            self.fail_calls(machine, other, id);
        }
    }

    /// Ends the calls of `caller` to `callee`, in their order.
    fn fail_calls(&mut self, machine: &mut impl Machine, caller: ProcessId, callee: ProcessId) {
        while let Some(slot) = self.processes[caller].oldest_open_at(callee) {
            self.complete(machine, caller, slot, Err(KernelError::PeerDied));
        }
    }

    /// Tells the parent of `id`.
    pub(super) fn change(&mut self, machine: &mut impl Machine, id: ProcessId, change: Change) {
        self.processes[id].change = Some(change);
        if let Some(parent) = self.processes[id].role.parent {
            self.processes[parent].changed_children.insert(id);
            self.poke(machine, parent);
        }
    }

    /// How the child in `slot` is.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    pub fn child(&self, who: ProcessId, slot: u64) -> Result<ChildStatus, KernelError> {
        let child = self.capabilities(who).child(slot)?;
        let Process { alive, pid, incarnation, change, ends, .. } = self.processes[child];
        Ok(ChildStatus { is_alive: alive, pid, incarnation, latest: change, ends })
    }

    /// Takes `ends` off those of the child in `slot` that are not acknowledged, or as many as there
    /// are. Who is left with none is not told of to be received any more.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    pub fn acknowledge(&mut self, who: ProcessId, slot: u64, ends: u64) -> Result<(), KernelError> {
        let child = self.capabilities(who).child(slot)?;
        let process = &mut self.processes[child];
        process.ends = process.ends.saturating_sub(u32::try_from(ends).unwrap_or(u32::MAX));
        if process.ends == 0 && !process.alive {
            self.processes[who].changed_children.remove(child);
        }
        Ok(())
    }
}
