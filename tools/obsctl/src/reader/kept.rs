//! What logd has kept, read without it: answers as logd would give them.

use std::collections::BTreeMap;

use anyhow::bail;
use nexus_abi::ServiceId;
use nexus_retention::journal::{Lives, Told};
use nexus_retention::offline::{Finding, Log, newest_generation};
use nexus_wire::RecordId;
use nexus_wire::logs::{ClockAnchor, Found, Record, Search};

use crate::clock::Calendars;
use crate::daemons::{Entry, Page};
use crate::disk::{self, ImageFiles};

/// Records of all boots that are kept.
pub(super) struct Kept {
    files: ImageFiles,
    findings: Vec<Finding>,
    journal: Journal,
}

/// What the log says.
#[derive(Default)]
struct Journal {
    /// Of each boot, in order of their numbers.
    boots: BTreeMap<u32, Vec<Entry>>,
    anchors: Vec<ClockAnchor>,
}

impl Kept {
    /// # Errors
    /// logd has kept nothing there.
    pub(super) fn read(mut files: ImageFiles) -> anyhow::Result<Self> {
        if files.is_empty() {
            bail!("{}: logd has kept nothing there", files.path().display());
        }
        let (mut journal, mut findings) = (Journal::default(), Vec::new());
        let (mut lives, generation) = (Lives::NOTHING, newest_generation(&mut files));
        let log = Log::open(&mut files, &generation);
        log.records(&mut files, &mut findings, |record| {
            lives.take(record.bytes, &mut |told| journal.take(told));
        });
        // Of one that runs it is not known yet how it ends.
        if let Some(gap) = lives.finish().filter(|_| !files.is_in_use()) {
            journal.take(Told::Gap(gap));
        }
        Ok(Self { files, findings, journal })
    }

    pub(super) fn calendars(&self) -> Calendars {
        Calendars::new(self.journal.anchors.clone(), self.newest())
    }

    fn newest(&self) -> u32 {
        self.journal.boots.keys().next_back().copied().unwrap_or_default()
    }

    /// The time of the newest record, and its boot.
    pub(super) fn end(&self) -> Option<(u32, u64)> {
        let (boot, entries) = self.journal.boots.iter().next_back()?;
        Some((*boot, entries.last()?.ts_ns))
    }

    pub(super) fn knows(&self, service: ServiceId) -> bool {
        self.journal.boots.values().flatten().any(|entry| entry.service == service)
    }

    /// Says what is wrong with the files; whether all was there.
    pub(super) fn close(&mut self) -> bool {
        disk::tell(&self.findings, &mut self.files)
    }

    pub(super) fn search(&self, search: &Search<'_>) -> Page {
        self.journal.search(search)
    }
}

impl Journal {
    fn take(&mut self, told: Told<'_>) {
        match told {
            Told::Anchor(anchor) => self.anchors.push(anchor),
            Told::Gap(gap) => {
                let entry = gap.record(|record| Entry::new(&Found::Gap(*record)));
                self.boots.entry(gap.boot).or_default().push(entry);
            }
            Told::Record(kept) => {
                let service = ServiceId::from_raw(kept.service);
                let (id, ts_ns, level, scope) = (kept.id, kept.at_ns, kept.level, kept.scope);
                let (message, fields) = (kept.message, kept.fields);
                let record = Record { id, ts_ns, service, level, scope, message, fields };
                self.boots.entry(kept.boot).or_default().push(Entry::new(&Found::Record(record)));
            }
        }
    }

    /// A page is of one boot, as logd's are.
    fn search(&self, search: &Search<'_>) -> Page {
        let none = Page { boot: search.boot, next_id: search.id, more: false, entries: vec![] };
        let Some((boot, entries)) = self.behind(search) else { return none };
        let next = if search.backward {
            self.boots.range(..boot).next_back()
        } else {
            self.boots.range(boot.saturating_add(1)..).next()
        };
        let has_next = next.is_some() && search.boot != 0 && !search.one_boot;
        let mut page = Page { boot, next_id: search.id, more: has_next, entries: vec![] };
        for entry in entries {
            if page.entries.len() == usize::from(search.max) {
                page.more = true;
                break;
            }
            page.next_id = entry.id;
            page.entries.extend(Some(entry).filter(|entry| is_asked(entry, search)).cloned());
        }
        page
    }

    /// The entries behind the cursor in its direction, all of one boot, and that boot.
    fn behind(&self, search: &Search<'_>) -> Option<(u32, Vec<&Entry>)> {
        let newest = *self.boots.keys().next_back()?;
        let asked = if search.boot == 0 { newest } else { search.boot };
        let id = if asked == search.boot { search.id } else { RecordId(0) };
        let here = self.boots.get(&asked).map(Vec::as_slice).unwrap_or_default();
        let (before, behind) = here.split_at(here.partition_point(|entry| entry.id <= id));
        let front = here.get(..here.partition_point(|entry| entry.id < id)).unwrap_or_default();
        let rest: Vec<_> = match (search.backward, id) {
            (false, _) => behind.iter().collect(),
            (true, RecordId(0)) => before.iter().chain(behind).rev().collect(),
            (true, _) => front.iter().rev().collect(),
        };
        if !rest.is_empty() || search.one_boot || search.boot == 0 {
            return Some((asked, rest));
        }
        let next = if search.backward {
            self.boots
                .range(..asked)
                .next_back()
                .map(|(boot, all)| (boot, all.iter().rev().collect()))
        } else {
            self.boots
                .range(asked.saturating_add(1)..)
                .next()
                .map(|(boot, all)| (boot, all.iter().collect()))
        };
        next.map(|(boot, entries): (&u32, Vec<&Entry>)| (*boot, entries)).or(Some((asked, rest)))
    }
}

/// Whether a search finds an entry.
fn is_asked(entry: &Entry, search: &Search<'_>) -> bool {
    let is_within = search.since_ns <= entry.ts_ns && entry.ts_ns <= search.until_ns;
    if entry.is_gap {
        return is_within && search.gaps;
    }
    is_within
        && search.service.is_none_or(|service| service == entry.service)
        && entry.level <= search.level_max
        && entry.scope.starts_with(search.scope)
        && search.pair.iter().all(|(key, value)| entry.field(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use nexus_retention::journal::{At, Gap};

    use super::*;

    fn entry(id: u64) -> Entry {
        Entry { id: RecordId(id), ts_ns: id * 10, ..Entry::empty() }
    }

    /// Three records in boot 2, two in boot 5.
    fn journal() -> Journal {
        let entries = |ids: &[u64]| ids.iter().map(|id| entry(*id)).collect();
        let boots = [(2, entries(&[1, 2, 4])), (5, entries(&[1, 3]))];
        Journal { boots: boots.into_iter().collect(), anchors: vec![] }
    }

    /// Boots and numbers in the order in which pages bring them.
    fn all(mut search: Search<'_>) -> Vec<(u32, u64)> {
        let (journal, mut found) = (journal(), Vec::new());
        loop {
            let page = journal.search(&search);
            found.extend(page.entries.iter().map(|entry| (page.boot, entry.id.0)));
            (search.boot, search.id) = (page.boot, page.next_id);
            if !page.more {
                return found;
            }
        }
    }

    #[test]
    fn pages_go_from_boot_to_boot_in_either_direction() {
        let everything = [(2, 1), (2, 2), (2, 4), (5, 1), (5, 3)];
        for max in [1, 2, 100] {
            let search = Search { boot: 1, max, ..Search::ALL };
            assert_eq!(all(search), everything);
            let mut back = all(Search { boot: u32::MAX, backward: true, ..search });
            back.reverse();
            assert_eq!(back, everything);
            assert_eq!(all(Search { boot: 2, one_boot: true, ..search }), everything[..3]);
            assert_eq!(all(Search { boot: 0, ..search }), everything[3..], "the newest");
        }
        assert_eq!(all(Search { boot: 2, id: RecordId(2), ..Search::ALL }), everything[2..]);
        let back = Search { boot: 5, id: RecordId(3), backward: true, ..Search::ALL };
        assert_eq!(all(back), [(5, 1), (2, 4), (2, 2), (2, 1)]);
        assert!(all(Search { boot: 3, one_boot: true, ..Search::ALL }).is_empty());
    }

    #[test]
    fn only_what_is_asked_for_is_found() {
        let search = Search { boot: 1, ..Search::ALL };
        assert_eq!(all(Search { since_ns: 20, until_ns: 30, ..search }), [(2, 2), (5, 3)]);
        assert!(all(Search { scope: "x", ..search }).is_empty());
        let other = Some(ServiceId::from_name("other"));
        assert!(all(Search { service: other, ..search }).is_empty());
    }

    #[test]
    fn a_gap_is_found_where_gaps_are_asked_for() {
        let at = |id| At { id, ns: id * 10 };
        let mut journal = Journal::default();
        journal.take(Told::Gap(Gap { boot: 1, first: at(3), last: at(3), is_end: true }));
        let search = Search { level_max: nexus_wire::Level::Error, scope: "x", ..Search::ALL };
        assert!(journal.search(&search).entries.is_empty());
        let found = journal.search(&Search { gaps: true, ..search }).entries;
        assert!(found[0].is_gap && found[0].message == "lost in crash", "{found:?}");
    }
}
