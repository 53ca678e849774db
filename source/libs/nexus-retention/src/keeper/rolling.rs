//! Which sealed segment is rolled up next, and where its windows go.
//!
//! A segment that ended early within a longer window leaves the rest of it to the next one. So a
//! draft is not ended there: what begins in its last window goes into it, as another group, and a
//! longer window is in one segment. If there is no room for that, both go into the next draft. What
//! is sealed then tells what it was made of: all that began before its end.

use super::draft::{Draft, Overflow};
use super::limits::StoreLimits;
use super::reader::Reader;
use super::roll::{Roll, Scratch, Step};
use super::shelf::{Sealed, Shelf};
use crate::manifest::TIERS;
use crate::name::SegmentName;
use crate::segment::{Anchor, Footer, Meta};

/// Segments that could not be rolled up, or only in part.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unrolled {
    /// They were damaged, or deleted before it was their turn.
    pub unreadable: u64,
    /// A segment of longer windows had no room for them.
    pub too_large: u64,
}

/// All that is rolled up: a tier out of the one before it, one segment at a time.
pub(super) struct Rolling {
    /// Of the tiers behind the first.
    rolls: [Roll; TIERS - 1],
    /// Segments of the tier before, up to this one, have had their turn.
    progress: [Option<SegmentName>; TIERS],
    anchors: [Option<Anchor>; TIERS],
    /// The last of them ended within a longer window.
    is_partial: [bool; TIERS],
    /// What the progress was before the first of those that share a window with the last one.
    before_chain: [Option<SegmentName>; TIERS],
    scratch: Scratch,
    /// The tier that is being made, and out of which segment.
    job: Option<(usize, Sealed)>,
    unrolled: Unrolled,
}

impl Rolling {
    pub(super) fn new(limits: &StoreLimits) -> Self {
        let roll = |tier| Roll::new(limits.ratio(tier), limits.series, limits.key_bytes);
        Self {
            rolls: [roll(1), roll(2)],
            progress: [None; TIERS],
            anchors: [None; TIERS],
            is_partial: [false; TIERS],
            before_chain: [None; TIERS],
            scratch: Scratch::new(),
            job: None,
            unrolled: Unrolled::default(),
        }
    }

    pub(super) const fn unrolled(&self) -> Unrolled {
        self.unrolled
    }

    /// The file that the reader reads.
    pub(super) const fn source(&self) -> Option<(usize, SegmentName)> {
        match self.job {
            Some((tier, sealed)) => Some((tier - 1, sealed.name)),
            None => None,
        }
    }

    pub(super) fn anchor(&self, tier: usize) -> Option<Anchor> {
        self.anchors.get(tier).copied().flatten()
    }

    /// Finds out what has been rolled up by what is sealed. Drafts are gone.
    pub(super) fn resume(&mut self, shelves: &[Shelf; TIERS]) {
        self.job = None;
        for tier in 1..TIERS {
            let progress = self.rolled(tier, shelves);
            if let Some(place) = self.progress.get_mut(tier) {
                *place = progress;
            }
        }
    }

    /// The last segment of the tier before that the newest one of a tier was made of, or that is
    /// older.
    fn rolled(&self, tier: usize, shelves: &[Shelf; TIERS]) -> Option<SegmentName> {
        let (from, to) = (shelves.get(tier.checked_sub(1)?)?, shelves.get(tier)?);
        let (newest, end, ratio) = (to.newest()?, to.end()?, self.ratio(tier));
        let is_rolled = |name: SegmentName| (name.boot, name.first / ratio) < (newest.boot, end);
        let sources = from.segments().iter().map(|sealed| sealed.name);
        sources.take_while(|name| is_rolled(*name)).last()
    }

    fn ratio(&self, tier: usize) -> u64 {
        self.rolls.get(tier.saturating_sub(1)).map_or(1, Roll::ratio)
    }

    /// Does a bounded part of the work; whether there was any. `boot`: of now.
    pub(super) fn work(
        &mut self,
        boot: u32,
        shelves: &[Shelf; TIERS],
        drafts: &mut [Draft; TIERS],
        reader: &mut Reader,
    ) -> bool {
        match self.job {
            Some((tier, sealed)) => self.roll(tier, sealed, drafts, reader),
            None => (1..TIERS).any(|tier| self.next(tier, boot, shelves, drafts, reader)),
        }
    }

    /// Begins with the next segment, or ends the draft where that belongs elsewhere.
    fn next(
        &mut self,
        tier: usize,
        boot: u32,
        shelves: &[Shelf; TIERS],
        drafts: &mut [Draft; TIERS],
        reader: &mut Reader,
    ) -> bool {
        let (Some(from), Some(to)) = (shelves.get(tier - 1), shelves.get(tier)) else {
            return false;
        };
        let Some(draft) = drafts.get_mut(tier) else { return false };
        if draft.is_ending() || !draft.has_room() {
            return false;
        }
        let progress = self.progress.get(tier).copied().flatten();
        let next = from.segments().iter().find(|sealed| Some(sealed.name) > progress).copied();
        let ratio = self.ratio(tier);
        let Some(sealed) = next else {
            let is_partial = self.is_partial.get(tier).copied().unwrap_or_default();
            let is_full = draft.end().is_some_and(|end| end.is_multiple_of(to.span()));
            let is_whole = is_full && !is_partial;
            let is_over = draft.name().is_some_and(|name| name.boot < boot || is_whole);
            return is_over && self.end(tier, draft);
        };
        let first = sealed.name.first / ratio;
        match draft.name() {
            Some(name)
                if name.boot != sealed.name.boot || name.first / to.span() != first / to.span() =>
            {
                self.end(tier, draft)
            }
            Some(_) => self.begin(tier, sealed, draft.end(), reader),
            None => {
                let name = SegmentName { boot: sealed.name.boot, first };
                if to.segments().iter().any(|other| other.name == name) {
                    self.unrolled.too_large += 1;
                    return self.skip(tier, sealed.name);
                }
                draft.begin(Meta { boot: name.boot, tier: to.tier() }, first);
                self.roll_mut(tier).into_iter().for_each(Roll::forget_keys);
                self.begin(tier, sealed, None, reader)
            }
        }
    }

    fn roll_mut(&mut self, tier: usize) -> Option<&mut Roll> {
        self.rolls.get_mut(tier.checked_sub(1)?)
    }

    /// `end`: of the draft.
    fn begin(
        &mut self,
        tier: usize,
        sealed: Sealed,
        end: Option<u64>,
        reader: &mut Reader,
    ) -> bool {
        reader.open(sealed.len);
        if end != Some(sealed.name.first / self.ratio(tier) + 1) {
            let progress = self.progress.get(tier).copied().flatten();
            self.before_chain.get_mut(tier).into_iter().for_each(|place| *place = progress);
        }
        self.job = Some((tier, sealed));
        self.roll_mut(tier).into_iter().for_each(Roll::begin);
        true
    }

    /// Ends a draft; one without anything in it is forgotten.
    fn end(&mut self, tier: usize, draft: &mut Draft) -> bool {
        match self.anchor(tier).filter(|_| draft.end().is_some()) {
            Some(anchor) => draft.finish(anchor),
            None => draft.abandon(),
        }
        true
    }

    fn skip(&mut self, tier: usize, name: SegmentName) -> bool {
        self.job = None;
        self.progress.get_mut(tier).into_iter().for_each(|place| *place = Some(name));
        true
    }

    fn roll(
        &mut self,
        tier: usize,
        sealed: Sealed,
        drafts: &mut [Draft; TIERS],
        reader: &mut Reader,
    ) -> bool {
        let (Some(draft), Some(roll)) = (drafts.get_mut(tier), self.rolls.get_mut(tier - 1)) else {
            return false;
        };
        match roll.step(reader, draft, &mut self.scratch) {
            Step::Again => true,
            Step::Wait => false,
            Step::Done => {
                let ratio = roll.ratio();
                reader.footer().into_iter().for_each(|footer| self.note(tier, ratio, footer));
                self.skip(tier, sealed.name)
            }
            Step::Full(overflow) => self.full(tier, sealed, draft, overflow),
            Step::Lost(_) => {
                self.unrolled.unreadable += 1;
                self.skip(tier, sealed.name)
            }
        }
    }

    /// How the segment that was rolled up ends.
    fn note(&mut self, tier: usize, ratio: u64, footer: &Footer) {
        let last = footer.groups().last().map(|group| group.last);
        let is_partial = last.is_some_and(|last| !last.saturating_add(1).is_multiple_of(ratio));
        self.anchors.get_mut(tier).into_iter().for_each(|place| *place = Some(footer.anchor));
        self.is_partial.get_mut(tier).into_iter().for_each(|place| *place = is_partial);
    }

    /// What has no room in a draft goes to the next one, with what shares a window with it, unless
    /// there is nothing else in this one.
    fn full(&mut self, tier: usize, sealed: Sealed, draft: &mut Draft, _: Overflow) -> bool {
        self.job = None;
        let first = sealed.name.first / self.ratio(tier);
        if draft.end().is_some_and(|end| end <= first) {
            return self.end(tier, draft);
        }
        if draft.end().is_some() && draft.give_up_chain() {
            let before = self.before_chain.get(tier).copied().flatten();
            self.progress.get_mut(tier).into_iter().for_each(|place| *place = before);
            return self.end(tier, draft);
        }
        self.unrolled.too_large += 1;
        if draft.end().is_none() {
            draft.abandon();
        }
        self.skip(tier, sealed.name)
    }

    /// The draft that is being written is lost.
    pub(super) fn stop(&mut self) {
        self.job = None;
    }
}
