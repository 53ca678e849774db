use alloc::vec::Vec;

use nexus_abi::{ExitReason, Rights, SenderId, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::bundles::{DIGEST_BYTES, Info, StoredName};

/// Processes that may run at once.
pub const LIVE_MAX: usize = 16;

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

/// What starts and ends processes: in the guest the kernel's calls. Nothing here waits.
pub trait Processes {
    /// A program that can be started.
    type Loaded;

    /// Makes a program ready to be started.
    ///
    /// # Errors
    /// [`LoadError`]; nothing has changed.
    fn load(&mut self, program: &Program) -> Result<Self::Loaded, LoadError>;

    /// Starts it with these rights: its number.
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
pub(crate) struct Live {
    pub(crate) pid: u32,
    pub(crate) name: StoredName,
    pub(crate) service: ServiceId,
    /// Who had it started.
    pub(crate) owner: SenderId,
    pub(crate) since: Mono,
    /// Whether somebody has asked for its end.
    pub(crate) is_killed: bool,
}

/// What runs, in the order in which it was started.
pub(crate) struct Lives(Vec<Live>);

impl Lives {
    /// Takes its memory now.
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(LIVE_MAX))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() == LIVE_MAX
    }

    pub(crate) fn add(&mut self, live: Live) {
        assert!(!self.is_full(), "who is asked for is looked at before");
        self.0.push(live);
    }

    /// Takes out whoever has ended.
    pub(crate) fn take(&mut self, pid: u32) -> Option<Live> {
        let at = self.0.iter().position(|live| live.pid == pid)?;
        Some(self.0.remove(at))
    }

    pub(crate) fn find_mut(&mut self, pid: u32) -> Option<&mut Live> {
        self.0.iter_mut().find(|live| live.pid == pid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
