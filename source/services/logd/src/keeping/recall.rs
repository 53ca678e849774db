//! What former lives have kept comes back, and what they have lost is said.

use nexus_abi::ServiceId;
use nexus_bounded::{BlockChain, Mono};
use nexus_retention::journal::{Item, Kept};
use nexus_wire::{Fields, FieldsWriter, Level, RecordId};

use crate::anchors::Anchors;
use crate::journal::{Journal, Past};

const ME: &str = "logd";
/// Stands for records that are known to be missing.
const GAP: &str = "gap";
/// Stands for what a life had not kept when it was cut off; nobody knows how much.
const LOST: &str = "lost in crash";

/// Bytes of a gap's five fields with numbers of 20 digits.
const GAP_BYTES_MAX: usize = 160;

/// The records so far.
pub(super) struct Recall {
    /// The newest.
    last: Option<Last>,
    /// Records that came.
    pub(super) found: u64,
}

#[derive(Clone, Copy)]
struct Last {
    boot: u32,
    id: u64,
    at_ns: u64,
    /// Its life ended in order.
    has_ended: bool,
}

impl Recall {
    pub(super) const NOTHING: Self = Self { last: None, found: 0 };

    pub(super) fn last_boot(&self) -> Option<u32> {
        self.last.map(|last| last.boot)
    }

    /// Takes a record of the log. One that is none, which no life of ours has written, is left out.
    pub(super) fn take(&mut self, bytes: &[u8], journal: &mut Journal, anchors: &mut Anchors) {
        match Item::read(bytes) {
            Some(Item::Record(kept)) => self.record(&kept, journal),
            Some(Item::Anchor(anchor)) => anchors.recall(anchor),
            Some(Item::End { boot }) => {
                self.last.iter_mut().for_each(|last| last.has_ended |= last.boot == boot);
            }
            None => {}
        }
    }

    fn record(&mut self, kept: &Kept<'_>, journal: &mut Journal) {
        let Kept { boot, id: RecordId(id), at_ns, .. } = *kept;
        match self.last {
            Some(last) if (boot, id) <= (last.boot, last.id) => return,
            Some(last) if last.boot == boot && id - last.id > 1 => {
                gap(journal, boot, (last.id + 1, last.at_ns), (id - 1, at_ns), GAP);
            }
            Some(last) if last.boot != boot => cut_off(journal, &last),
            _ => {}
        }
        self.found += 1;
        self.last = Some(Last { boot, id, at_ns, has_ended: false });
        let past = Past {
            boot,
            id: kept.id,
            at: Mono(at_ns),
            service: ServiceId::from_raw(kept.service),
            text: BlockChain::EMPTY,
            message_len: kept.message.len() as u16,
            scope_len: kept.scope.len() as u8,
            level: kept.level,
            is_gap: false,
        };
        let texts = [kept.scope.as_bytes(), kept.message.as_bytes(), kept.fields.as_bytes()];
        journal.recall(past, &texts);
    }

    /// All have come.
    pub(super) fn finish(&self, journal: &mut Journal) {
        self.last.iter().for_each(|last| cut_off(journal, last));
    }
}

/// Says of a life that did not end in order that there may have been more.
fn cut_off(journal: &mut Journal, last: &Last) {
    if !last.has_ended {
        let next = (last.id + 1, last.at_ns);
        gap(journal, last.boot, next, next, LOST);
    }
}

/// Puts a record between the others that stands for missing ones; of a life that was cut off the
/// count is not known, and is 0.
fn gap(journal: &mut Journal, boot: u32, first: (u64, u64), last: (u64, u64), message: &str) {
    let count = if message == GAP { last.0 - first.0 + 1 } else { 0 };
    let mut buffer = [0; GAP_BYTES_MAX];
    let mut fields = FieldsWriter::new(&mut buffer);
    let written = fields.field("count", count)
        && fields.field("first_id", first.0)
        && fields.field("first_ns", first.1)
        && fields.field("last_id", last.0)
        && fields.field("last_ns", last.1);
    assert!(written, "five numbers fit");
    let fields = fields.finish().unwrap_or(Fields::EMPTY);
    let past = Past {
        boot,
        id: RecordId(last.0),
        at: Mono(last.1),
        service: ServiceId::from_name(ME),
        text: BlockChain::EMPTY,
        message_len: message.len() as u16,
        scope_len: ME.len() as u8,
        level: Level::Warn,
        is_gap: true,
    };
    journal.recall(past, &[ME.as_bytes(), message.as_bytes(), fields.as_bytes()]);
}
