use nexus_abi::kernel::{CALLS_MAX, Change, NEVER, Signals};
use nexus_abi::{ExitReason, Incarnation, Rights, ServiceId};

use crate::calls::{Call, Extent, Slots};
use crate::{Capabilities, ProcessId, Set, Turns};

/// What a process waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Nothing: it runs, or would if it had its turn.
    No,
    /// Whatever comes; requests go into the extent. If that is empty they stay where they are.
    Anything(Extent),
    /// The end of its call in this slot.
    Call(usize),
}

/// What an entry of the image says of its lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    pub(crate) service: ServiceId,
    pub(crate) rights: Rights,
    pub(crate) level: u8,
    pub(crate) parent: Option<ProcessId>,
    pub(crate) capabilities: Capabilities,
}

/// A row of the process table: an entry of the image and its life, if one goes on.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: Role,
    pub(crate) alive: bool,
    /// Of the life that goes on, or of the latest.
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: u32,
    pub(crate) rights: Rights,
    pub(crate) wait: Wait,
    /// When to wait no longer, in ticks.
    pub(crate) deadline: u64,
    /// Whether it has ever been ready for requests.
    pub(crate) serves: bool,
    pub(crate) signals: Signals,
    pub(crate) calls: [Call; CALLS_MAX],
    /// Calls that their callees have not received,
    pub(crate) submitted: Slots,
    /// that their callees have received and owe an answer,
    pub(crate) taken: Slots,
    /// and that have ended, which is to be received here. Other slots are free.
    pub(crate) done: Slots,
    order: u32,
    /// Whose requests wait here.
    pub(crate) callers: Turns,
    /// From whose present life a request was received.
    pub(crate) heard: Set,
    /// Whose end is to be received: in `ends`, one place for each.
    pub(crate) ended_peers: Set,
    /// Which children's changes are to be received.
    pub(crate) changed_children: Set,
    /// The latest change of this entry, as its parent will receive it.
    pub(crate) change: Option<Change>,
    /// Lives of this entry that have ended, which its parent has not acknowledged.
    pub(crate) ends: u32,
}

/// The end of a life that somebody had heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) incarnation: Incarnation,
    pub(crate) reason: ExitReason,
}

impl End {
    pub(crate) const NONE: Self =
        Self { incarnation: Incarnation::new(0), reason: ExitReason::Disconnected };
}

impl Process {
    /// An entry that has never lived.
    pub(crate) const UNUSED: Self = Self {
        role: Role {
            service: ServiceId::from_raw(0),
            rights: Rights::NONE,
            level: 0,
            parent: None,
            capabilities: Capabilities::NONE,
        },
        alive: false,
        incarnation: Incarnation::new(0),
        pid: 0,
        rights: Rights::NONE,
        wait: Wait::No,
        deadline: NEVER,
        serves: false,
        signals: Signals::NONE,
        calls: [Call::FREE; CALLS_MAX],
        submitted: Slots::NONE,
        taken: Slots::NONE,
        done: Slots::NONE,
        order: 0,
        callers: Turns::EMPTY,
        heard: Set::EMPTY,
        ended_peers: Set::EMPTY,
        changed_children: Set::EMPTY,
        change: None,
        ends: 0,
    };

    /// Begins a life. What children have done stays to be received: it was meant for the role.
    pub(crate) fn begin(&mut self, pid: u32, rights: Rights) {
        self.alive = true;
        self.incarnation = self.incarnation.next();
        self.pid = pid;
        self.rights = rights;
        self.change = None;
    }

    /// Forgets all that a life leaves behind but the generations of its calls.
    pub(crate) fn forget(&mut self) {
        self.alive = false;
        self.wait = Wait::No;
        self.deadline = NEVER;
        self.serves = false;
        self.signals = Signals::NONE;
        self.submitted = Slots::NONE;
        self.taken = Slots::NONE;
        self.done = Slots::NONE;
        self.callers.clear();
        self.heard = Set::EMPTY;
        self.ended_peers = Set::EMPTY;
    }

    /// The next number for the order of this process's calls.
    #[inline]
    pub(crate) const fn next_order(&mut self) -> u32 {
        self.order = self.order.wrapping_add(1);
        self.order
    }

    /// A slot that no call uses.
    #[inline]
    pub(crate) fn free_slot(&self) -> Option<usize> {
        self.submitted.with(self.taken).with(self.done).first_without()
    }

    /// The slot of the oldest of those calls that `wanted` holds for.
    #[inline(always)]
    fn oldest(&self, slots: Slots, wanted: impl Fn(&Call) -> bool) -> Option<usize> {
        if slots.is_empty() { None } else { self.oldest_of_some(slots, wanted) }
    }

    #[inline(never)]
    fn oldest_of_some(&self, slots: Slots, wanted: impl Fn(&Call) -> bool) -> Option<usize> {
        let calls = self.calls.iter().enumerate();
        let calls = calls.filter(|(slot, call)| slots.has(*slot) && wanted(call));
        let age = |call: &Call| self.order.wrapping_sub(call.order);
        calls.max_by_key(|(_, call)| age(call)).map(|(slot, _)| slot)
    }

    /// The slot of the oldest call that `callee` has not received.
    #[inline]
    pub(crate) fn oldest_to(&self, callee: ProcessId) -> Option<usize> {
        self.oldest(self.submitted, |call| call.callee == callee)
    }

    /// The slot of the oldest call that `callee` has to do with still.
    pub(crate) fn oldest_open_at(&self, callee: ProcessId) -> Option<usize> {
        self.oldest(self.submitted.with(self.taken), |call| call.callee == callee)
    }

    /// The slot of the call that ended first, of those whose end was not received.
    #[inline]
    pub(crate) fn oldest_done(&self) -> Option<usize> {
        self.oldest(self.done, |_| true)
    }
}
