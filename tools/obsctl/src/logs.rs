//! `obsctl logs`: records of the journal.

use std::time::Duration;

use nexus_abi::ServiceId;
use nexus_wire::RecordId;

use crate::Verdict;
use crate::cli::{Boots, LogsArgs, Output, Place};
use crate::correlate;
use crate::daemons::{Entry, METRICSD, Page};
use crate::reader::{Cursor, Query, Reader, START, parse_cursor};
use crate::render::{self, DIM, visible};
use crate::view::View;

/// How long `-f` waits between two looks.
const FOLLOW_PAUSE: Duration = Duration::from_millis(300);
/// What `-f` begins with unless told otherwise.
pub(crate) const FOLLOW_LINES: u32 = 10;

pub(crate) fn run(place: &Place, args: &LogsArgs) -> anyhow::Result<Verdict> {
    // Words are judged before anybody is asked.
    let mut query = Query::of(&args.select)?;
    args.field.iter().try_for_each(|pair| query.with_field(pair))?;
    query.scope.clone_from(&args.scope);
    let behind = args.after_cursor.as_deref().map(parse_cursor).transpose()?;
    query.one_boot = matches!(args.boot, Some(Boots::One(_)));
    let behind = behind.or(args.boot.map(|boots| match boots {
        Boots::One(boot) => (boot, RecordId(0)),
        Boots::All => (1, RecordId(0)),
    }));
    let ids = correlate::Ids::parse(args.trace.as_deref(), args.span.as_deref())?;
    let mut reader = Reader::open(place)?;
    reader.settle(&mut query);
    if let Some(ids) = ids {
        correlate::narrow(place, &mut reader, &ids, &mut query)?;
    }
    let mut view = View::new(place, args.select.output.output, reader.calendar())?;
    let mut shown = 0;
    let mut cursor = match behind {
        Some(cursor) => all(&mut reader, &query, cursor, &mut view, &mut shown)?,
        None => first(&mut reader, &query, args, &mut view, &mut shown)?,
    };
    if args.show_cursor {
        view.screen.line(&format!("-- cursor: {}:{}", cursor.0, cursor.1))?;
    }
    if !args.select.follow {
        if shown == 0 {
            reader.warn_if_unknown(&query, &view.names, args.select.unit.as_deref());
        }
        return Ok(Verdict::Fine);
    }
    view.screen.flush()?;
    loop {
        std::thread::sleep(FOLLOW_PAUSE);
        if let Some((next, pages)) = reader.poll(&query, cursor)? {
            cursor = next;
            view.set_calendar(reader.calendar());
            pages.iter().try_for_each(|page| show_page(&mut view, page))?;
            view.screen.flush()?;
        }
    }
}

/// What is there now: all of it, or the newest lines.
fn first(
    reader: &mut Reader,
    query: &Query,
    args: &LogsArgs,
    view: &mut View,
    shown: &mut usize,
) -> anyhow::Result<Cursor> {
    let follow_lines = (args.select.follow && args.select.since.is_none()).then_some(FOLLOW_LINES);
    let lines = args.select.lines.or(follow_lines);
    if lines.is_none() && !args.reverse {
        return all(reader, query, START, view, shown);
    }
    let (cursor, mut newest) = reader.newest(query, lines.unwrap_or(u32::MAX))?;
    if !args.reverse {
        newest.reverse();
    }
    *shown += newest.len();
    view.note_boot(cursor.0)?;
    newest.iter().try_for_each(|entry| show(view, cursor.0, entry))?;
    Ok(cursor)
}

fn all(
    reader: &mut Reader,
    query: &Query,
    cursor: Cursor,
    view: &mut View,
    shown: &mut usize,
) -> anyhow::Result<Cursor> {
    reader.forward(query, cursor, &mut |page| {
        *shown += page.entries.len();
        show_page(view, page)
    })
}

fn show_page(view: &mut View, page: &Page) -> anyhow::Result<()> {
    view.note_boot(page.boot)?;
    page.entries.iter().try_for_each(|entry| show(view, page.boot, entry))
}

fn show(view: &mut View, boot: u32, entry: &Entry) -> anyhow::Result<()> {
    match view.output {
        Output::Text => view.screen.line(&text(view, entry)),
        Output::Json => view.screen.json(&view.entry_json(boot, entry)),
    }
}

fn text(view: &View, entry: &Entry) -> String {
    if entry.is_gap {
        return view.gap_text(entry);
    }
    let (time, who) = (view.time(entry.ts_ns), view.who(entry.service));
    let style = render::of_level(entry.level);
    let message = view.screen.paint(style, &visible(&entry.message));
    let fields = view.screen.paint(DIM, &fields_text(view, entry));
    let (scope, level) = (visible(&entry.scope), entry.level.name());
    format!("{time} {who}[{scope}] {level}: {message} {fields}").trim_end().to_owned()
}

/// The fields; the sender whom metricsd speaks of has a name.
fn fields_text(view: &View, entry: &Entry) -> String {
    let named = |(key, value): &(String, String)| {
        let number = u64::from_str_radix(value, 16).ok().filter(|_| value.len() == 16);
        let origin = number.filter(|_| key == "origin" && entry.service == METRICSD);
        let shown = origin.map(|origin| view.names.of_service(ServiceId::from_raw(origin)));
        (key.clone(), shown.unwrap_or_else(|| value.clone()))
    };
    let fields: Vec<_> = entry.fields.iter().map(named).collect();
    render::pairs(fields.iter().map(|(key, value)| (key, value)))
}
