//! Reads the journal: what is asked for, judged before anybody is asked, and pages of answers, of
//! logd or of what it has kept.

mod boots;
mod kept;
mod query;
mod source;

use anyhow::Context as _;
use jiff::Zoned;
use nexus_wire::RecordId;
use nexus_wire::logs::Search;

pub(crate) use boots::Boot;
pub(crate) use query::Query;
use source::Source;

use crate::cli::{Place, Selection};
use crate::clock::Calendars;
use crate::daemons::{Denied, Entry, Page};
use crate::names::Names;

/// A place in the journal: boot and record.
pub(crate) type Cursor = (u32, RecordId);

/// Before everything of the boot that runs, or of the newest.
pub(crate) const START: Cursor = (0, RecordId(0));
/// Before everything that there is.
const OLDEST: Cursor = (1, RecordId(0));

pub(crate) fn parse_cursor(text: &str) -> anyhow::Result<Cursor> {
    let (boot, id) =
        text.split_once(':').context("a cursor is BOOT:ID, as --show-cursor prints")?;
    Ok((boot.parse().context("boot of the cursor")?, RecordId(id.parse().context("cursor")?)))
}

/// Which boots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    /// The one that runs, or the newest.
    Newest,
    One(u32),
    All,
}

impl Which {
    /// The cursor before all that is meant, and whether it is of that boot only.
    pub(crate) const fn beginning(self) -> (Cursor, bool) {
        match self {
            Self::Newest => (START, false),
            Self::One(boot) => ((boot, RecordId(0)), true),
            Self::All => (OLDEST, false),
        }
    }
}

/// Reads the journal page by page.
pub(crate) struct Reader {
    source: Source,
    calendars: Calendars,
}

impl Reader {
    pub(crate) fn open(place: &Place) -> anyhow::Result<Self> {
        let mut source = Source::open(place)?;
        let calendars = source.calendars()?;
        Ok(Self { source, calendars })
    }

    pub(crate) fn calendars(&self) -> Calendars {
        self.calendars.clone()
    }

    /// Whether it is logd that answers.
    pub(crate) const fn is_live(&self) -> bool {
        self.source.is_live()
    }

    /// Of files "ago" is before the newest that they hold.
    ///
    /// # Errors
    /// Times that are none, or an end before its beginning.
    pub(crate) fn settle(&self, query: &mut Query, select: &Selection) -> anyhow::Result<()> {
        let end = self.source.end();
        let end = end.and_then(|(boot, mono_ns)| self.calendars.of(boot).wall(mono_ns));
        end.map_or(Ok(()), |end| {
            query.set_times(select, &end.to_zoned(Zoned::now().time_zone().clone()))
        })
    }

    /// Says what is wrong with what was read; whether all was there.
    pub(crate) fn close(&mut self) -> bool {
        self.source.close()
    }

    /// The newest entries and their boots, newest first, and the cursor behind them.
    pub(crate) fn newest(
        &mut self,
        query: &Query,
        which: Which,
        lines: u32,
    ) -> anyhow::Result<(Cursor, Vec<(u32, Entry)>)> {
        let (boot, one_boot) = match which {
            Which::Newest => (0, true),
            Which::One(boot) => (boot, true),
            Which::All => (u32::MAX, false),
        };
        let mut at = Search { boot, one_boot, backward: true, ..Search::ALL };
        let (mut newest, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(query, &at)?;
            let (boot, highest) = cursor.get_or_insert((page.boot, RecordId(0)));
            if page.boot == *boot {
                let ids = page.entries.iter().map(|entry| entry.id).max();
                *highest = ids.unwrap_or_default().max(*highest);
            }
            let wanted = page.entries.into_iter().filter(|entry| query.keeps(entry));
            newest.extend(wanted.map(|entry| (page.boot, entry)));
            (at.boot, at.id) = (page.boot, page.next_id);
            if !page.more || newest.len() >= lines as usize {
                newest.truncate(lines as usize);
                return Ok((cursor.unwrap_or(START), newest));
            }
        }
    }

    /// Everything behind a cursor, page by page; the cursor behind it. `one_boot`: of its boot
    /// only.
    pub(crate) fn forward(
        &mut self,
        query: &Query,
        cursor: Cursor,
        one_boot: bool,
        show: &mut dyn FnMut(&Page) -> anyhow::Result<()>,
    ) -> anyhow::Result<Cursor> {
        let mut at = Search { boot: cursor.0, id: cursor.1, one_boot, ..Search::ALL };
        loop {
            let mut page = self.page(query, &at)?;
            page.entries.retain(|entry| query.keeps(entry));
            show(&page)?;
            (at.boot, at.id) = (page.boot, page.next_id);
            if !page.more {
                return Ok((page.boot, page.next_id));
            }
        }
    }

    /// A page from where `at` is. Times are those of the boot that the page is of.
    fn page(&mut self, query: &Query, at: &Search<'_>) -> anyhow::Result<Page> {
        let Search { mut boot, mut id, backward, one_boot, .. } = *at;
        loop {
            let search = query.search(self.calendars.of(boot));
            let page = self.source.search(&Search { boot, id, backward, one_boot, ..search })?;
            let asked = if boot == 0 { self.calendars.newest() } else { boot };
            if page.boot == asked || !query.has_times() {
                return Ok(page);
            }
            (boot, id) = (page.boot, RecordId(0));
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
            self.calendars = self.source.calendars()?;
            self.forward(query, cursor, false, &mut |page| {
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
        if !self.source.knows(service) && !names.knows(service) {
            let word = crate::render::visible(word);
            eprintln!("obsctl: no sender is known as {word}; obsctl status lists those that are");
        }
    }
}
