//! What a record of metricsd's log says: what changed in one raw window, or in a part of it.
//!
//! A window is one record, or several if it does not fit. Each begins with a [`Header`] that says
//! which window it is of, and what it can be understood with: series have numbers that hold within
//! one segment, gauges are told as differences that hold within one group. So a record that is
//! lost costs what was in it, and makes no other number wrong: whoever reads sees by `sequence`
//! that it is missing, and does not use what depended on it.
//!
//! [`Writer`] writes, [`Recorder::take`](crate::recorder::Recorder::take) reads.

mod items;
mod writer;

use core::fmt;

use nexus_bounded::{Mono, Wall};

use crate::bytes::{Buffer, Put, Reader};
use crate::segment::Anchor;

pub(crate) use items::{Damaged, Head, Item, Items, Sample, gauge_after};
pub(crate) use writer::RECORD_BYTES_MIN;
pub use writer::{Taken, Value, Writer};

/// The version of the format that this code writes and reads.
pub const VERSION: u8 = 1;

/// Bytes of a header, at most.
pub const HEADER_BYTES_MAX: usize = 2 + 5 + 10 + 10 + 10 + 5 + 10 + 10;

const CATCHUP: u8 = 1;
const ANCHOR: u8 = 2;
const WALL: u8 = 4;

/// What a record is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The boot, counted since the state was made.
    pub boot: u32,
    /// The first window of its segment: series are numbered anew from there on.
    pub segment: u64,
    /// The first window of its group, at most 64 of which make a group.
    pub group: u64,
    /// Its window, counted since boot.
    pub window: u64,
    /// Records of the group before it.
    pub sequence: u32,
    /// Values may be older than the window.
    pub is_catchup: bool,
    /// Two clocks read at once.
    pub anchor: Option<Anchor>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    /// A version that this code does not know.
    Unsupported {
        /// What it says.
        version: u8,
    },
    /// They cannot be.
    Damaged,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { version } => write!(
                f,
                "record format version {version}, and this program knows {VERSION}: use one that \
                 is as new as whatever wrote it"
            ),
            Self::Damaged => f.write_str("not a record: what is in it cannot be"),
        }
    }
}

impl core::error::Error for RecordError {}

impl Header {
    /// What a record is of.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(record: &[u8]) -> Result<Self, RecordError> {
        Self::split(record).map(|(header, _)| header)
    }

    /// The header, and the items behind it.
    pub(crate) fn split(record: &[u8]) -> Result<(Self, &[u8]), RecordError> {
        match record.first() {
            None | Some(0) => return Err(RecordError::Damaged),
            Some(&version) if version != VERSION => {
                return Err(RecordError::Unsupported { version });
            }
            Some(_) => {}
        }
        let mut bytes = Reader::new(record);
        let header = Self::decode(&mut bytes).ok_or(RecordError::Damaged)?;
        Ok((header, bytes.rest()))
    }

    fn decode(bytes: &mut Reader<'_>) -> Option<Self> {
        let (_, flags) = (bytes.u8()?, bytes.u8()?);
        if flags & !(CATCHUP | ANCHOR | WALL) != 0 || flags & (ANCHOR | WALL) == WALL {
            return None;
        }
        let boot = bytes.small()?;
        let segment: u64 = bytes.small()?;
        let group = segment.checked_add(bytes.small()?)?;
        let window = group.checked_add(bytes.small()?)?;
        let sequence = bytes.small()?;
        let mono = if flags & ANCHOR != 0 { Some(Mono(bytes.small()?)) } else { None };
        let wall = if flags & WALL != 0 { Some(Wall(bytes.small()?)) } else { None };
        let anchor = mono.map(|mono| Anchor { mono, wall });
        let is_catchup = flags & CATCHUP != 0;
        Some(Self { boot, segment, group, window, sequence, is_catchup, anchor })
    }

    fn flags(&self) -> u8 {
        let anchor = self.anchor.map_or(0, |anchor| match anchor.wall {
            Some(_) => ANCHOR | WALL,
            None => ANCHOR,
        });
        anchor | if self.is_catchup { CATCHUP } else { 0 }
    }

    fn write(&self, out: &mut Buffer) {
        assert!(self.segment <= self.group && self.group <= self.window, "windows are in order");
        out.u8(VERSION);
        out.u8(self.flags());
        out.varint(self.boot.into());
        out.varint(self.segment.into());
        out.varint((self.group - self.segment).into());
        out.varint((self.window - self.group).into());
        out.varint(self.sequence.into());
        if let Some(anchor) = self.anchor {
            out.varint(anchor.mono.0.into());
            anchor.wall.into_iter().for_each(|wall| out.varint(wall.0.into()));
        }
    }
}
