//! Identifiers. All are made by counting; none is random.

use core::fmt;
use core::num::NonZeroU64;

use nexus_abi::ServiceId;

/// What the sender's id is mixed with to mark trace ids.
const TRACE_MARK: u64 = 0x5443_525f_4944;

/// A span on the wire: low 32 bits of its sender's service id, then the sender's own count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

impl SpanId {
    /// No span: the parent of a root.
    pub const NONE: Self = Self(0);

    /// The span that `service` counts as `local`.
    #[must_use]
    pub const fn new(service: ServiceId, local: u32) -> Self {
        Self(((service.span_prefix() as u64) << 32) | local as u64)
    }

    /// A span id that was read somewhere; it says nothing yet about who made it.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number in frames.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Whether `service` may have made this id.
    #[must_use]
    pub const fn belongs_to(self, service: ServiceId) -> bool {
        self.0 >> 32 == service.span_prefix() as u64
    }

    /// Whether this names no span.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A trace on the wire: as [`SpanId`], with the sender's id mixed with a mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u64);

impl TraceId {
    /// The trace that `service` counts as `local`.
    #[must_use]
    pub const fn new(service: ServiceId, local: u32) -> Self {
        let marked = (service.raw() ^ TRACE_MARK) & 0xffff_ffff;
        Self((marked << 32) | local as u64)
    }

    /// A trace id that was read somewhere.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number in frames.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Whether `service` may have made this id.
    #[must_use]
    pub const fn belongs_to(self, service: ServiceId) -> bool {
        self.0 >> 32 == (service.raw() ^ TRACE_MARK) & 0xffff_ffff
    }
}

/// A trace as exports show it: boot (32 bits), incarnation (24), lap (8), wire id (64).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WideTraceId(u128);

impl WideTraceId {
    /// The trace `wire` of the given life in the given boot; only metricsd widens.
    #[must_use]
    pub const fn new(
        boot: u32,
        incarnation: nexus_abi::Incarnation,
        lap: u8,
        wire: TraceId,
    ) -> Self {
        Self(
            ((boot as u128) << 96)
                | ((incarnation.raw() as u128) << 72)
                | ((lap as u128) << 64)
                | wire.raw() as u128,
        )
    }

    /// A number that was read somewhere, as its parts.
    #[must_use]
    pub const fn from_raw(raw: u128) -> Self {
        Self(raw)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> u128 {
        self.0
    }

    /// The boot of the metricsd that widened it.
    #[must_use]
    pub const fn boot(self) -> u32 {
        (self.0 >> 96) as u32
    }

    /// The life of the sender that began it.
    #[must_use]
    pub const fn incarnation(self) -> nexus_abi::Incarnation {
        nexus_abi::Incarnation::new((self.0 >> 72) as u32 & nexus_abi::Incarnation::MAX.raw())
    }

    /// How often the sender's count had wrapped, modulo 256.
    #[must_use]
    pub const fn lap(self) -> u8 {
        (self.0 >> 64) as u8
    }

    /// The id on the wire.
    #[must_use]
    pub const fn wire(self) -> TraceId {
        TraceId(self.0 as u64)
    }
}

/// A registered series: valid only for the life of a sender that it was given to. It carries a
/// generation, so that a stale one is `not_found` and never another series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(NonZeroU64);

impl SeriesId {
    /// The id of a place in a table in one of its lives; the generation is not 0.
    #[must_use]
    pub fn new(generation: core::num::NonZeroU32, slot: u32) -> Self {
        let raw = (u64::from(generation.get()) << 32) | u64::from(slot);
        // The upper half is not 0, so the fallback is never taken.
        Self(NonZeroU64::new(raw).unwrap_or(NonZeroU64::MAX))
    }

    /// An id that was read from a frame; 0 is none.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match NonZeroU64::new(raw) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The number in frames.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0.get()
    }

    /// The place in the table.
    #[must_use]
    pub const fn slot(self) -> u32 {
        (self.0.get() & 0xffff_ffff) as u32
    }

    /// The life of the place.
    #[must_use]
    pub const fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

/// A record of the journal: counted from 1 within one boot of logd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecordId(pub u64);

macro_rules! hexadecimal {
    ($($name:ident $format:literal,)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.raw())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(", $format, ")"), self.raw())
            }
        }
    )*};
}

hexadecimal! {
    SpanId "{:016x}",
    TraceId "{:016x}",
    WideTraceId "{:032x}",
    SeriesId "{:016x}",
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({})", self.0)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use nexus_abi::Incarnation;

    use super::*;

    #[test]
    fn a_wide_trace_gives_its_parts_back() {
        let wire = TraceId::from_raw(0x6c89_5f32_0000_0007);
        let wide = WideTraceId::new(u32::MAX, Incarnation::MAX, 255, wire);
        assert_eq!(WideTraceId::from_raw(wide.raw()), wide);
        let parts = (wide.boot(), wide.incarnation(), wide.lap(), wide.wire());
        assert_eq!(parts, (u32::MAX, Incarnation::MAX, 255, wire));
        let small = WideTraceId::new(3, Incarnation::new(12), 0, wire);
        assert_eq!((small.boot(), small.incarnation().raw(), small.lap()), (3, 12, 0));
    }
}
