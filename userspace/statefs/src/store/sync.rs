//! Making changes durable: files' sectors first, then the record that tells of them.

use nexus_port::{BlockError, BlockRequest, SECTOR_BYTES};

use super::{Fault, Phase, RUN_SHIFT, State, Store, SyncId};
use crate::files::{Change, Slot, State as SlotState};
use crate::format::Twin;
use crate::journal::{Item, Kind, PageHead};
use crate::store::Refusal;

/// Most pages that one request writes.
const REQUEST_PAGES: u32 = 64;

/// What a sync does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// So many sectors of files were on their way when it began.
    Sectors {
        left: usize,
    },
    FlushSectors,
    /// Of one copy of the record, the pages from this one on.
    Pages {
        of: Goal,
        twin: Twin,
        from: u32,
    },
    FlushPages(Goal),
    Superblock(Twin),
    FlushSuperblocks,
}

/// What a record is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    Sync,
    Format,
}

impl Step {
    pub(super) const fn is_of_format(self) -> bool {
        match self {
            Self::Sectors { .. } | Self::FlushSectors => false,
            Self::Pages { of, .. } | Self::FlushPages(of) => matches!(of, Goal::Format),
            Self::Superblock(_) | Self::FlushSuperblocks => true,
        }
    }
}

impl Store {
    /// Formats the device: no file is on it afterwards. Until that is done it may hold nothing that
    /// can be mounted. Only a new store can do it: its format has a generation of its own.
    pub fn format(&mut self) {
        assert!(self.state() == State::Unmounted, "what a store wrote before would outlast it");
        self.start_epochs(0);
        self.begin_snapshot();
        self.phase = Phase::Syncing(Step::Pages { of: Goal::Format, twin: Twin::Front, from: 0 });
    }

    /// Makes all that was done so far durable, drafts not. Durable is it once [`Self::synced`] is
    /// as high as the result, or never, if the store fails before.
    ///
    /// # Errors
    /// [`Refusal::NotReady`], [`Refusal::Failed`].
    pub fn sync(&mut self) -> Result<SyncId, Refusal> {
        self.ready()?;
        let has_news = self.files.has_changed() || self.freed.has_news() || self.has_flaws;
        let is_syncing = matches!(self.phase, Phase::Syncing(_));
        match (is_syncing, has_news) {
            (false, false) => {}
            (false, true) => self.begin(),
            (true, _) => self.is_sync_wanted |= has_news,
        }
        let more = u64::from(is_syncing || has_news) + u64::from(self.is_sync_wanted);
        Ok(SyncId(self.synced + more))
    }

    /// The last sync that is durable.
    #[must_use]
    pub const fn synced(&self) -> SyncId {
        SyncId(self.synced)
    }

    pub(super) const fn ready(&self) -> Result<(), Refusal> {
        match self.state() {
            State::Ready => Ok(()),
            State::Failed(_) => Err(Refusal::Failed),
            State::Unmounted | State::Starting => Err(Refusal::NotReady),
        }
    }

    /// From here on every epoch and id is higher than any of `newest`.
    pub(super) fn start_epochs(&mut self, newest: u32) {
        self.journal.epoch = newest;
        self.journal.next = None;
        self.next_id = (u64::from(newest) + 1) << RUN_SHIFT | 1;
    }

    fn begin(&mut self) {
        self.is_sync_wanted = false;
        self.freed.cover();
        self.begin_record();
        self.has_flaws = false;
        self.has_front_failed = false;
        self.phase = Phase::Syncing(Step::Sectors { left: self.stage.len() });
        self.skip_needless_steps();
    }

    /// Puts into the record what has changed, or everything where the area has no room for that.
    fn begin_record(&mut self) {
        let Some(position) = self.journal.next else { return self.begin_snapshot() };
        let record = &mut self.record;
        record.clear();
        self.files.tell(|number, slot, change, tail| {
            if let Some(item) = changed_item(number, slot, change, tail) {
                record.add(|writer| item.encode(writer));
            }
        });
        if position + record.pages() > self.format.area_sectors() {
            return self.begin_snapshot();
        }
        self.seal(position, false);
    }

    fn begin_snapshot(&mut self) {
        let record = &mut self.record;
        record.clear();
        self.files.tell(|number, slot, _, tail| {
            if let Some(item) = item(number, slot, tail) {
                record.add(|writer| item.encode(writer));
            }
        });
        self.journal.area = self.journal.area.other();
        self.journal.epoch += 1;
        self.seal(0, true);
    }

    fn seal(&mut self, position: u32, is_snapshot: bool) {
        let (epoch, sync) = (self.journal.epoch, self.synced + 1);
        let head = PageHead { epoch, position, sync, is_snapshot, is_last: false };
        self.record.seal(self.format.generation(), head);
        self.journal.next = Some(position + self.record.pages());
    }

    /// Where the record begins in its area.
    fn position(&self) -> u32 {
        self.journal.next.map_or(0, |next| next - self.record.pages())
    }

    pub(super) fn write_staged(&self) -> Option<BlockRequest<'_>> {
        let (run, bytes) = self.stage.next_run()?;
        let bytes = bytes.get(..self.run as usize * SECTOR_BYTES)?;
        Some(BlockRequest::Write { sector: run.start, bytes })
    }

    pub(super) fn staged_written(&mut self) {
        self.stage.written(self.run as usize);
        self.is_unflushed = true;
    }

    pub(super) fn step_request(&self, step: Step) -> Option<BlockRequest<'_>> {
        match step {
            Step::Sectors { .. } => self.write_staged(),
            Step::FlushSectors | Step::FlushPages(_) | Step::FlushSuperblocks => {
                Some(BlockRequest::Flush)
            }
            Step::Pages { twin, from, .. } => {
                let start = self.format.area(self.journal.area, twin) + self.position();
                let bytes = self.record.sealed(from, self.pages_at_once(from));
                Some(BlockRequest::Write { sector: start + from, bytes })
            }
            Step::Superblock(twin) => {
                let bytes = self.chunk.first()?;
                Some(BlockRequest::Write { sector: self.format.superblock(twin), bytes })
            }
        }
    }

    fn pages_at_once(&self, from: u32) -> u32 {
        (self.record.pages() - from).min(REQUEST_PAGES)
    }

    pub(super) fn step_done(&mut self, step: Step) {
        let next = match step {
            Step::Sectors { left } => {
                self.staged_written();
                Step::Sectors { left: left.saturating_sub(self.run as usize) }
            }
            Step::FlushSectors => {
                self.is_unflushed = false;
                FIRST_PAGES
            }
            Step::Pages { of, twin, from } => self.after_pages(of, twin, from),
            Step::FlushPages(Goal::Sync) => return self.synced_now(),
            Step::FlushPages(Goal::Format) => {
                if let Some(sector) = self.chunk.first_mut() {
                    self.format.encode(sector);
                }
                Step::Superblock(Twin::Front)
            }
            Step::Superblock(Twin::Front) => Step::Superblock(Twin::Back),
            Step::Superblock(Twin::Back) => Step::FlushSuperblocks,
            Step::FlushSuperblocks => return self.synced_now(),
        };
        self.phase = Phase::Syncing(next);
        self.skip_needless_steps();
    }

    /// A sync that finds nothing on its way writes and flushes nothing of it.
    fn skip_needless_steps(&mut self) {
        if matches!(self.phase, Phase::Syncing(Step::Sectors { left: 0 })) {
            let next = if self.is_unflushed { Step::FlushSectors } else { FIRST_PAGES };
            self.phase = Phase::Syncing(next);
        }
    }

    fn after_pages(&self, of: Goal, twin: Twin, from: u32) -> Step {
        let from = from + self.pages_at_once(from);
        match twin {
            _ if from < self.record.pages() => Step::Pages { of, twin, from },
            Twin::Front => Step::Pages { of, twin: Twin::Back, from: 0 },
            Twin::Back => Step::FlushPages(of),
        }
    }

    /// A copy of the record could not be written: the other one serves, unless it failed too.
    pub(super) fn pages_failed(&mut self, of: Goal, twin: Twin, error: BlockError) {
        let step = match (of, twin) {
            (Goal::Sync, Twin::Front) => Step::Pages { of, twin: Twin::Back, from: 0 },
            (Goal::Sync, Twin::Back) if !self.has_front_failed => Step::FlushPages(of),
            _ => return self.fail(Fault::Device(error)),
        };
        self.has_front_failed = twin == Twin::Front;
        self.tolerated += 1;
        self.phase = Phase::Syncing(step);
    }

    /// How often, since [`Self::new`], a copy of a record could not be written and the other could.
    #[must_use]
    pub const fn tolerated(&self) -> u64 {
        self.tolerated
    }

    fn synced_now(&mut self) {
        self.synced += 1;
        let (space, quotas) = (&mut self.space, &mut self.quotas);
        self.freed.release(|extent, mask| {
            space.release(extent);
            quotas.give_back(mask, extent.sectors);
        });
        self.phase = Phase::Ready;
        if self.is_sync_wanted {
            self.begin();
        }
    }
}

const FIRST_PAGES: Step = Step::Pages { of: Goal::Sync, twin: Twin::Front, from: 0 };

/// What a snapshot says of a slot.
fn item<'a>(number: u16, slot: &'a Slot, tail: &'a [u8]) -> Option<Item<'a>> {
    let SlotState::Named(kind) = slot.state else { return None };
    let tail = if kind == Kind::Log { tail } else { &[] };
    let Slot { id, len, name, extents, .. } = *slot;
    Some(Item::Put { slot: number, kind, id, len, name, extents, tail })
}

/// What a record of changes says of a slot.
fn changed_item<'a>(
    number: u16,
    slot: &'a Slot,
    change: Change,
    tail: &'a [u8],
) -> Option<Item<'a>> {
    match change {
        Change::None => None,
        Change::Grown => Some(Item::Grown { slot: number, len: slot.len, tail }),
        Change::All => Some(item(number, slot, tail).unwrap_or(Item::Erased { slot: number })),
    }
}
