//! What former lives have kept comes back, and what they have lost is said.

use nexus_abi::ServiceId;
use nexus_bounded::{BlockChain, Mono};
use nexus_retention::journal::{Lives, Told};
use nexus_wire::logs::Record;

use crate::anchors::Anchors;
use crate::journal::{Journal, Past};

/// Takes what a record of the log says.
pub(super) fn take(told: Told<'_>, journal: &mut Journal, anchors: &mut Anchors) {
    match told {
        Told::Anchor(anchor) => anchors.recall(anchor),
        Told::Gap(gap) => gap.record(|record| recall(journal, gap.boot, record, true)),
        Told::Record(kept) => {
            let service = ServiceId::from_raw(kept.service);
            let (scope, message, fields) = (kept.scope, kept.message, kept.fields);
            let (id, ts_ns, level) = (kept.id, kept.at_ns, kept.level);
            let record = Record { id, ts_ns, service, level, scope, message, fields };
            recall(journal, kept.boot, &record, false);
        }
    }
}

/// All have come.
pub(super) fn finish(lives: &Lives, journal: &mut Journal) {
    if let Some(gap) = lives.finish() {
        gap.record(|record| recall(journal, gap.boot, record, true));
    }
}

fn recall(journal: &mut Journal, boot: u32, record: &Record<'_>, is_gap: bool) {
    let past = Past {
        boot,
        id: record.id,
        at: Mono(record.ts_ns),
        service: record.service,
        text: BlockChain::EMPTY,
        message_len: record.message.len() as u16,
        scope_len: record.scope.len() as u8,
        level: record.level,
        is_gap,
    };
    let texts = [record.scope.as_bytes(), record.message.as_bytes(), record.fields.as_bytes()];
    journal.recall(past, &texts);
}
