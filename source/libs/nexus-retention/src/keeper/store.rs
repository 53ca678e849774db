//! The sealed segments of all tiers and what becomes of them, over one lane of calls: found after a
//! start, written, rolled up, deleted. What is to be done next follows from what is there; one call
//! is under way at a time, and each step does a bounded part of the work.

use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};
use nexus_wire::FileStatus;
use nexus_wire::files::{List, Read, Replace, Reply, Request, Target};

use super::check::Check;
use super::draft::{Ask, Draft};
use super::limits::StoreLimits;
use super::reader::Reader;
use super::rolling::{Rolling, Unrolled};
use super::shelf::{Sealed, Shelf};
use crate::files::{Failure, Files, Trouble};
use crate::generation::{self, Generation, Name, Settled, Settling};
use crate::manifest::{Kept, MANIFEST_BYTES, Manifest, ManifestError, TIERS, TierState};
use crate::name::{self, SegmentName};
use crate::recovery::{self, Named};
use crate::segment::Anchor;

/// A disk that is behind is asked again after this time, and so often before it counts as trouble.
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
        (self.is_live, self.last_raw) = (false, None);
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

    /// What to ask next, if anything.
    fn next(&mut self, now: Mono) -> Option<Todo> {
        match self.phase {
            Phase::Closed | Phase::Found | Phase::Foreign => None,
            Phase::Hello => Some(Todo::Hello),
            Phase::Settle => Some(Todo::Settle),
            Phase::Settled => Some(Todo::Sync),
            Phase::Manifest => Some(Todo::Manifest),
            Phase::List { tier } => Some(Todo::List(tier)),
            Phase::Newest { tier } => {
                let newest = self.shelves.get(tier)?.newest()?;
                self.reader.wants().map(|_| Todo::Read(tier, newest))
            }
            Phase::Open => self.next_change(now),
        }
    }

    fn next_change(&mut self, now: Mono) -> Option<Todo> {
        if self.is_stale {
            return Some(if self.is_written { Todo::Sync } else { Todo::Write });
        }
        if let Some(delete) = self.next_delete() {
            return Some(delete);
        }
        if self.wants_sync {
            return Some(Todo::Sync);
        }
        self.look_at_ttl(now);
        for tier in 0..TIERS {
            if let Some(todo) = self.next_of_draft(tier) {
                return Some(todo);
            }
        }
        if self.is_stale {
            return self.next_change(now);
        }
        let (tier, name) = self.rolling.source()?;
        self.reader.wants().map(|_| Todo::Read(tier, name))
    }

    fn next_delete(&self) -> Option<Todo> {
        let mut shelves = self.shelves.iter().zip(0..);
        shelves.find_map(|(shelf, tier)| Some(Todo::Delete(tier, shelf.condemned()?)))
    }

    /// A segment is begun only where there is room for it: the oldest make some first.
    fn next_of_draft(&mut self, tier: usize) -> Option<Todo> {
        let (draft, shelf) = (self.drafts.get_mut(tier)?, self.shelves.get_mut(tier)?);
        let ask = draft.ask()?;
        let bytes = self.limits.segment_bytes;
        if ask != Ask::Draft || shelf.has_room(bytes) {
            return Some(Todo::Draft(tier, ask));
        }
        if shelf.has_room_after_sync(bytes) {
            return Some(Todo::Sync);
        }
        self.is_stale |= shelf.condemn(bytes);
        None
    }

    fn look_at_ttl(&mut self, now: Mono) {
        if !self.is_live || now < self.looks_at_ttl {
            return;
        }
        self.looks_at_ttl = now.after(self.limits.ttl_interval);
        for shelf in &mut self.shelves {
            if shelf.is_expired(self.boot, now) {
                shelf.condemn_oldest();
                self.is_stale = true;
                // There may be more that has had its time.
                self.looks_at_ttl = now;
            }
        }
    }

    fn begin(&mut self, todo: Todo, now: Mono, world: &mut impl World) {
        let begun = self.ask(todo, now, world);
        match begun {
            Ok(()) => self.todo = Some(todo),
            Err(failure) => self.failed(failure.trouble(), now),
        }
    }

    fn ask(&mut self, todo: Todo, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        if todo == Todo::Settle {
            return self.settling.begin(&mut self.files, now, world);
        }
        let generation = self.settled.map_or(Generation::FIRST, |settled| settled.current);
        let file = self.file_of(todo, generation);
        let manifest = self.manifest().encode();
        let target = Target { name: generation::file_name(&file)?, draft: false };
        let request = match todo {
            Todo::Hello | Todo::Settle => Request::Hello,
            Todo::Manifest => {
                Request::Read(Read { name: target.name, at: 0, max: MANIFEST_BYTES as u16 + 1 })
            }
            Todo::List(_) => {
                let prefix = generation::file_prefix(&file)?;
                let after = generation::file_prefix(&self.after)?;
                return self.files.begin(&Request::List(List { prefix, after }), now, world);
            }
            Todo::Read(..) => {
                let (at, max) = self.reader.wants().unwrap_or((0, 1));
                Request::Read(Read { name: target.name, at, max })
            }
            Todo::Draft(tier, ask) => {
                let Some(draft) = self.drafts.get(tier) else { return Ok(()) };
                draft.request(ask, target.name)
            }
            Todo::Write => Request::Replace(Replace { name: target.name, bytes: &manifest }),
            Todo::Delete(..) => Request::Delete(target),
            Todo::Sync => Request::Sync { epoch: self.epoch },
        };
        self.files.begin(&request, now, world)
    }

    /// The file that something is asked of; of a list, how the names begin.
    fn file_of(&self, todo: Todo, generation: Generation) -> Name {
        match todo {
            Todo::List(tier) => {
                let [raw, ..] = self.limits.tiers;
                let tier = self.limits.tiers.get(tier).copied().unwrap_or(raw);
                generation::name_of(format_args!("{generation}{tier}."))
            }
            Todo::Read(_, name) | Todo::Delete(_, name) => self.name_of(todo, name, generation),
            Todo::Draft(tier, _) => {
                let name = self.drafts.get(tier).and_then(Draft::name);
                let nothing = SegmentName { boot: 0, first: 0 };
                self.name_of(todo, name.unwrap_or(nothing), generation)
            }
            _ => generation::name_of(format_args!("{generation}{}", name::MANIFEST)),
        }
    }

    fn name_of(&self, todo: Todo, name: SegmentName, generation: Generation) -> Name {
        let (Todo::List(tier) | Todo::Read(tier, _) | Todo::Delete(tier, _) | Todo::Draft(tier, _)) =
            todo
        else {
            return Name::EMPTY;
        };
        let Some(tier) = self.limits.tiers.get(tier) else { return Name::EMPTY };
        generation::name_of(format_args!("{generation}{}", name.file(*tier).as_str()))
    }

    fn manifest(&self) -> Manifest {
        let [raw, short, long] = &self.shelves;
        let state = |shelf: &Shelf| TierState { window: shelf.tier().window, kept: shelf.kept() };
        Manifest { boot: self.boot, tiers: [state(raw), state(short), state(long)] }
    }

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

    fn failed(&mut self, trouble: Trouble, now: Mono) {
        if trouble == Trouble::Slow && self.busy < BUSY_MAX {
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

    fn came_to_nothing(&mut self, todo: Todo, failure: Failure, now: Mono) -> News {
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

    fn done(&mut self, todo: Todo, reply: Reply<'_>) -> News {
        match (todo, reply) {
            (Todo::Hello, Reply::Hello(hello)) => {
                self.epoch = hello.epoch;
                if self.settled.is_none() {
                    self.settling = Settling::new(self.sets_aside);
                }
                self.phase = if self.settled.is_none() { Phase::Settle } else { Phase::Settled };
            }
            (Todo::Settle, _) => {
                if let Some(settled) = self.settling.settled() {
                    self.settled = Some(settled);
                    self.phase = Phase::Settled;
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

    fn synced(&mut self) -> News {
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

    fn drafted(&mut self, tier: usize, ask: Ask) {
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

    fn found_manifest(&mut self, told: Told) -> News {
        let windows = self.limits.tiers.map(|tier| tier.window);
        self.told = match told {
            // Windows of other lengths have other numbers.
            Told::Whole(manifest) if manifest.tiers.map(|tier| tier.window) != windows => {
                Told::Foreign
            }
            told => told,
        };
        self.phase =
            if self.told == Told::Foreign { Phase::Foreign } else { Phase::List { tier: 0 } };
        News::None
    }

    fn found(&mut self, tier: usize, file: &str, len: u32, kind: nexus_wire::FileKind) {
        let (Some(shelf), Some(settled)) = (self.shelves.get_mut(tier), self.settled) else {
            return;
        };
        let prefix = generation::name_of(format_args!("{}", settled.current));
        let own = file.strip_prefix(prefix.as_str());
        let name = own.and_then(|own| SegmentName::parse(shelf.tier(), own));
        self.after = generation::name_of(format_args!("{file}"));
        let is_taken = name.is_some_and(|name| {
            kind == nexus_wire::FileKind::Whole && shelf.put(Sealed { name, len })
        });
        if !is_taken {
            self.counts.strange += 1;
        }
    }

    /// Begins to look at the newest segment of a tier, or of one behind it.
    fn look_at(&mut self, tier: usize) -> Phase {
        for (shelf, tier) in self.shelves.iter().zip(0..).skip(tier) {
            if let Some(sealed) = shelf.segments().last() {
                self.reader.open(sealed.len);
                self.check = Check::default();
                return Phase::Newest { tier };
            }
        }
        Phase::Found
    }

    /// Looks at a block of the newest segment of a tier; whether there was one to look at.
    fn look_at_newest(&mut self, tier: usize) -> bool {
        let checked = if tier == RAW {
            self.check.step(&mut self.reader)
        } else {
            self.reader.footer().map(|_| Some(recovery::Sealed::Whole)).or_else(|missing| {
                match missing {
                    super::reader::Missing::Fetch => Err(()),
                    super::reader::Missing::Lost(_) => Ok(Some(recovery::Sealed::Damaged)),
                }
            })
        };
        let Ok(checked) = checked else { return false };
        let Some(sealed) = checked else { return true };
        if tier == RAW {
            self.newest_raw = sealed;
        }
        let last = self.reader.footer().ok().and_then(|footer| footer.groups().last());
        if let (Some(shelf), Some(last)) = (self.shelves.get_mut(tier), last) {
            shelf.set_end(last.last + 1);
        }
        self.phase = self.look_at(tier + 1);
        true
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
