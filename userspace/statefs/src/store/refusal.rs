use core::fmt;

/// Why a store does not do what it was asked to. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is not mounted yet.
    NotReady,
    /// It has failed, and is to be mounted again.
    Failed,
    /// Not a name, see [`crate::Name`].
    BadName,
    /// Another file has the name.
    Exists,
    /// There is no such file, or not any more.
    NotFound,
    /// The file does not grow any more.
    Finished,
    /// The bytes do not fit into what the file has reserved.
    Full {
        /// Bytes that would still fit.
        left: u32,
    },
    /// The disk has no room, or none in so few pieces as a file may lie in.
    NoSpace {
        /// Free sectors.
        free: u32,
    },
    /// A quota would be exceeded.
    Quota {
        /// Which, in the order that they were given in.
        quota: usize,
        /// Bytes of sectors that it still leaves.
        left: u64,
    },
    /// As many files as the disk was formatted for.
    TooManyFiles,
    /// As many files grow as the disk was formatted for: finish or delete one.
    TooManyOpen,
    /// More bytes than one append takes: [`crate::APPEND_BYTES_MAX`].
    TooLong,
    /// Too much is on its way to the disk: ask again after a completion.
    Busy,
    /// Too much was deleted since the last sync: ask again when the next one is durable.
    SyncFirst,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self {
            Self::NotReady => "the store is not mounted yet",
            Self::Failed => "the store has failed and is to be mounted again",
            Self::BadName => "a name is 1 to 64 bytes of [a-z0-9_.-] and single slashes inside",
            Self::Exists => "another file has the name: delete it first, or replace it",
            Self::NotFound => "there is no such file",
            Self::Finished => "the file is finished and does not grow any more",
            Self::Full { left } => return write!(f, "the file has room for {left} bytes only"),
            Self::NoSpace { free } => {
                return write!(f, "no room on the disk ({free} sectors are free): delete files");
            }
            Self::Quota { quota, left } => {
                return write!(f, "quota {quota} leaves {left} bytes only: delete files under it");
            }
            Self::TooManyFiles => "as many files as the disk was formatted for: delete one",
            Self::TooManyOpen => "as many files grow as the disk was formatted for: finish one",
            Self::TooLong => "more bytes than one append takes: append them in pieces",
            Self::Busy => "too much is on its way to the disk: ask again after a completion",
            Self::SyncFirst => "too much was deleted: ask again when a sync is durable",
        };
        f.write_str(says)
    }
}

impl core::error::Error for Refusal {}
