//! What is not as it should be with what is kept.

use alloc::string::String;
use core::fmt;

use crate::manifest::ManifestError;
use crate::segment::SegmentError;
use crate::wal;

/// Something that is not as it should be, and with which file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// What it is.
    pub problem: Problem,
}

/// What may be wrong with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// A sealed segment, or a part of it, cannot be read.
    Segment(SegmentError),
    /// It is damaged, and the log still has all that was in it.
    InLog(SegmentError),
    /// The manifest names the segment, and it is not there.
    Missing,
    /// The manifest cannot be read.
    Manifest(ManifestError),
    /// There are segments and no manifest.
    NoManifest,
    /// A segment of which nobody can tell how long its windows are.
    NoWindow,
    /// The log cannot be read.
    Log(wal::WalError),
    /// Something of the log is missing.
    LogLoss(wal::Loss),
    /// Records of the log that are none, or do not fit together.
    Records {
        /// How many.
        count: u64,
    },
    /// Values in the log that cannot be used, because something before them is missing.
    Values {
        /// How many.
        count: u64,
    },
    /// A segment that was being written. What is in it is in the log too.
    Unfinished,
    /// Nobody knows what it is.
    Unknown,
}

impl Problem {
    /// Whether something is lost that had been kept, or cannot be read by this program.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        match self {
            Self::Segment(_)
            | Self::Missing
            | Self::NoWindow
            | Self::Log(_)
            | Self::Records { .. }
            | Self::Values { .. }
            | Self::Manifest(ManifestError::Unsupported { .. }) => true,
            // What was not synced when power went was never promised.
            Self::LogLoss(loss) => loss.records > 0 || loss.sectors > 0,
            Self::InLog(_)
            | Self::Manifest(_)
            | Self::NoManifest
            | Self::Unfinished
            | Self::Unknown => false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(error) => error.fmt(f),
            Self::InLog(error) => {
                write!(f, "{error}; the log has all of it, and the next start seals it again")
            }
            Self::Missing => f.write_str("the manifest names it, and it is not there"),
            Self::Manifest(error) => error.fmt(f),
            Self::NoManifest => {
                f.write_str("there are segments and no manifest: what is missing cannot be told")
            }
            Self::NoWindow => f.write_str(
                "nobody can tell how long its windows are: the manifest and all that could say it \
                 are damaged",
            ),
            Self::Log(error) => error.fmt(f),
            Self::LogLoss(loss) => loss.fmt(f),
            Self::Records { count } => {
                write!(f, "{count} records are none, or do not fit to those before them")
            }
            Self::Values { count } => {
                write!(f, "{count} values cannot be used: something before them is missing")
            }
            Self::Unfinished => f.write_str("was being written; the log has what is in it"),
            Self::Unknown => f.write_str("nobody knows what it is; it is left alone"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}
