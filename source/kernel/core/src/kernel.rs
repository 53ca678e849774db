use nexus_abi::kernel::{CapabilityKind, Change, KernelError, NEVER, PROCESSES_MAX, Received};
use nexus_abi::kernel::Signals;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, SenderId, ServiceId};

use crate::calls::{Span, Submission, Token};
use crate::process::{End, Process, Role, Wait};
use crate::set::PerProcess;
use crate::{Capabilities, Capability, Image, ProcessId, Schedule, Set};

/// What decisions need done: by hardware in the kernel, by a model in tests.
pub trait Machine {
    /// Copies the first `bytes` of `from` to the beginning of `to`. Neither is shorter.
    fn copy(&mut self, from: &Span, to: &Span, bytes: usize);

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

    // --- lives -------------------------------------------------------------------------------

    /// Begins a life of `id`, which has none, with those of its role's rights.
    pub fn begin(&mut self, id: ProcessId, rights: Rights) {
        self.pids = self.pids.wrapping_add(1);
        self.processes[id].begin(self.pids, rights);
        if let Some(parent) = self.processes[id].role.parent {
            self.processes[parent].changed_children.remove(id);
        }
        self.schedule.admit(id, self.processes[id].role.level);
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
    fn change(&mut self, machine: &mut impl Machine, id: ProcessId, change: Change) {
        self.processes[id].change = Some(change);
        if let Some(parent) = self.processes[id].role.parent {
            self.processes[parent].changed_children.insert(id);
            self.poke(machine, parent);
        }
    }

    /// How the child in `slot` is: its pid and incarnation while it lives, and its latest change.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    pub fn child(
        &self,
        who: ProcessId,
        slot: u64,
    ) -> Result<(Option<Sender>, Option<Change>), KernelError> {
        let child = self.capabilities(who).child(slot)?;
        Ok((self.is_alive(child).then(|| self.stamp(child)), self.processes[child].change))
    }

    // --- calls -------------------------------------------------------------------------------

    /// Hands `request` to the service in `slot`; the answer will lie in `answer`.
    ///
    /// # Errors
    /// [`KernelError`]: `NoCapability`, `NotReady`, `Busy`.
    #[inline(always)]
    pub fn submit(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        slot: u64,
        (request, answer): (Span, Span),
        tag: u64,
    ) -> Result<(), KernelError> {
        let callee = self.capabilities(who).callee(slot)?;
        self.hand_over(machine, who, &Submission { callee, tag, request, answer }).map(drop)
    }

    /// Like [`Kernel::submit`], but `who` waits for that answer and nothing else. A deadline that
    /// comes first gives the call up.
    ///
    /// # Errors
    /// As [`Kernel::submit`].
    #[inline(always)]
    pub fn call(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        slot: u64,
        (request, answer): (Span, Span),
        deadline: u64,
    ) -> Result<(), KernelError> {
        let callee = self.capabilities(who).callee(slot)?;
        let what = Submission { callee, tag: 0, request, answer };
        let own = self.hand_over(machine, who, &what)?;
        self.block(who, Wait::Call(own), deadline);
        Ok(())
    }

    #[inline(always)]
    fn hand_over(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        what: &Submission,
    ) -> Result<usize, KernelError> {
        if !self.processes[what.callee].serves {
            return Err(KernelError::NotReady);
        }
        let process = &mut self.processes[who];
        let slot = process.free_slot().ok_or(KernelError::Busy)?;
        let order = process.next_order();
        process.calls[slot].submit(what, order);
        process.submitted.insert(slot);
        match self.processes[what.callee].wait {
            // Whoever waits for requests has none: this is the next.
            Wait::Anything(buffer) if !buffer.is_empty() => {
                let request = self.take(machine, what.callee, &buffer, who, slot);
                self.resume(machine, what.callee, request);
            }
            _ => self.processes[what.callee].callers.join(who),
        }
        Ok(slot)
    }

    /// The next request of whoever's turn it is, copied into `buffer`.
    #[inline(always)]
    fn next_request(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        buffer: &Span,
    ) -> Option<Received> {
        if buffer.is_empty() {
            return None;
        }
        let caller = self.processes[who].callers.next()?;
        let slot = self.processes[caller].oldest_to(who)?;
        let request = self.take(machine, who, buffer, caller, slot);
        if self.processes[caller].oldest_to(who).is_some() {
            self.processes[who].callers.join(caller);
        }
        Some(request)
    }

    /// That request, copied into `buffer`.
    #[inline(always)]
    fn take(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        buffer: &Span,
        caller: ProcessId,
        slot: usize,
    ) -> Received {
        let receiver = &mut self.processes[who];
        receiver.heard.insert(caller);
        let incarnation = receiver.incarnation;
        let sender = &mut self.processes[caller];
        sender.submitted.remove(slot);
        sender.taken.insert(slot);
        let call = &mut sender.calls[slot];
        call.incarnation = incarnation;
        let bytes = call.request.bytes();
        machine.copy(&call.request, buffer, bytes);
        let token = Token::of(caller, slot, call).raw();
        self.schedule.serve(who, caller);
        Received::Request { token, bytes, from: self.stamp(caller) }
    }

    /// Answers the request that `token` names, which `who` has received.
    ///
    /// # Errors
    /// [`KernelError::Gone`].
    #[inline(always)]
    pub fn reply(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        token: u64,
        answer: &Span,
    ) -> Result<(), KernelError> {
        let token = Token::from_raw(token).ok_or(KernelError::Gone)?;
        let caller = &self.processes[token.caller];
        let call = &caller.calls[token.slot];
        if !caller.taken.has(token.slot) || !token.names(call, who) {
            return Err(KernelError::Gone);
        }
        let result = if answer.bytes() <= call.answer.bytes() {
            machine.copy(answer, &call.answer, answer.bytes());
            Ok(answer.bytes())
        } else {
            Err(KernelError::AnswerTooLong)
        };
        self.complete(machine, token.caller, token.slot, result);
        Ok(())
    }

    #[inline(always)]
    fn complete(
        &mut self,
        machine: &mut impl Machine,
        caller: ProcessId,
        slot: usize,
        result: Result<usize, KernelError>,
    ) {
        let process = &mut self.processes[caller];
        process.submitted.remove(slot);
        process.taken.remove(slot);
        let is_awaited = match process.wait {
            Wait::No => false,
            Wait::Call(waited) => waited == slot,
            Wait::Anything(_) => true,
        };
        if is_awaited {
            let completion = process.calls[slot].completion(result);
            self.resume(machine, caller, completion);
        } else {
            let order = process.next_order();
            process.calls[slot].end(result, order);
            process.done.insert(slot);
        }
    }

    // --- waiting -----------------------------------------------------------------------------

    /// What has come for `who`, or `None` after it was set to wait for it until `deadline`.
    /// While the buffer is empty requests stay where they are; else it holds a frame.
    #[inline(always)]
    pub fn receive(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        buffer: Span,
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
        if let Wait::Anything(_) = self.processes[id].wait {
            if let Some(notice) = self.notice(id) {
                self.resume(machine, id, notice);
            }
        }
    }

    // --- time --------------------------------------------------------------------------------

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

/// Everybody whose life goes on.
impl Kernel {
    /// The living.
    #[must_use]
    pub fn living(&self) -> Set {
        let mut living = Set::EMPTY;
        ProcessId::all().filter(|&id| self.is_alive(id)).for_each(|id| living.insert(id));
        living
    }

    /// Which life of `id` goes on, or was the latest.
    #[must_use]
    pub fn incarnation(&self, id: ProcessId) -> Incarnation {
        self.processes[id].incarnation
    }
}
