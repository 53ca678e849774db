//! Reading one segment without waiting: what series did, group by group.
//!
//! As many series as there is room for are looked up at a time; then what they did is read, group
//! by group; then the next ones. So a block is read once for all of them.

use core::ops::Range as Numbers;

use nexus_wire::Kind;

use super::Selection;
use super::batch::{Batch, Series};
use super::bytes::Piece;
use crate::key::SeriesKey;
use crate::segment::{
    Anchor, BLOCK_BYTES_MAX, Extent, Footer, Form, GroupEntry, GroupIndex, HEADER_BYTES, LocalId,
    Location, Meta, Samples, SegmentError, Shape, TRAILER_BYTES, Windows, each_definition,
    find_chunk, footer_extent,
};

/// Where a walk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The series with which it began to look.
    pub(super) batch: LocalId,
    /// The group and the series whose turn it is; `None`: series are still looked up.
    pub(super) at: Option<(u8, LocalId)>,
}

impl Place {
    pub(super) const START: Self = Self { batch: LocalId(0), at: None };
}

/// What is read of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    /// What it is of.
    pub(super) meta: Meta,
    /// Its first window.
    pub(super) first: u64,
    /// Bytes of the file.
    pub(super) len: u32,
}

/// What a series did in a group.
#[derive(Debug)]
pub struct Found<'a> {
    /// Which one it is.
    pub key: SeriesKey<'a>,
    /// Bounds of a histogram's buckets, little-endian words.
    pub bounds: &'a [u8],
    /// The windows of the group: one a row.
    pub windows: &'a Windows,
    /// What it did in them.
    pub samples: &'a Samples,
}

/// Windows that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Why.
    pub why: SegmentError,
    /// From which on.
    pub first: u64,
    /// Up to which; `None`: to the end of the segment, wherever that is.
    pub last: Option<u64>,
    /// Which of the series that are looked up did something there, perhaps; `None`: any.
    pub(super) nth: Option<usize>,
}

/// What a walk has come to.
#[derive(Debug)]
pub enum Event<'a> {
    /// It wants these bytes of the file.
    Wants(Extent),
    /// What a series did.
    Found(Found<'a>),
    /// Something cannot be read.
    Lost(Gap),
    /// That was all.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// How the segment begins and ends.
    Head,
    /// What it says of itself.
    Footer(Extent),
    /// Which series there are.
    Keys,
    /// What they did.
    Chunks,
    /// `samples` holds what one of them did.
    Found,
    /// Something cannot be read; what comes then.
    Lost(Gap, Then),
    Done,
}

/// What comes behind a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Done,
    NextKeys,
    NextKeyGroup,
    NextSeries,
    NextGroup,
}

/// Reads a segment.
pub struct Walk {
    selection: Option<Selection>,
    part: Option<Part>,
    /// Windows that are asked for.
    range: Numbers<u64>,
    phase: Phase,
    footer: Option<Footer>,
    /// Beginning, footer, then the index of a group.
    index: Piece,
    /// End, then a block of keys or chunks.
    block: Piece,
    batch: Batch,
    /// The series with which the batch began.
    batch_from: LocalId,
    /// Where to go on once the batch is there.
    resume: Option<(u8, LocalId)>,
    group: usize,
    /// In the group: block of keys; in the batch: series.
    nth: usize,
    windows: Windows,
    samples: Samples,
}

/// Something is not here yet, or cannot be read.
enum Stop {
    Wanted,
    Lost(SegmentError),
}

impl From<SegmentError> for Stop {
    fn from(why: SegmentError) -> Self {
        Self::Lost(why)
    }
}

impl Walk {
    /// Takes all memory: to look up so many series at a time, and for indexes of so many bytes.
    #[must_use]
    pub fn new(series: usize, index_bytes: usize) -> Self {
        Self {
            selection: None,
            part: None,
            range: 0..0,
            phase: Phase::Done,
            footer: None,
            index: Piece::new(index_bytes.max(crate::segment::END_BYTES_MAX)),
            block: Piece::new(BLOCK_BYTES_MAX),
            batch: Batch::new(series),
            batch_from: LocalId(0),
            resume: None,
            group: 0,
            nth: 0,
            windows: Windows::new(),
            samples: Samples::new(),
        }
    }

    /// Bytes of memory that it takes besides itself.
    pub(super) const fn heap_bytes(series: usize, index_bytes: usize) -> usize {
        let end = crate::segment::END_BYTES_MAX;
        let index = if index_bytes > end { index_bytes } else { end };
        index + BLOCK_BYTES_MAX + Batch::heap_bytes(series) + Samples::HEAP_BYTES
    }

    /// Begins to read a segment, or goes on in it.
    pub(super) fn begin(
        &mut self,
        part: Part,
        selection: Selection,
        range: Numbers<u64>,
        place: Place,
    ) {
        self.part = Some(part);
        self.selection = Some(selection);
        self.range = range;
        self.phase = Phase::Head;
        self.footer = None;
        self.index.clear();
        self.block.clear();
        self.look_up(place.batch, place.at);
    }

    /// Looks up series from one on.
    fn look_up(&mut self, from: LocalId, resume: Option<(u8, LocalId)>) {
        self.batch.clear();
        self.batch_from = from;
        self.resume = resume;
        self.group = 0;
        self.nth = 0;
    }

    /// Where it is now.
    pub(super) fn place(&self) -> Place {
        let is_behind_keys = matches!(
            self.phase,
            Phase::Chunks | Phase::Found | Phase::Lost(_, Then::NextSeries | Then::NextGroup)
        );
        let id = self.batch.id(self.nth).map_or(LocalId(0), |(id, _)| id);
        let at = is_behind_keys.then_some((self.group as u8, id));
        Place { batch: self.batch_from, at: at.or(self.resume) }
    }

    /// Two clocks read at once, once the end of the segment has been read.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        self.footer.as_ref().map(|footer| footer.anchor)
    }

    /// The number of the series whose turn it is.
    pub(super) fn series(&self) -> Option<LocalId> {
        self.batch.id(self.nth).map(|(id, _)| id)
    }

    /// A series that is looked up.
    pub(super) fn named(&self, nth: usize) -> Option<(SeriesKey<'_>, &[u8])> {
        self.batch.get(nth).map(|series| (series.key, series.bounds))
    }

    /// Takes bytes that are wanted, the first of them; none: the file ends there.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.index.wants() {
            Some(_) => self.index.take(bytes),
            None => self.block.take(bytes),
        }
    }

    /// The bytes that are wanted cannot be read.
    pub fn fail(&mut self) {
        match self.index.wants() {
            Some(_) => self.index.fail(),
            None => self.block.fail(),
        }
    }

    /// Goes on behind what was found or lost.
    pub fn pass(&mut self) {
        let then = match self.phase {
            Phase::Found => Then::NextSeries,
            Phase::Lost(_, then) => then,
            _ => return,
        };
        match then {
            Then::NextKeys | Then::NextSeries => self.nth += 1,
            Then::NextKeyGroup | Then::NextGroup => self.next_group(),
            Then::Done => {}
        }
        self.phase = match then {
            Then::Done => Phase::Done,
            Then::NextKeys | Then::NextKeyGroup => Phase::Keys,
            Then::NextSeries | Then::NextGroup => Phase::Chunks,
        };
    }

    fn next_group(&mut self) {
        self.group += 1;
        self.nth = 0;
    }

    /// Goes on as far as it can.
    pub fn event(&mut self) -> Event<'_> {
        while !matches!(self.phase, Phase::Found | Phase::Lost(..) | Phase::Done) {
            if let Some(extent) = self.index.wants().or_else(|| self.block.wants()) {
                return Event::Wants(extent);
            }
            self.go_on();
        }
        match self.phase {
            Phase::Found => self.found().map_or(Event::Done, Event::Found),
            Phase::Lost(gap, _) => Event::Lost(gap),
            _ => Event::Done,
        }
    }

    fn found(&self) -> Option<Found<'_>> {
        let Series { key, bounds } = self.batch.get(self.nth)?;
        Some(Found { key, bounds, windows: &self.windows, samples: &self.samples })
    }

    fn go_on(&mut self) {
        match self.phase {
            Phase::Head => {
                let read = self.read_head();
                self.settle(read, Self::gap_of_all);
            }
            Phase::Footer(extent) => {
                let read = self.read_footer(extent);
                self.settle(read, Self::gap_of_all);
            }
            Phase::Keys => self.go_on_with_keys(),
            _ => self.go_on_with_chunks(),
        }
    }

    fn go_on_with_keys(&mut self) {
        match self.group().filter(|_| self.batch.next.is_none()) {
            None => self.begin_chunks(),
            Some(group) => {
                let read = self.read_keys(group);
                self.settle(read, |walk| walk.gap_of_keys(group));
            }
        }
    }

    fn go_on_with_chunks(&mut self) {
        match self.group() {
            None => self.end_batch(),
            Some(group) if group.last < self.range.start => self.next_group(),
            Some(group) => {
                let read = self.read_chunk(group);
                self.settle(read, |walk| walk.gap_of_chunk(group));
            }
        }
    }

    /// Notes what cannot be read, and what comes behind it.
    fn settle(&mut self, read: Result<(), Stop>, gap: impl FnOnce(&mut Self) -> (Gap, Then)) {
        let Err(Stop::Lost(why)) = read else { return };
        let (gap, then) = gap(self);
        self.phase = Phase::Lost(Gap { why, ..gap }, then);
        // Whoever goes on behind the keys has heard of what is lost of them.
        if self.resume.is_some() && matches!(then, Then::NextKeys | Then::NextKeyGroup) {
            self.pass();
        }
    }

    fn gap_of_all(&mut self) -> (Gap, Then) {
        let first = self.part.map_or(0, |part| part.first);
        (Gap { why: SegmentError::NotASegment, first, last: None, nth: None }, Then::Done)
    }

    /// Series that are defined there are unknown from then on.
    fn gap_of_keys(&mut self, group: GroupEntry) -> (Gap, Then) {
        let last = self.footer.as_ref().and_then(|footer| footer.groups().last());
        let last = last.map(|group| group.last);
        let then = if self.has_index(&group) { Then::NextKeys } else { Then::NextKeyGroup };
        (Gap { why: SegmentError::NotASegment, first: group.first, last, nth: None }, then)
    }

    fn gap_of_chunk(&mut self, group: GroupEntry) -> (Gap, Then) {
        let (nth, then) = match self.has_index(&group) {
            true => (Some(self.nth), Then::NextSeries),
            false => (None, Then::NextGroup),
        };
        let (first, last) = (group.first, Some(group.last));
        (Gap { why: SegmentError::NotASegment, first, last, nth }, then)
    }

    fn has_index(&mut self, group: &GroupEntry) -> bool {
        matches!(group_index(&mut self.index, group), Ok(Some(_)))
    }

    /// How the segment begins and ends; the end in place of a block.
    fn read_head(&mut self) -> Result<(), Stop> {
        let part = self.part.ok_or(Stop::Wanted)?;
        let is_whole = part.len as usize >= HEADER_BYTES + TRAILER_BYTES;
        let front = Extent { offset: 0, len: part.len.min(HEADER_BYTES as u32) };
        let offset = part.len.saturating_sub(TRAILER_BYTES as u32);
        let back = Extent { offset, len: if is_whole { TRAILER_BYTES as u32 } else { 0 } };
        let header = self.index.bytes(front)?.ok_or(Stop::Wanted)?;
        let trailer = self.block.bytes(back)?.ok_or(Stop::Wanted)?;
        self.phase = Phase::Footer(footer_extent(header, trailer, part.len.into())?);
        Ok(())
    }

    fn read_footer(&mut self, extent: Extent) -> Result<(), Stop> {
        let part = self.part.ok_or(Stop::Wanted)?;
        let footer = Footer::decode(extent, self.index.block(extent)?.ok_or(Stop::Wanted)?)?;
        let first = footer.groups().first().map(|group| group.first);
        if footer.meta != part.meta || first != Some(part.first) {
            return Err(SegmentError::Damaged(extent).into());
        }
        self.footer = Some(footer);
        self.phase = Phase::Keys;
        Ok(())
    }

    /// The group whose turn it is, unless it is behind all windows that are asked for.
    fn group(&self) -> Option<GroupEntry> {
        let group = self.footer.as_ref()?.groups().get(self.group).copied();
        group.filter(|group| group.first < self.range.end)
    }

    /// Looks up series in the next block of keys.
    fn read_keys(&mut self, group: GroupEntry) -> Result<(), Stop> {
        let Self { index, block, batch, batch_from, selection, .. } = self;
        let index = group_index(index, &group)?.ok_or(Stop::Wanted)?;
        let mut blocks = index.keys().skip(self.nth);
        let Some(at) = blocks.next() else {
            (self.group, self.nth) = (self.group + 1, 0);
            return Ok(());
        };
        let is_before = blocks.next().is_some_and(|next| next.first <= *batch_from);
        if !is_before {
            let payload = block.block(at.block)?.ok_or(Stop::Wanted)?;
            look(at, payload, |id, form, key, series| {
                if id >= *batch_from && selection.is_some_and(|selection| selection.takes(&series))
                {
                    batch.push(id, form, key);
                }
            })?;
        }
        self.nth += 1;
        Ok(())
    }

    /// The keys are there: begins with what the series did, or ends.
    fn begin_chunks(&mut self) {
        let (group, id) = self.resume.take().unwrap_or((0, LocalId(0)));
        self.group = group.into();
        self.nth = self.batch.at_or_behind(id);
        self.phase = if self.batch.is_empty() { Phase::Done } else { Phase::Chunks };
    }

    /// The batch has had its turn: the next one, if there was no room for all.
    fn end_batch(&mut self) {
        match self.batch.next {
            Some(next) => {
                self.look_up(next, None);
                self.phase = Phase::Keys;
            }
            None => self.phase = Phase::Done,
        }
    }

    /// Reads what the series whose turn it is did in the group, or goes on.
    fn read_chunk(&mut self, group: GroupEntry) -> Result<(), Stop> {
        let is_rollup = self.is_rollup();
        let Self { index, block, batch, samples, .. } = self;
        let index = group_index(index, &group)?.ok_or(Stop::Wanted)?;
        let Some((id, kind)) = batch.id(self.nth) else {
            (self.group, self.nth) = (self.group + 1, 0);
            return Ok(());
        };
        let shape = Shape { kind, is_rollup };
        if load(&index, block, id, shape, samples)? {
            self.windows = *index.windows();
            self.phase = Phase::Found;
        } else {
            self.nth += 1;
        }
        Ok(())
    }

    const fn is_rollup(&self) -> bool {
        matches!(self.part, Some(Part { meta: Meta { tier, .. }, .. }) if tier.is_rollup)
    }
}

/// The index of a group that is the one the footer means; `None`: it is wanted first.
fn group_index<'a>(
    piece: &'a mut Piece,
    group: &GroupEntry,
) -> Result<Option<GroupIndex<'a>>, SegmentError> {
    let Some(payload) = piece.block(group.index)? else { return Ok(None) };
    let index = GroupIndex::decode(group.index, payload)?;
    let windows = index.windows();
    let is_same = (windows.first(), windows.last()) == (Some(group.first), Some(group.last));
    is_same.then_some(Some(index)).ok_or(SegmentError::Damaged(group.index))
}

/// Reads what a series did in a group; whether it did anything.
fn load(
    index: &GroupIndex<'_>,
    block: &mut Piece,
    id: LocalId,
    shape: Shape,
    samples: &mut Samples,
) -> Result<bool, Stop> {
    let Some(at) = index.chunk_of(id) else { return Ok(false) };
    let payload = block.block(at.block)?.ok_or(Stop::Wanted)?;
    let Some((chunk, is_sparse)) = find_chunk(at, payload, id)? else { return Ok(false) };
    let read = samples.read(shape, index.windows().len(), is_sparse, chunk);
    read.map(|()| true).map_err(|_| SegmentError::Damaged(at.block).into())
}

/// Gives the series of a block of keys; one whose key is none is damage.
fn look(
    at: Location,
    payload: &[u8],
    mut each: impl FnMut(LocalId, &Form<'_>, &[u8], SeriesKey<'_>),
) -> Result<(), SegmentError> {
    let mut read = Ok(());
    each_definition(at, payload, &mut |id, form, key| match SeriesKey::read(key) {
        Some(series) if is_of(form, &series) => each(id, form, key, series),
        _ => read = Err(SegmentError::Damaged(at.block)),
    })?;
    read
}

/// Whether a key says of what kind its series is.
const fn is_of(form: &Form<'_>, key: &SeriesKey<'_>) -> bool {
    matches!(
        (form, key.kind),
        (Form::Counter, Kind::Counter)
            | (Form::Gauge, Kind::Gauge)
            | (Form::Histogram(_), Kind::Histogram)
    )
}
