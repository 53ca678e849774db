use nexus_bounded::Mono;
use nexus_wire::logs::{
    HelloReply, QueryWriter, Refusal, Search, SearchWriter, StatsReply, encode_anchors,
};
use nexus_wire::{AuditReply, EncodeError, LogStatus, RecordId};

use crate::Logd;
use crate::journal::TEXT_BYTES_MAX;
use crate::past;
use crate::search;
use crate::service::Asked;

impl Logd {
    /// The reply to what is refused as a whole. It tells nothing of the journal but to APPEND.
    pub(crate) fn refuse<'b>(
        &self,
        refusal: Refusal,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        refusal.encode(self.journal.dropped(), out)
    }

    /// Records since a time. There is no cursor to go on from, so whatever was left unlooked at
    /// would be hidden for ever: the answer is bounded by `max` and by its bytes, and what lies
    /// between two kept records costs nothing, however much has been dropped there.
    pub(crate) fn query<'b>(
        &self,
        asked: &Asked,
        since_ns: u64,
        max: u16,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let journal = &self.journal;
        let (total, dropped) = (journal.total(), journal.dropped());
        let mut page = QueryWriter::new(asked.head, LogStatus::Ok, total, dropped, out);
        let mut text = [0; TEXT_BYTES_MAX];
        let range = journal.range(Mono(since_ns), Mono(u64::MAX));
        for entry in journal.kept_within(range).take(usize::from(max)) {
            if !page.record(&journal.read(entry, &mut text)) {
                break;
            }
        }
        page.finish()
    }

    pub(crate) fn stats<'b>(
        &self,
        asked: &Asked,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        StatsReply {
            total: self.journal.total(),
            dropped: self.journal.dropped(),
            cap_records: self.limits.journal_records,
            cap_bytes: self.limits.journal_bytes,
            used_records: self.journal.kept(),
            used_bytes: self.journal.used_bytes(),
        }
        .encode(asked.head, LogStatus::Ok, out)
    }

    pub(crate) fn hello<'b>(
        &self,
        asked: &Asked,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let budget = self.senders.budget(asked.from.service());
        HelloReply {
            boot: self.boot,
            service: asked.from.service(),
            incarnation: asked.from.incarnation,
            rights: asked.from.rights,
            events_per_s: budget.events_per_s,
            bytes_per_s: budget.bytes_per_s,
            now_ns: asked.now.0,
        }
        .encode(asked.head, out)
    }

    /// A page is of one boot: of a former one while there is something in front of or behind the
    /// cursor, else of the running one, in which another boot's cursor starts over.
    pub(crate) fn search<'b>(
        &self,
        asked: &Asked,
        search: &Search<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let ours = search.boot == 0 || search.boot == self.boot;
        let here = Search { id: if ours { search.id } else { RecordId(0) }, ..*search };
        let is_past = search.boot < self.boot;
        let (nonce, scan_max) = (asked.head.nonce, self.limits.query_scan_records);
        let (journal, total, dropped) =
            (&self.journal, self.journal.total(), self.journal.dropped());
        if search.boot != 0 && (is_past || search.backward && !search.one_boot) {
            let ends_here = !is_past && search::has_more(journal, &here);
            if let Some(pages) = past::Pages::new(journal, search, is_past).filter(|_| !ends_here) {
                let page = SearchWriter::new(nonce, pages.boot(), pages.total(), 0, out);
                return pages.page(scan_max, page);
            }
        }
        if is_past && search.boot != 0 && search.one_boot {
            let page = SearchWriter::new(nonce, search.boot, 0, 0, out);
            return page.finish(search.id, false);
        }
        let has_past = search.backward && search.boot != 0 && !search.one_boot;
        let page = SearchWriter::new(nonce, self.boot, total, dropped, out);
        let has_past = has_past && journal.attic().len() > 0;
        search::page(journal, &here, scan_max, has_past, page)
    }

    /// One page of ledger rows; the cursor is the place of the next row in the table of senders.
    pub(crate) fn audit<'b>(
        &mut self,
        asked: &Asked,
        cursor: u32,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let next = cursor.saturating_add(AuditReply::ROWS_MAX as u32);
        let (slots, all) = (self.senders.slots(), self.senders.slots().count());
        let (senders, journal) = (&mut self.senders, &self.journal);
        let rows = slots
            .skip(cursor as usize)
            .take(AuditReply::ROWS_MAX)
            .map(|slot| senders.row(slot, u64::from(journal.kept_of(slot)), asked.now));
        let next = if (next as usize) < all { next } else { 0 };
        AuditReply::encode_logd(asked.head, next, rows, out)
    }

    pub(crate) fn read_anchors<'b>(
        &self,
        asked: &Asked,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        encode_anchors(asked.head, self.anchors.of_all_lives(), out)
    }
}
