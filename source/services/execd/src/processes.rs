use alloc::vec::Vec;

use nexus_abi::{ExitReason, Rights, SenderId, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::bundles::{DIGEST_BYTES, Info, StoredName};

/// What is to be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Program {
    /// As which entry of the boot image.
    pub entry: StoredName,
    /// KiB of memory that it may take.
    pub memory_kib: u32,
    /// What it needs and was allowed.
    pub rights: Rights,
    /// SHA-256 of the bundle that was seen whole.
    pub digest: [u8; DIGEST_BYTES],
}

impl Program {
    pub(crate) fn of(info: &Info<'_>) -> Self {
        let Info { memory_kib, rights, digest, .. } = *info;
        Self { entry: info.entry.stored(), memory_kib, rights, digest }
    }

    /// Who it will be.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        ServiceId::from_name(self.entry.get().as_str())
    }
}

/// Why a program cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// We may start no entry of that name.
    NoEntry,
    /// A life of it goes on.
    Running,
    /// It may take more memory than its entry has.
    TooMuchMemory,
}

/// Why a program that was loaded did not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// It needs more rights than its entry has.
    Denied,
    /// The machine has no memory left.
    NoMemory,
}

/// Something that a former life of ours has started and not told the end of.
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
    /// It has ended while nobody looked. The kernel says how, and not under which number it ran.
    Ended(ExitReason),
}

/// What starts and ends processes: in the guest the kernel's calls. Nothing here waits. When a
/// process ends, its world wakes execd.
pub trait Processes {
    /// A program that can be started.
    type Loaded;

    /// The next of what former lives of ours have left, each once. Asked until there is no more,
    /// before anything else.
    fn left(&mut self) -> Option<Left>;

    /// Makes a program ready to be started.
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
}

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) name: StoredName,
    pub(crate) service: ServiceId,
    /// Who had it started; `None`: a former life of ours knew.
    pub(crate) owner: Option<SenderId>,
    /// When; 0 if only a former life of ours knew.
    pub(crate) since: Mono,
    /// Whether somebody has asked for its end.
    pub(crate) is_killed: bool,
}

/// What runs under which number, in the order in which it was started.
pub(crate) struct Lives {
    all: Vec<(u32, Life)>,
    most: usize,
}

impl Lives {
    /// At most so many; takes its memory now.
    pub(crate) fn new(most: usize) -> Self {
        Self { all: Vec::with_capacity(most), most }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.all.len() == self.most
    }

    pub(crate) fn add(&mut self, pid: u32, life: Life) {
        assert!(!self.is_full(), "no life of ours starts more than may run");
        self.all.push((pid, life));
    }

    /// Takes out whoever has ended.
    pub(crate) fn take(&mut self, pid: u32) -> Option<Life> {
        let at = self.all.iter().position(|(of, _)| *of == pid)?;
        Some(self.all.remove(at).1)
    }

    pub(crate) fn find_mut(&mut self, pid: u32) -> Option<&mut Life> {
        self.all.iter_mut().find(|(of, _)| *of == pid).map(|(_, life)| life)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u32, Life)> {
        self.all.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
