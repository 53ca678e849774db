//! Groups of a file, and what of them cannot be read.

use nexus_wire::Kind;

use super::{Gap, Part, Phase, Then, Walk};
use crate::key::SeriesKey;
use crate::segment::{
    Extent, Form, GroupEntry, LocalId, Location, Meta, Missing, SegmentError, Shape,
    each_definition,
};

impl Walk {
    pub(super) fn gap_of_all(&mut self) -> (Gap, Then) {
        let first = self.part.map_or(0, |part| part.first);
        (Gap { why: SegmentError::NotASegment, first, last: None, nth: None }, Then::Done)
    }

    /// Series that are defined there are unknown from then on.
    pub(super) fn gap_of_keys(&mut self, group: GroupEntry) -> (Gap, Then) {
        let last = self.footer.as_ref().and_then(|footer| footer.groups().last());
        let last = last.map(|group| group.last);
        let then = if self.has_index(&group) { Then::NextKeys } else { Then::NextKeyGroup };
        (Gap { why: SegmentError::NotASegment, first: group.first, last, nth: None }, then)
    }

    pub(super) fn gap_of_chunk(&mut self, group: GroupEntry) -> (Gap, Then) {
        let (nth, then) = match self.has_index(&group) {
            true => (Some(self.nth), Then::NextSeries),
            false => (None, Then::NextGroup),
        };
        let (first, last) = (group.first, Some(group.last));
        (Gap { why: SegmentError::NotASegment, first, last, nth }, then)
    }

    fn has_index(&mut self, group: &GroupEntry) -> bool {
        self.file.index(group).is_ok()
    }

    /// What the segment says of itself: it must be the one that is meant.
    pub(super) fn read_footer(&mut self) -> Result<(), Missing> {
        let part = self.part.ok_or(Missing::Fetch)?;
        let footer = self.file.footer()?;
        let first = footer.groups().first().map(|group| group.first);
        if footer.meta != part.meta || first != Some(part.first) {
            return Err(SegmentError::Damaged(Extent { offset: 0, len: part.len }).into());
        }
        self.footer = Some(footer);
        self.phase = Phase::Keys;
        Ok(())
    }

    /// The block of keys whose turn it is, and the one behind it.
    fn blocks_of_keys(&mut self, group: &GroupEntry) -> Result<[Option<Location>; 2], Missing> {
        let index = self.file.index(group)?;
        let mut blocks = index.keys().skip(self.nth);
        Ok([blocks.next(), blocks.next()])
    }

    /// Looks up series in the next block of keys.
    pub(super) fn read_keys(&mut self, group: GroupEntry) -> Result<(), Missing> {
        let [at, next] = self.blocks_of_keys(&group)?;
        let Some(at) = at else {
            self.next_group();
            return Ok(());
        };
        let Self { file, batch, batch_from, selection, .. } = self;
        let is_before = next.is_some_and(|next| next.first <= *batch_from);
        if !is_before {
            look(at, file.block(at.block)?, |id, form, key, series| {
                if id >= *batch_from && selection.is_some_and(|selection| selection.takes(&series))
                {
                    batch.push(id, form, key);
                }
            })?;
        }
        self.nth += 1;
        Ok(())
    }

    /// Reads what the series whose turn it is did in the group, or goes on.
    pub(super) fn read_chunk(&mut self, group: GroupEntry) -> Result<(), Missing> {
        let is_rollup = self.is_rollup();
        let Some((id, kind)) = self.batch.id(self.nth) else {
            self.next_group();
            return Ok(());
        };
        let shape = Shape { kind, is_rollup };
        match self.file.samples(&group, id, shape, &mut self.samples)? {
            Some(windows) => {
                self.windows = windows;
                self.phase = Phase::Found;
            }
            None => self.nth += 1,
        }
        Ok(())
    }

    const fn is_rollup(&self) -> bool {
        matches!(self.part, Some(Part { meta: Meta { tier, .. }, .. }) if tier.is_rollup)
    }
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
