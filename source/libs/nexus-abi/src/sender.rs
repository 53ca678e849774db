use crate::ServiceId;

/// An authenticated identity: only a stamp yields one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SenderId(ServiceId);

impl SenderId {
    /// The service this identity belongs to.
    #[must_use]
    pub const fn service(self) -> ServiceId {
        self.0
    }
}

/// Which life of a service is speaking: 24 bits, counted from 1 by whoever stamps; it wraps to 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Incarnation(u32);

impl Incarnation {
    /// The largest incarnation, 2^24 - 1.
    pub const MAX: Self = Self(0x00ff_ffff);

    /// `raw` cut to 24 bits.
    #[must_use]
    pub const fn new(raw: u32) -> Self {
        Self(raw & Self::MAX.0)
    }

    /// The number, 0 to 2^24 - 1; 0 names no life.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The life after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == Self::MAX.0 { Self(1) } else { Self(self.0 + 1) }
    }
}

/// One life of a sender.
pub type Life = (SenderId, Incarnation);

/// What a sender may do beyond producing, as a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rights(u8);

impl Rights {
    /// May append and update, nothing else.
    pub const NONE: Self = Self(0);
    /// May read records, ledgers and state of the journal.
    pub const QUERY: Self = Self(1);
    /// May read metrics, live spans, ledgers and state of the metrics service.
    pub const SCRAPE: Self = Self(2);

    /// The set whose bits are `raw`; unknown bits are kept and mean nothing.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Self {
        Self(raw)
    }

    /// The bits.
    #[must_use]
    pub const fn raw(self) -> u8 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every right of `other` is here.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The stamp on a frame. Ports make it; services only read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Who.
    pub id: SenderId,
    /// Process number, for people to read; nothing is decided by it.
    pub pid: u32,
    /// Which life of the service.
    pub incarnation: Incarnation,
    /// What else the sender may do.
    pub rights: Rights,
}

impl Sender {
    /// A stamp, made by a port that has authenticated `service`.
    #[must_use]
    pub const fn stamped(
        service: ServiceId,
        pid: u32,
        incarnation: Incarnation,
        rights: Rights,
    ) -> Self {
        Self { id: SenderId(service), pid, incarnation, rights }
    }

    /// The authenticated service.
    #[must_use]
    pub const fn service(&self) -> ServiceId {
        self.id.service()
    }
}

/// Why a life of a service ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitReason {
    /// It ended by itself with this code.
    Exited(i32),
    /// It was ended by this fault or signal number.
    Killed(u32),
    /// Its connection is gone; whether the process lives is not known.
    Disconnected,
}

impl ExitReason {
    /// As it stands in a register: the kind above 32 bits of number.
    #[must_use]
    pub const fn raw(self) -> u64 {
        match self {
            Self::Exited(code) => code.cast_unsigned() as u64,
            Self::Killed(number) => 1 << 32 | number as u64,
            Self::Disconnected => 2 << 32,
        }
    }

    /// Read from a register.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        let number = (raw & 0xffff_ffff) as u32;
        match raw >> 32 {
            0 => Some(Self::Exited(number.cast_signed())),
            1 => Some(Self::Killed(number)),
            2 if number == 0 => Some(Self::Disconnected),
            _ => None,
        }
    }

    /// The number of a bad end, as shells have it: what it exited with, or 128 and the number of
    /// what has ended it; -1 where nobody knows. `None`: it ended well.
    #[must_use]
    pub const fn failure(self) -> Option<i64> {
        match self {
            Self::Exited(0) => None,
            Self::Exited(code) => Some(code as i64),
            Self::Killed(number) => Some(128 + number as i64),
            Self::Disconnected => Some(-1),
        }
    }

    /// The number in [`ExitReason::Killed`] of who was ended by its parent. Below 64 are faults of
    /// the processor, numbered as RISC-V numbers the causes of exceptions.
    pub const BY_PARENT: u32 = 64;
}
