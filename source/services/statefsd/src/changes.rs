//! Requests that change files. The store does it in memory, all or nothing; the next sync makes it
//! durable.

use nexus_wire::FileStatus;
use nexus_wire::files::{Append, NewFile, Replace, Target};
use statefs::{File, Kind, Refusal};

use crate::drafts::Draft;
use crate::service::{Answer, Asked, Statefsd};
use crate::shares::{Full, ShareId};

type Changed<'a> = Result<Answer<'a>, FileStatus>;

impl Statefsd {
    pub(crate) fn create<'a>(&mut self, asked: &Asked, new: NewFile<'_>) -> Changed<'a> {
        let full = self.full(asked, new.name.as_str());
        if self.store.find(full.as_str()).is_some() {
            return Err(FileStatus::Exists);
        }
        self.may_add(asked.share, true)?;
        let created = self.store.create(full.as_str(), new.capacity);
        self.changed(created)
    }

    pub(crate) fn draft<'a>(&mut self, asked: &Asked, new: NewFile<'_>) -> Changed<'a> {
        let name = self.full(asked, new.name.as_str());
        if let Some(earlier) = self.drafts.find(&name) {
            let given_up = self.store.delete(earlier);
            self.changed(given_up)?;
            self.drafts.remove(earlier);
        }
        self.may_add(asked.share, true)?;
        let drafted = self.store.draft(name.as_str(), new.capacity);
        if let Ok(file) = drafted {
            self.drafts.add(Draft { share: asked.share, life: asked.life, name, file });
        }
        self.changed(drafted)
    }

    pub(crate) fn append<'a>(&mut self, asked: &Asked, append: Append<'_>) -> Changed<'a> {
        let (_, file) = self.target(asked, append.to)?;
        let entry = self.store.entry(file).ok_or(FileStatus::NotFound)?;
        if entry.kind == Kind::Whole {
            return Err(FileStatus::Finished);
        }
        if entry.len != append.at {
            return Err(FileStatus::Conflict);
        }
        let appended = self.store.append(file, append.bytes);
        self.changed(appended)
    }

    pub(crate) fn finish<'a>(&mut self, asked: &Asked, target: Target<'_>) -> Changed<'a> {
        let (_, file) = self.target(asked, target)?;
        let finished = self.store.finish(file);
        let answer = self.changed(finished)?;
        self.drafts.remove(file);
        Ok(answer)
    }

    pub(crate) fn replace<'a>(&mut self, asked: &Asked, replace: Replace<'_>) -> Changed<'a> {
        let full = self.full(asked, replace.name.as_str());
        if self.store.find(full.as_str()).is_none() {
            self.may_add(asked.share, false)?;
        }
        let replaced = self.store.replace(full.as_str(), replace.bytes);
        self.changed(replaced)
    }

    pub(crate) fn delete<'a>(&mut self, asked: &Asked, target: Target<'_>) -> Changed<'a> {
        let (_, file) = self.target(asked, target)?;
        let deleted = self.store.delete(file);
        let answer = self.changed(deleted)?;
        self.drafts.remove(file);
        Ok(answer)
    }

    pub(crate) fn full(&self, asked: &Asked, name: &str) -> Full {
        self.shares.get(asked.share).full(name)
    }

    /// The file or draft that a request names.
    pub(crate) fn target(
        &self,
        asked: &Asked,
        target: Target<'_>,
    ) -> Result<(Full, File), FileStatus> {
        let full = self.full(asked, target.name.as_str());
        let file =
            if target.draft { self.drafts.find(&full) } else { self.store.find(full.as_str()) };
        file.map(|file| (full, file)).ok_or(FileStatus::NotFound)
    }

    /// Whether a share may have one file more, which grows or does not.
    fn may_add(&self, id: ShareId, grows: bool) -> Result<(), FileStatus> {
        let share = self.shares.get(id);
        let drafts = self.drafts.count(id);
        let files = self.store.list(&share.prefix).count() + drafts;
        let logs = self.store.list(&share.prefix).filter(|entry| entry.kind == Kind::Log);
        let open = logs.count() + drafts;
        let may = files < share.files && (!grows || open < share.open);
        if may { Ok(()) } else { Err(FileStatus::OverQuota) }
    }

    /// What the store's word means to who asked.
    fn changed<'a, T>(&mut self, done: Result<T, Refusal>) -> Changed<'a> {
        let refusal = match done {
            Ok(_) => return Ok(Answer::Done),
            Err(refusal) => refusal,
        };
        if refusal == Refusal::SyncFirst {
            // Nobody needs to ask for it: until then nobody can delete.
            self.begin_sync()?;
        }
        Err(status(refusal))
    }
}

pub(crate) const fn status(refusal: Refusal) -> FileStatus {
    match refusal {
        Refusal::NotReady | Refusal::Failed => FileStatus::NotReady,
        Refusal::BadName => FileStatus::InvalidArgs,
        Refusal::Exists => FileStatus::Exists,
        Refusal::NotFound => FileStatus::NotFound,
        Refusal::Finished => FileStatus::Finished,
        Refusal::Full { .. } => FileStatus::Full,
        Refusal::NoSpace { .. } | Refusal::TooManyFiles | Refusal::TooManyOpen => {
            FileStatus::NoSpace
        }
        Refusal::Quota { .. } => FileStatus::OverQuota,
        Refusal::TooLong => FileStatus::OverLimit,
        Refusal::Busy | Refusal::SyncFirst => FileStatus::Busy,
    }
}
