//! `obsctl logs`: records of the journal.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Zoned;
use jiff::tz::TimeZone;
use nexus_wire::logs::Search;
use nexus_wire::{Fields, Level, RecordId};
use serde_json::json;

use crate::Verdict;
use crate::cli::{LogsArgs, Output, Place, Selection};
use crate::clock::{self, Calendar};
use crate::daemons::{Entry, Page, SteadyJournal};
use crate::names::Names;
use crate::render::{self, DIM, Screen};

/// How long `-f` waits between two looks.
const FOLLOW_PAUSE: Duration = Duration::from_millis(300);
/// What `-f` begins with unless told otherwise.
const FOLLOW_LINES: u32 = 10;

pub(crate) fn run(place: &Place, args: &LogsArgs) -> anyhow::Result<Verdict> {
    let mut reader = Reader::open(place, &args.select)?;
    let pair = args.field.as_ref().map(|pair| format!("{pair}\n")).unwrap_or_default();
    let pair = Fields::parse(pair.as_bytes())
        .map_err(|_| anyhow::anyhow!("--field takes key=value with a key of [a-z0-9_.-]"))?;
    let search = Search { scope: &args.scope, pair, ..reader.search };
    let mut view = View::new(place, args.select.output.output)?;
    let mut cursor = match &args.after_cursor {
        Some(text) => parse_cursor(text)?,
        None => reader.first(&search, args, &mut view)?,
    };
    if args.after_cursor.is_some() {
        cursor = reader.forward(&search, cursor, &mut |page| view.show_page(page))?;
    }
    if args.show_cursor {
        view.screen.line(&format!("-- cursor: {}:{}", cursor.0, cursor.1))?;
    }
    if !args.select.follow {
        return Ok(Verdict::Fine);
    }
    loop {
        std::thread::sleep(FOLLOW_PAUSE);
        cursor = reader.forward_if_there(&search, cursor, &mut view)?;
        view.screen.flush()?;
    }
}

/// A place in the journal: boot and record.
pub(crate) type Cursor = (u32, RecordId);

fn parse_cursor(text: &str) -> anyhow::Result<Cursor> {
    let (boot, id) =
        text.split_once(':').context("a cursor is BOOT:ID, as --show-cursor prints")?;
    Ok((boot.parse().context("boot of the cursor")?, RecordId(id.parse().context("cursor")?)))
}

/// Reads the journal page by page.
pub(crate) struct Reader {
    journal: SteadyJournal,
    pub(crate) search: Search<'static>,
}

impl Reader {
    pub(crate) fn open(place: &Place, select: &Selection) -> anyhow::Result<Self> {
        let mut journal = SteadyJournal::new(place.dir());
        let calendar = Calendar::new(journal.with(|journal| journal.anchors())?);
        let now = Zoned::now();
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| clock::parse_time(text, &now)).transpose()
        };
        let since_ns = time(&select.since)?.map_or(0, |time| calendar.mono_from(time));
        let until_ns = time(&select.until)?.map_or(u64::MAX, |time| calendar.mono_until(time));
        let search = Search {
            since_ns,
            until_ns,
            service: select.unit.as_deref().map(Names::service),
            level_max: select.priority.unwrap_or(Level::Trace),
            gaps: true,
            ..Search::ALL
        };
        Ok(Self { journal, search })
    }

    /// What is there now: all of it, or the newest lines.
    fn first(
        &mut self,
        search: &Search<'_>,
        args: &LogsArgs,
        view: &mut View,
    ) -> anyhow::Result<Cursor> {
        let follow_lines =
            (args.select.follow && args.select.since.is_none()).then_some(FOLLOW_LINES);
        let lines = args.select.lines.or(follow_lines);
        if lines.is_none() && !args.reverse {
            return self.forward(search, (0, RecordId(0)), &mut |page| view.show_page(page));
        }
        let (cursor, mut newest) = self.newest(search, lines.unwrap_or(u32::MAX))?;
        if !args.reverse {
            newest.reverse();
        }
        newest.iter().try_for_each(|entry| view.show(cursor.0, entry))?;
        Ok(cursor)
    }

    /// The newest entries, newest first, and the cursor behind them.
    pub(crate) fn newest(
        &mut self,
        search: &Search<'_>,
        lines: u32,
    ) -> anyhow::Result<(Cursor, Vec<Entry>)> {
        let mut search = Search { backward: true, ..*search };
        let mut newest = Vec::new();
        let mut cursor = (0, RecordId(0));
        loop {
            let left = (lines as usize).saturating_sub(newest.len());
            search.max = u16::try_from(left).unwrap_or(u16::MAX);
            let page = self.journal.with(|journal| journal.search(&search))?;
            let highest = page.entries.iter().map(|entry| entry.id).max();
            cursor = (page.boot, cursor.1.max(highest.unwrap_or_default()));
            newest.extend(page.entries);
            search.id = page.next_id;
            search.boot = page.boot;
            if !page.more || newest.len() >= lines as usize {
                return Ok((cursor, newest));
            }
        }
    }

    /// Everything behind a cursor, page by page; the cursor behind it.
    pub(crate) fn forward(
        &mut self,
        search: &Search<'_>,
        cursor: Cursor,
        show: &mut dyn FnMut(&Page) -> anyhow::Result<()>,
    ) -> anyhow::Result<Cursor> {
        let mut search = Search { boot: cursor.0, id: cursor.1, ..*search };
        loop {
            let page = self.journal.with(|journal| journal.search(&search))?;
            show(&page)?;
            search.boot = page.boot;
            search.id = page.next_id;
            if !page.more {
                return Ok((page.boot, page.next_id));
            }
        }
    }

    /// As [`Self::forward`]; while logd is away there is nothing.
    fn forward_if_there(
        &mut self,
        search: &Search<'_>,
        cursor: Cursor,
        view: &mut View,
    ) -> anyhow::Result<Cursor> {
        if self.journal.with(|journal| journal.hello().map(drop)).is_err() {
            return Ok(cursor);
        }
        let anchors = self.journal.with(|journal| journal.anchors())?;
        view.calendar = Calendar::new(anchors);
        let next = self.forward(search, cursor, &mut |page| view.show_page(page))?;
        if next.0 != cursor.0 && cursor.0 != 0 {
            view.note_restart(next.0)?;
        }
        Ok(next)
    }
}

/// Shows entries as text or JSON.
struct View {
    screen: Screen,
    output: Output,
    names: Names,
    calendar: Calendar,
    zone: TimeZone,
}

impl View {
    fn new(place: &Place, output: Output) -> anyhow::Result<Self> {
        let anchors = SteadyJournal::new(place.dir()).with(|journal| journal.anchors())?;
        Ok(Self {
            screen: Screen::new(),
            output,
            names: Names::of(place)?,
            calendar: Calendar::new(anchors),
            zone: TimeZone::system(),
        })
    }

    fn show_page(&mut self, page: &Page) -> anyhow::Result<()> {
        page.entries.iter().try_for_each(|entry| self.show(page.boot, entry))
    }

    fn show(&mut self, boot: u32, entry: &Entry) -> anyhow::Result<()> {
        match self.output {
            Output::Text => self.screen.line(&self.text(entry)),
            Output::Json => self.screen.json(&self.json(boot, entry)),
        }
    }

    fn text(&self, entry: &Entry) -> String {
        let time = clock::short_time(&self.calendar, entry.ts_ns, &self.zone);
        let who = self.names.of_service(entry.service);
        if entry.is_gap {
            let field = |key| entry.field(key).unwrap_or("?");
            let (count, first, last) = (field("count"), field("first_id"), field("last_id"));
            let text = format!("-- {count} records of {who} dropped, numbers {first} to {last} --");
            return format!("{time} {}", self.screen.paint(render::WARN, &text));
        }
        let style = render::of_level(entry.level);
        let fields: Vec<_> = entry.fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let message = self.screen.paint(style, &entry.message);
        let fields = self.screen.paint(DIM, &fields.join(" "));
        let level = entry.level.name();
        format!("{time} {who}[{}] {level}: {message} {fields}", entry.scope).trim_end().to_owned()
    }

    fn json(&self, boot: u32, entry: &Entry) -> serde_json::Value {
        let fields = entry.fields.iter().map(|(k, v)| (k.clone(), json!(v)));
        json!({
            "kind": if entry.is_gap { "gap" } else { "record" },
            "boot": boot,
            "id": entry.id.0,
            "mono_ns": entry.ts_ns,
            "time": clock::rfc3339(&self.calendar, entry.ts_ns),
            "service": self.names.of_service(entry.service),
            "service_id": entry.service.to_string(),
            "level": entry.level.name(),
            "scope": entry.scope,
            "message": entry.message,
            "fields": serde_json::Map::from_iter(fields),
        })
    }

    fn note_restart(&mut self, boot: u32) -> anyhow::Result<()> {
        match self.output {
            Output::Text => self.screen.line(&format!("-- logd has started anew, boot {boot} --")),
            Output::Json => self.screen.json(&json!({ "kind": "restart", "boot": boot })),
        }
    }
}
