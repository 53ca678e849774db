use alloc::boxed::Box;
use alloc::string::String;

use nexus_bounded::Nanos;

use crate::Budget;

/// Everything that the recipe of a state disk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecipe {
    /// The disk and its service.
    pub statefsd: StatefsdLimits,
    /// Who has how much of it; nobody else has any.
    pub shares: Box<[ShareRule]>,
}

/// Limits of the service that owns the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefsdLimits {
    /// Bytes of the disk to use, whole sectors of 512.
    pub disk_bytes: u32,
    /// Files at most; it is decided when the disk is formatted.
    pub files: u32,
    /// Of them, those that grow, at most; likewise.
    pub open: u32,
    /// Requests of one sender that wait for the disk, at most.
    pub pending: u32,
    /// Pause before a disk that has failed is tried again; each further one is twice as long.
    pub retry_min: Nanos,
    /// The longest such pause.
    pub retry_max: Nanos,
    /// Frames and bytes that each sender may send.
    pub budget: Budget,
}

/// What one service may have of the disk, whatever the others do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRule {
    /// The service's name; with a slash behind it, how its files' names begin.
    pub name: String,
    /// Bytes of the disk, whole sectors; a file that is being replaced counts twice until the next
    /// sync.
    pub bytes: u32,
    /// Files, drafts among them.
    pub files: u32,
    /// Of them, those that grow, drafts among them.
    pub open: u32,
}
