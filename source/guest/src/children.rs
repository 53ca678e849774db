//! What execd starts: entries of the image that are its children, by calls of the kernel.
//!
//! Which of them there are, how much memory each has and which program it runs was compiled in;
//! what they may do the kernel knows. Invariants: of each child one life is known at most, and its
//! end is told before there is another; nothing starts in the name of a program but that program.
//! An end is acknowledged to the kernel once what was recorded of it lasts ([`Receipts`]).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use nexus_abi::kernel::{Change, ChildStatus, KernelError};
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_bundle::{Left, LeftState, LoadError, Processes, Program, StartError};
use nexus_wire::bundles::{BundleName, DIGEST_BYTES};

use crate::Receipts;

/// Whom execd may start.
const ENTRIES: &[Entry] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// An entry of the image that execd may start.
struct Entry {
    name: &'static str,
    /// What it may take.
    memory_kib: u32,
    /// Of the program that it runs.
    digest: [u8; DIGEST_BYTES],
}

/// Calls of the kernel about children, each of which has a slot.
pub trait Calls {
    /// The slot of a child.
    fn find(&self, child: ServiceId) -> Option<u64>;

    /// How it is.
    fn child(&self, slot: u64) -> ChildStatus;

    /// Starts a life of it: the number of its process.
    ///
    /// # Errors
    /// [`KernelError`]; nothing was started.
    fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError>;

    /// Ends its life, if it has one.
    fn kill(&mut self, slot: u64);
}

/// A life of a child.
#[derive(Clone, Copy)]
struct Life {
    pid: u32,
    slot: u64,
}

/// See the module.
pub struct Children<C> {
    calls: C,
    entries: &'static [Entry],
    /// Those whose ends were not told.
    lives: Vec<Life>,
    /// What former lives of execd have left, and was not told; in which slot.
    left: Vec<(u64, Left)>,
    /// Ends that were told here.
    receipts: Rc<RefCell<Receipts>>,
}

impl<C: Calls> Children<C> {
    /// Those of this image, and what former lives of execd have left of them. Takes its memory now;
    /// in `receipts` stands which ends are to be acknowledged.
    #[must_use]
    pub fn new(calls: C, receipts: Rc<RefCell<Receipts>>) -> Self {
        Self::of(calls, ENTRIES, receipts)
    }

    fn of(calls: C, entries: &'static [Entry], receipts: Rc<RefCell<Receipts>>) -> Self {
        let mut lives = Vec::with_capacity(entries.len());
        let mut all = Vec::new();
        for entry in entries {
            let Some(name) = BundleName::new(entry.name) else { continue };
            let Some(slot) = calls.find(ServiceId::from_name(entry.name)) else { continue };
            let status = calls.child(slot);
            let entry = name.stored();
            all.extend(left(&status).map(|state| (slot, Left { entry, state })));
            lives.extend(status.life().map(|pid| Life { pid, slot }));
        }
        receipts.borrow_mut().reserve(entries.len());
        Self { calls, entries, lives, left: all, receipts }
    }
}

/// What former lives have left of a child. One that lives now and ends later is a life like any
/// other.
fn left(status: &ChildStatus) -> impl Iterator<Item = LeftState> {
    let pid = status.pid;
    let ended = status.end().map(|why| LeftState::Ended { pid, why });
    let overtaken = Some(status.overtaken()).filter(|count| *count > 0);
    let runs = status.life().map(LeftState::Runs);
    [runs, ended, overtaken.map(LeftState::Overtaken)].into_iter().flatten()
}

impl<C: Calls> Processes for Children<C> {
    /// The slot of a child.
    type Loaded = u64;

    fn left(&mut self) -> Option<Left> {
        let (slot, left) = self.left.pop()?;
        self.receipts.borrow_mut().heard(
            slot,
            match left.state {
                LeftState::Runs(_) => 0,
                LeftState::Ended { .. } => 1,
                LeftState::Overtaken(count) => count,
            },
        );
        Some(left)
    }

    fn load(&mut self, program: &Program) -> Result<u64, LoadError> {
        let is_it = |entry: &&Entry| entry.name == program.entry.get().as_str();
        let entry = self.entries.iter().find(is_it).ok_or(LoadError::NoEntry)?;
        let slot = self.calls.find(program.service()).ok_or(LoadError::NoEntry)?;
        let is_known = self.lives.iter().any(|life| life.slot == slot);
        if is_known || self.calls.child(slot).is_alive {
            return Err(LoadError::Running);
        }
        if program.memory_kib > entry.memory_kib {
            return Err(LoadError::TooMuchMemory);
        }
        if program.digest != entry.digest {
            return Err(LoadError::OtherProgram);
        }
        Ok(slot)
    }

    fn start(&mut self, slot: u64, rights: Rights) -> Result<u32, StartError> {
        assert!(self.lives.len() < self.entries.len(), "one life of each");
        let pid = self.calls.spawn(slot, rights).map_err(|why| match why {
            KernelError::NoMemory => StartError::NoMemory,
            _ => StartError::Denied,
        })?;
        self.lives.push(Life { pid, slot });
        Ok(pid)
    }

    fn kill(&mut self, pid: u32) {
        if let Some(life) = self.lives.iter().find(|life| life.pid == pid) {
            self.calls.kill(life.slot);
        }
    }

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        let has_ended = |life: &Life| self.calls.child(life.slot).life() != Some(life.pid);
        let at = self.lives.iter().position(has_ended)?;
        let Life { pid, slot } = self.lives.remove(at);
        let Some(Change::Ended(reason)) = self.calls.child(slot).latest else {
            unreachable!("the end of a life is what has happened to it last")
        };
        self.receipts.borrow_mut().heard(slot, 1);
        Some((pid, reason))
    }

    fn recorded(&mut self) {
        self.receipts.borrow_mut().recorded();
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefMut};

    use nexus_abi::Incarnation;
    use nexus_wire::bundles::StoredName;

    use super::*;

    const DIGEST: [u8; DIGEST_BYTES] = [7; _];
    const THEIRS: &[Entry] = &[
        Entry { name: "demo.a", memory_kib: 64, digest: DIGEST },
        Entry { name: "demo.b", memory_kib: 128, digest: DIGEST },
        Entry { name: "demo.nowhere", memory_kib: 64, digest: DIGEST },
    ];

    /// A kernel with two children; the first may read logs.
    struct Kernel {
        pids: u32,
        children: [ChildStatus; 2],
        is_full: bool,
    }

    impl Default for Kernel {
        fn default() -> Self {
            Self { pids: 0, children: [ChildStatus::UNBORN; 2], is_full: false }
        }
    }

    impl Calls for Kernel {
        fn find(&self, child: ServiceId) -> Option<u64> {
            let is_it = |entry: &Entry| ServiceId::from_name(entry.name) == child;
            let at = THEIRS[..2].iter().position(is_it);
            at.map(|at| at as u64)
        }

        fn child(&self, slot: u64) -> ChildStatus {
            self.children[slot as usize]
        }

        fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError> {
            if self.is_full {
                return Err(KernelError::NoMemory);
            }
            if rights != Rights::NONE && (slot, rights) != (0, Rights::QUERY) {
                return Err(KernelError::Denied);
            }
            Ok(self.begin(slot))
        }

        fn kill(&mut self, slot: u64) {
            self.end(slot, ExitReason::Killed(64));
        }
    }

    impl Kernel {
        fn begin(&mut self, slot: u64) -> u32 {
            self.pids += 1;
            let child = &mut self.children[slot as usize];
            let incarnation = Incarnation::next(child.incarnation);
            let (pid, ends) = (self.pids, child.ends);
            *child = ChildStatus { is_alive: true, pid, incarnation, latest: None, ends };
            pid
        }

        fn end(&mut self, slot: u64, reason: ExitReason) {
            let child = &mut self.children[slot as usize];
            if child.is_alive {
                let latest = Some(Change::Ended(reason));
                *child = ChildStatus { is_alive: false, latest, ends: child.ends + 1, ..*child };
            }
        }
    }

    /// A kernel of which a child ends just before it is asked for something.
    struct Ending {
        kernel: RefCell<Kernel>,
        /// Before how many more times.
        questions: Cell<u32>,
    }

    const FAULT: ExitReason = ExitReason::Killed(13);

    impl Ending {
        fn asked(&self) -> RefMut<'_, Kernel> {
            let left = self.questions.get();
            self.questions.set(left.wrapping_sub(1));
            let mut kernel = self.kernel.borrow_mut();
            if left == 0 {
                kernel.end(1, FAULT);
            }
            kernel
        }
    }

    impl Calls for &Ending {
        fn find(&self, child: ServiceId) -> Option<u64> {
            self.asked().find(child)
        }

        fn child(&self, slot: u64) -> ChildStatus {
            self.asked().child(slot)
        }

        fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError> {
            self.asked().spawn(slot, rights)
        }

        fn kill(&mut self, slot: u64) {
            self.asked().kill(slot);
        }
    }

    fn program(name: &str, memory_kib: u32) -> Program {
        let entry = BundleName::new(name).unwrap().stored();
        Program { entry, memory_kib, rights: Rights::NONE, digest: DIGEST }
    }

    fn children() -> Children<Kernel> {
        after(Kernel::default())
    }

    /// execd's next life on that kernel.
    fn after<C: Calls>(calls: C) -> Children<C> {
        Children::of(calls, THEIRS, Rc::default())
    }

    fn entry(name: &str) -> StoredName {
        BundleName::new(name).unwrap().stored()
    }

    /// What was recorded of its children has come to last.
    fn brought(children: &mut Children<Kernel>) {
        children.recorded();
        let mut receipts = children.receipts.borrow_mut();
        receipts.begin();
        for (slot, ends) in receipts.brought() {
            children.calls.children[slot as usize].ends -= ends;
        }
    }

    #[test]
    fn a_child_starts_ends_is_told_once_and_starts_again() {
        let mut children = children();
        let slot = children.load(&program("demo.b", 128)).unwrap();
        assert_eq!(children.start(slot, Rights::NONE), Ok(1));
        assert_eq!(children.ended(), None);
        children.calls.end(slot, ExitReason::Exited(3));
        assert_eq!(children.load(&program("demo.b", 1)), Err(LoadError::Running), "not told yet");
        assert_eq!(children.ended(), Some((1, ExitReason::Exited(3))));
        assert_eq!(children.ended(), None);
        assert_eq!(children.load(&program("demo.b", 1)), Ok(slot));
        assert_eq!(children.start(slot, Rights::NONE), Ok(2));
    }

    #[test]
    fn what_cannot_be_loaded_or_started_says_why() {
        let mut children = children();
        for name in ["demo.c", "demo.nowhere"] {
            assert_eq!(children.load(&program(name, 1)), Err(LoadError::NoEntry), "{name}");
        }
        assert_eq!(children.load(&program("demo.a", 65)), Err(LoadError::TooMuchMemory));
        let other = Program { digest: [8; _], ..program("demo.a", 64) };
        assert_eq!(children.load(&other), Err(LoadError::OtherProgram));
        assert_eq!(children.load(&program("demo.a", 64)), Ok(0));
        assert_eq!(children.start(0, Rights::SCRAPE), Err(StartError::Denied));
        children.calls.is_full = true;
        assert_eq!(children.start(0, Rights::NONE), Err(StartError::NoMemory));
        children.calls.is_full = false;
        assert_eq!(children.start(0, Rights::QUERY), Ok(1));
        assert_eq!(children.load(&program("demo.a", 64)), Err(LoadError::Running));
    }

    #[test]
    fn what_a_former_life_has_started_is_taken_over_and_what_ended_meanwhile_is_told() {
        let mut kernel = Kernel::default();
        let (a, b) = (kernel.begin(0), kernel.begin(1));
        kernel.end(1, FAULT);
        let mut children = after(kernel);
        let state = LeftState::Ended { pid: b, why: FAULT };
        assert_eq!(children.left(), Some(Left { entry: entry("demo.b"), state }));
        let state = LeftState::Runs(a);
        assert_eq!(children.left(), Some(Left { entry: entry("demo.a"), state }));
        assert_eq!(children.left(), None);
        assert_eq!(children.load(&program("demo.a", 64)), Err(LoadError::Running));
        assert_eq!(children.load(&program("demo.b", 64)), Ok(1));
        assert_eq!(children.ended(), None, "it was told of");
        children.calls.end(0, ExitReason::Exited(0));
        assert_eq!(children.ended(), Some((a, ExitReason::Exited(0))));
    }

    #[test]
    fn an_end_is_told_to_the_next_life_until_what_was_recorded_of_it_lasts() {
        let mut children = children();
        let pid = children.start(1, Rights::NONE).unwrap();
        children.calls.end(1, FAULT);
        assert_eq!(children.ended(), Some((pid, FAULT)));
        let mut next = after(children.calls);
        let state = LeftState::Ended { pid, why: FAULT };
        assert_eq!(next.left(), Some(Left { entry: entry("demo.b"), state }), "told in vain");
        brought(&mut next);
        assert_eq!(after(next.calls).left(), None);
    }

    #[test]
    fn how_many_have_ended_and_were_followed_by_others_is_told_to_the_next_life() {
        let mut children = children();
        for _ in 0..3 {
            children.start(1, Rights::NONE).unwrap();
            children.calls.end(1, FAULT);
            assert!(children.ended().is_some());
        }
        let mut next = after(children.calls);
        let state = |left: Left| left.state;
        assert_eq!(next.left().map(state), Some(LeftState::Overtaken(2)));
        assert_eq!(next.left().map(state), Some(LeftState::Ended { pid: 3, why: FAULT }));
        assert_eq!(next.left(), None);
        let pid = next.start(1, Rights::NONE).unwrap();
        brought(&mut next);
        assert_eq!(next.calls.children[1].ends, 0);
        let mut last = after(next.calls);
        assert_eq!(last.left().map(state), Some(LeftState::Runs(pid)));
        assert_eq!(last.left(), None);
    }

    /// What is told, from the first look on, of a child that ends before that question.
    fn told_of_an_end_at(question: u32) -> (Vec<LeftState>, Vec<(u32, ExitReason)>, bool) {
        let mut kernel = Kernel::default();
        let pid = kernel.begin(1);
        let ending = Ending { kernel: RefCell::new(kernel), questions: Cell::new(question) };
        let mut children = after(&ending);
        let left = core::iter::from_fn(|| children.left()).map(|left| left.state).collect();
        let ended = core::iter::from_fn(|| children.ended()).collect();
        assert_eq!(pid, 1);
        (left, ended, !ending.kernel.borrow().children[1].is_alive)
    }

    #[test]
    fn an_end_is_told_once_at_whatever_moment_of_a_start_it_comes() {
        let mut numbered = 0;
        let ends = (0..).map(told_of_an_end_at).take_while(|(_, _, has_ended)| *has_ended);
        for (left, ended, _) in ends {
            match *left {
                [LeftState::Ended { pid: 1, why: FAULT }] => assert!(ended.is_empty()),
                [LeftState::Runs(1)] => {
                    assert_eq!(ended, [(1, FAULT)]);
                    numbered += 1;
                }
                _ => panic!("an end is lost, or told twice: {left:?} {ended:?}"),
            }
        }
        assert!(numbered > 0, "some ends come behind the look");
    }

    #[test]
    fn whom_it_kills_it_tells_of_and_nobody_else_dies() {
        let mut children = children();
        let pids = [0, 1].map(|slot| children.start(slot, Rights::NONE).unwrap());
        children.kill(77);
        children.kill(pids[1]);
        assert_eq!(children.ended(), Some((pids[1], ExitReason::Killed(64))));
        assert_eq!(children.ended(), None);
        children.kill(pids[1]);
        assert_eq!(children.ended(), None);
    }
}
