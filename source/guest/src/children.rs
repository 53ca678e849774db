//! What execd starts: entries of the image that are its children, by calls of the kernel.
//!
//! Which of them there are, and how much memory each has, was compiled in; what they may do the
//! kernel knows. Invariant: of each child one life is known at most, and its end is told before
//! there is another.

use alloc::vec::Vec;

use execd::{LIVE_MAX, LoadError, Processes, Program, StartError};
use nexus_abi::kernel::{Change, KernelError};
use nexus_abi::{ExitReason, Rights, ServiceId};

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
}

impl<C: Calls> Children<C> {
    /// Those of this image. Takes its memory now.
    #[must_use]
    pub fn new(calls: C) -> Self {
        Self::of(calls, PROGRAMS)
    }

    fn of(calls: C, programs: &'static [(&'static str, u32)]) -> Self {
        Self { calls, programs, lives: Vec::with_capacity(LIVE_MAX) }
    }
}

impl<C: Calls> Processes for Children<C> {
    /// The slot of a child.
    type Loaded = u64;

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
        assert!(self.lives.len() < LIVE_MAX, "execd starts no more");
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
        Children::of(Kernel::default(), THEIRS)
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
    fn a_child_that_a_former_life_has_started_runs() {
        let mut children = children();
        children.calls.children[0].0 = Some(9);
        assert_eq!(children.load(&program("demo.a", 64)), Err(LoadError::Running));
        assert_eq!(children.ended(), None, "it is not ours to tell of");
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
