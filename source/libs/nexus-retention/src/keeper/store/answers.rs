//! What the answers of statefsd mean.

use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId};
use nexus_wire::FileStatus;
use nexus_wire::files::Reply;

use super::{BUSY_MAX, BUSY_PAUSE, News, Phase, RAW, Store, Todo, Told};
use crate::files::{Failure, Trouble};
use crate::generation::{Name, Settling};
use crate::keeper::draft::Ask;
use crate::keeper::shelf::{Sealed, Shelf};
use crate::manifest::{MANIFEST_BYTES, Manifest, ManifestError, TIERS};

impl Store {
    /// Takes the end of a call; `None`: it is not of this lane.
    pub fn ended(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
    ) -> Option<News> {
        let outcome = self.files.ended(call, result)?;
        let todo = self.todo.take()?;
        let outcome = match (todo, outcome) {
            (Todo::Settle, outcome) => self.settling.ended(outcome).map(|()| Reply::Plain),
            (_, outcome) => outcome,
        };
        Some(match outcome {
            Ok(reply) => {
                let news = self.done(todo, reply);
                if news != News::Lost {
                    self.trouble = None;
                    self.busy = 0;
                    self.pause = self.limits.retry_min;
                }
                news
            }
            Err(failure) => self.came_to_nothing(todo, failure, now),
        })
    }

    pub(super) fn failed(&mut self, trouble: Trouble, now: Mono) {
        // A server that begins with us may need a moment.
        let is_young = trouble == Trouble::NoDisk && !self.is_greeted;
        if (trouble == Trouble::Slow || is_young) && self.busy < BUSY_MAX {
            self.busy += 1;
            self.retry = Some(now.after(BUSY_PAUSE));
            return;
        }
        if let Some(count) = self.counts.troubles.get_mut(trouble.index()) {
            *count += 1;
        }
        self.trouble = Some(trouble);
        self.retry = Some(now.after(self.pause));
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(self.limits.retry_max);
    }

    pub(super) fn came_to_nothing(&mut self, todo: Todo, failure: Failure, now: Mono) -> News {
        let absent = failure == Failure::Refused(FileStatus::NotFound);
        match todo {
            Todo::Manifest if absent => return self.found_manifest(Told::Absent),
            // What is not there needs not be deleted.
            Todo::Delete(..) if absent => return self.done(todo, Reply::Plain),
            Todo::Draft(_, Ask::Delete) if absent => return self.done(todo, Reply::Plain),
            Todo::Manifest if failure == Failure::Refused(FileStatus::Damaged) => {
                return self.found_manifest(Told::Damaged);
            }
            Todo::Read(..) if is_of_the_file(failure) => {
                self.reader.take(&[]);
                return News::None;
            }
            _ => {}
        }
        self.failed(failure.trouble(), now);
        let is_retried = changes_nothing(failure) || self.phase != Phase::Open;
        if is_retried && failure != Failure::Absent {
            // In another epoch it begins with a greeting.
            if self.phase != Phase::Open && !changes_nothing(failure) {
                self.phase = Phase::Hello;
            }
            return News::None;
        }
        News::Lost
    }

    pub(super) fn done(&mut self, todo: Todo, reply: Reply<'_>) -> News {
        match (todo, reply) {
            (Todo::Hello, Reply::Hello(hello)) => {
                (self.epoch, self.is_greeted) = (hello.epoch, true);
                if self.settled.is_none() {
                    self.settling = Settling::new(self.sets_aside);
                }
                self.phase = if self.settled.is_none() { Phase::Settle } else { Phase::Settled };
            }
            (Todo::Settle, _) => {
                if let Some(settled) = self.settling.settled() {
                    self.settled = Some(settled);
                    if core::mem::take(&mut self.makes_room) {
                        self.counts.dropped += u64::from(self.settling.deleted());
                    } else {
                        self.phase = Phase::Settled;
                    }
                }
            }
            (Todo::Manifest, Reply::Read(read)) => {
                return self.found_manifest(match Manifest::decode(read.bytes) {
                    Ok(manifest) => Told::Whole(manifest),
                    Err(ManifestError::Unsupported { .. }) => Told::Foreign,
                    Err(_) => Told::Damaged,
                });
            }
            (Todo::List(tier), Reply::List(list)) => {
                for file in list.files() {
                    self.found(tier, file.name.as_str(), file.len, file.kind);
                }
                if !list.more {
                    self.after = Name::EMPTY;
                    self.phase = if tier + 1 < TIERS {
                        Phase::List { tier: tier + 1 }
                    } else {
                        self.look_at(RAW)
                    };
                }
            }
            (Todo::Read(..), Reply::Read(read)) => self.reader.take(read.bytes),
            (Todo::Draft(tier, ask), _) => self.drafted(tier, ask),
            (Todo::Write, _) => {
                (self.is_stale, self.is_written, self.wants_sync) = (false, true, true);
                self.counts.written += MANIFEST_BYTES as u64;
            }
            (Todo::Delete(tier, _), _) => {
                self.shelves.get_mut(tier).into_iter().for_each(Shelf::drop_oldest);
                self.counts.deleted.get_mut(tier).into_iter().for_each(|count| *count += 1);
                self.wants_sync = true;
            }
            (Todo::Sync, _) => return self.synced(),
            _ => return News::Lost,
        }
        News::None
    }

    pub(super) fn synced(&mut self) -> News {
        self.counts.syncs += 1;
        self.shelves.iter_mut().for_each(Shelf::synced);
        self.is_written = false;
        if self.phase == Phase::Settled {
            self.phase = Phase::Manifest;
            return News::None;
        }
        // A segment whose manifest is not written yet is not done.
        if self.is_stale {
            return News::None;
        }
        self.wants_sync = false;
        News::Durable(self.last_raw.take())
    }

    pub(super) fn drafted(&mut self, tier: usize, ask: Ask) {
        let (Some(draft), Some(shelf)) = (self.drafts.get_mut(tier), self.shelves.get_mut(tier))
        else {
            return;
        };
        let sealed = draft.done();
        match ask {
            Ask::Draft => shelf.reserve(self.limits.segment_bytes),
            Ask::Append(bytes) => self.counts.written += bytes as u64,
            Ask::Delete => {
                shelf.give_up();
                self.wants_sync = true;
            }
            Ask::Finish => {
                let Some((name, len, end)) = sealed else { return };
                let has_place = shelf.seal(Sealed { name, len }, end);
                assert!(has_place, "there was a place when it was begun");
                self.counts.sealed.get_mut(tier).into_iter().for_each(|count| *count += 1);
                self.is_stale = true;
                if tier == RAW {
                    self.last_raw = Some(name);
                }
            }
        }
    }
}

/// Whether a file is the reason, not the disk.
const fn is_of_the_file(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Refused(FileStatus::NotFound | FileStatus::Damaged | FileStatus::IoError)
    )
}

/// Whether all is as if it had not been asked: it can be asked again.
const fn changes_nothing(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Refused(
            FileStatus::Busy
                | FileStatus::RateLimited
                | FileStatus::NoSpace
                | FileStatus::OverQuota
                | FileStatus::NotReady
                | FileStatus::Denied
        )
    )
}
