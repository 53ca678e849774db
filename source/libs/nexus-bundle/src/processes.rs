use nexus_abi::{ExitReason, Rights};
use nexus_wire::bundles::StoredName;

use crate::Program;

/// Why a program cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// We may start no entry of that name.
    NoEntry,
    /// A life of it goes on.
    Running,
    /// It may take more memory than its entry has.
    TooMuchMemory,
    /// Its bytes are not those that its entry runs.
    OtherProgram,
}

impl LoadError {
    /// The word for it in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEntry => "no_entry",
            Self::Running => "running",
            Self::TooMuchMemory => "too_much_memory",
            Self::OtherProgram => "other_program",
        }
    }
}

/// Why a program that was loaded did not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// It needs more rights than its entry has.
    Denied,
    /// The machine has no memory left.
    NoMemory,
}

impl StartError {
    /// The word for it in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NoMemory => "no_memory",
        }
    }
}

/// Something that a former life of ours has started, and has not told the end of so that it lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// As which entry of the boot image; of which bundle nobody knows any more.
    pub entry: StoredName,
    /// How it is.
    pub state: LeftState,
}

/// How something is that a former life of ours has started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeftState {
    /// It runs under this number.
    Runs(u32),
    /// It has ended.
    Ended {
        /// Under which number it ran.
        pid: u32,
        /// How.
        why: ExitReason,
    },
    /// So many have ended and were followed by another one before that was told so that it lasts.
    /// How, nobody knows any more.
    Overtaken(u32),
}

/// What starts the programs of bundles and ends their processes: in the guest the kernel's calls.
/// Nothing here waits. When a process ends, its world wakes whoever has started it.
pub trait Processes {
    /// A program that can be started.
    type Loaded;

    /// The next of what former lives of ours have left, each once: also an end that one of them was
    /// given, unless it was [recorded](Self::recorded) and that has come to last. Asked until there
    /// is no more, before anything else.
    fn left(&mut self) -> Option<Left>;

    /// Makes a program ready to be started: that one, and no other that has its name.
    ///
    /// # Errors
    /// [`LoadError`]; nothing has changed.
    fn load(&mut self, program: &Program) -> Result<Self::Loaded, LoadError>;

    /// Starts it with these rights: its number, which is never 0.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs.
    fn start(&mut self, loaded: Self::Loaded, rights: Rights) -> Result<u32, StartError>;

    /// Ends a process that was started here. Its end is told like any other.
    fn kill(&mut self, pid: u32);

    /// The next process that has ended, and how; each is told once.
    fn ended(&mut self) -> Option<(u32, ExitReason)>;

    /// Whatever is to be said of all ends so far was recorded. Once the record lasts without us,
    /// they are not given to a later life.
    fn recorded(&mut self);
}
