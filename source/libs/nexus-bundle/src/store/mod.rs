//! The bundles of a boot image and of a disk.
//!
//! [`Store`] is a state machine without any input or output: it says what statefsd is to be asked,
//! one thing at a time, and is told what was answered. A bundle of the disk is in its catalogue
//! when it was seen whole with the right digest and is durable, and before that nobody sees it.

mod bundle;
mod catalogue;
mod path;
mod refused;
mod scan;
mod task;
mod upload;

use nexus_bounded::{Mono, Nanos};
use nexus_wire::FileStatus;
use nexus_wire::bundles::{BundleName, BundleStatus, Piece};
use nexus_wire::files::{Reply, Request};

pub use bundle::{Bundle, Place};
use catalogue::Catalogue;
pub use path::Path;
pub use refused::Refused;
use scan::{Scan, Seen};
use task::Task;
pub use upload::Owner;
use upload::Upload;

use crate::BUNDLE_BYTES_MIN;

/// What bounds a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Bundles, those of the boot image among them.
    pub bundles: u32,
    /// Bytes of a bundle on the disk.
    pub bundle_bytes: u32,
    /// For how long the next piece of a bundle is waited for.
    pub idle: Nanos,
    /// Pause before a disk that was away is looked at again.
    pub retry: Nanos,
}

/// All bundles. See the module.
pub struct Store {
    catalogue: Catalogue,
    limits: StoreLimits,
    mount: Mount,
    upload: Option<Upload>,
    /// What was given up and lies on the disk as a draft.
    discard: Option<Path>,
    task: Option<Task>,
}

/// What is known of the disk.
#[derive(Clone, Copy)]
enum Mount {
    /// Nothing; it is looked at then.
    Away { until: Mono },
    /// All.
    Known { epoch: u64 },
}

/// What an answer of the disk has come to.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// More is to be asked: [`Store::request`].
    Next,
    /// A file was found that has to be a bundle; more is to be asked.
    Found(Result<(), Refused>),
    /// What was begun is done.
    Done,
    /// The bundle that was brought is there.
    Installed(Bundle),
    /// What was read.
    Read(Piece<'a>),
}

impl Store {
    /// Nothing is known yet. Takes all memory that it will ever need.
    #[must_use]
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            catalogue: Catalogue::new(limits.bundles),
            limits,
            mount: Mount::Away { until: Mono(0) },
            upload: None,
            discard: None,
            task: None,
        }
    }

    /// Adds a bundle of the boot image.
    ///
    /// # Errors
    /// [`Refused`] if it is none, the second of its name, or one too many; it is left out.
    pub fn add_boot(&mut self, bytes: &'static [u8]) -> Result<(), Refused> {
        Ok(self.catalogue.add(Bundle::of_boot(bytes)?)?)
    }

    /// The bundles behind `after`, by name; while the disk is not known those of the boot image.
    pub fn behind(&self, after: Option<BundleName<'_>>) -> impl Iterator<Item = &Bundle> {
        let is_known = self.epoch().is_ok();
        let all = self.catalogue.behind(after).iter();
        all.filter(move |bundle| is_known || bundle.boot_bytes().is_some())
    }

    /// The bundle of that name.
    ///
    /// # Errors
    /// `not_found`, or `not_ready`: while the disk is not known nobody can say that there is none.
    pub fn known(&self, name: BundleName<'_>) -> Result<&Bundle, BundleStatus> {
        match self.catalogue.find(name) {
            Some(bundle) if bundle.boot_bytes().is_some() => Ok(bundle),
            found => self.epoch().and_then(|_| found.ok_or(BundleStatus::NotFound)),
        }
    }

    /// Bundles that were seen, on a disk that is being looked at too.
    #[must_use]
    pub fn count(&self) -> usize {
        self.catalogue.behind(None).len()
    }

    /// Bytes that one installer's bundles, or all, take on the disk.
    #[must_use]
    pub fn state_bytes(&self, of: Option<u32>) -> u64 {
        let sizes = self.catalogue.behind(None).iter().filter_map(|bundle| match bundle.place() {
            Place::State(by) if of.is_none_or(|of| of == by) => Some(u64::from(bundle.size())),
            _ => None,
        });
        sizes.sum()
    }

    /// Whether a bundle of that name and size could be brought by `owner` now. What it was bringing
    /// is given up.
    ///
    /// # Errors
    /// `over_limit`: no bundle has that size. `not_ready`: the disk is not known. `busy`: another
    /// one is being brought. `exists` or `over_quota`: there is no place in the catalogue.
    pub fn may_begin(
        &mut self,
        owner: Owner,
        name: BundleName<'_>,
        size: u32,
    ) -> Result<(), BundleStatus> {
        if (size as usize) < BUNDLE_BYTES_MIN || size > self.limits.bundle_bytes {
            return Err(BundleStatus::OverLimit);
        }
        self.epoch()?;
        match &self.upload {
            Some(upload) if upload.owner == owner => self.drop_upload(),
            Some(_) => return Err(BundleStatus::Busy),
            None => {}
        }
        self.catalogue.may_add(name)
    }

    /// Begins to take a bundle of `size` bytes. Whatever lies where it will is none, or it would be
    /// known.
    pub fn begin(&mut self, owner: Owner, path: Path, size: u32) {
        self.start(Task::Clear(Upload::new(owner, path, size)));
    }

    /// Takes the bytes from `at` on. [`Self::is_busy`] says whether the disk is to be asked: for
    /// none it is not.
    ///
    /// # Errors
    /// `out_of_order`: they are not the next ones, and what was brought is given up; or nothing is
    /// being brought by `owner`.
    pub fn bring(
        &mut self,
        owner: Owner,
        at: u32,
        bytes: &[u8],
        now: Mono,
    ) -> Result<(), BundleStatus> {
        let until = now.after(self.limits.idle);
        let upload = self.upload_of(owner)?;
        if upload.take(at, bytes).is_err() {
            self.drop_upload();
            return Err(BundleStatus::OutOfOrder);
        }
        upload.until = until;
        let append = Task::Append(upload.path, at);
        if !bytes.is_empty() {
            self.start(append);
        }
        Ok(())
    }

    /// Begins to keep what was brought.
    ///
    /// # Errors
    /// [`Refused`] if it is not the bundle that was begun, or not yet: it is given up.
    pub fn commit(&mut self, owner: Owner) -> Result<(), Refused> {
        let upload = self.upload_of(owner)?;
        let (path, bundle) = (upload.path, upload.bundle());
        let bundle = bundle.inspect_err(|_| self.drop_upload())?;
        self.start(Task::Finish(path, bundle));
        Ok(())
    }

    /// Gives up what `owner` brings.
    ///
    /// # Errors
    /// `out_of_order`: it brings nothing.
    pub fn give_up(&mut self, owner: Owner) -> Result<(), BundleStatus> {
        self.upload_of(owner)?;
        self.drop_upload();
        Ok(())
    }

    /// A life has ended, and with it what it was bringing.
    pub fn forget(&mut self, owner: Owner) {
        if self.upload_of(owner).is_ok() {
            self.drop_upload();
        }
    }

    /// Begins to take the bundle away that lies there.
    pub fn remove(&mut self, path: Path) {
        self.start(Task::Delete(path));
    }

    /// Begins to read at most `max` bytes, from `at` on, of a bundle of the disk.
    ///
    /// # Errors
    /// As [`Self::known`]; `not_found` for one of the boot image.
    pub fn read(&mut self, name: BundleName<'_>, at: u32, max: u16) -> Result<(), BundleStatus> {
        let bundle = self.known(name)?;
        let Place::State(by) = bundle.place() else { return Err(BundleStatus::NotFound) };
        let (path, size) = (Path::new(by, name), bundle.size());
        self.start(Task::Read { path, at, max, size });
        Ok(())
    }

    /// Begins what is due of its own accord, if anything is: to clear away what was given up, or to
    /// look at the disk; whether it has. Nothing may be under way.
    pub fn tidy(&mut self, now: Mono) -> bool {
        if self.upload.as_ref().is_some_and(|upload| upload.until <= now) {
            self.drop_upload();
        }
        let due = match self.mount {
            Mount::Known { .. } => self.discard.take().map(Task::Discard),
            Mount::Away { until } => (until <= now).then(|| self.first_look()),
        };
        due.into_iter().for_each(|task| self.start(task));
        self.is_busy()
    }

    /// Begins to see whether the disk is the one that is known, or looks at one that was away: for
    /// use before a change, which would not last if another life of the disk had begun. Nothing
    /// may be under way.
    pub fn doubt(&mut self) {
        let task = match self.mount {
            Mount::Known { .. } => Task::Greet,
            Mount::Away { .. } => self.first_look(),
        };
        self.start(task);
    }

    const fn first_look(&self) -> Task {
        Task::Look(Scan::new(self.limits.bundle_bytes))
    }

    /// When something is due of its own accord.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let away = match self.mount {
            Mount::Away { until } => Some(until),
            Mount::Known { .. } => None,
        };
        let upload = self.upload.as_ref().map(|upload| upload.until);
        away.into_iter().chain(upload).min()
    }

    /// Whether the disk is to be asked, or to answer.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// What the disk is to be asked. `piece`: what was brought last. `None`: nothing that can be.
    #[must_use]
    pub fn request<'a>(&'a self, piece: &'a [u8]) -> Option<Request<'a>> {
        self.task.as_ref()?.request(self.epoch().ok(), piece)
    }

    /// The disk has answered; `not_ready` stands for one that could not be asked, too.
    ///
    /// # Errors
    /// [`Refused`]: what was begun has come to nothing. If that is `not_ready`, the disk is away:
    /// once it is back all that is on it is looked at again. So it is if a change may not last.
    pub fn answered<'a>(
        &mut self,
        result: Result<Reply<'a>, FileStatus>,
        now: Mono,
    ) -> Result<Progress<'a>, Refused> {
        let task = self.task.take().ok_or(BundleStatus::NotReady)?;
        let progress = match task {
            Task::Look(scan) => self.look(scan, result),
            Task::Greet => self.greeted(result, now),
            task => self.advance(task, result, now),
        };
        progress.inspect_err(|refused| {
            if refused.status == BundleStatus::NotReady {
                self.lose(now);
            }
        })
    }

    /// Another disk than the one that is known is looked at.
    fn greeted<'a>(
        &mut self,
        result: Result<Reply<'_>, FileStatus>,
        now: Mono,
    ) -> Result<Progress<'a>, Refused> {
        let Ok(Reply::Hello(hello)) = result else { return Err(BundleStatus::NotReady.into()) };
        if self.epoch() == Ok(hello.epoch) {
            return Ok(Progress::Done);
        }
        self.lose(now);
        self.start(self.first_look());
        Ok(Progress::Next)
    }

    fn look<'a>(
        &mut self,
        mut scan: Scan,
        result: Result<Reply<'_>, FileStatus>,
    ) -> Result<Progress<'a>, Refused> {
        let progress = match scan.answered(result)? {
            Seen::All { epoch } => {
                self.mount = Mount::Known { epoch };
                return Ok(Progress::Done);
            }
            Seen::Nothing => Progress::Next,
            Seen::File(file) => {
                Progress::Found(file.and_then(|bundle| Ok(self.catalogue.add(bundle)?)))
            }
        };
        self.start(Task::Look(scan));
        Ok(progress)
    }

    fn advance<'a>(
        &mut self,
        task: Task,
        result: Result<Reply<'a>, FileStatus>,
        now: Mono,
    ) -> Result<Progress<'a>, Refused> {
        let reply = match result {
            Ok(reply) => Some(reply),
            Err(FileStatus::NotFound) if task.is_clearing() => None,
            Err(why) => return Err(self.failed(&task, why, now)),
        };
        match (task, reply) {
            (Task::Read { size, .. }, Some(Reply::Read(read))) => {
                Ok(Progress::Read(Piece { size, bytes: read.bytes }))
            }
            (Task::Read { .. }, _) => Err(BundleStatus::NotReady.into()),
            (task, _) => self.after(task, now),
        }
    }

    /// The disk did not do it.
    fn failed(&mut self, task: &Task, why: FileStatus, now: Mono) -> Refused {
        match task {
            Task::Append(..) | Task::Finish(..) => self.drop_upload(),
            // Nobody knows what is there for good.
            Task::Keep(_) | Task::Forget(_) => self.lose(now),
            Task::Discard(path) if why == FileStatus::NotReady => self.discard = Some(*path),
            _ => {}
        }
        refused::status(why).into()
    }

    /// A change has been made: what comes next.
    fn after<'a>(&mut self, task: Task, now: Mono) -> Result<Progress<'a>, Refused> {
        let next = match task {
            Task::Clear(upload) => Task::Draft(upload),
            Task::Finish(_, bundle) => {
                self.upload = None;
                Task::Keep(bundle)
            }
            Task::Delete(path) => Task::Forget(path),
            task => return self.done(task, now),
        };
        self.start(next);
        Ok(Progress::Next)
    }

    /// The last change has been made.
    fn done<'a>(&mut self, task: Task, now: Mono) -> Result<Progress<'a>, Refused> {
        match task {
            Task::Draft(mut upload) => {
                // It has taken the place of an earlier one of that name.
                self.discard.take_if(|given_up| *given_up == upload.path);
                upload.until = now.after(self.limits.idle);
                self.upload = Some(upload);
            }
            Task::Keep(bundle) => {
                self.catalogue.add(bundle)?;
                return Ok(Progress::Installed(bundle));
            }
            Task::Forget(path) => {
                path.parts().into_iter().for_each(|(_, name)| self.catalogue.remove(name));
            }
            _ => {}
        }
        Ok(Progress::Done)
    }

    fn start(&mut self, task: Task) {
        assert!(self.task.is_none(), "one thing at a time");
        self.task = Some(task);
    }

    /// Which disk it is.
    const fn epoch(&self) -> Result<u64, BundleStatus> {
        match self.mount {
            Mount::Known { epoch } => Ok(epoch),
            Mount::Away { .. } => Err(BundleStatus::NotReady),
        }
    }

    fn upload_of(&mut self, owner: Owner) -> Result<&mut Upload, BundleStatus> {
        let its = self.upload.as_mut().filter(|upload| upload.owner == owner);
        its.ok_or(BundleStatus::OutOfOrder)
    }

    /// What is being brought is so no longer.
    fn drop_upload(&mut self) {
        self.discard = self.upload.take().map(|upload| upload.path).or(self.discard);
    }

    fn lose(&mut self, now: Mono) {
        self.upload = None;
        self.catalogue.forget_state();
        self.mount = Mount::Away { until: now.after(self.limits.retry) };
    }

    /// Checks what always holds.
    pub fn check(&self) {
        self.catalogue.check();
    }
}
