//! The table of processes: what waits for what, and what time wakes.

mod lives;
mod messages;

use nexus_abi::kernel::{Change, NEVER, PROCESSES_MAX, Received, Signals};
use nexus_abi::{Rights, Sender, SenderId, ServiceId};

use crate::calls::Extent;
use crate::process::{End, Process, Role, Wait};
use crate::set::PerProcess;
use crate::{Capabilities, Capability, Image, ProcessId, Schedule};

/// What decisions need done: by hardware in the kernel, by a model in tests.
pub trait Machine {
    /// Copies the first `bytes` of `from` to the beginning of `to`. Neither is shorter.
    fn copy(&mut self, from: &Extent, to: &Extent, bytes: usize);

    /// The system call that `process` waits in comes back with this.
    fn resume(&mut self, process: ProcessId, with: Received);
}

/// The table of processes and what may be done in it. Methods say who asks; that nobody can ask in
/// another's name is the machine's part.
pub struct Kernel {
    processes: PerProcess<Process>,
    /// Of each listener, how each peer ended that it had heard.
    ends: PerProcess<PerProcess<End>>,
    schedule: Schedule,
    pids: u32,
    /// No deadline is earlier.
    earliest: u64,
}

impl Kernel {
    /// A kernel without roles, nobody alive; slices have `slice` ticks.
    #[must_use]
    pub const fn new(slice: u64) -> Self {
        Self {
            processes: PerProcess([const { Process::UNUSED }; PROCESSES_MAX]),
            ends: PerProcess([const { PerProcess([End::NONE; PROCESSES_MAX]) }; PROCESSES_MAX]),
            schedule: Schedule::new(slice),
            pids: 0,
            earliest: NEVER,
        }
    }

    /// Takes the roles from `image`. Nobody may be alive.
    pub fn cast(&mut self, image: &Image<'_>) {
        for (id, entry) in ProcessId::all().zip(image.entries()) {
            let capabilities = image.capabilities(&entry);
            self.assign(id, entry.service, entry.rights, entry.level, capabilities);
        }
    }

    /// Gives a row its role; `parent` follows from who holds it as a child.
    pub fn assign(
        &mut self,
        id: ProcessId,
        service: ServiceId,
        rights: Rights,
        level: u8,
        capabilities: Capabilities,
    ) {
        let parent = self.processes[id].role.parent;
        for (_, held) in capabilities.iter() {
            if let Capability::Child(child) = held {
                self.processes[child].role.parent = Some(id);
            }
        }
        self.processes[id].role = Role { service, rights, level, parent, capabilities };
    }

    /// The capabilities of a role.
    #[must_use]
    pub fn capabilities(&self, id: ProcessId) -> &Capabilities {
        &self.processes[id].role.capabilities
    }

    /// How `id` is stamped now.
    #[must_use]
    #[inline(always)]
    pub fn stamp(&self, id: ProcessId) -> Sender {
        let process = &self.processes[id];
        Sender::stamped(process.role.service, process.pid, process.incarnation, process.rights)
    }

    /// Whether a life of `id` goes on.
    #[must_use]
    pub fn is_alive(&self, id: ProcessId) -> bool {
        self.processes[id].alive
    }

    /// Who runs, and in which order.
    pub const fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// What has come for `who`, or `None` after it was set to wait for it until `deadline`.
    /// While the buffer is empty requests stay where they are; else it holds a frame.
    #[inline(always)]
    pub fn receive(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        buffer: Extent,
        deadline: u64,
    ) -> Option<Received> {
        self.schedule.serve_nobody(who);
        if !buffer.is_empty() && !self.processes[who].serves {
            self.processes[who].serves = true;
            self.change(machine, who, Change::Serves);
        }
        let next = self.notice(who).or_else(|| self.completion(who));
        let next = next.or_else(|| self.next_request(machine, who, &buffer));
        if next.is_none() {
            self.block(who, Wait::Anything(buffer), deadline);
        }
        next
    }

    /// Signals first, then children, then peers.
    #[inline(always)]
    fn notice(&mut self, who: ProcessId) -> Option<Received> {
        let process = &mut self.processes[who];
        if process.signals != Signals::NONE {
            return Some(Received::Signals(core::mem::take(&mut process.signals)));
        }
        if let Some(child) = process.changed_children.next() {
            let child = &self.processes[child];
            let service = child.role.service;
            return child.change.map(|change| Received::Child { service, change });
        }
        let peer = process.ended_peers.next()?;
        let End { incarnation, reason } = self.ends[who][peer];
        Some(Received::PeerGone { id: self.identity(peer), incarnation, reason })
    }

    fn identity(&self, id: ProcessId) -> SenderId {
        self.stamp(id).id
    }

    #[inline(always)]
    fn completion(&mut self, who: ProcessId) -> Option<Received> {
        let process = &mut self.processes[who];
        let slot = process.oldest_done()?;
        process.done.remove(slot);
        let call = &process.calls[slot];
        Some(call.completion(call.result))
    }

    #[inline(always)]
    fn block(&mut self, who: ProcessId, wait: Wait, deadline: u64) {
        let process = &mut self.processes[who];
        process.wait = wait;
        process.deadline = deadline;
        self.earliest = self.earliest.min(deadline);
        self.schedule.block(who);
    }

    #[inline(always)]
    fn resume(&mut self, machine: &mut impl Machine, who: ProcessId, with: Received) {
        self.processes[who].wait = Wait::No;
        self.schedule.wake(who);
        machine.resume(who, with);
    }

    /// Hands a notice to `id`, if it waits for one.
    fn poke(&mut self, machine: &mut impl Machine, id: ProcessId) {
        if let Wait::Anything(_) = self.processes[id].wait
            && let Some(notice) = self.notice(id)
        {
            self.resume(machine, id, notice);
        }
    }

    /// When [`Kernel::expire`] is to be called, in ticks. It may be early, never late.
    #[must_use]
    #[inline]
    pub const fn earliest(&self) -> u64 {
        self.earliest
    }

    /// Wakes everybody whose deadline has come.
    pub fn expire(&mut self, machine: &mut impl Machine, now: u64) {
        self.earliest = NEVER;
        for id in ProcessId::all() {
            let Process { wait, deadline, .. } = self.processes[id];
            match wait {
                Wait::No => continue,
                _ if deadline > now => self.earliest = self.earliest.min(deadline),
                Wait::Anything(_) => self.resume(machine, id, Received::Deadline),
                Wait::Call(slot) => {
                    self.give_up(id, slot);
                    self.resume(machine, id, Received::Deadline);
                }
            }
        }
    }

    /// Frees a slot whose call has not ended. Whoever received it finds it gone.
    fn give_up(&mut self, who: ProcessId, slot: usize) {
        let process = &mut self.processes[who];
        let callee = process.calls[slot].callee;
        let was_submitted = process.submitted.has(slot);
        process.submitted.remove(slot);
        process.taken.remove(slot);
        if was_submitted && process.oldest_to(callee).is_none() {
            self.processes[callee].callers.leave(who);
        }
    }
}
