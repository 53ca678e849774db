//! `obsctl logs`: records of the journal.

mod boots;

use std::time::Duration;

use anyhow::bail;
use nexus_abi::ServiceId;

use crate::Verdict;
use crate::cli::{LogsArgs, Output, Place};
use crate::correlate;
use crate::daemons::{Entry, METRICSD, Page};
use crate::reader::{Cursor, Query, Reader, Which, parse_cursor};
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
    let ids = correlate::Ids::parse(args.trace.as_deref(), args.span.as_deref())?;
    if args.select.follow {
        place.must_be_running()?;
    }
    let mut reader = Reader::open(place)?;
    reader.settle(&mut query, &args.select)?;
    let which = reader.which(args.boot)?;
    if let (true, Which::One(boot)) = (args.select.follow, which) {
        bail!("boot {boot} is over: nothing more comes of it");
    }
    if let Some(ids) = ids {
        correlate::narrow(place, &mut reader, &ids, &mut query)?;
    }
    let mut view = View::new(place, args.select.output.output, reader.calendars())?;
    if args.list_boots {
        boots::list(&mut reader, &mut view)?;
    } else {
        let shown = records(&mut reader, &query, (which, behind), args, &mut view)?;
        if shown == 0 {
            reader.warn_if_unknown(&query, &view.names, args.select.unit.as_deref());
        }
    }
    Ok(if reader.close() { Verdict::Fine } else { Verdict::Wrong })
}

/// Shows what there is, and, if asked to, goes on with what comes. How many were shown.
fn records(
    reader: &mut Reader,
    query: &Query,
    (which, behind): (Which, Option<Cursor>),
    args: &LogsArgs,
    view: &mut View,
) -> anyhow::Result<usize> {
    let mut shown = 0;
    let mut cursor = match behind {
        Some(cursor) => all(reader, query, (cursor, false), view, &mut shown)?,
        None => first(reader, query, which, args, view, &mut shown)?,
    };
    if args.show_cursor {
        view.screen.line(&format!("-- cursor: {}:{}", cursor.0, cursor.1))?;
    }
    if !args.select.follow {
        return Ok(shown);
    }
    loop {
        view.screen.flush()?;
        std::thread::sleep(FOLLOW_PAUSE);
        if let Some((next, pages)) = reader.poll(query, cursor)? {
            cursor = next;
            view.set_calendars(reader.calendars());
            pages.iter().try_for_each(|page| show_page(view, page))?;
        }
    }
}

/// What is there now: all of it, or the newest lines.
fn first(
    reader: &mut Reader,
    query: &Query,
    which: Which,
    args: &LogsArgs,
    view: &mut View,
    shown: &mut usize,
) -> anyhow::Result<Cursor> {
    let follow_lines = (args.select.follow && args.select.since.is_none()).then_some(FOLLOW_LINES);
    let lines = args.select.lines.or(follow_lines);
    if lines.is_none() && !args.reverse {
        return all(reader, query, which.beginning(), view, shown);
    }
    let (cursor, mut newest) = reader.newest(query, which, lines.unwrap_or(u32::MAX))?;
    if !args.reverse {
        newest.reverse();
    }
    *shown += newest.len();
    for (boot, entry) in &newest {
        view.note_boot(*boot)?;
        show(view, *boot, entry)?;
    }
    // Whatever comes is told to be of another boot only if it is.
    view.note_boot_quietly(cursor.0);
    Ok(cursor)
}

fn all(
    reader: &mut Reader,
    query: &Query,
    (cursor, one_boot): (Cursor, bool),
    view: &mut View,
    shown: &mut usize,
) -> anyhow::Result<Cursor> {
    reader.forward(query, cursor, one_boot, &mut |page| {
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
