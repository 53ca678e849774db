//! Sampling the registry: what has changed in each raw window, series by series, as records.
//!
//! A window is sampled once it is over, a few series with each event. Which window an update
//! belongs to is decided by that: what is accepted before its series is looked at belongs to the
//! window that is being sampled, what comes behind that to a later one. So each update is in one
//! window, and all windows together are what the registry has counted.
//!
//! A window that comes late, because nobody gave us the time or there was no room, is not made up
//! for: what it would have had is in the next one, which says `catchup`. So does a window behind
//! one that got more than it has room for; it begins where that one stopped.

use nexus_bounded::{Mono, Nanos};
use nexus_port::Now;
use nexus_retention::record::{Header, Taken, Writer};
use nexus_retention::recorder::{Limits, Recorder};
use nexus_retention::segment::Anchor;

use crate::registry::{Look, Registry};

/// Series that one event looks at.
const LOOKS: u32 = 256;

/// Where records go.
pub(crate) trait Records {
    /// What the records of a window begin with; `None`: there is no room for it.
    fn open(&mut self, boot: u32, window: u64) -> Option<Header>;

    /// A series found no number in the segment.
    fn lack_series(&mut self);

    /// One record of it.
    fn take(&mut self, record: &[u8]);

    /// It is whole.
    fn close(&mut self) {}
}

/// Which series is next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Of those that have a number in the segment.
    Numbered(u32),
    /// Of all rows, for those that have none.
    Row(u32),
}

const START: Next = Next::Numbered(0);

/// Samples one window after another.
pub(crate) struct Sampler {
    boot: u32,
    interval: Nanos,
    writer: Writer,
    /// The window that is open; `None` until somebody has said the time.
    open: Option<u64>,
    is_sampling: bool,
    next: Next,
    /// The segment that numbers of series hold for.
    segment: Option<u64>,
    /// Values may have waited for longer than a window.
    is_late: bool,
    is_ending: bool,
}

impl Sampler {
    /// All memory taken now. Windows have the length `interval`, which is not zero.
    pub(crate) fn new(boot: u32, interval: Nanos, limits: &Limits) -> Self {
        Self {
            boot,
            interval,
            writer: Writer::new(limits),
            open: None,
            is_sampling: false,
            next: START,
            segment: None,
            is_late: false,
            is_ending: false,
        }
    }

    /// When there is something to do.
    pub(crate) const fn deadline(&self) -> Mono {
        match self.open {
            Some(open) if !self.is_sampling && !self.is_ending => {
                Mono(open.saturating_add(1).saturating_mul(self.interval.0))
            }
            _ => Mono(0),
        }
    }

    /// The service ends: the window that is open is sampled as it is, if there is room for it.
    pub(crate) const fn end(&mut self) {
        self.is_ending = true;
    }

    /// Whether what is over has been sampled.
    pub(crate) const fn is_idle(&self) -> bool {
        !self.is_sampling && !self.is_ending
    }

    /// The first window that is not sampled whole.
    pub(crate) fn sampled(&self) -> u64 {
        self.open.unwrap_or_default() - u64::from(self.is_sampling)
    }

    /// Does some of what there is to do.
    pub(crate) fn poll(&mut self, now: Now, registry: &mut Registry, records: &mut impl Records) {
        let window = now.mono.window(self.interval);
        let open = *self.open.get_or_insert(window);
        if !self.is_sampling && window > open {
            self.begin(now, window - 1, registry, records);
        } else if !self.is_sampling && self.is_ending {
            self.is_ending = false;
            self.begin(now, open, registry, records);
        }
        let mut looks = LOOKS;
        while self.is_sampling && looks > 0 {
            looks -= 1;
            self.look(registry, records);
        }
    }

    /// Begins to sample a window that is over; those before it are skipped.
    fn begin(
        &mut self,
        now: Now,
        window: u64,
        registry: &mut Registry,
        records: &mut impl Records,
    ) {
        self.is_late |= self.open.is_some_and(|open| window > open);
        self.open = Some(window.saturating_add(1));
        let Some(header) = records.open(self.boot, window) else {
            self.is_late = true;
            return;
        };
        if self.segment != Some(header.segment) {
            self.segment = Some(header.segment);
            self.next = START;
            registry.begin_segment();
        }
        if header.sequence == 0 {
            registry.begin_group();
        }
        let anchor = Anchor { mono: now.mono, wall: now.wall };
        let anchor = (header.sequence == 0).then_some(anchor);
        let is_catchup = core::mem::take(&mut self.is_late) | registry.take_catchup();
        self.writer.begin(Header { is_catchup, anchor, ..header });
        self.is_sampling = true;
    }

    /// Looks at the next series.
    fn look(&mut self, registry: &mut Registry, records: &mut impl Records) {
        let (look, behind) = match self.next {
            Next::Numbered(id) if id < registry.numbered() => {
                (registry.sample_numbered(id, &mut self.writer), Next::Numbered(id + 1))
            }
            Next::Numbered(_) => (Look::Done, Next::Row(0)),
            Next::Row(row) if row < registry.capacity() => {
                (registry.sample_new(row, &mut self.writer), Next::Row(row + 1))
            }
            Next::Row(_) => return self.finish(START, registry, records),
        };
        match look {
            Look::Done => self.next = behind,
            Look::NoRoom(Taken::RecordFull) => self.give(registry, records),
            Look::NoRoom(_) => {
                self.is_late = true;
                self.finish(self.next, registry, records);
            }
            Look::NoNumber => {
                records.lack_series();
                self.is_late = true;
                self.next = behind;
            }
        }
    }

    /// Ends the window; the next one begins with the series `next`.
    fn finish(&mut self, next: Next, registry: &mut Registry, records: &mut impl Records) {
        self.give(registry, records);
        records.close();
        self.next = next;
        self.is_sampling = false;
    }

    fn give(&mut self, registry: &mut Registry, records: &mut impl Records) {
        if registry.take_catchup() {
            self.writer.mark_catchup();
            self.is_late = true;
        }
        self.writer.finish().into_iter().for_each(|record| records.take(record));
    }
}

/// Where nothing is kept but in memory.
impl Records for Recorder {
    fn open(&mut self, boot: u32, window: u64) -> Option<Header> {
        Self::open(self, boot, window)
    }

    fn lack_series(&mut self) {
        Self::lack_series(self);
    }

    fn take(&mut self, record: &[u8]) {
        let taken = Self::take(self, record);
        assert!(taken == Ok(0), "a recorder has room for what it has opened");
    }
}
