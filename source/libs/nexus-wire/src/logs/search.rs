//! SEARCH: records by cursor, time and filter.
//!
//! Request body: `boot:u32 id:u64 since_ns:u64 until_ns:u64 service:u64 max:u16 level_max:u8
//! flags:u8 scope_len:u8 pair_len:u16 scope pair`. Reply body: `boot:u32 total:u64 dropped:u64
//! next_id:u64 more:u8 count:u16` and the records, each with `flags:u8` before it.

use nexus_abi::ServiceId;

use crate::bytes::{Reader, Writer};
use crate::list::ListWriter;
use crate::logs::reply::Record;
use crate::logs::{Head, Op, Version, begin_reply};
use crate::{EncodeError, Fields, LABELS_BYTES_MAX, Level, LogStatus, RecordId, SCOPE_BYTES_MAX};

const FLAG_BACKWARD: u8 = 1;
const FLAG_GAPS: u8 = 2;
const FLAG_ONE_BOOT: u8 = 4;
const FOUND_GAP: u8 = 1;

/// What to look for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search<'a> {
    /// Boot the cursor is of; 0: whichever is running, and no other. Behind the last record of a
    /// former boot comes the first of the next one that has any, and the other way round: a reply
    /// is of one boot, and says which. A boot that is still to come is the running one, from its
    /// oldest record on or, backward, from its newest.
    pub boot: u32,
    /// Forward: records behind this one (0: from the oldest). Backward: records before this one
    /// (0: from the newest).
    pub id: RecordId,
    /// Not older than this, monotonic ns.
    pub since_ns: u64,
    /// Not newer than this, monotonic ns.
    pub until_ns: u64,
    /// Of this sender only.
    pub service: Option<ServiceId>,
    /// Records at most.
    pub max: u16,
    /// As grave as this or graver.
    pub level_max: Level,
    /// Newest first.
    pub backward: bool,
    /// With a gap record where records of a sender have been dropped.
    pub gaps: bool,
    /// Scopes that begin so.
    pub scope: &'a str,
    /// Of the cursor's boot only.
    pub one_boot: bool,
    /// One `key=value\n` that must be among the record's fields; empty: any.
    pub pair: Fields<'a>,
}

impl<'a> Search<'a> {
    /// Everything, oldest first, from the oldest on.
    pub const ALL: Self = Search {
        boot: 0,
        id: RecordId(0),
        since_ns: 0,
        until_ns: u64::MAX,
        service: None,
        max: u16::MAX,
        level_max: Level::Trace,
        backward: false,
        gaps: false,
        scope: "",
        one_boot: false,
        pair: Fields::EMPTY,
    };

    pub(crate) fn read(from: &mut Reader<'a>) -> Result<Self, LogStatus> {
        const SHORT: LogStatus = LogStatus::InvalidArgs;
        let head = Self::read_head(from).ok_or(SHORT)?;
        let scope_len = usize::from(from.u8().ok_or(SHORT)?);
        let pair_len = usize::from(from.u16().ok_or(SHORT)?);
        if scope_len > SCOPE_BYTES_MAX || pair_len > LABELS_BYTES_MAX {
            return Err(LogStatus::OverLimit);
        }
        let scope = from.str(scope_len).ok_or(SHORT)?;
        let pair = from.bytes(pair_len).ok_or(SHORT)?;
        let pair = Fields::parse(pair).map_err(|_| SHORT)?;
        let search = Self { scope, pair, ..head };
        if search.is_legal() { Ok(search) } else { Err(SHORT) }
    }

    /// What comes before the texts.
    fn read_head(from: &mut Reader<'a>) -> Option<Self> {
        let mut head = Self {
            boot: from.u32()?,
            id: RecordId(from.u64()?),
            since_ns: from.u64()?,
            until_ns: from.u64()?,
            service: Some(ServiceId::from_raw(from.u64()?)).filter(|service| service.raw() != 0),
            max: from.u16()?,
            level_max: Level::from_raw(from.u8()?)?,
            ..Self::ALL
        };
        let flags = from.u8()?;
        head.backward = flags & FLAG_BACKWARD != 0;
        head.gaps = flags & FLAG_GAPS != 0;
        head.one_boot = flags & FLAG_ONE_BOOT != 0;
        (flags & !(FLAG_BACKWARD | FLAG_GAPS | FLAG_ONE_BOOT) == 0).then_some(head)
    }

    fn is_legal(&self) -> bool {
        self.scope.len() <= SCOPE_BYTES_MAX
            && self.pair.as_str().len() <= LABELS_BYTES_MAX
            && self.pair.iter().count() <= 1
            && self.service.is_none_or(|service| service.raw() != 0)
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.require(self.is_legal());
        to.u32(self.boot);
        to.u64(self.id.0);
        to.u64(self.since_ns);
        to.u64(self.until_ns);
        to.u64(self.service.map_or(0, ServiceId::raw));
        to.u16(self.max);
        to.u8(self.level_max.raw());
        to.u8((u8::from(self.backward) * FLAG_BACKWARD)
            | (u8::from(self.gaps) * FLAG_GAPS)
            | (u8::from(self.one_boot) * FLAG_ONE_BOOT));
        to.len8(self.scope.as_bytes());
        to.len16(self.pair.as_str().as_bytes());
        to.bytes(self.scope.as_bytes());
        to.bytes(self.pair.as_str().as_bytes());
    }
}

/// Something found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// A record.
    Record(Record<'a>),
    /// What was dropped of a sender: a record made up for the reader, with the id and time of the
    /// last record dropped, scope `logd`, message `gap` and the fields `count first_id first_ns
    /// last_id last_ns`.
    Gap(Record<'a>),
}

/// A decoded SEARCH reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SearchReply<'a> {
    /// The boot that all of it is of.
    pub boot: u32,
    /// Records ever appended in this boot; of a former one, as far as is known.
    pub total: u64,
    /// Records dropped in this boot.
    pub dropped: u64,
    /// Cursor of the next request: the last record looked at.
    pub next_id: RecordId,
    /// Whether there is more behind the cursor.
    pub more: bool,
    found: &'a [u8],
}

impl<'a> SearchReply<'a> {
    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let boot = from.u32()?;
        let total = from.u64()?;
        let dropped = from.u64()?;
        let next_id = RecordId(from.u64()?);
        let more = from.flag()?;
        let count = from.u16()?;
        let found = from.rest();
        for _ in 0..count {
            read_found(from)?;
        }
        Some(Self { boot, total, dropped, next_id, more, found })
    }

    /// What was found, in the order asked for.
    pub fn found(&self) -> impl Iterator<Item = Found<'a>> + 'a {
        let mut rest = Reader::new(self.found);
        core::iter::from_fn(move || read_found(&mut rest))
    }

    /// The records among it.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + 'a {
        self.found().filter_map(|found| match found {
            Found::Record(record) => Some(record),
            Found::Gap(_) => None,
        })
    }
}

fn read_found<'a>(from: &mut Reader<'a>) -> Option<Found<'a>> {
    match from.u8()? {
        0 => Record::read(from).map(Found::Record),
        FOUND_GAP => Record::read(from).map(Found::Gap),
        _ => None,
    }
}

/// Writes a SEARCH reply.
#[derive(Debug)]
pub struct SearchWriter<'a> {
    list: ListWriter<'a>,
    next_at: usize,
}

impl<'a> SearchWriter<'a> {
    /// A reply at the front of `out`.
    #[must_use]
    pub fn new(nonce: u64, boot: u32, total: u64, dropped: u64, out: &'a mut [u8]) -> Self {
        let head = Head { version: Version::V2, nonce };
        let mut writer = begin_reply(Op::Search, head, LogStatus::Ok, out);
        writer.u32(boot);
        writer.u64(total);
        writer.u64(dropped);
        let next_at = writer.len();
        writer.u64(0);
        writer.u8(0);
        Self { list: ListWriter::begin(writer), next_at }
    }

    /// Appends something found; `false` and nothing when it does not fit.
    #[must_use]
    pub fn found(&mut self, found: &Found<'_>) -> bool {
        let (flags, record) = match found {
            Found::Record(record) => (0, record),
            Found::Gap(record) => (FOUND_GAP, record),
        };
        self.list.entry(|to| {
            to.u8(flags);
            record.write(to);
        })
    }

    /// How many have been appended.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.list.len()
    }

    /// Whether nothing has been appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(self, next_id: RecordId, more: bool) -> Result<&'a [u8], EncodeError> {
        self.list.finish(|to| {
            to.patch_u64(self.next_at, next_id.0);
            to.patch_u8(self.next_at + 8, u8::from(more));
        })
    }
}
