use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_gate::SenderSlot;
use nexus_port::World;
use nexus_wire::logs::{AppendBatch, AppendReply, BatchReply, SentRecord};
use nexus_wire::{EncodeError, LogStatus, Reason, RecordId};

use crate::Logd;
use crate::admission::Admitted;
use crate::service::{Asked, status_of};

impl Logd {
    /// The reply to an APPEND of which that became.
    #[inline(always)]
    pub(crate) fn answer_stored<'b>(
        &mut self,
        asked: &Asked,
        stored: Result<RecordId, Reason>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let (status, id) = match stored {
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
            match self.store_next(asked, record) {
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
    pub(crate) fn store(
        &mut self,
        asked: &Asked,
        record: SentRecord<'_>,
    ) -> Result<RecordId, Reason> {
        self.admission.check_sizes(&record)?;
        if !self.admission.passes(&record) {
            return self.store_settled(asked.slot, asked.from.service(), asked.now, record);
        }
        let senders = &mut self.senders;
        senders.accepted(asked.slot, 1);
        let dropped = |from| senders.dropped(from, 1);
        let admitted = Admitted::whole(&record);
        Ok(self.journal.append(asked.slot, asked.from.service(), asked.now, &admitted, dropped))
    }

    /// The same for one of many.
    #[inline(never)]
    pub(crate) fn store_next(
        &mut self,
        asked: &Asked,
        record: SentRecord<'_>,
    ) -> Result<RecordId, Reason> {
        self.store(asked, record)
    }

    #[cold]
    fn store_settled(
        &mut self,
        slot: SenderSlot,
        service: ServiceId,
        now: Mono,
        record: SentRecord<'_>,
    ) -> Result<RecordId, Reason> {
        let Self { admission, senders, journal, .. } = self;
        let admitted = admission.settle(&record)?;
        senders.redacted(slot, u64::from(admitted.redacted));
        senders.accepted(slot, 1);
        let dropped = |from| senders.dropped(from, 1);
        Ok(journal.append(slot, service, now, &admitted, dropped))
    }
}
