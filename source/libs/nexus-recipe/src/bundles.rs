use alloc::boxed::Box;
use alloc::string::String;

use nexus_abi::Rights;
use nexus_bounded::Nanos;

/// Everything that the recipe of bundles says: how many there may be, how they are run, and which
/// of them are in the boot image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlesRecipe {
    /// How much bundlemgrd takes.
    pub bundlemgrd: BundlemgrdLimits,
    /// How much execd takes.
    pub execd: ExecdLimits,
    /// Bundles of the boot image.
    pub boot: Box<[BootBundle]>,
}

/// Limits of the service that has the bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlemgrdLimits {
    /// Bundles, those of the boot image among them.
    pub bundles: u32,
    /// Bytes of a bundle that is brought.
    pub bundle_bytes: u32,
    /// Bytes of one installer's bundles on the state disk.
    pub installer_bytes: u32,
    /// Bytes of all bundles on the state disk.
    pub state_bytes: u32,
    /// Requests that wait for their turn, one of each sender.
    pub waiting: u32,
    /// Who brings nothing for so long is waited for no longer.
    pub idle: Nanos,
    /// For how long the disk is waited for.
    pub patience: Nanos,
    /// Pause before what came too fast for the disk is asked again.
    pub busy_pause: Nanos,
    /// Pause before a disk that was away is asked again.
    pub retry: Nanos,
}

/// Limits of the service that starts programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecdLimits {
    /// Processes that run at once.
    pub processes: u32,
    /// Requests to start that wait for their turn, one of each sender.
    pub waiting: u32,
    /// For how long bundlemgrd is waited for.
    pub patience: Nanos,
    /// For how long logd is waited for before a crash is reported without the last lines.
    pub report_patience: Nanos,
    /// How far back the last lines of a dead process are looked for.
    pub recent_window: Nanos,
    /// How many of them, at most.
    pub recent_lines: u32,
}

/// A bundle of the boot image, made of a program when the image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootBundle {
    /// What it is called.
    pub name: String,
    /// Which of that name it is.
    pub version: String,
    /// As which entry of the image its program runs.
    pub entry: String,
    /// The program, as it is called where programs are built.
    pub program: String,
    /// KiB of memory that it may take.
    pub memory_kib: u32,
    /// What it has to be allowed, by the words of [`BUNDLE_NEEDS`].
    pub needs: Box<[String]>,
}

/// What the program of a bundle may have to be allowed, by the words of a policy.
pub const BUNDLE_NEEDS: [(&str, Rights); 2] =
    [("read_logs", Rights::QUERY), ("scrape_metrics", Rights::SCRAPE)];

impl BootBundle {
    /// What its program has to be allowed.
    #[must_use]
    pub fn rights(&self) -> Rights {
        let named = BUNDLE_NEEDS.iter().filter(|(name, _)| self.needs.iter().any(|n| n == name));
        named.fold(Rights::NONE, |all, (_, right)| all.with(*right))
    }
}
