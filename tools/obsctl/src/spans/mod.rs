//! `obsctl spans`: what took how long, as a list or as trees, and what is missing of it.

mod loss;
mod show;
mod span;

use std::time::Duration;

use crate::Verdict;
use crate::cli::{Output, Place, SpansArgs};
use crate::daemons::{Entry, METRICSD, Metrics, Page};
use crate::logs::FOLLOW_LINES;
use crate::reader::{Cursor, Query, Reader, START, Which};
use crate::view::View;
use loss::Loss;
use span::Merger;

pub(crate) use span::Span;

/// Scope of metricsd's records about spans that have ended.
const SCOPE: &str = "spans";
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

/// A span, or what stands for lost ones.
enum Item {
    Span(Span),
    Loss(Loss),
}

impl Item {
    fn start_ns(&self) -> u64 {
        match self {
            Self::Span(span) => span.start_ns,
            Self::Loss(loss) => loss.entry.ts_ns,
        }
    }
}

pub(crate) fn run(place: &Place, args: &SpansArgs) -> anyhow::Result<Verdict> {
    let mut source = Source::of(args)?;
    if args.select.follow {
        place.must_be_running()?;
    }
    let mut reader = Reader::open(place)?;
    source.settle(&reader, args)?;
    let which = reader.which(args.boot)?;
    let mut view = View::new(place, args.select.output.output, reader.calendars())?;
    if let Which::One(boot) = which {
        view.note_boot_quietly(boot);
    }
    let mut items = source.all(&mut reader, which)?;
    if !args.select.follow && args.select.until.is_none() && which == Which::Newest {
        items.extend(live(place, &reader)?.into_iter().map(Item::Span));
    }
    items.retain(|item| wanted(item, args, &source));
    let follow_lines = (args.select.follow && args.select.since.is_none()).then_some(FOLLOW_LINES);
    let items = newest(items, args.select.lines.or(follow_lines), args.tree);
    match (args.tree, view.output) {
        (true, Output::Text) => show::trees(&mut view, &items)?,
        _ => show::list(&mut view, &items)?,
    }
    if !args.select.follow {
        if items.is_empty() {
            let query = Query::of_service(source.unit, "");
            reader.warn_if_unknown(&query, &view.names, args.select.unit.as_deref());
        }
        return Ok(if reader.close() { Verdict::Fine } else { Verdict::Wrong });
    }
    loop {
        view.screen.flush()?;
        std::thread::sleep(FOLLOW_PAUSE);
        let Some(mut items) = source.poll(&mut reader)? else { continue };
        view.set_calendars(reader.calendars());
        view.note_boot(source.at.0)?;
        items.retain(|item| wanted(item, args, &source));
        items.sort_by_key(Item::start_ns);
        show::list(&mut view, &items)?;
    }
}

/// All spans that the journal has or that go on.
pub(crate) fn all(place: &Place, reader: &mut Reader) -> anyhow::Result<Vec<Span>> {
    let query = Query::of_service(Some(METRICSD), SCOPE);
    let mut merger = Merger::default();
    reader.forward(&query, START, false, &mut |page| {
        page.entries.iter().for_each(|entry| merger.add(entry));
        Ok(())
    })?;
    let mut spans = merger.take_all();
    spans.extend(live(place, reader)?);
    Ok(spans)
}

/// Whether a person asked for it. Losses that may concern it are always told.
fn wanted(item: &Item, args: &SpansArgs, source: &Source) -> bool {
    let of_unit = |origin| source.unit.is_none_or(|unit| origin == unit);
    match item {
        Item::Span(span) => span.name.starts_with(&args.name) && of_unit(span.origin),
        Item::Loss(loss) => loss.origin().is_none_or(of_unit),
    }
}

/// The newest spans, oldest first, with the losses since; as trees, with all of their traces.
fn newest(mut items: Vec<Item>, lines: Option<u32>, whole_traces: bool) -> Vec<Item> {
    items.sort_by_key(Item::start_ns);
    let spans = || items.iter().filter_map(Item::span);
    let left_out = spans().count().saturating_sub(lines.map_or(usize::MAX, |lines| lines as usize));
    if left_out == 0 {
        return items;
    }
    let chosen: Vec<(u64, u64, crate::trace::Trace)> =
        spans().skip(left_out).map(|span| (span.start_ns, span.id, span.trace)).collect();
    let since = chosen.iter().map(|(start, ..)| *start).min().unwrap_or(u64::MAX);
    items.retain(|item| match item {
        Item::Loss(loss) => loss.entry.ts_ns >= since,
        Item::Span(span) => chosen.iter().any(|(start, id, trace)| {
            *trace == span.trace && (whole_traces || (*id == span.id && *start == span.start_ns))
        }),
    });
    items
}

impl Item {
    const fn span(&self) -> Option<&Span> {
        match self {
            Self::Span(span) => Some(span),
            Self::Loss(_) => None,
        }
    }
}

/// Spans that go on; none while metricsd is away, or of files.
fn live(place: &Place, reader: &Reader) -> anyhow::Result<Vec<Span>> {
    let metrics = reader.is_live().then(|| Metrics::open(&place.dir()));
    let Some(Ok(mut metrics)) = metrics else { return Ok(Vec::new()) };
    let epoch = metrics.hello()?.epoch;
    let (now_ns, spans) = metrics.live_spans()?;
    Ok(spans.into_iter().map(|span| Span::of_live(span, epoch, now_ns)).collect())
}

/// Where ended spans and losses come from: two scopes of metricsd's records.
struct Source {
    spans: Query,
    losses: Query,
    at: Cursor,
    losses_at: Cursor,
    merger: Merger,
    /// Whose spans. The records are metricsd's; whose span it is stands in the field `origin`.
    unit: Option<nexus_abi::ServiceId>,
}

impl Source {
    fn of(args: &SpansArgs) -> anyhow::Result<Self> {
        let mut spans = Query::of(&args.select)?;
        let unit = spans.service.replace(METRICSD);
        spans.scope = SCOPE.to_owned();
        let mut losses = Query::of(&args.select)?.of_any_level();
        losses.service = Some(METRICSD);
        losses.scope = loss::SCOPE.to_owned();
        losses.with_field(loss::FIELD)?;
        let (at, losses_at) = (START, START);
        Ok(Self { spans, losses, at, losses_at, merger: Merger::default(), unit })
    }

    fn settle(&mut self, reader: &Reader, args: &SpansArgs) -> anyhow::Result<()> {
        reader.settle(&mut self.spans, &args.select)?;
        reader.settle(&mut self.losses, &args.select)
    }

    /// Everything up to now.
    fn all(&mut self, reader: &mut Reader, which: Which) -> anyhow::Result<Vec<Item>> {
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        let (start, one_boot) = which.beginning();
        self.at = reader.forward(&self.spans, start, one_boot, &mut |page| {
            entries.extend_from_slice(&page.entries);
            Ok(())
        })?;
        self.take(&entries, &mut items);
        self.losses_at = reader.forward(&self.losses, start, one_boot, &mut |page| {
            items.extend(losses(page));
            Ok(())
        })?;
        items.extend(self.merger.take_all().into_iter().map(Item::Span));
        Ok(items)
    }

    /// What has come since; `None` while logd is away.
    fn poll(&mut self, reader: &mut Reader) -> anyhow::Result<Option<Vec<Item>>> {
        let Some((at, pages)) = reader.poll(&self.spans, self.at)? else { return Ok(None) };
        let mut items = Vec::new();
        self.at = at;
        pages.iter().for_each(|page| self.take(&page.entries, &mut items));
        if let Some((at, pages)) = reader.poll(&self.losses, self.losses_at)? {
            self.losses_at = at;
            items.extend(pages.iter().flat_map(losses));
        }
        items.extend(self.merger.take_whole().into_iter().map(Item::Span));
        Ok(Some(items))
    }

    fn take(&mut self, entries: &[Entry], items: &mut Vec<Item>) {
        let (gaps, spans): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.is_gap);
        spans.into_iter().for_each(|entry| self.merger.add(entry));
        items.extend(gaps.into_iter().map(|entry| Item::Loss(Loss { entry: entry.clone() })));
    }
}

/// What metricsd says it lost. What logd dropped of it comes with the spans.
fn losses(page: &Page) -> impl Iterator<Item = Item> {
    let told = page.entries.iter().filter(|entry| !entry.is_gap);
    told.map(|entry| Item::Loss(Loss { entry: entry.clone() }))
}
