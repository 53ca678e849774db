//! What the records of logd's log say, one behind another: which are there, and which are known to
//! be missing.

use nexus_abi::ServiceId;
use nexus_wire::logs::{ClockAnchor, Record};
use nexus_wire::{Fields, FieldsWriter, Level, RecordId};

use super::{Item, Kept};

const ME: &str = "logd";

/// Bytes of a gap's five fields with numbers of 20 digits.
const GAP_BYTES_MAX: usize = 160;

/// What a record of the log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told<'a> {
    /// A record of the journal.
    Record(Kept<'a>),
    /// Records in front of it that are not there.
    Gap(Gap),
    /// Both clocks at one time.
    Anchor(ClockAnchor),
}

/// A record's number, and when it was taken, monotonic ns of its boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// The number.
    pub id: u64,
    /// The time.
    pub ns: u64,
}

/// Records of a boot that are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The boot.
    pub boot: u32,
    /// The first, and not before when it was taken.
    pub first: At,
    /// The last, and not after when it was taken.
    pub last: At,
    /// The boot was cut off there: nobody knows whether there was more.
    pub is_end: bool,
}

impl Gap {
    /// The message of a gap in a boot, and of the end of one that was cut off.
    pub const MESSAGES: [&str; 2] = ["gap", "lost in crash"];

    /// Gives the record that stands for it. Where a boot was cut off the count is not known, and is
    /// 0.
    pub fn record<T>(&self, give: impl FnOnce(&Record<'_>) -> T) -> T {
        let Self { first, last, is_end, .. } = *self;
        let [within, end] = Self::MESSAGES;
        let mut buffer = [0; GAP_BYTES_MAX];
        let mut fields = FieldsWriter::new(&mut buffer);
        let count = if is_end { 0 } else { last.id - first.id + 1 };
        let is_written = fields.field("count", count)
            && fields.field("first_id", first.id)
            && fields.field("first_ns", first.ns)
            && fields.field("last_id", last.id)
            && fields.field("last_ns", last.ns);
        assert!(is_written, "five numbers fit");
        give(&Record {
            id: RecordId(last.id),
            ts_ns: last.ns,
            service: ServiceId::from_name(ME),
            level: Level::Warn,
            scope: ME,
            message: if is_end { end } else { within },
            fields: fields.finish().unwrap_or(Fields::EMPTY),
        })
    }
}

/// The records so far.
#[derive(Clone, Copy, Default, Debug)]
pub struct Lives {
    newest: Option<Newest>,
    found: u64,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    boot: u32,
    at: At,
    /// Its life ended in order.
    has_ended: bool,
}

impl Lives {
    /// Nothing has come yet.
    pub const NOTHING: Self = Self { newest: None, found: 0 };

    /// Records that came.
    #[must_use]
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// The boot of the newest record.
    #[must_use]
    pub fn newest_boot(&self) -> Option<u32> {
        self.newest.map(|newest| newest.boot)
    }

    /// Takes a record of the log, and gives what it says. One that is none, which no life of logd's
    /// has written, says nothing, and neither does one that came before.
    pub fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(Told<'_>)) {
        match Item::read(bytes) {
            Some(Item::Record(kept)) => self.record(kept, each),
            Some(Item::Anchor(anchor)) => each(Told::Anchor(anchor)),
            Some(Item::End { boot }) => {
                let newest = self.newest.iter_mut();
                newest.for_each(|newest| newest.has_ended |= newest.boot == boot);
            }
            None => {}
        }
    }

    fn record(&mut self, kept: Kept<'_>, each: &mut dyn FnMut(Told<'_>)) {
        let Kept { boot, id: RecordId(id), at_ns: ns, .. } = kept;
        match self.newest {
            Some(Newest { boot: newest, at, .. }) if (boot, id) <= (newest, at.id) => return,
            Some(Newest { boot: newest, at, .. }) if newest == boot && id - at.id > 1 => {
                let (first, last) = (At { id: at.id + 1, ns: at.ns }, At { id: id - 1, ns });
                each(Told::Gap(Gap { boot, first, last, is_end: false }));
            }
            Some(newest) if newest.boot != boot => {
                newest.cut_off().into_iter().for_each(|gap| each(Told::Gap(gap)));
            }
            _ => {}
        }
        self.found += 1;
        self.newest = Some(Newest { boot, at: At { id, ns }, has_ended: false });
        each(Told::Record(kept));
    }

    /// All have come: what is to be said of the newest boot, if it did not end in order.
    #[must_use]
    pub fn finish(&self) -> Option<Gap> {
        self.newest.and_then(|newest| newest.cut_off())
    }
}

impl Newest {
    /// Says of a life that did not end in order that there may have been more.
    fn cut_off(&self) -> Option<Gap> {
        let next = At { id: self.at.id.saturating_add(1), ns: self.at.ns };
        let gap = Gap { boot: self.boot, first: next, last: next, is_end: true };
        (!self.has_ended).then_some(gap)
    }
}
