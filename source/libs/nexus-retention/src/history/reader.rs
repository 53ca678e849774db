//! Answers RANGE: segment after segment, frame after frame.

use core::ops::Range as Numbers;

use nexus_wire::metrics::{
    Moment, Range, RangeClock, RangeCursor, RangeEntry, RangeHead, RangeLost, RangeSeries,
    RangeWriter,
};
use nexus_wire::{HistoryLoss, Tier};

use super::Selection;
use super::cursor::Cursor;
use super::plan::{Plan, Span, Tiers};
use super::step::{CountsRoom, Fold};
use super::unsealed::Unsealed;
use super::walk::{Event, Found, Gap, Part, Place, Walk};
pub use crate::keeper::Sealed;
use crate::key::SeriesKey;
use crate::name::{self, SegmentName};
use crate::segment::{BUCKETS_MAX, Extent, LocalId, Meta, SegmentError};

/// What a reader is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Series that are looked up at a time.
    pub series: u32,
    /// Bytes of the index of a group, at most; one that is longer cannot be read.
    pub index_bytes: u32,
    /// Pieces of files that are read for one frame before it ends where it can.
    pub reads: u32,
}

impl Limits {
    /// Bytes of memory that a reader takes.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Reader>() + Walk::heap_bytes(self.series as usize, self.index_bytes as usize)
    }
}

/// What there is.
pub trait Kept {
    /// The sealed segments of a tier, in order of their names.
    fn segments(&self, tier: Tier) -> &[Sealed];

    /// What is in no sealed segment of the raw tier yet.
    fn unsealed(&self) -> Unsealed<'_> {
        Unsealed::default()
    }

    /// The first raw window of the running boot that is not recorded whole: answers end before it.
    /// 0: all there is is whole.
    fn recorded(&self) -> u64 {
        0
    }
}

/// Why a question is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The cursor is none that a reader has given for this question.
    Cursor,
    /// What the cursor points at is not there any more: ask again from the time that was reached.
    Gone,
}

/// What a reader has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It wants these bytes of a segment, or the first of them; then it goes on.
    Wants {
        /// The tier of the segment.
        tier: name::Tier,
        /// The segment.
        name: SegmentName,
        /// It is not sealed.
        is_draft: bool,
        /// The bytes.
        extent: Extent,
    },
    /// The frame ends here, with this cursor.
    Ends(RangeCursor),
    /// What was being read is there no more: ask again.
    Gone,
}

/// A question that is being answered.
#[derive(Clone, Copy, Debug)]
struct Question {
    selection: Selection,
    plan: Plan,
    /// The raw window with which the answer ends; 0: whatever is asked for.
    end: u64,
}

/// The segment that is read.
#[derive(Clone, Debug)]
struct Open {
    span: Span,
    /// Windows that make a step.
    ratio: u64,
    name: SegmentName,
    /// Windows that are asked for.
    range: Numbers<u64>,
    /// The window with which the next segment of the same boot begins.
    behind: Option<u64>,
    is_draft: bool,
}

/// A segment that is to be read.
#[derive(Clone, Copy)]
struct Next {
    name: SegmentName,
    len: u32,
    behind: Option<u64>,
    is_draft: bool,
}

/// Reads what is kept, for one question at a time.
pub struct Reader {
    limits: Limits,
    question: Option<Question>,
    walk: Walk,
    /// Which span of the plan.
    span: usize,
    open: Option<Open>,
    /// The last segment of the span that has been read.
    done: Option<SegmentName>,
    /// Of what the walk has found, the row with which the next step begins.
    row: usize,
    is_clock_told: bool,
    /// The series that the frame's rows are of.
    told: Option<(SegmentName, LocalId)>,
    reads: u32,
}

/// The frame has no room.
struct Full;

impl Reader {
    /// Takes all memory.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            question: None,
            walk: Walk::new(limits.series as usize, limits.index_bytes as usize),
            span: 0,
            open: None,
            done: None,
            row: 0,
            is_clock_told: false,
            told: None,
            reads: 0,
        }
    }

    /// Begins a frame of an answer; what the frame says before its entries. Whatever was being
    /// answered is given up.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn begin(
        &mut self,
        range: &Range<'_>,
        tiers: &Tiers,
        now: Moment,
        kept: &impl Kept,
    ) -> Result<RangeHead, Refusal> {
        let cursor = match range.cursor {
            RangeCursor::START => None,
            words => Some(Cursor::read(words).ok_or(Refusal::Cursor)?),
        };
        // An answer ends where it ended when it began, however long it takes.
        let end = cursor.map_or_else(|| kept.recorded(), |cursor| cursor.end);
        let [raw, ..] = tiers;
        let recorded = Moment { boot: now.boot, mono_ns: end.saturating_mul(raw.window.0) };
        let to = if end == 0 { range.to } else { range.to.min(recorded).max(range.from) };
        let plan = Plan::of(&Range { to, ..*range }, tiers);
        self.question = Some(Question { selection: Selection::of(range), plan, end });
        (self.span, self.open, self.done) = (0, None, None);
        (self.row, self.told, self.reads) = (0, None, 0);
        if let Some(cursor) = cursor {
            self.resume(cursor, range.from, kept)?;
        }
        Ok(RangeHead { now, tier: plan.tier, window_ns: plan.window.0, step_ns: plan.step.0 })
    }

    fn resume(&mut self, cursor: Cursor, from: Moment, kept: &impl Kept) -> Result<(), Refusal> {
        let question = self.question.as_mut().ok_or(Refusal::Cursor)?;
        let spans = &mut question.plan.spans;
        let is_it = |span: &Option<Span>| span.is_some_and(|span| span.tier == cursor.tier);
        self.span = spans.iter().position(is_it).ok_or(Refusal::Gone)?;
        // Where the longer tier ended when its turn was over, this one began. It may reach further
        // now, but those segments of this tier are not in it.
        spans.iter_mut().skip(self.span).take(1).flatten().for_each(|span| span.from = from);
        let next = find(kept, cursor.tier, cursor.segment).ok_or(Refusal::Gone)?;
        self.begin_segment(next, cursor.place).ok_or(Refusal::Cursor)?;
        self.row = cursor.row.into();
        Ok(())
    }

    /// Takes bytes that are wanted, the first of them; none: the file ends there.
    pub fn take(&mut self, bytes: &[u8]) {
        self.walk.take(bytes);
    }

    /// The bytes that are wanted cannot be read.
    pub fn fail(&mut self) {
        self.walk.fail();
    }

    /// Whether what is read may be put elsewhere or deleted at any moment.
    pub fn may_go(&self, kept: &impl Kept) -> bool {
        self.open.as_ref().is_none_or(|open| {
            let oldest = kept.segments(open.span.tier).first();
            open.is_draft || oldest.is_none_or(|oldest| oldest.name >= open.name)
        })
    }

    /// Looks what has become of the segment that is read; `false`: it is there no more.
    fn look_again(&mut self, kept: &impl Kept) -> bool {
        let Some(open) = self.open.as_ref() else { return true };
        let Some(next) = find(kept, open.span.tier, open.name) else { return false };
        if open.is_draft && !next.is_draft {
            // It was sealed meanwhile: the same is in the same place.
            let place = self.walk.place();
            return self.begin_segment(next, place).is_some();
        }
        self.grow(kept)
    }

    /// What is not sealed may have grown.
    fn grow(&mut self, kept: &impl Kept) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.is_draft) else { return true };
        let meta = Meta { boot: open.name.boot, tier: tier_of(&open.span) };
        let footer = kept.unsealed().footer(open.name, meta);
        let is_there = footer.is_some();
        footer.into_iter().for_each(|footer| self.walk.grow(footer));
        is_there
    }

    /// Goes on with the frame as far as it can.
    pub fn turn(&mut self, kept: &impl Kept, frame: &mut RangeWriter<'_>) -> Turn {
        if !self.look_again(kept) || !self.grow(kept) {
            return Turn::Gone;
        }
        loop {
            if self.open.is_none() {
                match self.next_segment(kept) {
                    None => return Turn::Ends(RangeCursor::START),
                    Some(()) if self.reads >= self.limits.reads => {
                        return Turn::Ends(self.cursor(Place::START));
                    }
                    Some(()) => {}
                }
                self.grow(kept);
            }
            if let Some(turn) = self.go_on(kept, frame) {
                return turn;
            }
        }
    }

    fn go_on(&mut self, kept: &impl Kept, frame: &mut RangeWriter<'_>) -> Option<Turn> {
        if self.tell_clock(frame).is_err() {
            return Some(Turn::Ends(self.cursor(Place::START)));
        }
        let is_enough = self.reads >= self.limits.reads && !frame.is_empty();
        let Self { walk, open, row, told, .. } = self;
        let open = open.as_ref()?;
        let id = walk.series();
        let written = match walk.event(&kept.unsealed()) {
            Event::Wants(extent) => {
                self.reads = self.reads.saturating_add(1);
                let (tier, name, is_draft) = (tier_of(&open.span), open.name, open.is_draft);
                return Some(Turn::Wants { tier, name, is_draft, extent });
            }
            Event::Done => {
                self.done = Some(open.name);
                self.open = None;
                return None;
            }
            _ if is_enough => Err(Full),
            Event::Found(found) => tell_found(open, &found, id, row, told, frame),
            Event::Lost(gap) => tell_lost(open, walk, gap, told, frame),
        };
        if written.is_err() {
            return Some(Turn::Ends(self.cursor(self.walk.place())));
        }
        self.row = 0;
        self.walk.pass();
        None
    }

    fn cursor(&self, place: Place) -> RangeCursor {
        self.open.as_ref().map_or(RangeCursor::START, |open| {
            let row = if place == Place::START { 0 } else { self.row as u8 };
            let end = self.question.map_or(0, |question| question.end);
            Cursor { tier: open.span.tier, segment: open.name, place, row, end }.write()
        })
    }

    /// Says once a segment how its time is to be put into the calendar.
    fn tell_clock(&mut self, frame: &mut RangeWriter<'_>) -> Result<(), Full> {
        let (Some(anchor), Some(open), false) =
            (self.walk.anchor(), self.open.as_ref(), self.is_clock_told)
        else {
            return Ok(());
        };
        if let Some(wall) = anchor.wall {
            let at = Moment { boot: open.name.boot, mono_ns: anchor.mono.0 };
            let clock = RangeClock { at, wall_ns: wall.0 };
            write(frame, &RangeEntry::Clock(clock))?;
        }
        self.is_clock_told = true;
        Ok(())
    }

    /// Opens the next segment that holds something of what is asked for.
    fn next_segment(&mut self, kept: &impl Kept) -> Option<()> {
        loop {
            let plan = self.question.as_ref()?.plan;
            let span = plan.spans.get(self.span).copied()?;
            let next = span.and_then(|span| {
                let sealed = next(kept.segments(span.tier), &span, self.done);
                sealed.or_else(|| next_draft(kept, &span, self.done))
            });
            if let Some(next) = next {
                return self.begin_segment(next, Place::START);
            }
            self.span += 1;
            self.done = None;
        }
    }

    fn begin_segment(&mut self, next: Next, place: Place) -> Option<()> {
        let Question { selection, plan, .. } = self.question?;
        let span = plan.spans.get(self.span).copied().flatten()?;
        let Next { name, len, behind, is_draft } = next;
        let range = span.windows(name.boot);
        let meta = Meta { boot: name.boot, tier: tier_of(&span) };
        self.walk.begin(Part { meta, first: name.first, len }, selection, range.clone(), place);
        self.open = Some(Open { span, ratio: plan.ratio(&span), name, range, behind, is_draft });
        self.is_clock_told = place.at.is_some();
        Some(())
    }
}

fn write(frame: &mut RangeWriter<'_>, entry: &RangeEntry<'_>) -> Result<(), Full> {
    if frame.entry(entry) { Ok(()) } else { Err(Full) }
}

const fn tier_of(span: &Span) -> name::Tier {
    name::Tier { is_rollup: !matches!(span.tier, Tier::Raw), window: span.window }
}

/// The window with which the segment in a place begins, if it is of this boot.
fn begin_of(segments: &[Sealed], at: usize, boot: u32) -> Option<u64> {
    segments.get(at).filter(|next| next.name.boot == boot).map(|next| next.name.first)
}

/// A segment of a tier, sealed or not.
fn find(kept: &impl Kept, tier: Tier, name: SegmentName) -> Option<Next> {
    let segments = kept.segments(tier);
    if let Ok(at) = segments.binary_search_by_key(&name, |sealed| sealed.name) {
        let (sealed, behind) = (segments.get(at)?, begin_of(segments, at + 1, name.boot));
        return Some(Next { name, len: sealed.len, behind, is_draft: false });
    }
    let is_draft = tier == Tier::Raw && kept.unsealed().names().any(|draft| draft == name);
    is_draft.then_some(Next { name, len: u32::MAX, behind: None, is_draft })
}

/// The first segment behind `done` that is not sealed and may hold windows of the span.
fn next_draft(kept: &impl Kept, span: &Span, done: Option<SegmentName>) -> Option<Next> {
    let newest = kept.segments(span.tier).last().map(|sealed| sealed.name);
    let behind = done.max(newest);
    let unsealed = kept.unsealed();
    let mut names = unsealed.names().filter(|_| span.tier == Tier::Raw);
    let is_asked = |name: &SegmentName| {
        let range = span.windows(name.boot);
        Some(*name) > behind && name.first < range.end && !range.is_empty()
    };
    let name = names.find(is_asked)?;
    Some(Next { name, len: u32::MAX, behind: None, is_draft: true })
}

/// The first segment behind `done` that may hold windows of the span.
fn next(segments: &[Sealed], span: &Span, done: Option<SegmentName>) -> Option<Next> {
    let from = done.map_or(0, |done| segments.partition_point(|sealed| sealed.name <= done));
    for (sealed, at) in segments.iter().skip(from).zip(from..) {
        let SegmentName { boot, first } = sealed.name;
        let range = span.windows(boot);
        let behind = begin_of(segments, at + 1, boot);
        if span.to.boot < boot {
            return None;
        }
        let is_over = behind.is_some_and(|behind| behind <= range.start);
        if first < range.end && !range.is_empty() && !is_over {
            let Sealed { name, len } = *sealed;
            return Some(Next { name, len, behind, is_draft: false });
        }
    }
    None
}

/// Says what a series did in a group, from a row on; that row is noted.
fn tell_found(
    open: &Open,
    found: &Found<'_>,
    id: Option<LocalId>,
    row: &mut usize,
    told: &mut Option<(SegmentName, LocalId)>,
    frame: &mut RangeWriter<'_>,
) -> Result<(), Full> {
    let group = (found.windows, found.samples);
    let mut fold = Fold::new(group, open.range.clone(), open.ratio, *row);
    while let Some(step) = fold.next() {
        tell_series(open, (&found.key, found.bounds), id, told, frame)?;
        let mut room: CountsRoom = [0; BUCKETS_MAX * 9];
        write(frame, &RangeEntry::Row(step.row(&mut room)))?;
        *row = fold.row();
    }
    Ok(())
}

/// Says which series it is, unless the frame's last rows are of the same.
fn tell_series(
    open: &Open,
    (key, bounds): (&SeriesKey<'_>, &[u8]),
    id: Option<LocalId>,
    told: &mut Option<(SegmentName, LocalId)>,
    frame: &mut RangeWriter<'_>,
) -> Result<(), Full> {
    let is_it = id.map(|id| (open.name, id));
    if is_it.is_some() && *told == is_it {
        return Ok(());
    }
    let series = RangeSeries {
        boot: open.name.boot,
        service: key.service,
        kind: key.kind,
        unit: key.unit,
        overflow: key.is_overflow,
        name: key.name.as_str(),
        labels: key.labels.fields().as_str(),
        bounds,
    };
    write(frame, &RangeEntry::Series(series))?;
    *told = is_it;
    Ok(())
}

fn tell_lost(
    open: &Open,
    walk: &Walk,
    gap: Gap,
    told: &mut Option<(SegmentName, LocalId)>,
    frame: &mut RangeWriter<'_>,
) -> Result<(), Full> {
    let end = gap.last.map(|last| last.saturating_add(1)).or(open.behind);
    let end = end.unwrap_or_else(|| gap.first.saturating_add(1));
    let (first, end) = (gap.first.max(open.range.start), end.min(open.range.end));
    if first >= end {
        return Ok(());
    }
    let series = gap.nth.and_then(|nth| walk.named(nth));
    if let Some((key, bounds)) = &series {
        tell_series(open, (key, bounds), walk.series(), told, frame)?;
    }
    let at = |window: u64| Moment {
        boot: open.name.boot,
        mono_ns: window.saturating_mul(open.span.window.0),
    };
    let lost =
        RangeLost { why: why(gap.why), of_series: series.is_some(), from: at(first), to: at(end) };
    write(frame, &RangeEntry::Lost(lost))
}

const fn why(error: SegmentError) -> HistoryLoss {
    match error {
        SegmentError::NotASegment | SegmentError::Damaged(_) => HistoryLoss::Damaged,
        SegmentError::Unsupported { .. } => HistoryLoss::Foreign,
        SegmentError::Unsealed => HistoryLoss::Unsealed,
        SegmentError::Unreadable(_) => HistoryLoss::Unreadable,
    }
}
