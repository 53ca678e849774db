//! Processes as execd has them in the simulated world: they log what the demos log, and end as the
//! demos end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use nexus_abi::{ExitReason, Rights};
use nexus_bundle::{Left, LeftState, LoadError, Processes, Program, StartError};
use nexus_wire::bundles::StoredName;
use nexus_wire::logs::{self, Head, NewRecord, Version};
use nexus_wire::{Level, bundles::BundleName};
use simkit::{Client, World};

use crate::intruder::Intruder;

/// What the image gives each entry.
const ENTRY_KIB: u32 = 128;
/// Entries of the image that are execd's children.
const ENTRIES: [&str; 5] = ["demo-crash", "demo-hello", "demo-hoard", INTRUDER, "demo-wait"];
/// Who tries what must be refused.
const INTRUDER: &str = "demo-intruder";
/// The program that each of them runs.
pub(crate) static PROGRAM: [u8; 60_000] = [7; _];
/// What it says before it ends.
const LINES: [&str; 3] = ["line 1 of 3", "line 2 of 3", "line 3 of 3"];
/// And what it says when there is no memory left.
const PANIC: &str = "memory allocation of 4096 bytes failed";

/// A process.
#[derive(Clone, Copy)]
struct Process {
    pid: u32,
    entry: StoredName,
    has_said: bool,
}

/// What runs; it outlives execd, as the kernel does.
#[derive(Default)]
pub(crate) struct Machine {
    latest: u32,
    running: Vec<Process>,
    ended: VecDeque<Process>,
    reasons: VecDeque<ExitReason>,
    /// Ends that execd was told of and has not recorded.
    told: Vec<Left>,
    /// How `demo-crash` ends.
    pub(crate) falls: Option<ExitReason>,
    /// `demo-wait` never has its turn.
    pub(crate) starves: bool,
    /// The intruder may read what is logged and told.
    pub(crate) may_read: bool,
    /// Any program is taken for that of its entry.
    pub(crate) is_credulous: bool,
}

/// execd's way to it, one for each of its lives.
pub(crate) struct Children {
    machine: Rc<RefCell<Machine>>,
    left: VecDeque<Left>,
}

impl Children {
    /// Finds what former lives have left.
    pub(crate) fn find(machine: Rc<RefCell<Machine>>) -> Self {
        let mut left = VecDeque::new();
        {
            let mut found = machine.borrow_mut();
            let Machine { running, ended, reasons, told, .. } = &mut *found;
            left.extend(told.drain(..));
            let of = |process: &Process, state| Left { entry: process.entry, state };
            left.extend(running.iter().map(|process| of(process, LeftState::Runs(process.pid))));
            let ends = ended.drain(..).zip(reasons.drain(..));
            left.extend(ends.map(|(process, why)| {
                let pid = process.pid;
                of(&process, LeftState::Ended { pid, why })
            }));
        }
        Self { machine, left }
    }
}

impl Processes for Children {
    type Loaded = StoredName;

    fn left(&mut self) -> Option<Left> {
        self.left.pop_front()
    }

    fn load(&mut self, program: &Program) -> Result<StoredName, LoadError> {
        let entry = program.entry;
        if !ENTRIES.contains(&entry.get().as_str()) {
            return Err(LoadError::NoEntry);
        }
        if self.machine.borrow().running.iter().any(|process| process.entry == entry) {
            return Err(LoadError::Running);
        }
        if program.memory_kib > ENTRY_KIB {
            return Err(LoadError::TooMuchMemory);
        }
        let is_it = program.digest == Program::digest_of(&PROGRAM);
        let is_taken = is_it || self.machine.borrow().is_credulous;
        is_taken.then_some(entry).ok_or(LoadError::OtherProgram)
    }

    fn start(&mut self, entry: StoredName, rights: Rights) -> Result<u32, StartError> {
        if rights != Rights::NONE {
            return Err(StartError::Denied);
        }
        let mut machine = self.machine.borrow_mut();
        machine.latest += 1;
        let pid = machine.latest;
        machine.running.push(Process { pid, entry, has_said: false });
        Ok(pid)
    }

    fn kill(&mut self, pid: u32) {
        self.machine.borrow_mut().end(pid, ExitReason::Killed(ExitReason::BY_PARENT));
    }

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        let mut machine = self.machine.borrow_mut();
        let reason = machine.reasons.pop_front()?;
        let Process { pid, entry, .. } = machine.ended.pop_front()?;
        machine.told.push(Left { entry, state: LeftState::Ended { pid, why: reason } });
        Some((pid, reason))
    }

    fn recorded(&mut self) {
        self.machine.borrow_mut().told.clear();
    }
}

impl Machine {
    /// A process ends.
    pub(crate) fn end(&mut self, pid: u32, reason: ExitReason) {
        let at = self.running.iter().position(|process| process.pid == pid);
        if let Some(process) = at.map(|at| self.running.remove(at)) {
            self.ended.push_back(process);
            self.reasons.push_back(reason);
        }
    }

    /// How a program ends by itself; `None`: it does not.
    fn fate(&self, entry: BundleName<'_>) -> Option<ExitReason> {
        match entry.as_str() {
            "demo-crash" => self.falls.or(Some(ExitReason::Killed(15))),
            "demo-hoard" => Some(ExitReason::Exited(101)),
            "demo-wait" => None,
            _ => Some(ExitReason::Exited(0)),
        }
    }
}

/// Every process goes on: it says what it says, or ends.
pub(crate) fn go_on(machine: &Rc<RefCell<Machine>>, world: &mut World) {
    let running = machine.borrow().running.clone();
    for Process { pid, entry, has_said } in running {
        if machine.borrow().starves && entry.get().as_str() == "demo-wait" {
            continue;
        }
        if entry.get().as_str() == INTRUDER {
            intrude(machine, world, pid);
        } else if !has_said {
            say(world, entry.get().as_str());
            let mut machine = machine.borrow_mut();
            let said = machine.running.iter_mut().find(|process| process.pid == pid);
            said.into_iter().for_each(|process| process.has_said = true);
        } else {
            let mut machine = machine.borrow_mut();
            if let Some(reason) = machine.fate(entry.get()) {
                machine.end(pid, reason);
            }
        }
    }
    if !machine.borrow().ended.is_empty() && world.runs("execd") {
        world.wake("execd");
    }
}

/// It tries everything, and ends.
fn intrude(machine: &Rc<RefCell<Machine>>, world: &mut World, pid: u32) {
    let readings = Rights::QUERY.with(Rights::SCRAPE);
    let rights = if machine.borrow().may_read { readings } else { Rights::NONE };
    let client: Client = world.client(INTRUDER, rights);
    let code = selftest_client::intrude(&mut Intruder { world, client });
    machine.borrow_mut().end(pid, ExitReason::Exited(code));
}

fn say(world: &mut World, entry: &str) {
    let client = world.client(entry, Rights::NONE);
    let lines = LINES.map(|line| (Level::Info, "demo", line));
    let panic = (entry == "demo-hoard").then_some((Level::Error, "panic", PANIC));
    for (number, (level, scope, message)) in (1..).zip(lines.into_iter().chain(panic)) {
        let fields = format!("line={number}\n");
        let record = NewRecord { level, scope, message, fields: fields.as_bytes() };
        let mut text = [0; size_of::<logs::RecordText>()];
        let request = logs::Request::Append(record.join(&mut text).unwrap());
        let mut frame = [0; nexus_abi::FRAME_BYTES_MAX];
        let head = Head { version: Version::V2, nonce: number };
        let frame = logs::encode(&request, head, &mut frame).unwrap();
        world.call(client, "logd", frame).unwrap();
    }
}
