//! Evidence: records read back from logd by QUERY, page by page, and by SEARCH where that cannot go
//! on.

use nexus_bounded::Mono;
use nexus_wire::logs::{Found, Record, RecordText, Records, Reply, Request, Search};
use nexus_wire::{LogStatus, QUERY_RECORDS_MAX, QUERY_REPLY_BYTES_MAX, RecordId};

use crate::Why;
use crate::talk::Talk;

/// Pages that one look takes; a journal of a test has fewer.
const PAGES_MAX: u32 = 256;

/// Bytes of an answer before its records, and of a record before its texts.
const PAGE_HEAD_BYTES: usize = 31;
const RECORD_HEAD_BYTES: usize = 30;

const NO_BUDGET: Why = "no budget to read";

/// Where a look goes on.
#[derive(Clone, Copy)]
struct From {
    since_ns: u64,
    /// The last record that was seen.
    id: u64,
}

/// How far a page has brought us.
enum Page {
    Until(From),
    /// There are no more.
    Last,
    /// There are more, of the same time: a query never gives them.
    Stuck,
}

/// Looks at a record.
type Look<'l> = dyn FnMut(&Record<'_>) -> Result<(), Why> + 'l;

impl From {
    /// Shows the next record.
    fn goes_on(self, record: &Record<'_>, look: &mut Look<'_>) -> Result<Self, Why> {
        if record.ts_ns < self.since_ns || record.id.0 <= self.id {
            return Err("records are out of order, or from before they were asked for");
        }
        look(record)?;
        Ok(Self { since_ns: record.ts_ns, id: record.id.0 })
    }
}

impl Talk<'_> {
    /// Shows every record since `since` to `look`, oldest first, each once.
    pub(crate) fn each_record(
        &mut self,
        since: Mono,
        mut look: impl FnMut(&Record<'_>) -> Result<(), Why>,
    ) -> Result<(), Why> {
        self.show_each(since, &mut look)
    }

    /// Compiled once, not for each look.
    fn show_each(&mut self, since: Mono, look: &mut Look<'_>) -> Result<(), Why> {
        let mut from = From { since_ns: since.0, id: 0 };
        for _ in 0..PAGES_MAX {
            from = match self.until(NO_BUDGET, |talk| talk.page(from, look))? {
                Page::Last => return Ok(()),
                Page::Until(last) => last,
                Page::Stuck => self.until(NO_BUDGET, |talk| talk.page_of_one_time(from, look))?,
            };
        }
        Err("the journal has no end")
    }

    /// Shows one page; `None` if our budget is used up for now. The next page begins at the time of
    /// the last record, as others may have the same.
    fn page(&mut self, from: From, look: &mut Look<'_>) -> Result<Option<Page>, Why> {
        let max = QUERY_RECORDS_MAX as u16;
        let query = Request::Query { since_ns: from.since_ns, max };
        let records = match self.ask_logd(&query)? {
            (LogStatus::Ok, Reply::Query(records)) => records,
            (LogStatus::RateLimited, _) => return Ok(None),
            _ => return Err("a query was refused"),
        };
        let mut last = from;
        for record in records.iter().filter(|record| record.id.0 > from.id) {
            last = last.goes_on(&record, look)?;
        }
        // The last of all records is never older than one that was seen.
        let is_at_end = from.id == 0 || from.id == records.total;
        Ok(Some(match last.id > from.id {
            true => Page::Until(last),
            false if is_at_end => Page::Last,
            false if is_full(&records) => Page::Stuck,
            false => return Err("a page has room, and does not give what there is"),
        }))
    }

    /// Shows one page behind a record by its number: of more records of one time than a page holds,
    /// a query never gives the last.
    fn page_of_one_time(&mut self, from: From, look: &mut Look<'_>) -> Result<Option<From>, Why> {
        let behind = Search { id: RecordId(from.id), ..Search::ALL };
        let reply = match self.ask_logd(&Request::Search(behind))? {
            (LogStatus::Ok, Reply::Search(reply)) => reply,
            (LogStatus::RateLimited, _) => return Ok(None),
            _ => return Err("a search was refused"),
        };
        let mut last = from;
        for found in reply.found() {
            let Found::Record(record) = found else { return Err("a gap nobody asked for") };
            last = last.goes_on(&record, look)?;
        }
        if last.id > from.id {
            Ok(Some(last))
        } else {
            Err("a page that is not the last brings nothing new")
        }
    }

    /// Waits for a record since `since` that `is_it`, whatever else is there.
    pub(crate) fn wait_for(
        &mut self,
        since: Mono,
        late: Why,
        is_it: impl Fn(&Record<'_>) -> bool,
    ) -> Result<(), Why> {
        self.wait_for_it(since, late, &is_it)
    }

    /// Compiled once, not for each record that is waited for.
    fn wait_for_it(
        &mut self,
        since: Mono,
        late: Why,
        is_it: &dyn Fn(&Record<'_>) -> bool,
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

/// Whether a page has no room for every record.
fn is_full(page: &Records<'_>) -> bool {
    const TEXT_BYTES_MAX: usize = size_of::<RecordText>();
    let text = |record: Record<'_>| {
        record.scope.len() + record.message.len() + record.fields.as_bytes().len()
    };
    let bytes = |record| RECORD_HEAD_BYTES + text(record);
    let used = PAGE_HEAD_BYTES + page.iter().map(bytes).sum::<usize>();
    page.iter().count() == QUERY_RECORDS_MAX
        || used + RECORD_HEAD_BYTES + TEXT_BYTES_MAX > QUERY_REPLY_BYTES_MAX
}

/// Whether a record has these fields with these very values, whatever others it has.
pub(crate) fn has(record: &Record<'_>, fields: &[(&str, &str)]) -> bool {
    fields.iter().all(|(key, value)| record.fields.get(key) == Some(*value))
}

/// All that a record may show: every field of it is held to one of these.
pub(crate) struct Expected<'a> {
    /// Fields that must be there with these very values, each once.
    pub(crate) fixed: [&'a [(&'a str, &'a str)]; 3],
    /// Fields that must be there and whose values depend on time: numbers without a sign.
    pub(crate) numbers: &'a [&'a str],
    /// Which fields time may have brought besides.
    pub(crate) may_be: fn(&str, &str) -> bool,
}

impl Expected<'_> {
    /// A record has no key twice: so many as are expected, and each of these, are exactly these.
    pub(crate) fn is(&self, record: &Record<'_>) -> bool {
        let fixed = self.fixed.iter().map(|part| part.len()).sum::<usize>();
        let is_fixed =
            |(key, value): &(&str, &str)| !self.numbers.contains(key) && !(self.may_be)(key, value);
        record.fields.iter().filter(is_fixed).count() == fixed
            && self.fixed.iter().all(|part| has(record, part))
            && self.numbers.iter().all(|key| record.fields.get(key).is_some_and(is_number))
    }
}

/// Whether a text is a number without a sign.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}
