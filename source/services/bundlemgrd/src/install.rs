//! Bringing bundles and taking them away.

use nexus_abi::{Incarnation, SenderId};
use nexus_bounded::Mono;
use nexus_bundle::{BUNDLE_BYTES_MIN, Checker};
use nexus_port::World;
use nexus_wire::FileStatus;
use nexus_wire::bundles::{self, BundleName, BundleStatus, StoredName};
use nexus_wire::files::{self, Append, NewFile, Reply, Target};
use nexus_wire::policy::{Action, Check, Object};

use crate::catalogue::{Bundle, Place};
use crate::path::Path;
use crate::scan::{Mount, status};
use crate::service::{Asker, Bundlemgrd, Step, Turn};
use crate::telemetry;

/// A bundle that is being brought.
pub(crate) struct Upload {
    /// The life that brings it.
    pub(crate) owner: (SenderId, Incarnation),
    name: StoredName,
    checker: Checker,
    path: Path,
    pub(crate) until: Mono,
}

type Acted = Result<Turn, BundleStatus>;

impl Bundlemgrd {
    pub(crate) fn begin(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        size: u32,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        if (size as usize) < BUNDLE_BYTES_MIN || size > self.catalogue.limits().bundle_bytes {
            return Err(BundleStatus::OverLimit);
        }
        self.mount.epoch()?;
        match &self.upload {
            Some(upload) if upload.owner == owner(asker) => self.give_up(),
            Some(_) => return Err(BundleStatus::Busy),
            None => {}
        }
        let installer = asker.from.service().span_prefix();
        self.catalogue.may_add(name, size, installer)?;
        self.may(asker, name, now, world)?;
        Ok(Turn::Waits(Step::MayInstall(Path::new(installer, name), size)))
    }

    /// Asks the policy.
    fn may(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), BundleStatus> {
        let object = Object::new(name.as_str()).ok_or(BundleStatus::InvalidArgs)?;
        let (subject, action) = (asker.from.service(), Action::InstallBundle);
        let asked = self.policy.ask(Check { subject, action, object }, now, world);
        asked.map_err(telemetry::denied)
    }

    /// The policy allows it. Whatever lies where a new bundle will is none, or it would be known.
    pub(crate) fn allowed(&mut self, step: Step, now: Mono, world: &mut impl World) -> Acted {
        let (path, next) = match step {
            Step::MayInstall(path, size) => (path, Step::Clear(path, size)),
            Step::MayRemove(path) => (path, Step::Delete(path)),
            _ => return Err(BundleStatus::NotReady),
        };
        self.delete(&path, false, now, world)?;
        Ok(Turn::Waits(next))
    }

    fn delete(
        &mut self,
        path: &Path,
        draft: bool,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), BundleStatus> {
        let name = path.file().ok_or(BundleStatus::NotReady)?;
        self.disk.begin(&files::Request::Delete(Target { name, draft }), now, world)
    }

    pub(crate) fn bring(
        &mut self,
        asker: &Asker,
        at: u32,
        bytes: &[u8],
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        let idle = self.catalogue.limits().idle;
        let upload = self.upload_of(asker)?;
        if upload.checker.seen() != at || upload.checker.take(bytes).is_err() {
            self.give_up();
            return Err(BundleStatus::OutOfOrder);
        }
        upload.until = now.after(idle);
        let path = upload.path;
        let Some(name) = path.file().filter(|_| !bytes.is_empty()) else { return Ok(Turn::Done) };
        let append = Append { to: Target { name, draft: true }, at, bytes };
        self.disk.begin(&files::Request::Append(append), now, world)?;
        Ok(Turn::Waits(Step::Append))
    }

    pub(crate) fn commit(&mut self, asker: &Asker, now: Mono, world: &mut impl World) -> Acted {
        let checked = self.upload_of(asker)?.checked();
        let bundle = checked.inspect_err(|_| self.give_up())?;
        let installer = asker.from.service().span_prefix();
        let path = Path::new(installer, bundle.name.get());
        let target = path.file().map(|name| Target { name, draft: true });
        let target = target.ok_or(BundleStatus::NotReady)?;
        self.disk.begin(&files::Request::Finish(target), now, world)?;
        Ok(Turn::Waits(Step::Finish(bundle)))
    }

    pub(crate) fn give_up_of(&mut self, asker: &Asker) -> Acted {
        self.upload_of(asker)?;
        self.give_up();
        Ok(Turn::Done)
    }

    pub(crate) fn remove(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        match self.known(name)?.place {
            Place::Boot(_) => Err(BundleStatus::Denied),
            Place::State(installer) => {
                self.may(asker, name, now, world)?;
                Ok(Turn::Waits(Step::MayRemove(Path::new(installer, name))))
            }
        }
    }

    fn upload_of(&mut self, asker: &Asker) -> Result<&mut Upload, BundleStatus> {
        let its = self.upload.as_mut().filter(|upload| upload.owner == owner(asker));
        its.ok_or(BundleStatus::OutOfOrder)
    }

    /// What is being brought is so no longer.
    pub(crate) fn give_up(&mut self) {
        self.discard = self.upload.take().map(|upload| upload.path).or(self.discard);
    }

    /// Gives up on the disk what was given up here, if anything, or looks at the disk if that is
    /// due; whether something had to be done.
    pub(crate) fn tidy_up(&mut self, now: Mono, world: &mut impl World) -> bool {
        let turn = match self.discard.take() {
            Some(path) => self.delete(&path, true, now, world).map(|()| Turn::Waits(Step::Discard)),
            None if self.mount.again().is_some_and(|at| at <= now) => self.mount_again(now, world),
            None => return false,
        };
        self.conclude(None, turn, now, world);
        true
    }

    /// statefsd has answered: what comes next.
    pub(crate) fn advance(
        &mut self,
        step: Step,
        asker: Option<&Asker>,
        result: Result<Reply<'_>, FileStatus>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        if let (Step::Clear(..) | Step::Discard, Err(FileStatus::NotFound)) = (step, result) {
            return self.after(step, asker, now, world);
        }
        let reply = result.map_err(|why| self.failed(step, why))?;
        match (step, reply) {
            (Step::Scan, reply) => self.looked(reply, now, world),
            (Step::Read(size), Reply::Read(read)) => {
                let piece = bundles::Piece { size, bytes: read.bytes };
                let nonce = asker.map_or(0, |asker| asker.echo.nonce);
                Self::says(bundles::encode_piece(&piece, nonce, &mut self.reply))
            }
            (Step::Read(_), _) => Err(BundleStatus::NotReady),
            (step, _) => self.after(step, asker, now, world),
        }
    }

    /// A change has been made.
    fn after(
        &mut self,
        step: Step,
        asker: Option<&Asker>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        match step {
            Step::Clear(path, size) => {
                let name = path.file().ok_or(BundleStatus::NotReady)?;
                let new = NewFile { name, capacity: size };
                self.disk.begin(&files::Request::Draft(new), now, world)?;
                Ok(Turn::Waits(Step::Draft(path, size)))
            }
            Step::Draft(path, size) => {
                let (checker, until) =
                    (Checker::new(size), now.after(self.catalogue.limits().idle));
                let name = path.parts().map(|(_, name)| name.stored());
                let begun = asker.zip(name).map(|(asker, name)| Upload {
                    owner: owner(asker),
                    name,
                    checker,
                    path,
                    until,
                });
                self.upload = begun;
                // It has taken the place of an earlier one of that name.
                self.discard.take_if(|given_up| *given_up == path);
                Ok(Turn::Done)
            }
            Step::Finish(bundle) => {
                self.upload = None;
                self.sync(now, world).map(|()| Turn::Waits(Step::Sync(bundle)))
            }
            Step::Delete(path) => {
                self.sync(now, world).map(|()| Turn::Waits(Step::SyncRemoved(path)))
            }
            Step::Sync(bundle) => {
                self.catalogue.add(bundle)?;
                telemetry::installed(&bundle);
                Ok(Turn::Done)
            }
            Step::SyncRemoved(path) => {
                path.parts().into_iter().for_each(|(_, name)| self.catalogue.remove(name));
                Ok(Turn::Done)
            }
            _ => Ok(Turn::Done),
        }
    }

    fn sync(&mut self, now: Mono, world: &mut impl World) -> Result<(), BundleStatus> {
        let epoch = self.mount.epoch()?;
        self.disk.begin(&files::Request::Sync { epoch }, now, world)
    }

    /// The disk did not do it: what was being brought is given up.
    fn failed(&mut self, step: Step, why: FileStatus) -> BundleStatus {
        if !matches!(step, Step::Read(_) | Step::Scan) {
            self.give_up();
        }
        status(why)
    }

    /// The disk is away: once it is back all that is on it has to be looked at again.
    pub(crate) fn lose_disk(&mut self, now: Mono) {
        self.upload = None;
        self.catalogue.forget_state();
        self.mount = Mount::Again(now.after(self.catalogue.limits().retry));
    }
}

impl Upload {
    /// What was brought, if it is the bundle that was begun.
    fn checked(&self) -> Result<Bundle, BundleStatus> {
        if self.checker.seen() != self.checker.size() {
            return Err(BundleStatus::OutOfOrder);
        }
        let (manifest, digest) = self.checker.finish().map_err(telemetry::corrupt)?;
        if manifest.name != self.name.get() {
            return Err(BundleStatus::Corrupt);
        }
        let place = Place::State(self.path.parts().map_or(0, |(installer, _)| installer));
        Ok(Bundle::new((manifest, digest), self.checker.size(), place))
    }
}

fn owner(asker: &Asker) -> (SenderId, Incarnation) {
    (asker.from.id, asker.from.incarnation)
}
