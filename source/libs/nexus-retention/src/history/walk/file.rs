//! Groups of a file, and what of them cannot be read.

use super::{Gap, Part, Phase, Stop, Then, Walk};
use crate::history::blocks::{group_index, load, look};
use crate::segment::{
    Extent, Footer, GroupEntry, HEADER_BYTES, Meta, SegmentError, Shape, TRAILER_BYTES,
    footer_extent,
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
        matches!(group_index(&mut self.index, group), Ok(Some(_)))
    }

    /// How the segment begins and ends; the end in place of a block.
    pub(super) fn read_head(&mut self) -> Result<(), Stop> {
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

    pub(super) fn read_footer(&mut self, extent: Extent) -> Result<(), Stop> {
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

    /// Looks up series in the next block of keys.
    pub(super) fn read_keys(&mut self, group: GroupEntry) -> Result<(), Stop> {
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

    /// Reads what the series whose turn it is did in the group, or goes on.
    pub(super) fn read_chunk(&mut self, group: GroupEntry) -> Result<(), Stop> {
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
