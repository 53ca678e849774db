//! The journal, read page by page, for whoever waits for what comes into it.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::logs::{self, Head, Record, Reply, Request, Version};
use nexus_wire::{LogStatus, QUERY_RECORDS_MAX};

/// How far the journal was read.
#[derive(Default)]
pub struct Pages {
    since_ns: u64,
    id: u64,
}

impl Pages {
    /// Asks by `call` for the next page, and shows its new records to `see`, oldest first; whether
    /// there were any. `None` if logd gives none.
    pub fn next(
        &mut self,
        call: impl FnOnce(&[u8], &mut [u8]) -> Option<usize>,
        mut see: impl FnMut(&Record<'_>),
    ) -> Option<bool> {
        let (mut out, mut answer) = ([0; 64], [0; FRAME_BYTES_MAX]);
        let head = Head { version: Version::V2, nonce: self.id };
        let query = Request::Query { since_ns: self.since_ns, max: QUERY_RECORDS_MAX as u16 };
        let length = call(logs::encode(&query, head, &mut out).ok()?, &mut answer)?;
        let reply = logs::decode_reply(query.op(), head, answer.get(..length)?);
        let Some((LogStatus::Ok, Reply::Query(records))) = reply else { return None };
        let last = self.id;
        for record in records.iter().filter(|record| record.id.0 > last) {
            (self.since_ns, self.id) = (record.ts_ns, record.id.0);
            see(&record);
        }
        Some(self.id > last)
    }
}
