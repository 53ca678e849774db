use nexus_gate::PortTotals;
use nexus_port::World;
use nexus_wire::logs::encode_status;
use nexus_wire::state::logd as key;
use nexus_wire::{EncodeError, FieldsWriter, LedgerRow, REASONS};

use crate::Logd;
use crate::keeping::State;
use crate::service::{Asked, Phase};

/// Bytes of a status' fields, at most: what a frame has besides the head of the reply.
const STATUS_BYTES_MAX: usize = 3072;

impl Logd {
    /// The state as sorted fields, for people and scripts.
    pub(crate) fn status<'b>(
        &mut self,
        asked: &Asked,
        world: &impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut buffer = [0; STATUS_BYTES_MAX];
        let mut fields = FieldsWriter::new(&mut buffer);
        let written = self.write_status(asked, world, &mut fields);
        assert!(written, "the fields of a status are sorted and fit");
        encode_status(asked.head, fields.finish()?, out)
    }

    fn write_status(
        &mut self,
        asked: &Asked,
        world: &impl World,
        fields: &mut FieldsWriter<'_>,
    ) -> bool {
        let (ready, since) = match self.phase {
            Phase::New => (false, asked.now),
            Phase::Proven { since } => (true, since),
            Phase::Failed { since } => (false, since),
        };
        let sums = self.sums(asked);
        let journal = &self.journal;
        let (displaced, displaced_active) = self.senders.displacements();
        fields.field(key::ANCHORS, self.anchors.all().len())
            && fields.field(key::ANCHORS_LOST, self.anchors.lost())
            && fields.field(key::BOOT, self.boot)
            && fields.field(key::BYTES, journal.used_bytes())
            && fields.field(key::BYTES_MAX, self.limits.journal_bytes)
            && fields.field(key::DROPPED, journal.dropped())
            && PortTotals::of(world).iter().all(|(name, total)| fields.field(name, total))
            && fields.field(key::READY, u8::from(ready))
            && fields.field(key::RECORDS, journal.kept())
            && fields.field(key::RECORDS_MAX, self.limits.journal_records)
            && fields.field(key::REDACTED, sums.redacted)
            && write_refused(&sums, fields)
            && self.write_retention(fields)
            && fields.field(key::SENDERS, self.senders.seated())
            && fields.field(key::SENDERS_DISPLACED, displaced)
            && fields.field(key::SENDERS_DISPLACED_ACTIVE, displaced_active)
            && fields.field(key::SENDERS_MAX, self.senders.capacity())
            && fields.field(key::TOTAL, journal.total())
            && fields.field(key::UPTIME_NS, asked.now.since(since).0)
    }

    /// What becomes of records on the disk; `off` and zeros where nothing does.
    fn write_retention(&self, fields: &mut FieldsWriter<'_>) -> bool {
        let state = self.keeping.as_ref().map_or(State::OFF, |keeping| keeping.state());
        fields.field(key::RETENTION, state.word)
            && fields.field(key::RETENTION_DURABLE, state.durable)
            && fields.field(key::RETENTION_GENERATION, state.generation)
            && fields.field(key::RETENTION_LOST, state.lost)
            && fields.field(key::RETENTION_MISSED, state.missed)
            && fields.field(key::RETENTION_RECOVERED, state.recovered)
            && fields.field(key::RETENTION_RECOVERED_KEPT, self.journal.attic().len())
            && fields.field(key::RETENTION_SET_ASIDE, state.set_aside)
            && fields.field(key::RETENTION_WRITTEN, state.handed_over)
    }

    /// The ledgers of all senders added up, as far as a status tells of them.
    fn sums(&mut self, asked: &Asked) -> LedgerRow {
        let mut sums = LedgerRow::default();
        for slot in self.senders.slots() {
            let row = self.senders.row(slot, 0, asked.now);
            sums.redacted += row.redacted;
            for (sum, count) in sums.refused.iter_mut().zip(row.refused) {
                *sum += count;
            }
        }
        sums
    }
}

/// One field for each reason that logd has, in the order of their names.
fn write_refused(sums: &LedgerRow, fields: &mut FieldsWriter<'_>) -> bool {
    let mut reasons = REASONS;
    reasons.sort_unstable_by_key(|(_, name)| *name);
    reasons.iter().all(|(reason, name)| {
        let count = sums.refused.get(reason.index()).copied().unwrap_or_default();
        fields.joined(&["refused_", name], count)
    })
}
