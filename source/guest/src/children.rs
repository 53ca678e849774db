//! What execd starts: entries of the image that are its children, by calls of the kernel.
//!
//! Which of them there are, and how much memory each has, was compiled in; what they may do the
//! kernel knows. Invariant: of each child one life is known at most, and its end is told before
//! there is another.

use alloc::vec::Vec;

use execd::{Left, LeftState, LoadError, Processes, Program, StartError};
use nexus_abi::kernel::{Change, KernelError};
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_rt::before::Before;
use nexus_wire::bundles::BundleName;

/// Whom execd may start, and the KiB that each may take.
const PROGRAMS: &[(&str, u32)] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// Calls of the kernel about children, each of which has a slot.
pub trait Calls {
    /// The slot of a child.
    fn find(&self, child: ServiceId) -> Option<u64>;

    /// The number of its process, if it lives, and what has happened to it last.
    fn child(&self, slot: u64) -> (Option<u32>, Option<Change>);

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
    programs: &'static [(&'static str, u32)],
    /// Those whose ends were not told.
    lives: Vec<Life>,
    /// What former lives of execd have left, and was not told.
    left: Vec<Left>,
}

impl<C: Calls> Children<C> {
    /// Those of this image; `before` says what former lives of execd have left. Takes its memory
    /// now.
    #[must_use]
    pub fn new(calls: C, before: &Before) -> Self {
        Self::of(calls, PROGRAMS, before)
    }

    fn of(calls: C, programs: &'static [(&'static str, u32)], before: &Before) -> Self {
        let lives = Vec::with_capacity(programs.len());
        let mut children = Self { calls, programs, lives, left: Vec::new() };
        let left = programs.iter().filter_map(|(name, _)| children.find_left(name, before));
        children.left = left.collect();
        let running = children.left.iter().filter_map(|left| children.life(left));
        let running = running.collect::<Vec<_>>();
        children.lives.extend(running);
        children
    }

    /// What a former life has left of that child. One that lived when we looked and has ended since
    /// is a life like any other: its end is told by its number.
    fn find_left(&self, name: &str, before: &Before) -> Option<Left> {
        let (child, entry) = (ServiceId::from_name(name), BundleName::new(name)?.stored());
        let pid = self.calls.find(child).and_then(|slot| before.lived(slot));
        let state = match pid {
            Some(pid) => LeftState::Runs(pid),
            None => LeftState::Ended(before.ended(child)?),
        };
        Some(Left { entry, state })
    }

    fn life(&self, left: &Left) -> Option<Life> {
        let LeftState::Runs(pid) = left.state else { return None };
        let child = ServiceId::from_name(left.entry.get().as_str());
        self.calls.find(child).map(|slot| Life { pid, slot })
    }
}

impl<C: Calls> Processes for Children<C> {
    /// The slot of a child.
    type Loaded = u64;

    fn left(&mut self) -> Option<Left> {
        self.left.pop()
    }

    fn load(&mut self, program: &Program) -> Result<u64, LoadError> {
        let is_it = |(name, _): &&(&str, u32)| *name == program.entry.get().as_str();
        let (_, kib) = self.programs.iter().find(is_it).ok_or(LoadError::NoEntry)?;
        let slot = self.calls.find(program.service()).ok_or(LoadError::NoEntry)?;
        let is_known = self.lives.iter().any(|life| life.slot == slot);
        if is_known || self.calls.child(slot).0.is_some() {
            return Err(LoadError::Running);
        }
        if program.memory_kib > *kib {
            return Err(LoadError::TooMuchMemory);
        }
        Ok(slot)
    }

    fn start(&mut self, slot: u64, rights: Rights) -> Result<u32, StartError> {
        assert!(self.lives.len() < self.programs.len(), "one life of each");
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
        let has_ended = |life: &Life| self.calls.child(life.slot).0 != Some(life.pid);
        let at = self.lives.iter().position(has_ended)?;
        let Life { pid, slot } = self.lives.remove(at);
        let Some(Change::Ended(reason)) = self.calls.child(slot).1 else {
            unreachable!("the end of a life is what has happened to it last")
        };
        Some((pid, reason))
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell, RefMut};

    use nexus_abi::kernel::Received;
    use nexus_rt::before;
    use nexus_wire::bundles::BundleName;

    use super::*;

    const THEIRS: &[(&str, u32)] = &[("demo.a", 64), ("demo.b", 128), ("demo.nowhere", 64)];

    /// A kernel with two children; the first may read logs.
    #[derive(Default)]
    struct Kernel {
        pids: u32,
        children: [(Option<u32>, Option<Change>); 2],
        is_full: bool,
        /// Whose ends execd has not received.
        told: Vec<u64>,
    }

    impl Calls for Kernel {
        fn find(&self, child: ServiceId) -> Option<u64> {
            let at = THEIRS[..2].iter().position(|(name, _)| ServiceId::from_name(name) == child);
            at.map(|at| at as u64)
        }

        fn child(&self, slot: u64) -> (Option<u32>, Option<Change>) {
            self.children[slot as usize]
        }

        fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError> {
            if self.is_full {
                return Err(KernelError::NoMemory);
            }
            if rights != Rights::NONE && (slot, rights) != (0, Rights::QUERY) {
                return Err(KernelError::Denied);
            }
            self.pids += 1;
            self.children[slot as usize].0 = Some(self.pids);
            Ok(self.pids)
        }

        fn kill(&mut self, slot: u64) {
            self.end(slot, ExitReason::Killed(64));
        }
    }

    impl Kernel {
        fn end(&mut self, slot: u64, reason: ExitReason) {
            self.children[slot as usize] = (None, Some(Change::Ended(reason)));
            self.told.push(slot);
        }

        fn receive(&mut self) -> Option<Received> {
            let slot = self.told.pop()? as usize;
            let service = ServiceId::from_name(THEIRS[slot].0);
            self.children[slot].1.map(|change| Received::Child { service, change })
        }
    }

    impl before::Kernel for Kernel {
        fn life(&self, slot: u64) -> Option<u32> {
            self.children.get(slot as usize)?.0
        }

        fn next(&mut self) -> Option<Received> {
            self.receive()
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

    impl before::Kernel for &Ending {
        fn life(&self, slot: u64) -> Option<u32> {
            before::Kernel::life(&*self.asked(), slot)
        }

        fn next(&mut self) -> Option<Received> {
            self.asked().receive()
        }
    }

    impl Calls for &Ending {
        fn find(&self, child: ServiceId) -> Option<u64> {
            self.asked().find(child)
        }

        fn child(&self, slot: u64) -> (Option<u32>, Option<Change>) {
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
        Program { entry, memory_kib, rights: Rights::NONE, digest: [0; _] }
    }

    fn children() -> Children<Kernel> {
        Children::of(Kernel::default(), THEIRS, &Before::NOTHING)
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
        kernel.children[0].0 = Some(9);
        kernel.end(1, FAULT);
        let before = Before::find(&mut kernel);
        let mut children = Children::of(kernel, THEIRS, &before);
        let entry = |name| BundleName::new(name).unwrap().stored();
        let ends = LeftState::Ended(FAULT);
        assert_eq!(children.left(), Some(Left { entry: entry("demo.b"), state: ends }));
        let runs = LeftState::Runs(9);
        assert_eq!(children.left(), Some(Left { entry: entry("demo.a"), state: runs }));
        assert_eq!(children.left(), None);
        assert_eq!(children.load(&program("demo.a", 64)), Err(LoadError::Running));
        assert_eq!(children.load(&program("demo.b", 64)), Ok(1));
        assert_eq!(children.ended(), None, "it was told of");
        children.calls.end(0, ExitReason::Exited(0));
        assert_eq!(children.ended(), Some((9, ExitReason::Exited(0))));
    }

    #[test]
    fn what_had_ended_before_a_life_of_execd_and_was_told_is_not_told_again() {
        let mut kernel = Kernel::default();
        kernel.end(0, ExitReason::Exited(3));
        assert!(kernel.receive().is_some(), "a former life has heard it");
        let before = Before::find(&mut kernel);
        assert_eq!(Children::of(kernel, THEIRS, &before).left(), None);
    }

    /// What is told, from the first look on, of a child that ends before that question.
    fn told_of_an_end_at(question: u32) -> (Vec<LeftState>, Vec<(u32, ExitReason)>, bool) {
        let mut kernel = Kernel::default();
        kernel.children[1].0 = Some(9);
        let ending = Ending { kernel: RefCell::new(kernel), questions: Cell::new(question) };
        let before = Before::find(&mut &ending);
        let mut children = Children::of(&ending, THEIRS, &before);
        let left = core::iter::from_fn(|| children.left()).map(|left| left.state).collect();
        let ended = core::iter::from_fn(|| children.ended()).collect();
        (left, ended, ending.kernel.borrow().children[1].0.is_none())
    }

    #[test]
    fn an_end_is_told_once_at_whatever_moment_of_a_start_it_comes() {
        let mut numbered = 0;
        let ends = (0..).map(told_of_an_end_at).take_while(|(_, _, has_ended)| *has_ended);
        for (left, ended, _) in ends {
            match *left {
                [LeftState::Ended(FAULT)] => assert!(ended.is_empty()),
                [LeftState::Runs(9)] => {
                    assert_eq!(ended, [(9, FAULT)]);
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
