//! Evidence: records read back from logd by QUERY, page by page, each page within its limits.

use nexus_bounded::Mono;
use nexus_wire::logs::{Record, Reply, Request};
use nexus_wire::{LogStatus, QUERY_RECORDS_MAX};

use crate::Why;
use crate::talk::Talk;

/// Pages that one look takes; a journal of a test has fewer.
const PAGES_MAX: u32 = 256;

/// Where a look goes on.
#[derive(Clone, Copy)]
struct From {
    since_ns: u64,
    /// The last record that was seen.
    id: u64,
}

impl Talk<'_> {
    /// Shows every record since `since` to `look`, oldest first, each once.
    pub(crate) fn each_record(
        &mut self,
        since: Mono,
        mut look: impl FnMut(&Record<'_>) -> Result<(), Why>,
    ) -> Result<(), Why> {
        let mut from = From { since_ns: since.0, id: 0 };
        for _ in 0..PAGES_MAX {
            let page = self.until("no budget to read", |talk| talk.page(from, &mut look))?;
            if page.id == from.id {
                return Ok(());
            }
            from = page;
        }
        Err("the journal has no end")
    }

    /// Shows one page; `None` if our budget is used up for now. The next page begins at the time of
    /// the last record, as others may have the same.
    fn page(
        &mut self,
        from: From,
        look: &mut impl FnMut(&Record<'_>) -> Result<(), Why>,
    ) -> Result<Option<From>, Why> {
        let max = QUERY_RECORDS_MAX as u16;
        let query = Request::Query { since_ns: from.since_ns, max };
        let records = match self.ask_logd(&query)? {
            (LogStatus::Ok, Reply::Query(records)) => records,
            (LogStatus::RateLimited, _) => return Ok(None),
            _ => return Err("a query was refused"),
        };
        if records.iter().count() > QUERY_RECORDS_MAX {
            return Err("more records than were asked for");
        }
        let mut last = from;
        for record in records.iter().filter(|record| record.id.0 > from.id) {
            if record.ts_ns < last.since_ns || record.id.0 <= last.id {
                return Err("records are out of order, or from before they were asked for");
            }
            look(&record)?;
            last = From { since_ns: record.ts_ns, id: record.id.0 };
        }
        Ok(Some(last))
    }

    /// Waits for a record since `since` that `is_it`.
    pub(crate) fn wait_for(
        &mut self,
        since: Mono,
        late: Why,
        is_it: impl Fn(&Record<'_>) -> bool,
    ) -> Result<(), Why> {
        self.until(late, |talk| {
            let mut found = None;
            talk.each_record(since, |record| {
                found = found.or(is_it(record).then_some(()));
                Ok(())
            })?;
            Ok(found)
        })
    }
}

/// Whether a record has these fields with these very values.
pub(crate) fn has(record: &Record<'_>, fields: &[(&str, &str)]) -> bool {
    fields.iter().all(|(key, value)| record.fields.get(key) == Some(*value))
}
