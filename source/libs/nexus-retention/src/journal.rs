//! What a record of logd's log is: a record of the journal, a clock anchor, or an orderly end.
//!
//! Each says of which boot it is, so that it stands alone: whatever is lost before it, it is known
//! where it belongs.

mod lives;

use nexus_wire::logs::ClockAnchor;
use nexus_wire::{FIELDS_BYTES_MAX, Fields, Level, MESSAGE_BYTES_MAX, RecordId, SCOPE_BYTES_MAX};

use crate::bytes::{Put, Reader, Slot};
pub use lives::{At, Gap, Lives, Told};

const RECORD: u8 = 1;
const ANCHOR: u8 = 2;
const END: u8 = 3;

/// Bytes of the longest record: kind, boot, id, time, sender, level, two lengths, texts.
pub const BYTES_MAX: usize =
    1 + 5 + 10 + 10 + 8 + 1 + 1 + 2 + SCOPE_BYTES_MAX + MESSAGE_BYTES_MAX + FIELDS_BYTES_MAX;

/// A record of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept<'a> {
    /// logd's boot.
    pub boot: u32,
    /// Its number in that boot.
    pub id: RecordId,
    /// Monotonic time of that boot, ns.
    pub at_ns: u64,
    /// Who sent it.
    pub service: u64,
    /// How grave it is.
    pub level: Level,
    /// Where in the sender it comes from.
    pub scope: &'a str,
    /// For people.
    pub message: &'a str,
    /// For programs.
    pub fields: Fields<'a>,
}

/// One record of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A record of the journal.
    Record(Kept<'a>),
    /// Both clocks at one time.
    Anchor(ClockAnchor),
    /// logd ended in order; all it had taken in that boot lies before this.
    End {
        /// The boot that ended.
        boot: u32,
    },
}

impl<'a> Item<'a> {
    /// Writes it to the front of `out`, which has room for [`BYTES_MAX`], and gives the bytes.
    pub fn write<'b>(&self, out: &'b mut [u8; BYTES_MAX]) -> &'b [u8] {
        let mut to = Slot::new(&mut out[..]);
        match self {
            Self::Record(kept) => kept.write(&mut to),
            Self::Anchor(anchor) => {
                to.u8(ANCHOR);
                to.varint(anchor.boot.into());
                to.varint(anchor.mono_ns.into());
                to.varint(anchor.wall_ns.into());
            }
            Self::End { boot } => {
                to.u8(END);
                to.varint((*boot).into());
            }
        }
        let len = to.len();
        out.get(..len).unwrap_or_default()
    }

    /// Reads one; `None` if it is none. What is read is as legal as if it had come in a frame.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let item = match from.u8()? {
            RECORD => Self::Record(Kept::read(&mut from)?),
            ANCHOR => Self::Anchor(ClockAnchor {
                boot: from.small()?,
                mono_ns: from.small()?,
                wall_ns: from.small()?,
            }),
            END => Self::End { boot: from.small()? },
            _ => return None,
        };
        from.is_empty().then_some(item)
    }
}

impl<'a> Kept<'a> {
    fn write(&self, to: &mut Slot<'_>) {
        to.u8(RECORD);
        to.varint(self.boot.into());
        to.varint(self.id.0.into());
        to.varint(self.at_ns.into());
        to.u64(self.service);
        to.u8(self.level.raw());
        to.varint(self.scope.len() as u128);
        to.varint(self.message.len() as u128);
        to.bytes(self.scope.as_bytes());
        to.bytes(self.message.as_bytes());
        to.bytes(self.fields.as_bytes());
    }

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (boot, id, at_ns) = (from.small()?, RecordId(from.small()?), from.small()?);
        let (service, level) = (from.u64()?, Level::from_raw(from.u8()?)?);
        let (scope, message) = (from.small::<usize>()?, from.small::<usize>()?);
        let fields = from.rest().len().checked_sub(scope.checked_add(message)?)?;
        let is_short =
            scope <= SCOPE_BYTES_MAX && message <= MESSAGE_BYTES_MAX && fields <= FIELDS_BYTES_MAX;
        let scope = core::str::from_utf8(from.bytes(scope)?).ok()?;
        let message = core::str::from_utf8(from.bytes(message)?).ok()?;
        let fields = Fields::parse(from.bytes(fields)?).ok()?;
        is_short.then_some(Self { boot, id, at_ns, service, level, scope, message, fields })
    }
}
