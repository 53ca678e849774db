//! A window's way: into the log and the recorder, and with its group into a segment.

use nexus_bounded::Mono;
use nexus_port::Now;

use super::{Keeper, Phase, RAW, SERIES_AT_ONCE};
use crate::record::Header;
use crate::recorder::Refusal;
use crate::segment::{Anchor, END_BYTES_MAX, Meta};

/// What a group takes of a segment besides what its records take of memory: its index, and for each
/// series which windows it is in.
const GROUP_BYTES: u64 = 512;
const SERIES_BYTES: u64 = 12;
/// Bytes in a segment that a byte of a record may become: of the varints of a series, some may be
/// long and the others short, and Rice codes with one parameter fit neither.
const CODED_MAX: u64 = 2;

impl Keeper {
    /// What the records of a window are to begin with. `None`: it is to be skipped, and what has
    /// changed goes into a later one.
    pub fn open(&mut self, window: u64) -> Option<Header> {
        if self.phase != Phase::Live || self.is_stopping {
            return None;
        }
        if self.is_log_behind() {
            return None;
        }
        if self.is_short_of_room(window) {
            self.recorder.end_segment();
        }
        self.recorder.open(self.boot, window)
    }

    /// Whether the log may have no room for a window: what is not logged is not recorded either.
    fn is_log_behind(&self) -> bool {
        let window = self.limits.recorder.window_bytes;
        !self.log.has_room(window)
    }

    /// Whether the segment has to end before this window: its file or the log would be full. Where
    /// a longer window ends, this is looked at earlier, so that none lies in two segments.
    fn is_short_of_room(&self, window: u64) -> bool {
        let limits = &self.limits.recorder;
        let is_aligned = window.is_multiple_of(limits.align_windows.into());
        let (bytes, windows) = self.recorder.groups().fold((0, 0), |(bytes, windows), group| {
            (bytes + group.bytes() as u64, windows + group.windows().len() as u64)
        });
        let ahead = if is_aligned { u64::from(limits.align_windows) } else { 1 };
        let one = bytes.checked_div(windows).unwrap_or(0);
        let series = u64::from(self.recorder.series());
        let groups = 2 * (GROUP_BYTES + series * SERIES_BYTES);
        let needed = (bytes + ahead * one) * CODED_MAX + groups;
        let [raw, ..] = &self.store.drafts;
        let room = match raw.name() {
            Some(_) => raw.room(),
            None => u64::from(self.limits.store.segment_bytes).saturating_sub(END_BYTES_MAX as u64),
        };
        let is_log_full = {
            let (used, all) = (self.log.sectors_used(), self.limits.log.sectors());
            if is_aligned { used > all / 2 } else { used > all / 4 * 3 }
        };
        windows > 0 && (needed > room || is_log_full)
    }

    /// A series found no number in the segment: it ends as soon as one can.
    pub const fn lack_series(&mut self) {
        self.recorder.lack_series();
    }

    /// Says that the window that was opened is whole. A sync is of whole windows where it can be.
    pub const fn close(&mut self) {
        self.is_whole = true;
    }

    /// By when a window is to be durable.
    fn sync_deadline(&self, window: u64) -> Mono {
        let [raw, ..] = self.limits.store.tiers;
        Mono(window.saturating_mul(raw.window.0)).after(self.limits.sync_interval)
    }

    /// Takes a record of the window that was opened: it is durable with the next sync.
    pub fn put(&mut self, record: &[u8]) {
        let Ok(header) = Header::read(record) else {
            self.losses.strange += 1;
            return;
        };
        let place = self.log.end();
        if self.log.append(record).is_err() {
            self.losses.unlogged += 1;
        } else if let Some(place) = place {
            let is_noted = self.marks.note((header.boot, header.segment), place);
            assert!(is_noted, "no more segments are under way than there are marks");
        }
        self.next_sync = self.next_sync.min(self.sync_deadline(header.window));
        self.is_due = true;
        match self.phase {
            Phase::Live => match self.recorder.take(record) {
                Ok(lost) => self.losses.values += u64::from(lost),
                Err(_) => self.losses.strange += 1,
            },
            // It is read again with everything else.
            Phase::Lost => {}
            // The rest of a window whose beginning is being read again.
            _ => self.losses.windows += 1,
        }
    }

    /// Takes a record that the log has given back; whether there was one to take.
    pub(super) fn feed(&mut self) -> bool {
        let Some((place, record)) = self.backlog.first() else { return false };
        let Ok(header) = Header::read(record) else {
            self.losses.strange += 1;
            self.backlog.pop();
            return true;
        };
        match self.recorder.take(record) {
            Ok(lost) => {
                self.losses.values += u64::from(lost);
                self.marks.note((header.boot, header.segment), place);
            }
            // It comes again when a group is written.
            Err(Refusal::Busy) => return false,
            Err(_) => self.losses.strange += 1,
        }
        self.backlog.pop();
        true
    }

    /// Writes some series of the group that has ended into the draft; whether there was anything to
    /// do.
    pub(super) fn drain(&mut self, now: Now) -> bool {
        let may_write = matches!(self.phase, Phase::Reading | Phase::Settling | Phase::Live);
        if !may_write || !self.store.is_free() || !self.store.is_open() {
            return false;
        }
        let [raw, ..] = &self.store.drafts;
        if raw.is_ending() || !raw.has_room() || self.sealing.is_some() {
            return false;
        }
        let Some(group) = self.recorder.ended() else { return self.finish_whole(now) };
        let segment = (group.boot(), group.segment());
        match self.drafted {
            Some(drafted) if drafted != segment => self.finish(now),
            Some(_) => self.write(now),
            None => self.begin(segment),
        }
    }

    fn begin(&mut self, segment: (u32, u64)) -> bool {
        let Some(group) = self.recorder.ended() else { return false };
        let (boot, first) = (group.boot(), group.windows().first().unwrap_or(group.segment()));
        let [tier, ..] = self.limits.store.tiers;
        let [raw, ..] = &mut self.store.drafts;
        raw.begin(Meta { boot, tier }, first);
        self.drafted = Some(segment);
        true
    }

    fn write(&mut self, now: Now) -> bool {
        let Some(group) = self.recorder.ended() else { return false };
        let windows = group.windows().len() as u64;
        let anchor = group.anchor();
        let [raw, ..] = &mut self.store.drafts;
        match raw.drain(&mut self.recorder, SERIES_AT_ONCE) {
            Ok(false) => {}
            Ok(true) => self.anchor = anchor.or(self.anchor),
            Err(_) => {
                // The group is larger than a whole segment may be, which was another when its
                // records were written.
                self.give_up_group(windows);
                return self.finish(now);
            }
        }
        true
    }

    /// What has no room is lost, and with it what follows in its segment: the series that are
    /// defined in it are not known there.
    fn give_up_group(&mut self, windows: u64) {
        let segment = self.recorder.ended().map(|group| (group.boot(), group.segment()));
        self.losses.windows += windows;
        self.recorder.give_up();
        let follows = |keeper: &Self| {
            let next = keeper.recorder.groups().next()?;
            (Some((next.boot(), next.segment())) == segment).then_some(next.windows().len() as u64)
        };
        if let Some(more) = follows(self) {
            self.recorder.end_segment();
            self.losses.windows += more;
            self.recorder.give_up();
        }
        self.recorder.end_segment();
    }

    /// Seals the draft if its segment has ended and all its groups are in it.
    fn finish_whole(&mut self, now: Now) -> bool {
        let Some(drafted) = self.drafted else { return false };
        let filling = self.recorder.groups().next().map(|group| (group.boot(), group.segment()));
        let is_whole = match filling {
            Some(filling) => filling != drafted,
            None => self.phase == Phase::Settling || self.recorder.has_ended_segment(),
        };
        is_whole && self.finish(now)
    }

    fn finish(&mut self, now: Now) -> bool {
        let drafted = self.drafted.take();
        let is_ours = drafted.is_some_and(|(boot, _)| boot == self.boot);
        let own = is_ours.then_some(Anchor { mono: now.mono, wall: now.wall });
        let anchor = own.or(self.anchor).unwrap_or_else(|| self.last_anchor());
        let has_groups = self.store.finish_raw(anchor);
        self.sealing = drafted.filter(|_| has_groups);
        if !has_groups && let Some(lost) = drafted {
            self.release(lost);
        }
        self.anchor = None;
        true
    }

    /// Of a former boot whose records say nothing of its clocks: the end of its last window.
    fn last_anchor(&self) -> Anchor {
        let raw = self.store.drafts.get(RAW);
        let end = raw.and_then(super::draft::Draft::end).unwrap_or(0);
        let [tier, ..] = self.limits.store.tiers;
        Anchor { mono: Mono(end.saturating_mul(tier.window.0)), wall: None }
    }
}
