//! What the blocks of a segment hold, once they are here.

use nexus_wire::Kind;

use super::bytes::Piece;
use super::walk::Stop;
use crate::key::SeriesKey;
use crate::segment::{
    Form, GroupEntry, GroupIndex, LocalId, Location, Samples, SegmentError, Shape, each_definition,
    find_chunk,
};

/// The index of a group that is the one the footer means; `None`: it is wanted first.
pub(super) fn group_index<'a>(
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
pub(super) fn load(
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
pub(super) fn look(
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
