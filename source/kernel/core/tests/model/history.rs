//! Steps that kernel and model take together.

use std::collections::{BTreeMap, BTreeSet};

use neuron_core::{Capabilities, Capability, Extent, Kernel, Machine, ProcessId};
use nexus_abi::kernel::{CapabilityKind, Change, KernelError, NEVER, Received, Signals};
use nexus_abi::{ExitReason, Rights, ServiceId};
use proptest::prelude::*;

use crate::world::{Call, PROCESSES, Process, Stage, Wait, World, rights, service};

/// What may happen.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Spawn {
        who: usize,
        rights: u8,
    },
    End {
        who: usize,
        code: i32,
    },
    Submit {
        who: usize,
        to: usize,
        room: bool,
    },
    Call {
        who: usize,
        to: usize,
        deadline: Option<u64>,
    },
    Receive {
        who: usize,
        buffer: bool,
        deadline: Option<u64>,
    },
    /// Answers the n-th open request, of whoever received it.
    Reply {
        nth: usize,
        bytes: usize,
    },
    /// Answers a request that was received by somebody else, or answered before.
    Forge {
        who: usize,
        token: u64,
        nth: usize,
    },
    Signal {
        who: usize,
        signals: u64,
    },
    /// Takes ends of a child as told.
    Acknowledge {
        who: usize,
        ends: u64,
    },
    Wait(u64),
}

/// Histories of at most `length` steps.
pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..length)
}

/// A step of histories in which servers are not rare.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PROCESSES;
    let deadline = || prop::option::of(0..400_u64);
    prop_oneof![
        4 => (who(), any::<u8>())
            .prop_map(|(who, any)| Step::Spawn { who, rights: any & rights(who).raw() }),
        2 => (who(), any::<u8>()).prop_map(|(who, rights)| Step::Spawn { who, rights }),
        1 => (who(), any::<i32>()).prop_map(|(who, code)| Step::End { who, code }),
        12 => (who(), 1..4_usize, any::<bool>())
            .prop_map(|(who, to, room)| Step::Submit { who, to, room }),
        4 => (who(), 1..4_usize, deadline())
            .prop_map(|(who, to, deadline)| Step::Call { who, to, deadline }),
        12 => (who(), prop::bool::weighted(0.8), deadline())
            .prop_map(|(who, buffer, deadline)| Step::Receive { who, buffer, deadline }),
        10 => (any::<usize>(), 0..9_usize).prop_map(|(nth, bytes)| Step::Reply { nth, bytes }),
        1 => (who(), any::<u64>(), any::<usize>())
            .prop_map(|(who, token, nth)| Step::Forge { who, token, nth }),
        1 => (1..PROCESSES, any::<u64>())
            .prop_map(|(who, signals)| Step::Signal { who, signals }),
        2 => (1..PROCESSES, prop_oneof![4 => 0..3_u64, 1 => any::<u64>()])
            .prop_map(|(who, ends)| Step::Acknowledge { who, ends }),
        3 => (0..60_u64).prop_map(Step::Wait),
    ]
}

/// Memory as places that hold one number each, and what was delivered to whom.
#[derive(Default)]
struct Recorder {
    memory: BTreeMap<u64, u64>,
    resumed: Vec<(usize, Received)>,
}

impl Machine for Recorder {
    fn copy(&mut self, from: &Extent, to: &Extent, bytes: usize) {
        from.pieces(to, bytes, |source, target, _| {
            let what = self.memory.get(&source).copied().unwrap_or_default();
            self.memory.insert(target, what);
        });
    }

    fn resume(&mut self, process: ProcessId, with: Received) {
        self.resumed.push((process.index(), with));
    }
}

/// Places in the recorder's memory.
const REQUESTS: u64 = 1 << 20;
const ANSWERS: u64 = 2 << 20;
const BUFFERS: u64 = 3 << 20;
const ROOM: usize = 6;

/// A request somebody has received.
#[derive(Clone, Copy, Debug)]
struct Open {
    by: usize,
    incarnation: u32,
    token: u64,
    tag: u64,
}

/// A request as the property about turns needs it.
struct Turn {
    server: usize,
    from: usize,
    submitted: u64,
    taken: Option<u64>,
    gone: Option<u64>,
}

/// Kernel, model, and what they have done.
pub(crate) struct History {
    kernel: Kernel,
    machine: Recorder,
    world: World,
    open: Vec<Open>,
    closed: Vec<u64>,
    now: u64,
    tags: u64,
    clock: u64,
    turns: BTreeMap<u64, Turn>,
    completed: Vec<u64>,
    twice: BTreeSet<u64>,
    /// Of whose ends the parent was told.
    told: Vec<ServiceId>,
}

const NOTHING: Result<(), KernelError> = Err(KernelError::NoCapability);

fn id(raw: usize) -> ProcessId {
    ProcessId::new(raw).unwrap()
}

/// What the table gives a process: capabilities in this order, from slot 0 on.
fn held(who: usize) -> Vec<Capability> {
    let calls = (0..PROCESSES).map(|to| Capability::Call(id(to)));
    let resource = |kind| Capability::Resource { kind, number: who as u8, writable: true };
    let more = match who {
        0 => (1..PROCESSES).map(|of| Capability::Child(id(of))).collect(),
        1 => vec![Capability::Console],
        2 => vec![Capability::Halt],
        3 => vec![resource(CapabilityKind::Device), resource(CapabilityKind::Dma)],
        _ => Vec::new(),
    };
    calls.chain(more).collect()
}

/// Slot of the capability to call `to`: the same in every process.
fn callee(to: usize) -> u64 {
    to as u64
}

/// Slot of the parent's capability for a child.
fn child(of: usize) -> u64 {
    (PROCESSES + of - 1) as u64
}

impl History {
    pub(crate) fn new() -> Self {
        let mut kernel = Kernel::new(100);
        for who in 0..PROCESSES {
            let mut capabilities = Capabilities::NONE;
            held(who).into_iter().for_each(|held| assert!(capabilities.add(held)));
            kernel.assign(id(who), service(who), rights(who), 3, capabilities);
        }
        Self {
            kernel,
            machine: Recorder::default(),
            world: World::new(),
            open: Vec::new(),
            closed: Vec::new(),
            now: 0,
            tags: 0,
            clock: 0,
            turns: BTreeMap::new(),
            completed: Vec::new(),
            twice: BTreeSet::new(),
            told: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.clock += 1;
        match *step {
            Step::Spawn { who, rights } => self.spawn(who, Rights::from_raw(rights)),
            Step::End { who, code } if self.world.processes[who].alive => {
                self.end(who, ExitReason::Exited(code));
            }
            Step::Submit { who, to, room } if self.world.can_act(who) => {
                self.submit(who, to, if room { ROOM } else { 0 }, false, None);
            }
            Step::Call { who, to, deadline } if self.world.can_act(who) => {
                self.submit(who, to, ROOM, true, deadline);
            }
            Step::Receive { who, buffer, deadline } if self.world.can_act(who) => {
                self.receive(who, buffer, deadline);
            }
            Step::Reply { nth, bytes } => self.reply(nth, bytes),
            Step::Forge { who, token, nth } if self.world.can_act(who) => {
                self.forge(who, token, nth);
            }
            Step::Signal { who, signals } if self.world.can_act(0) => self.signal(who, signals),
            Step::Acknowledge { who, ends } if self.world.can_act(0) => {
                assert_eq!(self.kernel.acknowledge(id(0), child(who), ends), Ok(()));
                self.world.acknowledge(who, ends);
            }
            Step::Wait(ticks) => self.wait(ticks),
            _ => {}
        }
        self.settle();
    }

    fn spawn(&mut self, who: usize, asked: Rights) {
        let allowed = if who == 0 {
            !self.world.processes[0].alive
        } else {
            let spawned = self.kernel.may_spawn(id(0), child(who), asked);
            assert_eq!(spawned, self.spawned(who, asked));
            spawned.is_ok()
        };
        if allowed {
            self.kernel.begin(id(who), asked);
            self.world.spawn(who, asked);
        }
    }

    /// What whoever holds `who` as a child hears when they ask for a life of it.
    fn spawned(&self, who: usize, asked: Rights) -> Result<ProcessId, KernelError> {
        if asked.raw() & !rights(who).raw() != 0 {
            Err(KernelError::Denied)
        } else if self.world.processes[who].alive {
            Err(KernelError::Running)
        } else {
            Ok(id(who))
        }
    }

    fn end(&mut self, who: usize, reason: ExitReason) {
        self.kernel.end(&mut self.machine, id(who), reason);
        self.world.end(who, reason);
        let clock = self.clock;
        let lost = self.turns.values_mut().filter(|turn| turn.from == who || turn.server == who);
        lost.filter(|turn| turn.gone.is_none()).for_each(|turn| turn.gone = Some(clock));
    }

    fn submit(&mut self, who: usize, to: usize, room: usize, waits: bool, until: Option<u64>) {
        self.tags += 1;
        let (tag, bytes) = (self.tags, (self.tags % 5) as usize + 1);
        self.machine.memory.insert(REQUESTS + tag * 8, tag);
        let extents =
            (Extent::whole(REQUESTS + tag * 8, bytes), Extent::whole(ANSWERS + tag * 8, room));
        let deadline = until.map_or(NEVER, |ticks| self.now + ticks);
        let done = if waits {
            self.kernel.call(&mut self.machine, id(who), callee(to), extents, deadline)
        } else {
            self.kernel.submit(&mut self.machine, id(who), callee(to), extents, tag)
        };
        let expected = self.world.submit(Call {
            from: who,
            to,
            tag,
            bytes,
            room,
            stage: Stage::Submitted,
            since: 0,
            incarnation: nexus_abi::Incarnation::new(0),
            is_awaited: waits,
        });
        assert_eq!(done, expected);
        if done.is_ok() {
            let (submitted, taken, gone) = (self.clock, None, None);
            self.turns.insert(tag, Turn { server: to, from: who, submitted, taken, gone });
            if waits {
                let process = &mut self.world.processes[who];
                process.wait = Wait::OneCall;
                process.deadline = until.map(|ticks| self.now + ticks);
            }
        }
    }

    fn receive(&mut self, who: usize, buffer: bool, until: Option<u64>) {
        let place = Extent::whole(BUFFERS + who as u64 * 8, 64);
        let place = if buffer { place } else { Extent::EMPTY };
        let until = until.map(|ticks| self.now + ticks);
        let deadline = until.unwrap_or(NEVER);
        let got = self.kernel.receive(&mut self.machine, id(who), place, deadline);
        self.machine.resumed.extend(got.map(|event| (who, event)));
        self.world.receive(who, buffer, until);
    }

    fn reply(&mut self, nth: usize, bytes: usize) {
        let can = |open: &Open| self.world.can_act(open.by);
        let able = self.open.iter().copied().filter(can).collect::<Vec<_>>();
        let Some(open) = able.get(nth % able.len().max(1)).copied() else { return };
        let answer = Extent::whole(REQUESTS + open.tag * 8, bytes);
        let done = self.kernel.reply(&mut self.machine, id(open.by), open.token, &answer);
        let is_owed = self.is_owed(&open);
        assert_eq!(done, if is_owed { Ok(()) } else { Err(KernelError::Gone) });
        if is_owed {
            self.world.answer(open.tag, bytes);
        }
        self.open.retain(|other| other.token != open.token);
        self.closed.push(open.token);
    }

    /// Whether the request of that token is still open, for the life that has received it.
    fn is_owed(&self, open: &Open) -> bool {
        let same_life = self.world.processes[open.by].incarnation.raw() == open.incarnation;
        let taken = |call: &Call| call.tag == open.tag && call.stage == Stage::Taken;
        same_life && self.world.calls.iter().any(taken)
    }

    fn forge(&mut self, who: usize, token: u64, nth: usize) {
        let others = self.open.iter().filter(|open| open.by != who).map(|open| open.token);
        let known = others.chain(self.closed.iter().copied()).collect::<Vec<_>>();
        let answer = Extent::whole(REQUESTS, 1);
        let own = self.open.iter().any(|open| open.by == who && open.token == token);
        for forged in known.get(nth % known.len().max(1)).copied().into_iter().chain([token]) {
            if !own {
                let done = self.kernel.reply(&mut self.machine, id(who), forged, &answer);
                assert_eq!(done, Err(KernelError::Gone));
            }
        }
    }

    fn signal(&mut self, who: usize, signals: u64) {
        let asked = Signals(signals);
        let done = self.kernel.signal(&mut self.machine, id(0), child(who), asked);
        let process = &mut self.world.processes[who];
        let expected = match process.alive {
            false => Err(KernelError::NotRunning),
            true if signals >> 32 != 0 => Err(KernelError::TooLong),
            true => Ok(()),
        };
        assert_eq!(done, expected);
        if done.is_ok() {
            process.signals |= signals;
        }
    }

    fn wait(&mut self, ticks: u64) {
        self.now += ticks;
        let due = self.kernel.earliest() <= self.now;
        if due {
            self.kernel.expire(&mut self.machine, self.now);
        }
        for (who, given_up) in self.world.expire(self.now) {
            assert!(due, "the kernel would have been asked too late");
            let expected = (who, Received::Deadline);
            let at = self.machine.resumed.iter().position(|woken| *woken == expected);
            self.machine.resumed.remove(at.expect("a deadline that was not noticed"));
            if let Some(turn) = given_up.and_then(|tag| self.turns.get_mut(&tag)) {
                turn.gone = Some(self.clock);
            }
        }
    }

    /// Whoever waits and has something has been woken with it, and nobody else.
    fn settle(&mut self) {
        let mut resumed = std::mem::take(&mut self.machine.resumed);
        for who in 0..PROCESSES {
            let Some((expected, tag)) = self.world.next(who) else { continue };
            let at = resumed.iter().position(|(woken, _)| *woken == who);
            let at = at.unwrap_or_else(|| panic!("{who} sleeps on {expected:?}"));
            let (_, got) = resumed.remove(at);
            self.compare(who, got, expected, tag);
        }
        assert!(resumed.is_empty(), "woken by nothing: {resumed:?}");
        for who in 0..PROCESSES {
            let ready = self.world.can_act(who);
            assert_eq!(self.kernel.schedule().is_ready(id(who)), ready, "process {who}");
            let payer = self.kernel.schedule().payer(id(who)).index();
            let Process { alive, payer: expected, .. } = self.world.processes[who];
            assert!(!alive || payer == expected, "{payer} pays for {who}, not {expected}");
        }
    }

    fn compare(&mut self, who: usize, got: Received, expected: Received, tag: Option<u64>) {
        match (got, tag) {
            (Received::Request { token, bytes, from }, Some(tag)) => {
                assert_eq!(Received::Request { token: 0, bytes, from }, expected);
                assert_eq!(self.machine.memory.get(&(BUFFERS + who as u64 * 8)), Some(&tag));
                let incarnation = self.world.processes[who].incarnation.raw();
                self.open.push(Open { by: who, incarnation, token, tag });
                self.turns.get_mut(&tag).unwrap().taken = Some(self.clock);
            }
            (got, _) => {
                assert_eq!(got, expected, "process {who}");
                if let Received::Child { service, change: Change::Ended(_) } = got {
                    self.told.push(service);
                }
                self.note_completion(got);
            }
        }
    }

    /// Whether the next life of the parent is told of the end of `who`.
    pub(crate) fn next_life_is_told(&mut self, who: usize) -> bool {
        self.step(&Step::End { who: 0, code: 0 });
        self.step(&Step::Spawn { who: 0, rights: 0 });
        self.told.clear();
        for _ in 0..PROCESSES {
            self.step(&Step::Receive { who: 0, buffer: false, deadline: Some(0) });
            self.step(&Step::Wait(1));
        }
        self.told.contains(&service(who))
    }

    fn note_completion(&mut self, got: Received) {
        if let Received::Completion { tag, result, .. } = got
            && tag != 0
        {
            if self.completed.contains(&tag) {
                self.twice.insert(tag);
            }
            self.completed.push(tag);
            if result.is_ok_and(|bytes| bytes > 0) {
                assert_eq!(self.machine.memory.get(&(ANSWERS + tag * 8)), Some(&tag));
            }
        }
    }

    /// Ends everybody that others have calls to, and lets all receive what they are owed.
    pub(crate) fn end_everybody_but_callers(&mut self) {
        for who in 1..4 {
            self.step(&Step::End { who, code: 0 });
        }
        self.step(&Step::Wait(1000));
        for _ in 0..100 {
            for who in 0..PROCESSES {
                self.step(&Step::Receive { who, buffer: false, deadline: Some(0) });
            }
            self.step(&Step::Wait(1));
        }
    }

    /// Calls of lives that go on which have not come back.
    pub(crate) fn completions_missing(&self) -> usize {
        self.world.calls.iter().filter(|call| !call.is_awaited).count()
    }

    pub(crate) fn completed_twice(&self) -> &BTreeSet<u64> {
        &self.twice
    }

    /// Somebody who waited from before one turn of another sender until after its next one, and had
    /// none in between; and that other sender.
    pub(crate) fn overtaken(&self) -> Option<(usize, usize)> {
        self.turns.values().find_map(|one| {
            let first = one.taken?;
            let second =
                self.turns_of(one.server, one.from).filter(|&taken| taken > first).min()?;
            let waits = |turn: &&Turn| {
                let ended = turn.taken.or(turn.gone).unwrap_or(u64::MAX);
                turn.server == one.server && turn.submitted < first && ended > second
            };
            let had_none = |turn: &&Turn| {
                !self.turns_of(one.server, turn.from).any(|at| (first..=second).contains(&at))
            };
            let victim = self.turns.values().filter(waits).find(had_none)?;
            Some((victim.from, one.from))
        })
    }

    /// When requests of `from` were taken by `server`.
    fn turns_of(&self, server: usize, from: usize) -> impl Iterator<Item = u64> {
        let turns = self.turns.values();
        turns.filter(move |t| t.server == server && t.from == from).filter_map(|t| t.taken)
    }

    pub(crate) fn pretend_overtaking(&mut self) {
        let turn = |from, submitted, taken| Turn { server: 3, from, submitted, taken, gone: None };
        self.turns.insert(1, turn(1, 1, None));
        self.turns.insert(2, turn(2, 2, Some(3)));
        self.turns.insert(3, turn(2, 2, Some(4)));
    }

    pub(crate) fn capabilities(&self) -> Vec<Capabilities> {
        (0..PROCESSES).map(|who| *self.kernel.capabilities(id(who))).collect()
    }

    /// Tries all that takes a slot, in everybody's name: nothing is done that the table does not
    /// give them. What it gives them other steps do.
    pub(crate) fn try_slot(&mut self, slot: u64) {
        for who in 0..PROCESSES {
            let known = usize::try_from(slot).ok().and_then(|slot| held(who).get(slot).copied());
            assert_eq!(self.kernel.capabilities(id(who)).get(slot), known);
            if !matches!(known, Some(Capability::Call(_))) {
                self.cannot_call(who, slot);
            }
            match known {
                Some(Capability::Child(child)) => self.knows_child(who, slot, child),
                _ => self.knows_no_child(who, slot),
            }
            for wanted in [Capability::Console, Capability::Halt] {
                let has = known == Some(wanted);
                let needed = self.kernel.capabilities(id(who)).needs(slot, wanted);
                assert_eq!(needed, if has { Ok(()) } else { NOTHING });
            }
        }
    }

    fn cannot_call(&mut self, who: usize, slot: u64) {
        let (kernel, machine) = (&mut self.kernel, &mut self.machine);
        let extents = (Extent::EMPTY, Extent::EMPTY);
        assert_eq!(kernel.submit(machine, id(who), slot, extents, 0), NOTHING);
        assert_eq!(kernel.call(machine, id(who), slot, extents, NEVER), NOTHING);
    }

    fn knows_child(&self, who: usize, slot: u64, child: ProcessId) {
        let (kernel, alive) = (&self.kernel, self.world.processes[child.index()].alive);
        let living = if alive { Ok(child) } else { Err(KernelError::NotRunning) };
        assert_eq!(kernel.living_child(id(who), slot), living);
        let asked = rights(child.index());
        assert_eq!(kernel.may_spawn(id(who), slot, asked), self.spawned(child.index(), asked));
        let status = self.world.status(child.index());
        assert_eq!(kernel.child(id(who), slot), Ok(status));
    }

    fn knows_no_child(&mut self, who: usize, slot: u64) {
        let kernel = &mut self.kernel;
        let signalled = kernel.signal(&mut self.machine, id(who), slot, Signals::STOP);
        assert_eq!(signalled, NOTHING);
        assert_eq!(kernel.living_child(id(who), slot).map(drop), NOTHING);
        assert_eq!(kernel.may_spawn(id(who), slot, Rights::NONE).map(drop), NOTHING);
        assert_eq!(kernel.child(id(who), slot).map(drop), NOTHING);
        assert_eq!(kernel.acknowledge(id(who), slot, 1), NOTHING);
    }
}
