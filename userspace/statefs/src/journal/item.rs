use crate::name::{NAME_BYTES_MAX, Name};
use crate::sector::PAYLOAD_BYTES;
use crate::space::{EXTENTS_MAX, Extent, Extents};
use nexus_bounded::bytes::{Put as _, Reader, Slot};

/// Most bytes of an item without the last bytes of its file.
pub(super) const BYTES_MAX: usize = 1 + 2 + 1 + 8 + 4 + 1 + NAME_BYTES_MAX + 1 + EXTENTS_MAX * 8;

const PUT: u8 = 1;
const GROWN: u8 = 2;
const ERASED: u8 = 3;

/// What can be done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It grows; after a crash it has the length it had at the last sync.
    Log,
    /// It is finished and does not change any more.
    Whole,
}

/// One thing that a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item<'a> {
    /// This is in the slot now, whatever was before.
    Put {
        slot: u16,
        kind: Kind,
        id: u64,
        len: u32,
        name: Name,
        extents: Extents,
        /// Of a log, the bytes that do not fill a sector yet.
        tail: &'a [u8],
    },
    /// The log in the slot is longer.
    Grown { slot: u16, len: u32, tail: &'a [u8] },
    /// Nothing is in the slot.
    Erased { slot: u16 },
}

/// Bytes of a log of `len` bytes that do not fill a sector.
pub(crate) const fn tail_bytes(len: u32) -> usize {
    len as usize % PAYLOAD_BYTES
}

impl Item<'_> {
    pub(crate) fn encode(&self, writer: &mut Slot<'_>) {
        match *self {
            Self::Put { slot, kind, id, len, name, ref extents, tail } => {
                writer.u8(PUT);
                writer.u16(slot);
                writer.u8(if kind == Kind::Log { 1 } else { 2 });
                writer.u64(id);
                writer.u32(len);
                writer.u8(name.as_bytes().len() as u8);
                writer.bytes(name.as_bytes());
                writer.u8(extents.as_slice().len() as u8);
                for extent in extents.as_slice() {
                    writer.u32(extent.start);
                    writer.u32(extent.sectors);
                }
                writer.bytes(tail);
            }
            Self::Grown { slot, len, tail } => {
                writer.u8(GROWN);
                writer.u16(slot);
                writer.u32(len);
                writer.bytes(tail);
            }
            Self::Erased { slot } => {
                writer.u8(ERASED);
                writer.u16(slot);
            }
        }
    }
}

/// The next item of a record; `None` if it is none.
pub(crate) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Item<'a>> {
    let (tag, slot) = (reader.u8()?, reader.u16()?);
    match tag {
        PUT => put(slot, reader),
        GROWN => {
            let len = reader.u32()?;
            Some(Item::Grown { slot, len, tail: reader.bytes(tail_bytes(len))? })
        }
        ERASED => Some(Item::Erased { slot }),
        _ => None,
    }
}

fn put<'a>(slot: u16, reader: &mut Reader<'a>) -> Option<Item<'a>> {
    let kind = match reader.u8()? {
        1 => Kind::Log,
        2 => Kind::Whole,
        _ => return None,
    };
    let (id, len) = (reader.u64()?, reader.u32()?);
    let name_bytes = usize::from(reader.u8()?);
    let name = Name::from_bytes(reader.bytes(name_bytes)?)?;
    let mut extents = Extents::default();
    for _ in 0..reader.u8()? {
        let extent = Extent { start: reader.u32()?, sectors: reader.u32()? };
        if !extents.push(extent) {
            return None;
        }
    }
    let tail = if kind == Kind::Log { tail_bytes(len) } else { 0 };
    Some(Item::Put { slot, kind, id, len, name, extents, tail: reader.bytes(tail)? })
}
