//! Keys of series, each of which begins as the one before it does.

use super::index::Extent;
use super::{BUCKETS_MAX, KEY_BYTES_MAX, Kind, LocalId, Location, SegmentError};
use crate::bytes::{Buffer, Put, Reader};

const COUNTER: u8 = 0;
const GAUGE: u8 = 1;
const HISTOGRAM: u8 = 2;

/// Bytes of a definition, at most.
pub(crate) const DEFINITION_BYTES_MAX: usize = 2 + (BUCKETS_MAX - 1) * 10 + 4 + KEY_BYTES_MAX;

/// What kind of series it is, and its buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form<'a> {
    /// A counter.
    Counter,
    /// A gauge.
    Gauge,
    /// A histogram; the upper bounds of its buckets, ascending. It has one bucket more.
    Histogram(&'a [u64]),
}

impl Form<'_> {
    /// What kind of series it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter => Kind::Counter,
            Self::Gauge => Kind::Gauge,
            Self::Histogram(bounds) => Kind::Histogram { buckets: bounds.len() as u8 + 1 },
        }
    }

    /// Whether bounds are few enough and ascend.
    pub(crate) fn is_possible(&self) -> bool {
        match self {
            Self::Counter | Self::Gauge => true,
            Self::Histogram(bounds) => {
                bounds.len() < BUCKETS_MAX && bounds.is_sorted_by(|lower, upper| lower < upper)
            }
        }
    }

    pub(crate) fn write(&self, out: &mut Buffer) {
        match self {
            Self::Counter => out.u8(COUNTER),
            Self::Gauge => out.u8(GAUGE),
            Self::Histogram(bounds) => {
                out.u8(HISTOGRAM);
                out.u8(bounds.len() as u8);
                bounds.iter().for_each(|bound| out.varint((*bound).into()));
            }
        }
    }

    pub(crate) fn read<'a>(
        bytes: &mut Reader<'_>,
        bounds: &'a mut [u64; BUCKETS_MAX],
    ) -> Option<Form<'a>> {
        let form = match bytes.u8()? {
            COUNTER => Form::Counter,
            GAUGE => Form::Gauge,
            HISTOGRAM => {
                let bounds = bounds.get_mut(..bytes.u8()?.into())?;
                for bound in bounds.iter_mut() {
                    *bound = bytes.small()?;
                }
                Form::Histogram(bounds)
            }
            _ => return None,
        };
        form.is_possible().then_some(form)
    }
}

/// The key before the one that is written or read.
#[derive(Clone, Debug)]
pub(crate) struct LastKey {
    bytes: [u8; KEY_BYTES_MAX],
    len: usize,
}

impl LastKey {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; KEY_BYTES_MAX], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The next key, of which the first `shared` bytes are those of this one.
    pub(crate) fn replace(&mut self, shared: usize, rest: &[u8]) -> Option<&[u8]> {
        let end = shared.checked_add(rest.len()).filter(|_| shared <= self.len)?;
        self.bytes.get_mut(shared..end)?.copy_from_slice(rest);
        self.len = end;
        Some(self.as_slice())
    }

    pub(crate) fn write(&mut self, form: &Form<'_>, key: &[u8], out: &mut Buffer) {
        let pairs = self.as_slice().iter().zip(key);
        let shared = pairs.take_while(|(before, now)| before == now).count();
        let (_, rest) = key.split_at(shared);
        form.write(out);
        out.varint(shared as u128);
        out.varint(rest.len() as u128);
        out.bytes(rest);
        self.replace(shared, rest);
    }
}

/// Gives the definitions in a block of keys, whose payload is given.
///
/// # Errors
/// [`SegmentError::Damaged`]; those before the damage have been given.
pub fn each_definition(
    at: Location,
    payload: &[u8],
    each: &mut dyn FnMut(LocalId, &Form<'_>, &[u8]),
) -> Result<(), SegmentError> {
    let damaged: Extent = at.block;
    let mut bytes = Reader::new(payload);
    let mut key = LastKey::new();
    let mut id = at.first.0;
    while !bytes.is_empty() {
        next(&mut bytes, &mut key, LocalId(id), each).ok_or(SegmentError::Damaged(damaged))?;
        id = id.saturating_add(1);
    }
    Ok(())
}

fn next(
    bytes: &mut Reader<'_>,
    key: &mut LastKey,
    id: LocalId,
    each: &mut dyn FnMut(LocalId, &Form<'_>, &[u8]),
) -> Option<()> {
    let mut bounds = [0; BUCKETS_MAX];
    let form = Form::read(bytes, &mut bounds)?;
    let (shared, len) = (bytes.small()?, bytes.small()?);
    let rest = bytes.bytes(len)?;
    each(id, &form, key.replace(shared, rest)?);
    Some(())
}
