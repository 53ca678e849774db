use super::Change;
use crate::{ExitReason, Incarnation};

/// How a child is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChildStatus {
    /// Whether a life of it goes on.
    pub is_alive: bool,
    /// The pid of its latest life, 0 if it never had one.
    pub pid: u32,
    /// Which life that is.
    pub incarnation: Incarnation,
    /// What happened to that life last.
    pub latest: Option<Change>,
    /// How many of its lives have ended without that being acknowledged, the latest one included.
    pub ends: u32,
}

impl ChildStatus {
    /// Of an entry that never had a life.
    pub const UNBORN: Self =
        Self { is_alive: false, pid: 0, incarnation: Incarnation::new(0), latest: None, ends: 0 };

    /// The pid of the life that goes on.
    #[must_use]
    pub const fn life(&self) -> Option<u32> {
        if self.is_alive { Some(self.pid) } else { None }
    }

    /// How its latest life has ended, if that was not acknowledged.
    #[must_use]
    pub const fn end(&self) -> Option<ExitReason> {
        match self.latest {
            Some(Change::Ended(reason)) if self.ends > 0 => Some(reason),
            _ => None,
        }
    }

    /// How many lives before its latest one have ended without that being acknowledged. How, nobody
    /// knows any more.
    #[must_use]
    pub const fn overtaken(&self) -> u32 {
        if self.is_alive { self.ends } else { self.ends.saturating_sub(1) }
    }

    /// What stands in `a1` to `a5`.
    #[must_use]
    pub const fn registers(&self) -> [u64; 5] {
        let last = (self.incarnation.raw() as u64) << 32 | self.pid as u64;
        let life = if self.is_alive { last } else { 0 };
        let (changed, latest) = match self.latest {
            Some(change) => (1, change.raw()),
            None => (0, 0),
        };
        [life, changed, latest, last, self.ends as u64]
    }

    /// Read from `a1` to `a5`.
    #[must_use]
    pub const fn from_registers(registers: [u64; 5]) -> Self {
        let [life, changed, latest, last, ends] = registers;
        Self {
            is_alive: life != 0,
            pid: last as u32,
            incarnation: Incarnation::new((last >> 32) as u32),
            latest: if changed == 1 { Change::from_raw(latest) } else { None },
            ends: ends as u32,
        }
    }
}
