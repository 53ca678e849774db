use nexus_port::World;
use nexus_wire::logs::{AppendBatch, AppendReply, BatchReply, SentRecord};
use nexus_wire::{EncodeError, LogStatus, Reason, RecordId};

use crate::Logd;
use crate::service::{Asked, status_of};

impl Logd {
    #[inline(always)]
    pub(crate) fn append<'b>(
        &mut self,
        asked: &Asked,
        record: &SentRecord<'_>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let (status, id) = match self.store(asked, record) {
            Ok(id) => (LogStatus::Ok, id),
            Err(reason) => {
                self.count_refused(asked.slot, reason, 1, world);
                (status_of(reason), RecordId(0))
            }
        };
        AppendReply { id, dropped: self.journal.dropped() }.encode(asked.head, status, out)
    }

    /// Each record of a batch is judged by itself.
    pub(crate) fn append_batch<'b>(
        &mut self,
        asked: &Asked,
        batch: &AppendBatch<'_>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut reply = BatchReply {
            boot: self.boot,
            accepted: 0,
            refused: 0,
            first_refused: 0,
            why: LogStatus::Ok,
            first_id: RecordId(0),
            last_id: RecordId(0),
        };
        for (index, record) in (0u16..).zip(batch.records()) {
            match self.store(asked, &record) {
                Ok(id) => {
                    if reply.accepted == 0 {
                        reply.first_id = id;
                    }
                    reply.last_id = id;
                    reply.accepted += 1;
                }
                Err(reason) => {
                    self.count_refused(asked.slot, reason, 1, world);
                    if reply.refused == 0 {
                        (reply.first_refused, reply.why) = (index, status_of(reason));
                    }
                    reply.refused += 1;
                }
            }
        }
        reply.encode(asked.head, out)
    }

    /// Stores one record, or says why not; counts what is stored and what had to go for it.
    #[inline(always)]
    fn store(&mut self, asked: &Asked, record: &SentRecord<'_>) -> Result<RecordId, Reason> {
        let admitted = self.admission.check(record)?;
        let (slot, service) = (asked.slot, asked.from.service());
        let senders = &mut self.senders;
        senders.accepted(slot, 1);
        if admitted.redacted > 0 {
            senders.redacted(slot, u64::from(admitted.redacted));
        }
        let dropped = |from| senders.dropped(from, 1);
        Ok(self.journal.append(slot, service, asked.now, &admitted, dropped))
    }
}
