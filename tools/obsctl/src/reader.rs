//! Reads the journal: what is asked for, judged before anybody is asked, and pages of answers.

use anyhow::{Context as _, bail};
use jiff::{Timestamp, Zoned};
use nexus_abi::ServiceId;
use nexus_wire::logs::Search;
use nexus_wire::{Fields, LABELS_BYTES_MAX, Level, RecordId};

use crate::cli::{Place, Selection};
use crate::clock::{self, Calendar};
use crate::correlate::Within;
use crate::daemons::{Denied, Entry, Page, SteadyJournal};
use crate::names::Names;

/// A place in the journal: boot and record.
pub(crate) type Cursor = (u32, RecordId);

/// Before everything.
pub(crate) const START: Cursor = (0, RecordId(0));

pub(crate) fn parse_cursor(text: &str) -> anyhow::Result<Cursor> {
    let (boot, id) =
        text.split_once(':').context("a cursor is BOOT:ID, as --show-cursor prints")?;
    Ok((boot.parse().context("boot of the cursor")?, RecordId(id.parse().context("cursor")?)))
}

/// Which records.
pub(crate) struct Query {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// As monotonic times, once logd has told its calendar.
    range: (u64, u64),
    pub(crate) service: Option<ServiceId>,
    level_max: Option<Level>,
    pub(crate) scope: String,
    /// Lines `key=value\n`; logd looks for the first, we for the others.
    pub(crate) pairs: Vec<String>,
    pub(crate) within: Option<Within>,
    /// Of the cursor's boot only.
    pub(crate) one_boot: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            range: (0, u64::MAX),
            service: None,
            level_max: None,
            scope: String::new(),
            pairs: Vec::new(),
            within: None,
            one_boot: false,
        }
    }
}

impl Query {
    /// What the options choose.
    ///
    /// # Errors
    /// Times that are none, or an end before its beginning.
    pub(crate) fn of(select: &Selection) -> anyhow::Result<Self> {
        let now = Zoned::now();
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| clock::parse_time(text, &now)).transpose()
        };
        let (since, until) = (time(&select.since)?, time(&select.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            bail!("--until ({until}) is before --since ({since}): nothing could be found");
        }
        let service = select.unit.as_deref().map(Names::service);
        Ok(Self { since, until, service, level_max: select.priority, ..Self::default() })
    }

    /// Everything of a service in a scope.
    pub(crate) fn of_service(service: Option<ServiceId>, scope: &str) -> Self {
        Self { service, scope: scope.to_owned(), ..Self::default() }
    }

    /// As grave as whatever.
    pub(crate) fn of_any_level(self) -> Self {
        Self { level_max: None, ..self }
    }

    /// Also asks for a field.
    ///
    /// # Errors
    /// What is no field.
    pub(crate) fn with_field(&mut self, pair: &str) -> anyhow::Result<()> {
        let line = format!("{pair}\n");
        Fields::parse(line.as_bytes())
            .map_err(|_| anyhow::anyhow!("--field takes key=value with a key of [a-z0-9_.-]"))?;
        self.pairs.push(line);
        Ok(())
    }

    fn search(&self) -> Search<'_> {
        // One that is too long for logd to look for is left to us.
        let first = self.pairs.first().filter(|pair| pair.len() <= LABELS_BYTES_MAX);
        let pair = first.and_then(|pair| Fields::parse(pair.as_bytes()).ok());
        Search {
            since_ns: self.range.0,
            until_ns: self.range.1,
            service: self.service,
            level_max: self.level_max.unwrap_or(Level::Trace),
            gaps: true,
            one_boot: self.one_boot,
            scope: &self.scope,
            pair: pair.unwrap_or(Fields::EMPTY),
            ..Search::ALL
        }
    }

    /// Whether an entry that logd found is what was asked for. What stands for lost records is.
    fn keeps(&self, entry: &Entry) -> bool {
        let has = |line: &String| {
            let pair = line.trim_end_matches('\n').split_once('=');
            pair.is_some_and(|(key, value)| entry.field(key) == Some(value))
        };
        let is_within = || self.within.as_ref().is_none_or(|within| within.has(entry));
        entry.is_gap || (self.pairs.iter().all(has) && is_within())
    }
}

/// Reads the journal page by page.
pub(crate) struct Reader {
    journal: SteadyJournal,
    calendar: Calendar,
}

impl Reader {
    pub(crate) fn open(place: &Place) -> anyhow::Result<Self> {
        let mut journal = SteadyJournal::new(place.dir());
        let calendar = Calendar::new(journal.with(|journal| journal.anchors())?);
        Ok(Self { journal, calendar })
    }

    pub(crate) fn calendar(&self) -> Calendar {
        self.calendar.clone()
    }

    /// Puts the times that people asked for into those of the machine.
    pub(crate) fn settle(&self, query: &mut Query) {
        let since = query.since.map_or(0, |time| self.calendar.mono_from(time));
        query.range = (since, query.until.map_or(u64::MAX, |time| self.calendar.mono_until(time)));
    }

    /// The newest entries, newest first, and the cursor behind them.
    pub(crate) fn newest(
        &mut self,
        query: &Query,
        lines: u32,
    ) -> anyhow::Result<(Cursor, Vec<Entry>)> {
        let mut search = Search { backward: true, one_boot: true, ..query.search() };
        let mut newest = Vec::new();
        let mut cursor = START;
        loop {
            let page = self.journal.with(|journal| journal.search(&search))?;
            let highest = page.entries.iter().map(|entry| entry.id).max();
            cursor = (page.boot, cursor.1.max(highest.unwrap_or_default()));
            newest.extend(page.entries.into_iter().filter(|entry| query.keeps(entry)));
            search.id = page.next_id;
            search.boot = page.boot;
            if !page.more || newest.len() >= lines as usize {
                newest.truncate(lines as usize);
                return Ok((cursor, newest));
            }
        }
    }

    /// Everything behind a cursor, page by page; the cursor behind it.
    pub(crate) fn forward(
        &mut self,
        query: &Query,
        cursor: Cursor,
        show: &mut dyn FnMut(&Page) -> anyhow::Result<()>,
    ) -> anyhow::Result<Cursor> {
        let mut search = Search { boot: cursor.0, id: cursor.1, ..query.search() };
        loop {
            let mut page = self.journal.with(|journal| journal.search(&search))?;
            page.entries.retain(|entry| query.keeps(entry));
            show(&page)?;
            search.boot = page.boot;
            search.id = page.next_id;
            if !page.more {
                return Ok((page.boot, page.next_id));
            }
        }
    }

    /// Everything behind a cursor now; nothing while logd is away.
    ///
    /// # Errors
    /// Only what time does not heal.
    pub(crate) fn poll(
        &mut self,
        query: &Query,
        cursor: Cursor,
    ) -> anyhow::Result<Option<(Cursor, Vec<Page>)>> {
        let mut pages = Vec::new();
        let mut read = || {
            self.calendar = Calendar::new(self.journal.with(|journal| journal.anchors())?);
            self.forward(query, cursor, &mut |page| {
                pages.push(page.clone());
                Ok(())
            })
        };
        match read() {
            Ok(next) => Ok(Some((next, pages))),
            Err(error) if error.is::<Denied>() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Says so if nobody speaks or has spoken as the service that was asked for.
    pub(crate) fn warn_if_unknown(&mut self, query: &Query, names: &Names, word: Option<&str>) {
        let (Some(service), Some(word)) = (query.service, word) else { return };
        let rows = self.journal.with(|journal| journal.audit()).unwrap_or_default();
        let spoke = rows.iter().any(|row| row.service == service.raw());
        if !spoke && !names.knows(service) {
            let word = crate::render::visible(word);
            eprintln!("obsctl: no sender is known as {word}; obsctl status lists those that are");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn query(args: &[&str]) -> Result<Query, String> {
        let all = ["obsctl", "logs"].iter().chain(args);
        let Command::Logs(args) = Cli::parse_from(all).command else { panic!("these are logs") };
        Query::of(&args.select).map_err(|error| error.to_string())
    }

    #[test]
    fn an_end_before_its_beginning_is_an_error() {
        assert!(query(&["-S", "-2h", "-U", "-1h"]).is_ok());
        let refused = query(&["-S", "-1h", "-U", "-2h"]).err();
        assert!(refused.is_some_and(|why| why.contains("is before --since")));
    }

    #[test]
    fn a_boot_is_a_number_or_all_of_them() {
        let boots = |text: &str| text.parse::<crate::cli::Boots>().ok();
        assert_eq!(boots("3"), Some(crate::cli::Boots::One(3)));
        assert_eq!(boots("all"), Some(crate::cli::Boots::All));
        assert!(["0", "-1", "", "every"].iter().all(|text| boots(text).is_none()));
    }

    #[test]
    fn all_fields_must_be_there() {
        let mut query = query(&[]).unwrap();
        query.with_field("a=1").unwrap();
        query.with_field("b=2").unwrap();
        assert!(query.with_field("UPPER=1").is_err());
        let entry = |pairs: &[(&str, &str)]| {
            let fields = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Entry { fields: fields.collect(), ..Entry::empty() }
        };
        assert!(query.keeps(&entry(&[("a", "1"), ("b", "2")])));
        assert!(!query.keeps(&entry(&[("a", "1"), ("b", "3")])));
        assert!(query.keeps(&Entry { is_gap: true, ..Entry::empty() }));
    }
}
