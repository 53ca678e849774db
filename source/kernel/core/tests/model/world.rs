//! The model: what each process would see, kept in lists.

use std::collections::{BTreeMap, BTreeSet};

use nexus_abi::kernel::{CALLS_MAX, Change, ChildStatus, KernelError, Received, Signals};
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};

/// How many processes there are; 0 is the parent of all others.
pub(crate) const PROCESSES: usize = 6;

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Submitted,
    Taken,
    Done(Result<usize, KernelError>),
}

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) tag: u64,
    pub(crate) bytes: usize,
    pub(crate) room: usize,
    pub(crate) stage: Stage,
    /// When it came to its stage.
    pub(crate) since: u64,
    pub(crate) incarnation: Incarnation,
    /// Whether its caller waits for it alone.
    pub(crate) is_awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    No,
    Anything { buffer: bool },
    OneCall,
}

pub(crate) struct Process {
    pub(crate) alive: bool,
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: u32,
    pub(crate) rights: Rights,
    /// Whose slice it spends.
    pub(crate) payer: usize,
    pub(crate) wait: Wait,
    pub(crate) deadline: Option<u64>,
    pub(crate) serves: bool,
    pub(crate) signals: u64,
    pub(crate) turns: Vec<usize>,
    pub(crate) heard: BTreeSet<usize>,
    pub(crate) ended_peers: BTreeMap<usize, (Incarnation, ExitReason)>,
    pub(crate) changes: BTreeMap<usize, Change>,
    /// What has happened to it last.
    pub(crate) latest: Option<Change>,
    /// Ends of it that were not acknowledged.
    pub(crate) ends: u32,
}

/// All processes and calls.
pub(crate) struct World {
    pub(crate) processes: Vec<Process>,
    pub(crate) calls: Vec<Call>,
    pids: u32,
    clock: u64,
}

pub(crate) fn service(id: usize) -> ServiceId {
    ServiceId::from_name(&format!("service{id}"))
}

/// What a role may be given at most.
pub(crate) fn rights(id: usize) -> Rights {
    Rights::from_raw(id as u8)
}

impl World {
    pub(crate) fn new() -> Self {
        let process = |id| Process {
            alive: false,
            incarnation: Incarnation::new(0),
            pid: 0,
            rights: Rights::NONE,
            payer: id,
            wait: Wait::No,
            deadline: None,
            serves: false,
            signals: 0,
            turns: Vec::new(),
            heard: BTreeSet::new(),
            ended_peers: BTreeMap::new(),
            changes: BTreeMap::new(),
            latest: None,
            ends: 0,
        };
        let processes = (0..PROCESSES).map(process).collect();
        Self { processes, calls: Vec::new(), pids: 0, clock: 0 }
    }

    pub(crate) fn can_act(&self, id: usize) -> bool {
        self.processes[id].alive && self.processes[id].wait == Wait::No
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn spawn(&mut self, id: usize, rights: Rights) {
        self.pids += 1;
        let process = &mut self.processes[id];
        process.alive = true;
        process.incarnation = process.incarnation.next();
        process.pid = self.pids;
        process.rights = rights;
        process.payer = id;
        process.latest = None;
        if id != 0 {
            self.processes[0].changes.remove(&id);
            return;
        }
        for child in 1..PROCESSES {
            let Process { alive, latest, ends, .. } = self.processes[child];
            if let Some(change) = latest.filter(|_| !alive && ends > 0) {
                self.processes[0].changes.insert(child, change);
            }
        }
    }

    /// What the parent of `id` is told of it when it asks.
    pub(crate) fn status(&self, id: usize) -> ChildStatus {
        let Process { alive, pid, incarnation, latest, ends, .. } = self.processes[id];
        ChildStatus { is_alive: alive, pid, incarnation, latest, ends }
    }

    pub(crate) fn acknowledge(&mut self, id: usize, ends: u64) {
        let process = &mut self.processes[id];
        (0..ends.min(process.ends.into())).for_each(|_| process.ends -= 1);
        if !process.alive && process.ends == 0 {
            self.processes[0].changes.remove(&id);
        }
    }

    pub(crate) fn end(&mut self, id: usize, reason: ExitReason) {
        self.calls.retain(|call| call.from != id);
        let incarnation = self.processes[id].incarnation;
        for other in &mut self.processes {
            other.turns.retain(|waiting| *waiting != id);
            if other.heard.remove(&id) {
                other.ended_peers.insert(id, (incarnation, reason));
            }
        }
        let clock = self.tick();
        for call in self.calls.iter_mut().filter(|call| call.to == id) {
            if !matches!(call.stage, Stage::Done(_)) {
                call.stage = Stage::Done(Err(KernelError::PeerDied));
                call.since = clock;
            }
        }
        let process = &mut self.processes[id];
        process.alive = false;
        process.wait = Wait::No;
        process.serves = false;
        process.signals = 0;
        process.turns.clear();
        process.heard.clear();
        process.ended_peers.clear();
        process.ends += 1;
        self.change(id, Change::Ended(reason));
    }

    fn change(&mut self, id: usize, change: Change) {
        self.processes[id].latest = Some(change);
        if id != 0 {
            self.processes[0].changes.insert(id, change);
        }
    }

    /// What a call of these is answered with at once.
    pub(crate) fn submit(&mut self, call: Call) -> Result<(), KernelError> {
        if !self.processes[call.to].serves {
            return Err(KernelError::NotReady);
        }
        if self.calls.iter().filter(|other| other.from == call.from).count() == CALLS_MAX {
            return Err(KernelError::Busy);
        }
        let turns = &mut self.processes[call.to].turns;
        if !turns.contains(&call.from) {
            turns.push(call.from);
        }
        let since = self.tick();
        self.calls.push(Call { since, ..call });
        Ok(())
    }

    pub(crate) fn answer(&mut self, tag: u64, bytes: usize) {
        let since = self.tick();
        let call = self.calls.iter_mut().find(|call| call.tag == tag).unwrap();
        let fits = bytes <= call.room;
        call.stage = Stage::Done(if fits { Ok(bytes) } else { Err(KernelError::AnswerTooLong) });
        call.since = since;
    }

    pub(crate) fn receive(&mut self, id: usize, buffer: bool, deadline: Option<u64>) {
        let process = &mut self.processes[id];
        process.wait = Wait::Anything { buffer };
        process.deadline = deadline;
        process.payer = id;
        if buffer && !process.serves {
            process.serves = true;
            self.change(id, Change::Serves);
        }
    }

    pub(crate) fn stamp(&self, id: usize) -> Sender {
        let process = &self.processes[id];
        Sender::stamped(service(id), process.pid, process.incarnation, process.rights)
    }

    /// What `id` has now, if it waits and there is something for it: with the tag of the request
    /// it is about, whose token the model does not know.
    pub(crate) fn next(&mut self, id: usize) -> Option<(Received, Option<u64>)> {
        match self.processes[id].wait {
            Wait::No => None,
            Wait::OneCall => self.take_done(id, true).map(|event| (event, None)),
            Wait::Anything { buffer } => {
                let notice = self.take_notice(id).or_else(|| self.take_done(id, false));
                let request = || self.take_request(id, buffer);
                notice.map(|event| (event, None)).or_else(request)
            }
        }
        .inspect(|_| self.processes[id].wait = Wait::No)
    }

    fn take_notice(&mut self, id: usize) -> Option<Received> {
        let process = &mut self.processes[id];
        if process.signals != 0 {
            return Some(Received::Signals(Signals(std::mem::take(&mut process.signals))));
        }
        if let Some((child, change)) = process.changes.pop_first() {
            return Some(Received::Child { service: service(child), change });
        }
        let (peer, (incarnation, reason)) = process.ended_peers.pop_first()?;
        Some(Received::PeerGone { id: self.stamp(peer).id, incarnation, reason })
    }

    fn take_done(&mut self, id: usize, awaited: bool) -> Option<Received> {
        let done = self.calls.iter().filter(|call| {
            call.from == id && matches!(call.stage, Stage::Done(_)) && call.is_awaited == awaited
        });
        let oldest = done.min_by_key(|call| call.since)?.tag;
        let at = self.calls.iter().position(|call| call.tag == oldest)?;
        let Call { tag, stage, incarnation, is_awaited, .. } = self.calls.remove(at);
        let Stage::Done(result) = stage else { return None };
        let tag = if is_awaited { 0 } else { tag };
        Some(Received::Completion { tag, result, incarnation })
    }

    fn take_request(&mut self, id: usize, buffer: bool) -> Option<(Received, Option<u64>)> {
        if !buffer || self.processes[id].turns.is_empty() {
            return None;
        }
        let from = self.processes[id].turns.remove(0);
        let incarnation = self.processes[id].incarnation;
        let waits =
            |call: &&mut Call| call.from == from && call.to == id && call.stage == Stage::Submitted;
        let mut waiting = self.calls.iter_mut().filter(waits).collect::<Vec<_>>();
        waiting.sort_by_key(|call| call.since);
        let more = waiting.len() > 1;
        let call = waiting.into_iter().next()?;
        call.stage = Stage::Taken;
        call.incarnation = incarnation;
        let (tag, bytes) = (call.tag, call.bytes);
        if more {
            self.processes[id].turns.push(from);
        }
        self.processes[id].heard.insert(from);
        self.processes[id].payer = self.processes[from].payer;
        let request = Received::Request { token: 0, bytes, from: self.stamp(from) };
        Some((request, Some(tag)))
    }

    /// Gives up waiting where the deadline has come; who did, and the tag of the call that is
    /// given up with it.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<(usize, Option<u64>)> {
        let due = |process: &Process| {
            process.wait != Wait::No && process.deadline.is_some_and(|deadline| deadline <= now)
        };
        let all = (0..PROCESSES).filter(|&id| due(&self.processes[id])).collect::<Vec<_>>();
        let expired = all.into_iter().map(|id| {
            let waited = std::mem::replace(&mut self.processes[id].wait, Wait::No);
            (id, (waited == Wait::OneCall).then(|| self.give_up(id)))
        });
        expired.collect()
    }

    fn give_up(&mut self, id: usize) -> u64 {
        let given_up = self.calls.iter().position(|call| call.from == id && call.is_awaited);
        let call = self.calls.remove(given_up.unwrap());
        let waits = |other: &Call| {
            other.from == id && other.to == call.to && other.stage == Stage::Submitted
        };
        if !self.calls.iter().any(waits) {
            self.processes[call.to].turns.retain(|waiting| *waiting != id);
        }
        call.tag
    }
}
