use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::{ByteQueue, Mono};
use nexus_wire::{Level, MESSAGE_BYTES_MAX, SCOPE_BYTES_MAX};

use crate::limits::{FIELDS_BYTES_MAX, QUEUE_BYTES};
use crate::record::{Record, SpanLife, SpanRef};

/// Level, lengths, cuts, time and span before the texts.
const HEAD_BYTES: usize = 1 + 2 * 5 + 8 + 4 * 4;
const ENTRY_BYTES_MAX: usize = HEAD_BYTES + SCOPE_BYTES_MAX + MESSAGE_BYTES_MAX + FIELDS_BYTES_MAX;

/// Records that wait, with the times at which they were logged.
pub(super) struct Queue {
    entries: ByteQueue,
    scratch: Box<[u8]>,
}

impl Queue {
    pub(super) fn new() -> Self {
        let scratch = vec![0; ENTRY_BYTES_MAX].into_boxed_slice();
        Self { entries: ByteQueue::new(QUEUE_BYTES), scratch }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends a record, or says `false` if there is no room.
    pub(super) fn push(&mut self, record: &Record<'_>, now: Mono) -> bool {
        let mut at = 0;
        let span = record.span.unwrap_or(SpanRef { span: 0, trace: 0, life: None });
        let life = span.life.unwrap_or(SpanLife { boot: 0, life: 0 });
        let lengths = [record.scope.len(), record.message.len(), record.fields.len()];
        let mut put = |bytes: &[u8]| {
            if let Some(target) = self.scratch.get_mut(at..at + bytes.len()) {
                target.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&[record.level.raw()]);
        for len in lengths {
            put(&(len as u16).to_ne_bytes());
        }
        put(&record.cut.to_ne_bytes());
        put(&record.fields_cut.to_ne_bytes());
        put(&now.0.to_ne_bytes());
        put(&span.span.to_ne_bytes());
        put(&span.trace.to_ne_bytes());
        put(&life.boot.to_ne_bytes());
        put(&life.life.to_ne_bytes());
        for text in [record.scope, record.message, record.fields] {
            put(text.as_bytes());
        }
        self.scratch.get(..at).is_some_and(|entry| self.entries.push(entry))
    }

    /// The oldest record and its time.
    pub(super) fn peek(&mut self) -> Option<(Record<'_>, Mono)> {
        decode(self.entries.peek(&mut self.scratch)?)
    }

    pub(super) fn pop(&mut self) {
        self.entries.pop();
    }
}

fn decode(entry: &[u8]) -> Option<(Record<'_>, Mono)> {
    let mut rest = entry;
    let level = Level::from_raw(u8::from_ne_bytes(take(&mut rest)?))?;
    let mut number = || take(&mut rest).map(u16::from_ne_bytes);
    let (scope, message, fields) = (number()?, number()?, number()?);
    let (cut, fields_cut) = (number()?, number()?);
    let at = Mono(u64::from_ne_bytes(take(&mut rest)?));
    let span = u32::from_ne_bytes(take(&mut rest)?);
    let trace = u32::from_ne_bytes(take(&mut rest)?);
    let boot = u32::from_ne_bytes(take(&mut rest)?);
    let life = u32::from_ne_bytes(take(&mut rest)?);
    let life = (boot != 0).then_some(SpanLife { boot, life });
    let mut text = |len: u16| {
        let (front, back) = rest.split_at_checked(usize::from(len))?;
        rest = back;
        core::str::from_utf8(front).ok()
    };
    let (scope, message, fields) = (text(scope)?, text(message)?, text(fields)?);
    let span = (span != 0).then_some(SpanRef { span, trace, life });
    Some((Record { level, scope, message, fields, cut, fields_cut, span }, at))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (front, back) = rest.split_first_chunk::<N>()?;
    *rest = back;
    Some(*front)
}
