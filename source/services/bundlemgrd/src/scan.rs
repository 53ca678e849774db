//! Looking at what is on the state disk: every bundle whole, before it is believed.

use nexus_bounded::Mono;
use nexus_bundle::Checker;
use nexus_port::World;
use nexus_wire::bundles::{BUNDLE_PIECE_BYTES_MAX, BundleStatus};
use nexus_wire::files::{FilePrefix, List, Read, Reply, Request};
use nexus_wire::{FileKind, FileStatus};

use crate::catalogue::{Bundle, Place};
use crate::path::Path;
use crate::service::{Bundlemgrd, Step, Turn};
use crate::telemetry;

/// What is known of the disk.
pub(crate) enum Mount {
    /// Nothing; it is asked again then.
    Again(Mono),
    /// Which one it is.
    Asked,
    /// All before this file has been looked at.
    Looking { epoch: u64, path: Path },
    /// All; what was found is being made durable, as a former life may have left that undone.
    Settling { epoch: u64 },
    /// All.
    Ready { epoch: u64 },
}

impl Mount {
    /// When the disk is to be asked again.
    pub(crate) fn again(&self) -> Option<Mono> {
        match self {
            Self::Again(at) => Some(*at),
            _ => None,
        }
    }

    /// Which one it is.
    ///
    /// # Errors
    /// `not_ready` while not all is known of it.
    pub(crate) const fn epoch(&self) -> Result<u64, BundleStatus> {
        match self {
            Self::Ready { epoch } => Ok(*epoch),
            _ => Err(BundleStatus::NotReady),
        }
    }
}

/// A bundle that is there as a whole.
pub(crate) fn whole(bytes: &[u8], at: usize) -> Result<Bundle, BundleStatus> {
    let size = u32::try_from(bytes.len()).map_err(|_| BundleStatus::OverLimit)?;
    let mut checker = Checker::new(size);
    let taken = checker.take(bytes);
    taken
        .and_then(|()| checker.finish())
        .map_err(telemetry::corrupt)
        .map(|seen| Bundle::new(seen, size, Place::Boot(at)))
}

/// What statefsd's word means to who asked us.
pub(crate) const fn status(why: FileStatus) -> BundleStatus {
    match why {
        FileStatus::NotFound => BundleStatus::NotFound,
        FileStatus::NoSpace | FileStatus::OverQuota | FileStatus::Full => BundleStatus::OverQuota,
        FileStatus::Damaged => BundleStatus::Corrupt,
        _ => BundleStatus::NotReady,
    }
}

type Acted = Result<Turn, BundleStatus>;

impl Bundlemgrd {
    /// Asks which disk this is.
    pub(crate) fn mount_again(&mut self, now: Mono, world: &mut impl World) -> Acted {
        self.mount = Mount::Asked;
        self.disk.begin(&Request::Hello, now, world)?;
        Ok(Turn::Waits(Step::Scan))
    }

    /// The disk has answered while it is looked at.
    pub(crate) fn looked(&mut self, reply: Reply<'_>, now: Mono, world: &mut impl World) -> Acted {
        let (epoch, path) = match &mut self.mount {
            Mount::Looking { epoch, path } => (epoch, path),
            Mount::Settling { epoch } => {
                self.mount = Mount::Ready { epoch: *epoch };
                return Ok(Turn::Done);
            }
            _ => return self.begin_looking(reply, now, world),
        };
        match reply {
            Reply::List(list) => match list.files().find(|file| file.kind == FileKind::Whole) {
                None => self.mount = Mount::Settling { epoch: *epoch },
                Some(next) => {
                    *path = Path::of(next.name);
                    let fits = next.len <= self.catalogue.limits().bundle_bytes;
                    self.found = fits.then(|| Checker::new(next.len));
                }
            },
            Reply::Read(read) => {
                let is_seen = self.found.as_mut().is_some_and(|file| {
                    let taken = file.take(read.bytes);
                    taken.is_err() || read.bytes.is_empty() || file.seen() == file.size()
                });
                if is_seen {
                    self.believe();
                }
            }
            _ => return Err(BundleStatus::NotReady),
        }
        self.look(now, world)
    }

    /// The disk has said which one it is.
    fn begin_looking(&mut self, reply: Reply<'_>, now: Mono, world: &mut impl World) -> Acted {
        let Reply::Hello(hello) = reply else { return Err(BundleStatus::NotReady) };
        let (epoch, path) = (hello.epoch, Path::FIRST);
        (self.mount, self.found) = (Mount::Looking { epoch, path }, None);
        self.look(now, world)
    }

    /// A file has been seen: takes it for a bundle, if it is one.
    fn believe(&mut self) {
        let Mount::Looking { path, .. } = &self.mount else { return };
        let found = self.found.take().zip(path.parts());
        let Some((checker, (installer, name))) = found else { return };
        let seen = checker.finish().map_err(telemetry::corrupt);
        let seen = seen.and_then(|(manifest, digest)| {
            let is_its = manifest.name == name;
            let bundle = Bundle::new((manifest, digest), checker.size(), Place::State(installer));
            if is_its { Ok(bundle) } else { Err(BundleStatus::Corrupt) }
        });
        telemetry::looked_at(seen.and_then(|bundle| self.catalogue.add(bundle)));
    }

    /// Asks for what is to be looked at next.
    fn look(&mut self, now: Mono, world: &mut impl World) -> Acted {
        let path = match &self.mount {
            Mount::Looking { path, .. } => path,
            Mount::Settling { epoch } => {
                self.disk.begin(&Request::Sync { epoch: *epoch }, now, world)?;
                return Ok(Turn::Waits(Step::Scan));
            }
            _ => return Ok(Turn::Done),
        };
        let next = FilePrefix::new("").zip(FilePrefix::new(path.as_str()));
        let request = match (&self.found, path.file(), next) {
            (Some(file), Some(name), _) => {
                let (at, max) = (file.seen(), BUNDLE_PIECE_BYTES_MAX as u16);
                Request::Read(Read { name, draft: false, at, max })
            }
            (_, _, Some((prefix, after))) => Request::List(List { prefix, after }),
            _ => return Err(BundleStatus::NotReady),
        };
        self.disk.begin(&request, now, world)?;
        Ok(Turn::Waits(Step::Scan))
    }
}
