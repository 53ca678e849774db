use nexus_abi::kernel::{CALLS_MAX, Change, NEVER, Signals};
use nexus_abi::{ExitReason, Incarnation, Rights, ServiceId};

use crate::calls::{Call, Span, Stage};
use crate::{Capabilities, ProcessId, Set, Turns};

/// What a process waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Nothing: it runs, or would if it had its turn.
    No,
    /// Whatever comes; requests go into the span, if there is one.
    Anything(Option<Span>),
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
        order: 0,
        callers: Turns::EMPTY,
        heard: Set::EMPTY,
        ended_peers: Set::EMPTY,
        changed_children: Set::EMPTY,
        change: None,
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
        self.calls.iter_mut().for_each(|call| call.stage = Stage::Free);
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

    /// The slot of the oldest call in `stage` that `wanted` holds for.
    #[inline]
    pub(crate) fn oldest(&self, wanted: impl Fn(&Call) -> bool) -> Option<usize> {
        let calls = self.calls.iter().enumerate().filter(|(_, call)| wanted(call));
        let age = |call: &Call| self.order.wrapping_sub(call.order);
        calls.max_by_key(|(_, call)| age(call)).map(|(slot, _)| slot)
    }

    /// The slot of the oldest call that `callee` has not received.
    #[inline]
    pub(crate) fn oldest_to(&self, callee: ProcessId) -> Option<usize> {
        self.oldest(|call| call.stage == Stage::Submitted && call.callee == callee)
    }
}
