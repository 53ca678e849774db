//! The sealed segments of all tiers and what becomes of them, over one lane of calls: found after a
//! start, written, rolled up, deleted. What is to be done next follows from what is there; one call
//! is under way at a time, and each step does a bounded part of the work.

mod answers;
mod asking;
mod finding;

use nexus_bounded::{Mono, Nanos};
use nexus_port::World;

use crate::files::{Files, Trouble};
use crate::generation::{Name, Settled, Settling};
use crate::keeper::check::Check;
use crate::keeper::draft::{Ask, Draft};
use crate::keeper::limits::StoreLimits;
use crate::keeper::reader::Reader;
use crate::keeper::rolling::{Rolling, Unrolled};
use crate::keeper::shelf::Shelf;
use crate::manifest::{Kept, Manifest, TIERS};
use crate::name::SegmentName;
use crate::recovery::{self, Named};
use crate::segment::Anchor;

/// A disk that is behind, or a server that has not begun, is asked again after this time, and so
/// often before it counts as trouble.
const BUSY_PAUSE: Nanos = Nanos::from_millis(5);
const BUSY_MAX: u32 = 200;

/// The tier of what was recorded.
pub const RAW: usize = 0;

/// What the manifest was found to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// It has not been looked at.
    Unread,
    Absent,
    Damaged,
    Foreign,
    Whole(Manifest),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is asked.
    Closed,
    Hello,
    Settle,
    /// What an earlier try has left is made durable, so that what is counted is what is there.
    Settled,
    Manifest,
    List {
        tier: usize,
    },
    /// Where the newest of a tier ends; of the raw tier, also whether it is whole.
    Newest {
        tier: usize,
    },
    /// All is known; the owner says when to go on.
    Found,
    Open,
    /// Of a format that is not known: nothing is touched.
    Foreign,
}

/// What is asked of statefsd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Todo {
    Hello,
    Settle,
    Manifest,
    List(usize),
    Read(usize, SegmentName),
    Draft(usize, Ask),
    Write,
    Delete(usize, SegmentName),
    Sync,
}

/// What has happened that its owner should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing.
    None,
    /// Everything that was sealed before is durable: the last raw segment of it.
    Durable(Option<SegmentName>),
    /// What was being written is lost: everything is to be found out anew.
    Lost,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Segments that were sealed, by tier.
    pub sealed: [u64; TIERS],
    /// Segments that were deleted, by tier.
    pub deleted: [u64; TIERS],
    /// Files of a tier whose names have no place among its segments, or that are no whole files.
    pub strange: u64,
    /// Calls that have come to nothing, by [`Trouble`].
    pub troubles: [u64; Trouble::ALL.len()],
    /// Syncs.
    pub syncs: u64,
    /// Bytes that were written into files.
    pub written: u64,
    /// Files that were set aside and deleted to make room.
    pub dropped: u64,
}

/// See the module.
pub struct Store {
    limits: StoreLimits,
    boot: u32,
    files: Files,
    todo: Option<Todo>,
    phase: Phase,
    settling: Settling,
    settled: Option<Settled>,
    sets_aside: bool,
    epoch: u64,
    /// Statefsd has answered once.
    is_greeted: bool,
    told: Told,
    /// The last name of a list that goes on.
    after: Name,
    check: Check,
    newest_raw: recovery::Sealed,
    pub(super) shelves: [Shelf; TIERS],
    pub(super) drafts: [Draft; TIERS],
    rolling: Rolling,
    reader: Reader,
    /// The manifest has to be written, and one was written since the last sync.
    is_stale: bool,
    is_written: bool,
    /// A sync is due.
    wants_sync: bool,
    /// Segments are rolled up and have their times.
    is_live: bool,
    /// What was set aside is to be deleted.
    makes_room: bool,
    last_raw: Option<SegmentName>,
    trouble: Option<Trouble>,
    /// How often in a row the disk was behind.
    busy: u32,
    retry: Option<Mono>,
    pause: Nanos,
    looks_at_ttl: Mono,
    counts: Counts,
}

impl Store {
    /// Takes all memory. `boot` counts starts; `sets_aside`: what there is is not to be used.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: StoreLimits, boot: u32, lane: u8, sets_aside: bool) -> Self {
        assert!(limits.are_possible(), "limits are checked with the recipe");
        let [raw, short, long] = limits.tiers;
        let [of_raw, of_short, of_long] = limits.shelves;
        let draft = || Draft::new(limits.writer(), limits.segment_bytes);
        Self {
            limits,
            boot,
            files: Files::new(lane),
            todo: None,
            phase: Phase::Closed,
            settling: Settling::new(sets_aside),
            settled: None,
            sets_aside,
            epoch: 0,
            is_greeted: false,
            told: Told::Unread,
            after: Name::EMPTY,
            check: Check::default(),
            newest_raw: recovery::Sealed::Absent,
            shelves: [
                Shelf::new(raw, of_raw),
                Shelf::new(short, of_short),
                Shelf::new(long, of_long),
            ],
            drafts: [draft(), draft(), draft()],
            rolling: Rolling::new(&limits),
            reader: Reader::new(limits.block_bytes),
            is_stale: false,
            is_written: false,
            wants_sync: false,
            is_live: false,
            makes_room: false,
            last_raw: None,
            trouble: None,
            busy: 0,
            retry: None,
            pause: limits.retry_min,
            looks_at_ttl: Mono(0),
            counts: Counts::default(),
        }
    }

    /// Begins to find out what there is. Drafts are lost.
    pub fn open(&mut self) {
        assert!(self.todo.is_none(), "not while something is asked");
        self.phase = Phase::Hello;
        self.after = Name::EMPTY;
        self.drafts.iter_mut().for_each(Draft::drop);
        self.shelves.iter_mut().for_each(Shelf::clear);
        self.rolling.stop();
        self.told = Told::Unread;
        (self.is_stale, self.is_written, self.wants_sync) = (false, false, false);
        (self.is_live, self.makes_room, self.last_raw) = (false, false, None);
    }

    /// There is no room: what was set aside is deleted, if there is any.
    pub(super) fn make_room(&mut self) {
        let Some(Settled { current, older: Some(_) }) = self.settled else { return };
        if self.is_open() && self.is_free() && !self.makes_room {
            (self.makes_room, self.retry) = (true, None);
            self.settling = Settling::dropping(current);
        }
    }

    /// Whether all is known that there is.
    #[must_use]
    pub const fn is_found(&self) -> bool {
        matches!(self.phase, Phase::Found)
    }

    /// Whether segments can be written.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether there is something of a format that is not known, so that nothing is touched.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self.phase, Phase::Foreign)
    }

    /// Why nothing can be done now.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        if self.is_foreign() { Some(Trouble::Foreign) } else { self.trouble }
    }

    /// Below which prefix the files are, once that is known.
    #[must_use]
    pub const fn settled(&self) -> Option<Settled> {
        self.settled
    }

    /// The segments of a tier.
    #[must_use]
    pub const fn shelves(&self) -> &[Shelf; TIERS] {
        &self.shelves
    }

    /// What was done.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What could not be rolled up.
    #[must_use]
    pub const fn unrolled(&self) -> Unrolled {
        self.rolling.unrolled()
    }

    /// What the newest raw segment was found to be.
    #[must_use]
    pub const fn newest_raw(&self) -> recovery::Sealed {
        self.newest_raw
    }

    /// Whether the manifest names a raw segment: the one that is there, or that should hold a
    /// window, or any.
    #[must_use]
    pub fn named(&self, window: Option<(u32, u64)>, sealed: Option<SegmentName>) -> Named {
        let manifest = match self.told {
            Told::Unread | Told::Absent => return Named::NoManifest,
            Told::Damaged => return Named::Damaged,
            Told::Foreign => return Named::Foreign,
            Told::Whole(manifest) => manifest,
        };
        let [raw, ..] = manifest.tiers;
        let is_named =
            raw.kept.is_some_and(|Kept { oldest, newest, end }| match (sealed, window) {
                (Some(sealed), _) => oldest <= sealed && sealed <= newest,
                (None, None) => true,
                (None, Some((boot, window))) => {
                    let wanted = SegmentName { boot, first: window };
                    wanted >= oldest && (wanted < newest || (boot == newest.boot && window < end))
                }
            });
        if is_named { Named::Yes } else { Named::No }
    }

    /// The newest raw segment that the manifest names.
    #[must_use]
    pub fn newest_named(&self) -> Option<SegmentName> {
        let Told::Whole(Manifest { tiers: [raw, ..], .. }) = self.told else { return None };
        raw.kept.map(|kept| kept.newest)
    }

    /// Segments may be written from now on.
    pub fn go_on(&mut self) {
        assert!(self.is_found(), "what there is is known first");
        self.phase = Phase::Open;
        self.rolling.resume(&self.shelves);
    }

    /// Nothing is to be touched.
    pub fn refuse(&mut self) {
        self.phase = Phase::Foreign;
    }

    /// Whether nothing is left to do now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.todo.is_none() && !self.is_stale && !self.wants_sync
    }

    /// When it wants to go on by itself, if it is paused.
    #[must_use]
    pub const fn deadline(&self) -> Option<Mono> {
        self.retry
    }

    /// Whether no call is under way.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.todo.is_none()
    }

    /// Does a bounded part of the work and begins the next call, if nothing is under way; whether
    /// there was anything to do.
    pub fn step(&mut self, now: Mono, world: &mut impl World) -> bool {
        if self.todo.is_some() || self.retry.is_some_and(|retry| now < retry) {
            return false;
        }
        self.retry = None;
        // What there is to ask may be found out by working.
        self.ask_next(now, world) || self.work() || self.ask_next(now, world)
    }

    fn ask_next(&mut self, now: Mono, world: &mut impl World) -> bool {
        let next = self.next(now);
        if let Some(todo) = next {
            self.begin(todo, now, world);
        }
        next.is_some()
    }

    fn work(&mut self) -> bool {
        match self.phase {
            Phase::Newest { tier } => self.look_at_newest(tier),
            Phase::Open if self.is_live => {
                let Self { boot, shelves, drafts, reader, rolling, .. } = self;
                rolling.work(*boot, shelves, drafts, reader)
            }
            _ => false,
        }
    }

    /// The raw segment that is being written has all that it gets; whether that is anything.
    pub(super) fn finish_raw(&mut self, anchor: Anchor) -> bool {
        let [raw, ..] = &mut self.drafts;
        let has_groups = raw.end().is_some();
        if has_groups {
            raw.finish(anchor);
        } else {
            raw.abandon();
        }
        has_groups
    }

    /// The manifest is to be written from what is there.
    pub(super) const fn write_manifest(&mut self) {
        self.is_stale = true;
    }

    /// What was found is taken over: from now on segments are rolled up and have their times.
    pub(super) const fn go_live(&mut self) {
        self.is_live = true;
    }
}
