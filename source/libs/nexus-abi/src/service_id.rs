use core::fmt;

/// Name of a service as a number: FNV-1a 64 of its UTF-8 name.
///
/// Source: the FNV-1a parameters of the FNV reference (offset basis `cbf29ce484222325`, prime
/// `100000001b3`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(u64);

impl ServiceId {
    /// The id of the service called `name`.
    #[must_use]
    pub const fn from_name(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Self(hash)
    }

    /// An id that was read from a frame or a table: a statement about somebody, not a stamp.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number as it stands in frames.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The low 32 bits, the upper half of every wire span id of this service.
    #[must_use]
    pub const fn span_prefix(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({:016x})", self.0)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
