//! What execd starts: entries of the image that are its children, by calls of the kernel.
//!
//! Which of them there are, and how much memory each has, was compiled in; what they may do the
//! kernel knows. Invariant: of each child one life is known at most, and its end is told before
//! there is another.

use alloc::vec::Vec;

use execd::{Left, LeftState, LoadError, Processes, Program, StartError};
use nexus_abi::kernel::{Change, KernelError};
use nexus_abi::{ExitReason, Rights, ServiceId};
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
    /// Those of this image; `ended` says how those have ended of whose end no life of execd has
    /// heard. Takes its memory now.
    #[must_use]
    pub fn new(calls: C, ended: impl Fn(ServiceId) -> Option<ExitReason>) -> Self {
        Self::of(calls, PROGRAMS, ended)
    }

    fn of(
        calls: C,
        programs: &'static [(&'static str, u32)],
        ended: impl Fn(ServiceId) -> Option<ExitReason>,
    ) -> Self {
        let lives = Vec::with_capacity(programs.len());
        let mut children = Self { calls, programs, lives, left: Vec::new() };
        let left = programs.iter().filter_map(|(name, _)| children.find_left(name, &ended));
        children.left = left.collect();
        let running = children.left.iter().filter_map(|left| children.life(left));
        let running = running.collect::<Vec<_>>();
        children.lives.extend(running);
        children
    }

    /// What a former life has left of that child.
    fn find_left(
        &self,
        name: &str,
        ended: impl Fn(ServiceId) -> Option<ExitReason>,
    ) -> Option<Left> {
        let (child, entry) = (ServiceId::from_name(name), BundleName::new(name)?.stored());
        let pid = self.calls.find(child).and_then(|slot| self.calls.child(slot).0);
        let state = match pid {
            Some(pid) => LeftState::Runs(pid),
            None => LeftState::Ended(ended(child)?),
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
    use nexus_wire::bundles::BundleName;

    use super::*;

    const THEIRS: &[(&str, u32)] = &[("demo.a", 64), ("demo.b", 128), ("demo.nowhere", 64)];

    /// A kernel with two children; the first may read logs.
    #[derive(Default)]
    struct Kernel {
        pids: u32,
        children: [(Option<u32>, Option<Change>); 2],
        is_full: bool,
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
        }
    }

    fn program(name: &str, memory_kib: u32) -> Program {
        let entry = BundleName::new(name).unwrap().stored();
        Program { entry, memory_kib, rights: Rights::NONE, digest: [0; _] }
    }

    fn children() -> Children<Kernel> {
        Children::of(Kernel::default(), THEIRS, |_| None)
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
        kernel.end(1, ExitReason::Killed(13));
        let b = ServiceId::from_name("demo.b");
        let ended = |child| (child == b).then_some(ExitReason::Killed(13));
        let mut children = Children::of(kernel, THEIRS, ended);
        let entry = |name| BundleName::new(name).unwrap().stored();
        let ends = LeftState::Ended(ExitReason::Killed(13));
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
        assert_eq!(Children::of(kernel, THEIRS, |_| None).left(), None);
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
