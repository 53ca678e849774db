use nexus_wire::files::{Append, FileName, NewFile, Read, Request, Target};

use super::scan::Scan;
use super::upload::Upload;
use super::{Bundle, Path};

/// What the disk is doing.
pub(super) enum Task {
    /// Asks whether it is the one that is known.
    Greet,
    /// A step of looking at it.
    Look(Scan),
    /// Makes place for what will be brought, and a draft there.
    Clear(Upload),
    Draft(Upload),
    /// Takes the piece that starts at this byte.
    Append(Path, u32),
    /// Makes a bundle of its draft, and keeps it.
    Finish(Path, Bundle),
    Keep(Bundle),
    /// Takes a bundle away, for good.
    Delete(Path),
    Forget(Path),
    /// Reads at most so many bytes from a byte on, of a bundle of `size` bytes.
    Read {
        path: Path,
        at: u32,
        max: u16,
        size: u32,
    },
    /// Takes away a draft that was given up.
    Discard(Path),
}

impl Task {
    /// What is to be asked for it, on the disk of that epoch. `piece`: what is brought.
    pub(super) fn request<'a>(
        &'a self,
        epoch: Option<u64>,
        piece: &'a [u8],
    ) -> Option<Request<'a>> {
        Some(match self {
            Self::Greet => Request::Hello,
            Self::Look(scan) => scan.request()?,
            Self::Clear(upload) => Request::Delete(whole(upload.path.file()?)),
            Self::Draft(upload) => {
                Request::Draft(NewFile { name: upload.path.file()?, capacity: upload.size() })
            }
            Self::Append(path, at) => {
                Request::Append(Append { to: draft(path.file()?), at: *at, bytes: piece })
            }
            Self::Finish(path, _) => Request::Finish(draft(path.file()?)),
            Self::Delete(path) => Request::Delete(whole(path.file()?)),
            Self::Discard(path) => Request::Delete(draft(path.file()?)),
            Self::Keep(_) | Self::Forget(_) => Request::Sync { epoch: epoch? },
            Self::Read { path, at, max, .. } => {
                Request::Read(Read { draft: false, name: path.file()?, at: *at, max: *max })
            }
        })
    }

    /// Whether it only clears the way: nothing has to be there.
    pub(super) const fn is_clearing(&self) -> bool {
        matches!(self, Self::Clear(_) | Self::Discard(_))
    }
}

const fn whole(name: FileName<'_>) -> Target<'_> {
    Target { name, draft: false }
}

const fn draft(name: FileName<'_>) -> Target<'_> {
    Target { name, draft: true }
}
