//! Reading one segment without waiting: what series did, group by group.
//!
//! As many series as there is room for are looked up at a time; then what they did is read, group
//! by group; then the next ones. So a block is read once for all of them.

mod event;
mod file;
mod memory;

use core::ops::Range as Numbers;

use super::Selection;
use super::batch::{Batch, Series};
use super::unsealed::Unsealed;
use crate::key::SeriesKey;
use crate::name::SegmentName;
use crate::recorder::{Columns, Group};
use crate::segment::{Anchor, Fetcher, Footer, GroupEntry, LocalId, Missing, Samples, Windows};
pub use event::{Event, Found, Gap};
pub(super) use event::{Part, Place};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// What the segment says of itself.
    Footer,
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
    file: Fetcher,
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
    /// A place in the group in memory of that number.
    columns: Columns,
    columns_of: Option<usize>,
}

/// A group whose turn it is.
#[derive(Clone, Copy)]
enum Turn<'a> {
    File(GroupEntry),
    Memory(&'a Group),
}

impl Turn<'_> {
    fn first(&self) -> u64 {
        match self {
            Self::File(entry) => entry.first,
            Self::Memory(group) => group.windows().first().unwrap_or(u64::MAX),
        }
    }

    fn last(&self) -> u64 {
        match self {
            Self::File(entry) => entry.last,
            Self::Memory(group) => group.windows().last().unwrap_or(u64::MAX),
        }
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
            file: Fetcher::new(index_bytes, 0),
            batch: Batch::new(series),
            batch_from: LocalId(0),
            resume: None,
            group: 0,
            nth: 0,
            windows: Windows::new(),
            samples: Samples::new(),
            columns: Columns::nowhere(),
            columns_of: None,
        }
    }

    /// Bytes of memory that it takes besides itself.
    pub(super) const fn heap_bytes(series: usize, index_bytes: usize) -> usize {
        Fetcher::heap_bytes(index_bytes, 0) + Batch::heap_bytes(series) + Samples::HEAP_BYTES
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
        self.phase = Phase::Footer;
        self.footer = None;
        self.file.open(part.len);
        self.look_up(place.batch, place.at);
    }

    /// What is begun is not sealed, and says that of itself now. To be called again before
    /// anything else whenever time has passed: it grows.
    pub(super) fn grow(&mut self, footer: Footer) {
        self.footer = Some(footer);
        self.columns_of = None;
        if self.phase == Phase::Footer {
            self.phase = Phase::Keys;
        }
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
        self.file.take(bytes);
    }

    /// The bytes that are wanted cannot be read.
    pub fn fail(&mut self) {
        self.file.fail();
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
    /// `unsealed`: what is not sealed now.
    pub fn event(&mut self, unsealed: &Unsealed<'_>) -> Event<'_> {
        while !matches!(self.phase, Phase::Found | Phase::Lost(..) | Phase::Done) {
            if let Some(extent) = self.file.wants() {
                return Event::Wants(extent);
            }
            self.go_on(unsealed);
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

    fn go_on(&mut self, unsealed: &Unsealed<'_>) {
        match self.phase {
            Phase::Footer => {
                let read = self.read_footer();
                self.settle(read, Self::gap_of_all);
            }
            Phase::Keys => self.go_on_with_keys(unsealed),
            _ => self.go_on_with_chunks(unsealed),
        }
    }

    fn go_on_with_keys(&mut self, unsealed: &Unsealed<'_>) {
        match self.group(unsealed).filter(|_| self.batch.next.is_none()) {
            None => self.begin_chunks(),
            Some(Turn::Memory(group)) => self.look_in_memory(group),
            Some(Turn::File(group)) => {
                let read = self.read_keys(group);
                self.settle(read, |walk| walk.gap_of_keys(group));
            }
        }
    }

    fn go_on_with_chunks(&mut self, unsealed: &Unsealed<'_>) {
        match self.group(unsealed) {
            None => self.end_batch(),
            Some(group) if group.last() < self.range.start => self.next_group(),
            Some(Turn::Memory(group)) => self.read_memory(group),
            Some(Turn::File(group)) => {
                let read = self.read_chunk(group);
                self.settle(read, |walk| walk.gap_of_chunk(group));
            }
        }
    }

    /// Notes what cannot be read, and what comes behind it.
    fn settle(&mut self, read: Result<(), Missing>, gap: impl FnOnce(&mut Self) -> (Gap, Then)) {
        let Err(Missing::Lost(why)) = read else { return };
        let (gap, then) = gap(self);
        self.phase = Phase::Lost(Gap { why, ..gap }, then);
        // Whoever goes on behind the keys has heard of what is lost of them.
        if self.resume.is_some() && matches!(then, Then::NextKeys | Then::NextKeyGroup) {
            self.pass();
        }
    }

    /// The group whose turn it is, unless it is behind all windows that are asked for.
    fn group<'a>(&self, unsealed: &Unsealed<'a>) -> Option<Turn<'a>> {
        let groups = self.footer.as_ref()?.groups();
        let group = match self.group.checked_sub(groups.len()) {
            None => groups.get(self.group).copied().map(Turn::File),
            Some(nth) => unsealed.groups(self.name()?).nth(nth).map(Turn::Memory),
        };
        group.filter(|group| group.first() < self.range.end)
    }

    fn name(&self) -> Option<SegmentName> {
        self.part.map(|part| SegmentName { boot: part.meta.boot, first: part.first })
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
}
