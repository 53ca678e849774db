//! Looking at every byte of a sealed segment, a block at a time.

use super::reader::Reader;
use crate::recovery::Sealed;
use crate::segment::{Missing, SegmentError};

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Check {
    group: usize,
    block: usize,
}

impl Check {
    /// Looks at one block more; what the segment is, once that is known.
    pub(super) fn step(&mut self, reader: &mut Reader) -> Result<Option<Sealed>, ()> {
        match self.look(reader) {
            Ok(is_over) => Ok(is_over.then_some(Sealed::Whole)),
            Err(Missing::Fetch) => Err(()),
            Err(Missing::Lost(SegmentError::Unsupported { .. })) => Ok(Some(Sealed::Foreign)),
            Err(Missing::Lost(_)) => Ok(Some(Sealed::Damaged)),
        }
    }

    fn look(&mut self, reader: &mut Reader) -> Result<bool, Missing> {
        let groups = reader.footer()?.groups().len();
        if self.group == groups {
            return Ok(true);
        }
        let index = reader.index(self.group)?;
        let location = index.keys().chain(index.chunks()).nth(self.block);
        match location {
            Some(location) => {
                reader.block(location.block)?;
                self.block += 1;
            }
            None => *self = Self { group: self.group + 1, block: 0 },
        }
        Ok(false)
    }
}
