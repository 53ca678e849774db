//! What is kept on a disk: the journal goes to a log of files, and comes back after a crash.
//!
//! Records wait in the journal itself, in which they are anyway: an APPEND costs nothing more. From
//! time to time all that is new is handed to the log and synced; what had to go before that is
//! missing on the disk and counted. While there is no disk, or it fails, all of that comes later.

mod recall;

use alloc::boxed::Box;

use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, Now, World};
use nexus_recipe::{LogRetention, Recipe, ShareRule};
use nexus_retention::Keep;
use nexus_retention::files::{Files, Trouble};
use nexus_retention::generation::{Settled, Settling};
use nexus_retention::journal::{BYTES_MAX, Item, Kept, Lives};
use nexus_retention::log::{Limits, Log, Pauses};
use nexus_wire::logs::ClockAnchor;
use nexus_wire::{Level, RecordId};

use crate::Logd;
use crate::anchors::Anchors;
use crate::journal::{Journal, TEXT_BYTES_MAX};

/// Lanes of calls: the log has one, finding its files another.
const LOG_LANE: u8 = 0;
const SETTLING_LANE: u8 = 1;

/// Both clocks are noted again after this, so that records outlive no anchor.
const ANCHOR_INTERVAL: Nanos = Nanos::from_secs(60);

/// A change of state is told no more often than this.
const TELL_INTERVAL: Nanos = Nanos::from_secs(1);

/// Generations that may lie on the disk: the present one, one that was set aside, and one more
/// until its deletion is durable.
const GENERATIONS: u32 = 3;

/// Bytes of a sector of the disk, and those of them that are the files'.
const DISK_SECTOR: u32 = 512;
const DISK_PAYLOAD: u32 = 508;

fn limits(retention: &LogRetention) -> Limits {
    let LogRetention { log_files, log_bytes, wait_bytes, .. } = *retention;
    Limits::of_bytes(log_files, log_bytes, wait_bytes, BYTES_MAX as u32)
}

/// What logd's files take of a disk at most.
#[must_use]
pub fn share(recipe: &Recipe) -> ShareRule {
    let retention = &recipe.logd.retention;
    let file = (limits(retention).bytes() as u32 / retention.log_files).div_ceil(DISK_PAYLOAD);
    let files = GENERATIONS * retention.log_files;
    ShareRule {
        name: "logd".into(),
        bytes: files * file * DISK_SECTOR,
        files,
        open: GENERATIONS + 1,
    }
}

/// How keeping is, for status and records.
pub(crate) struct State {
    /// `ok`, `reading`, or why nothing is kept.
    pub(crate) word: &'static str,
    /// Records that had to go from the journal before they were on the disk.
    pub(crate) missed: u64,
    /// Records of former lives that were found.
    pub(crate) recovered: u64,
    /// Records that are known to have been on the disk, and were not found.
    pub(crate) lost: u64,
    /// The generation in use, 0 while that is not known.
    pub(crate) generation: u32,
    /// The one that was set aside, or 0.
    pub(crate) set_aside: u32,
    /// The last record that was handed over to the disk, and the last that is durable there.
    pub(crate) handed_over: u64,
    pub(crate) durable: u64,
}

impl State {
    /// Where nobody gave files.
    pub(crate) const OFF: Self = Self {
        word: "off",
        missed: 0,
        recovered: 0,
        lost: 0,
        generation: 0,
        set_aside: 0,
        handed_over: 0,
        durable: 0,
    };
}

/// See the module.
pub(crate) struct Keeping {
    retention: LogRetention,
    settling: Settling,
    lane: Files,
    /// When settling is tried again, and how long the next pause is.
    again: Mono,
    pause: Nanos,
    /// Why it could not be settled.
    away: Option<Trouble>,
    log: Log,
    lives: Lives,
    is_recalled: bool,
    /// The last record that was handed to the log.
    fed: u64,
    /// The last one that is known to be durable, or was missed.
    durable: u64,
    /// The last record whose level was looked at.
    seen: u64,
    /// All up to this one is being handed over.
    goal: Option<u64>,
    due: Option<Mono>,
    is_urgent: bool,
    /// No urgent sync before.
    not_before: Mono,
    missed: u64,
    last_anchor: Option<Mono>,
    told: &'static str,
    told_at: Option<Mono>,
    is_ending: bool,
    has_ended: bool,
    buffer: Box<[u8; BYTES_MAX]>,
}

impl Keeping {
    /// `None` if nothing is kept. Takes all its memory now.
    pub(crate) fn new(retention: &LogRetention, keep: Keep) -> Option<Box<Self>> {
        let pauses = Pauses { min: retention.retry_min, max: retention.retry_max };
        keep.has_files().then(|| {
            Box::new(Self {
                retention: *retention,
                settling: Settling::new(keep == Keep::FilesAside),
                lane: Files::new(SETTLING_LANE),
                again: Mono(0),
                pause: retention.retry_min,
                away: None,
                log: Log::new(limits(retention), pauses, LOG_LANE),
                lives: Lives::NOTHING,
                is_recalled: false,
                fed: 0,
                durable: 0,
                seen: 0,
                goal: None,
                due: None,
                is_urgent: false,
                not_before: Mono(0),
                missed: 0,
                last_anchor: None,
                told: OK,
                told_at: None,
                is_ending: false,
                has_ended: false,
                buffer: Box::new([0; BYTES_MAX]),
            })
        })
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(retention: &LogRetention) -> usize {
        size_of::<Self>() + limits(retention).memory() + Files::BYTES + BYTES_MAX
    }

    /// Finds out where the log's files are.
    fn settle(&mut self, now: Mono, world: &mut impl World) {
        if self.settling.settled().is_some() || !self.lane.is_idle() || now < self.again {
            return;
        }
        if let Err(failure) = self.settling.begin(&mut self.lane, now, world) {
            self.settle_later(failure.trouble(), now);
        }
    }

    fn settle_later(&mut self, trouble: Trouble, now: Mono) {
        self.away = Some(trouble);
        self.again = now.after(self.pause);
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(self.retention.retry_max);
    }

    /// Takes the end of a call.
    pub(crate) fn ended(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        (journal, anchors): (&mut Journal, &mut Anchors),
    ) {
        if let Some(outcome) = self.lane.ended(call, result) {
            match self.settling.ended(outcome) {
                Err(failure) => self.settle_later(failure.trouble(), now),
                Ok(()) => {
                    self.away = None;
                    self.settling.settled().iter().for_each(|it| self.log.open(it.current));
                }
            }
            return;
        }
        let lives = &mut self.lives;
        self.log.ended(now, call, result, |record| {
            lives.take(record.bytes, &mut |told| recall::take(told, journal, anchors));
        });
    }

    /// Looks whether there is something new, and how urgent it is.
    fn look(&mut self, journal: &Journal, now: Mono) {
        let total = journal.total();
        if total == self.seen {
            return;
        }
        let new = journal.behind(RecordId(self.seen))..usize::MAX;
        self.is_urgent |= journal.kept_within(new).any(|entry| entry.level == Level::Error);
        self.seen = total;
        self.due = self.due.or(Some(now.after(self.retention.sync_interval)));
    }

    fn is_due(&self, now: Mono) -> bool {
        self.is_ending
            || self.due.is_some_and(|due| due <= now)
            || self.is_urgent && self.not_before <= now
    }

    /// Hands to the log what is new, if it is time, as far as there is room.
    fn hand_over(&mut self, logd: &Logd, now: Now) {
        let total = logd.journal.total();
        if self.goal.is_none() && total > self.fed && self.is_due(now.mono) {
            self.goal = Some(total);
            self.due = None;
            if core::mem::take(&mut self.is_urgent) {
                self.not_before = now.mono.after(self.retention.error_sync_interval);
            }
        }
        if let Some(goal) = self.goal {
            let is_done = self.note_clocks(logd.boot, now) && self.feed(logd, goal);
            self.log.sync();
            if !is_done {
                return;
            }
            self.goal = None;
        }
        if self.is_ending && !self.has_ended && total == self.fed {
            self.has_ended = self.append(&Item::End { boot: logd.boot });
            self.log.sync();
        }
    }

    fn append(&mut self, item: &Item<'_>) -> bool {
        self.log.append(item.write(&mut self.buffer)).is_ok()
    }

    fn note_clocks(&mut self, boot: u32, now: Now) -> bool {
        let is_new = self.last_anchor.is_none_or(|last| now.mono.since(last) >= ANCHOR_INTERVAL);
        let Some(wall) = now.wall.filter(|_| is_new) else { return true };
        let anchor = ClockAnchor { boot, mono_ns: now.mono.0, wall_ns: wall.0 };
        let is_noted = self.append(&Item::Anchor(anchor));
        if is_noted {
            self.last_anchor = Some(now.mono);
        }
        is_noted
    }

    /// Whether all records up to `goal` have been handed over.
    fn feed(&mut self, logd: &Logd, goal: u64) -> bool {
        let journal = &logd.journal;
        let mut text = [0; TEXT_BYTES_MAX];
        let new = journal.behind(RecordId(self.fed))..usize::MAX;
        for entry in journal.kept_within(new).take_while(|entry| entry.id.0 <= goal) {
            let record = journal.read(entry, &mut text);
            let kept = Kept {
                boot: logd.boot,
                id: record.id,
                at_ns: record.ts_ns,
                service: record.service.raw(),
                level: record.level,
                scope: record.scope,
                message: record.message,
                fields: record.fields,
            };
            if !self.append(&Item::Record(kept)) {
                return false;
            }
            self.log.make_room();
            self.missed += entry.id.0 - self.fed - 1;
            self.fed = entry.id.0;
        }
        self.missed += goal - self.fed;
        self.fed = goal;
        true
    }

    /// `ok`, or what is the matter.
    fn word(&self) -> &'static str {
        match self.log.trouble().or(self.away) {
            Some(trouble) => trouble.name(),
            None if !self.log.is_open() => READING,
            None => OK,
        }
    }

    pub(crate) fn state(&self) -> State {
        let settled = self.settling.settled();
        let number = |of: fn(Settled) -> u32| settled.map_or(0, of);
        State {
            word: self.word(),
            missed: self.missed,
            recovered: self.lives.found(),
            lost: self.log.recovered().map_or(0, |recovered| recovered.loss.records),
            generation: number(|settled| settled.current.number()),
            set_aside: number(|settled| settled.older.map_or(0, |older| older.number())),
            handed_over: self.fed,
            durable: self.durable,
        }
    }

    /// What is to be told, if it is time.
    fn news(&mut self, now: Mono) -> Option<&'static str> {
        let word = self.word();
        if word == READING || word == self.told || self.tell_at().is_some_and(|at| now < at) {
            return None;
        }
        (self.told, self.told_at) = (word, Some(now));
        Some(word)
    }

    fn tell_at(&self) -> Option<Mono> {
        self.told_at.map(|at| at.after(TELL_INTERVAL))
    }

    /// When it has something to do by itself.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let is_settling = self.settling.settled().is_none();
        let again = (is_settling && self.lane.is_idle()).then_some(self.again);
        let may_feed = self.log.is_open() && self.goal.is_none();
        let due = self.due.filter(|_| may_feed);
        let urgent = (may_feed && self.is_urgent).then_some(self.not_before);
        let has_news = self.word() != READING && self.word() != self.told;
        let tell = self.tell_at().filter(|_| has_news);
        [again, due, urgent, tell, self.log.deadline()].into_iter().flatten().min()
    }

    /// Begins an orderly end: all is made durable.
    pub(crate) const fn end(&mut self) {
        self.is_ending = true;
    }

    /// Whether nothing is left to do, or nothing can be done.
    pub(crate) fn is_done(&self) -> bool {
        let is_kept = self.has_ended && self.log.is_synced();
        is_kept || self.log.trouble().or(self.away).is_some()
    }

    /// Records that are not durable.
    pub(crate) fn unkept(&self, journal: &Journal) -> u64 {
        if self.is_done() && self.has_ended { 0 } else { journal.total() - self.fed }
    }
}

/// All is well.
const OK: &str = "ok";
/// What former lives have kept is being read.
const READING: &str = "reading";

impl Logd {
    /// Does what is to be done for what is kept, after every event.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep(&mut self, now: Now, world: &mut impl World) {
        let Some(mut keeping) = self.keeping.take() else { return };
        keeping.settle(now.mono, world);
        keeping.look(&self.journal, now.mono);
        // Recovery may end in this step.
        keeping.log.step(now.mono, world);
        if keeping.log.is_open() {
            if !keeping.is_recalled {
                keeping.is_recalled = true;
                recall::finish(&keeping.lives, &mut self.journal);
                self.rename(keeping.lives.newest_boot());
            }
            keeping.hand_over(self, now);
            keeping.log.make_room();
        }
        keeping.log.step(now.mono, world);
        if keeping.log.is_synced() {
            keeping.durable = keeping.fed;
        }
        if let Some(word) = keeping.news(now.mono) {
            self.tell_of_retention(word, now.mono, world);
        }
        self.keeping = Some(keeping);
    }

    /// Boots ascend: if a former life had our number or a higher one, ours is the next.
    fn rename(&mut self, last: Option<u32>) {
        if let Some(last) = last.filter(|last| *last >= self.boot) {
            self.boot = last.saturating_add(1);
            self.anchors.rename(self.boot);
        }
    }
}
