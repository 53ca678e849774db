//! Pages of a search in former boots.

use nexus_bounded::Mono;
use nexus_wire::EncodeError;
use nexus_wire::logs::{Found, Search, SearchWriter};

use crate::journal::{Attic, Journal, Past, TEXT_BYTES_MAX};
use crate::search::has;

/// The records of one former boot from a cursor on.
pub(crate) struct Pages<'j, 's> {
    journal: &'j Journal,
    search: &'s Search<'s>,
    /// The first one, by its place in the attic.
    first: u32,
    past: &'j Past,
}

impl<'j, 's> Pages<'j, 's> {
    /// `None` if there is nothing behind the cursor in any former boot that was asked for.
    /// `is_past`: the cursor is of a former boot, not behind all of them.
    pub(crate) fn new(journal: &'j Journal, search: &'s Search<'s>, is_past: bool) -> Option<Self> {
        let attic = journal.attic();
        let first = match (search.backward, is_past) {
            (false, _) => attic.up_to((search.boot, search.id.0)),
            (true, true) => before(attic, search)?,
            (true, false) => attic.len().checked_sub(1)?,
        };
        let past = attic.get(first)?;
        let is_asked = !search.one_boot || past.boot == search.boot;
        is_asked.then_some(Self { journal, search, first, past })
    }

    pub(crate) const fn boot(&self) -> u32 {
        self.past.boot
    }

    /// Records of the boot, as far as is known.
    pub(crate) fn total(&self) -> u64 {
        let attic = self.journal.attic();
        let end = attic.up_to((self.boot(), u64::MAX));
        end.checked_sub(1).and_then(|last| attic.get(last)).map_or(0, |last| last.id.0)
    }

    /// One page: looks at `scan_max` records at most. There is more unless only the asked boot
    /// counts and this is the end of it: what runs has records, and, backward, whoever comes to
    /// the end finds out by one more page.
    pub(crate) fn page<'b>(
        &self,
        scan_max: u32,
        mut page: SearchWriter<'b>,
    ) -> Result<&'b [u8], EncodeError> {
        let mut text = [0; TEXT_BYTES_MAX];
        let (mut last, mut at, mut looked) = (self.search.id, Some(self.first), 0);
        while let Some(past) = at.and_then(|at| self.journal.attic().get(at)) {
            if past.boot != self.boot() {
                return page.finish(last, !self.search.one_boot);
            }
            let is_full = looked == scan_max || page.len() == self.search.max;
            if is_full || !self.write(past, &mut text, &mut page) {
                return page.finish(last, true);
            }
            (last, looked) = (past.id, looked + 1);
            at = at.and_then(|at| self.next(at));
        }
        // Forward, what runs comes next; backward, this is the oldest.
        page.finish(last, !self.search.backward && !self.search.one_boot)
    }

    const fn next(&self, at: u32) -> Option<u32> {
        if self.search.backward { at.checked_sub(1) } else { at.checked_add(1) }
    }

    /// `false` only if the page is full.
    fn write(
        &self,
        past: &Past,
        text: &mut [u8; TEXT_BYTES_MAX],
        page: &mut SearchWriter<'_>,
    ) -> bool {
        let search = self.search;
        let is_within = Mono(search.since_ns) <= past.at && past.at <= Mono(search.until_ns);
        if !is_within || past.is_gap && !search.gaps {
            return true;
        }
        let record = self.journal.read_past(past, text);
        if past.is_gap {
            return page.found(&Found::Gap(record));
        }
        let is_asked = search.service.is_none_or(|service| service == past.service)
            && past.level <= search.level_max;
        !is_asked || !has(&record, search) || page.found(&Found::Record(record))
    }
}

/// The newest place before a backward cursor; number 0: from the newest of its boot.
fn before(attic: &Attic, search: &Search<'_>) -> Option<u32> {
    let key = match search.id.0 {
        0 => (search.boot, u64::MAX),
        id => (search.boot, id - 1),
    };
    attic.up_to(key).checked_sub(1)
}
