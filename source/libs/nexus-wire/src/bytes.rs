//! Reading and writing of the bytes of frames.

use nexus_abi::Incarnation;
pub use nexus_bounded::bytes::EncodeError;
pub(crate) use nexus_bounded::bytes::{Reader, Writer};

/// A life: four bytes, of which the highest is 0.
pub(crate) fn incarnation(from: &mut Reader<'_>) -> Option<Incarnation> {
    let raw = from.u32()?;
    (raw <= Incarnation::MAX.raw()).then(|| Incarnation::new(raw))
}
