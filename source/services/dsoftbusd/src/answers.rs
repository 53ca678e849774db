use alloc::boxed::Box;

use nexus_bounded::Mono;
use nexus_wire::sessions::SESSION_BYTES_MAX;
use nexus_wire::{EncodeError, FieldsWriter};

/// What is answered over sessions that other endpoints have opened: to nothing how we are, to
/// anything else the same.
pub(crate) struct Answers {
    name: Box<str>,
    /// Questions that were answered.
    answered: u64,
}

impl Answers {
    /// Of the endpoint of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), answered: 0 }
    }

    /// Writes what is answered, while others have so many sessions with us: its length.
    pub(crate) fn write(
        &mut self,
        asked: &[u8],
        (live, now): (usize, Mono),
        out: &mut [u8],
    ) -> usize {
        self.answered += 1;
        if asked.is_empty() {
            return self.status((live, now), out).unwrap_or_default();
        }
        out.iter_mut().zip(asked).for_each(|(to, from)| *to = *from);
        asked.len()
    }

    fn status(&self, (live, now): (usize, Mono), out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = FieldsWriter::new(out);
        let fits = writer.field("answered", self.answered)
            && writer.field("endpoint", &*self.name)
            && writer.field("mono_ns", now.0)
            && writer.field("sessions", live);
        assert!(fits, "four fields fit");
        writer.finish().map(|fields| fields.as_bytes().len())
    }
}

const _: () = assert!(SESSION_BYTES_MAX >= 512, "a status fits an answer");
