use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::Text;
use nexus_wire::logs::NewRecord;
use nexus_wire::{FIELDS_BYTES_MAX, Fields, Level, NAME_BYTES_MAX};

use super::parts::{RecordBounds, Split};

/// Bytes of a record's fields before they are split. The largest series needs less than 3500.
pub(super) const FIELDS_BYTES: usize = 4096;

/// What a record is about, as all records of its kind have it.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) scope: &'static str,
    /// The fields that stand in each part.
    pub(super) ids: &'static [&'static str],
}

/// One record on its way into frames, part by part.
pub(super) struct Draft {
    bounds: RecordBounds,
    kind: Kind,
    level: Level,
    message: Text<NAME_BYTES_MAX>,
    fields: Box<[u8]>,
    len: usize,
    parts: u16,
    written: u16,
}

impl Draft {
    pub(super) fn new(bounds: RecordBounds) -> Self {
        Self {
            bounds,
            kind: Kind { scope: "", ids: &[] },
            level: Level::Info,
            message: Text::EMPTY,
            fields: vec![0; FIELDS_BYTES].into_boxed_slice(),
            len: 0,
            parts: 0,
            written: 0,
        }
    }

    /// Whether every part is written.
    pub(super) const fn is_done(&self) -> bool {
        self.written == self.parts
    }

    /// Begins a record whose fields `write` writes; `false` if no parts can hold them.
    pub(super) fn begin(
        &mut self,
        kind: Kind,
        level: Level,
        message: &str,
        write: impl FnOnce(&mut [u8]) -> Option<Fields<'_>>,
    ) -> bool {
        (self.kind, self.level, self.parts, self.written) = (kind, level, 0, 0);
        let (Some(fields), Some(message)) = (write(&mut self.fields), Text::new(message)) else {
            return false;
        };
        let split = Split { fields, ids: kind.ids, bounds: self.bounds };
        let parts = split.parts();
        self.len = fields.as_str().len();
        self.message = message;
        self.parts = parts.unwrap_or(0);
        parts.is_some()
    }

    /// Hands the next part to `append`; it counts as written if that says so.
    pub(super) fn write_part(&mut self, append: impl FnOnce(&NewRecord<'_>) -> bool) -> bool {
        let mut part = [0; FIELDS_BYTES_MAX];
        let fields = self.fields.get(..self.len).unwrap_or_default();
        let fields = Fields::parse(fields).unwrap_or(Fields::EMPTY);
        let split = Split { fields, ids: self.kind.ids, bounds: self.bounds };
        let fields = split.write(self.written, self.parts, &mut part);
        assert!(fields.is_some(), "parts were planned to fit");
        let record = NewRecord {
            level: self.level,
            scope: self.kind.scope,
            message: self.message.as_str(),
            fields: fields.unwrap_or(Fields::EMPTY).as_str().as_bytes(),
        };
        let appended = append(&record);
        self.written += u16::from(appended);
        appended
    }
}
