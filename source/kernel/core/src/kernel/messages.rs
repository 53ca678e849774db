//! How requests come to their callees, and answers back.

use nexus_abi::kernel::{KernelError, Received};

use super::{Kernel, Machine};
use crate::ProcessId;
use crate::calls::{Extent, Submission, Token};
use crate::process::Wait;

impl Kernel {
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
        (request, answer): (Extent, Extent),
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
        (request, answer): (Extent, Extent),
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
    pub(super) fn next_request(
        &mut self,
        machine: &mut impl Machine,
        who: ProcessId,
        buffer: &Extent,
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
        buffer: &Extent,
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
        answer: &Extent,
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
    pub(super) fn complete(
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
}
