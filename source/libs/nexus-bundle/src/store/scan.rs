//! Looking at what is on the disk: every bundle whole, before it is believed.

use nexus_wire::bundles::{BUNDLE_PIECE_BYTES_MAX, BundleStatus};
use nexus_wire::files::{FilePrefix, List, ListReply, Read, Reply, Request};
use nexus_wire::{FileKind, FileStatus};

use super::{Bundle, Path, Refused};
use crate::Checker;

/// One look at the disk, step by step.
pub(super) struct Scan {
    stage: Stage,
    /// All before this file has been looked at.
    path: Path,
    /// What of that file was seen, if it can be a bundle.
    found: Option<Checker>,
    /// Bytes of the longest file that can be one.
    longest: u32,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Which disk is it?
    Asking,
    /// File after file is looked at.
    Looking { epoch: u64 },
    /// All; what was found is being made durable, as a former life may have left that undone.
    Settling { epoch: u64 },
}

/// What a step has shown.
pub(super) enum Seen {
    /// Nothing yet.
    Nothing,
    /// A file that has to be a bundle.
    File(Result<Bundle, Refused>),
    /// All of this disk.
    All { epoch: u64 },
}

impl Scan {
    pub(super) const fn new(longest: u32) -> Self {
        Self { stage: Stage::Asking, path: Path::FIRST, found: None, longest }
    }

    /// What the disk is to be asked next.
    pub(super) fn request(&self) -> Option<Request<'_>> {
        match self.stage {
            Stage::Asking => Some(Request::Hello),
            Stage::Looking { .. } => self.look(),
            Stage::Settling { epoch } => Some(Request::Sync { epoch }),
        }
    }

    fn look(&self) -> Option<Request<'_>> {
        if let Some(file) = &self.found {
            let (at, max) = (file.seen(), BUNDLE_PIECE_BYTES_MAX as u16);
            return Some(Request::Read(Read { name: self.path.file()?, draft: false, at, max }));
        }
        let (prefix, after) = (FilePrefix::new("")?, FilePrefix::new(self.path.as_str())?);
        Some(Request::List(List { prefix, after }))
    }

    /// The disk has answered.
    ///
    /// # Errors
    /// `not_ready`: there is nothing to look at now.
    pub(super) fn answered(
        &mut self,
        result: Result<Reply<'_>, FileStatus>,
    ) -> Result<Seen, BundleStatus> {
        match (self.stage, result) {
            (Stage::Asking, Ok(Reply::Hello(hello))) => {
                self.stage = Stage::Looking { epoch: hello.epoch };
                Ok(Seen::Nothing)
            }
            (Stage::Looking { epoch }, Ok(Reply::List(list))) => {
                self.listed(epoch, list);
                Ok(Seen::Nothing)
            }
            (Stage::Looking { .. }, Ok(Reply::Read(read))) => Ok(self.read(read.bytes)),
            (Stage::Looking { .. }, Err(FileStatus::Damaged)) if self.found.is_some() => {
                self.found = None;
                Ok(Seen::File(Err(BundleStatus::Corrupt.into())))
            }
            (Stage::Settling { epoch }, Ok(_)) => Ok(Seen::All { epoch }),
            _ => Err(BundleStatus::NotReady),
        }
    }

    /// Turns to the first of these files that is whole, or ends.
    fn listed(&mut self, epoch: u64, list: ListReply<'_>) {
        let Some(next) = list.files().find(|file| file.kind == FileKind::Whole) else {
            self.stage = Stage::Settling { epoch };
            return;
        };
        self.path = Path::of(next.name);
        self.found = (next.len <= self.longest).then(|| Checker::new(next.len));
    }

    /// Looks at more of a file; at its end it has to be a bundle.
    fn read(&mut self, bytes: &[u8]) -> Seen {
        let is_seen = |file: &mut Checker| {
            file.take(bytes).is_err() || bytes.is_empty() || file.seen() == file.size()
        };
        let seen = self.found.take_if(is_seen);
        let bundle = seen.and_then(|file| Bundle::at(&self.path, &file));
        bundle.map_or(Seen::Nothing, Seen::File)
    }
}
