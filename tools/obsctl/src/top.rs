//! `obsctl top`: what is busiest, again and again.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyModifiers};
use crossterm::{cursor, event, execute, terminal};
use nexus_wire::LedgerRow;

use crate::Verdict;
use crate::cli::{Place, TopArgs};
use crate::daemons::{Both, Metrics, Series};
use crate::metrics::{detail_text, rate, rate_text, value_text, window_seconds};
use crate::names::Names;
use crate::render::{shortened, table};

/// Time between two pictures on a terminal.
const PICTURE: Duration = Duration::from_secs(1);
/// Time between two pictures elsewhere.
const PLAIN_PICTURE: Duration = Duration::from_secs(2);

pub(crate) fn run(place: &Place, args: &TopArgs) -> anyhow::Result<Verdict> {
    let stop = stop_flag()?;
    let length = args.seconds.map(Duration::from_secs);
    watch(&place.dir(), &Names::of(place)?, args.lines, length, &stop, &mut || Ok(()))?;
    Ok(Verdict::Fine)
}

/// A flag that SIGINT and SIGTERM set.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Shows pictures until `stop`, `length` or a key ends it. `check` is asked before each one.
pub(crate) fn watch(
    dir: &Path,
    names: &Names,
    plain_lines: usize,
    length: Option<Duration>,
    stop: &AtomicBool,
    check: &mut dyn FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    let over =
        || stop.load(Ordering::Relaxed) || length.is_some_and(|length| begin.elapsed() >= length);
    let mut painter = Painter::new()?;
    let mut last = Rates::default();
    while !over() {
        check()?;
        let picture = Picture::take(dir);
        if let (Err(logd), Err(metricsd)) = (&picture.logd, &picture.metricsd)
            && matches!(painter, Painter::Plain)
        {
            anyhow::bail!("nothing can be read: {logd}; {metricsd}");
        }
        painter.paint(&picture, &mut last, names, plain_lines)?;
        if painter.wait(&over)? {
            break;
        }
    }
    Ok(())
}

/// The terminal, or just standard output.
enum Painter {
    Terminal,
    Plain,
}

impl Painter {
    fn new() -> anyhow::Result<Self> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Ok(Self::Plain);
        }
        terminal::enable_raw_mode()?;
        execute!(std::io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(Self::Terminal)
    }

    fn paint(
        &mut self,
        picture: &Picture,
        last: &mut Rates,
        names: &Names,
        plain_lines: usize,
    ) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match self {
            Self::Plain => {
                for line in picture.lines(last, names, plain_lines) {
                    writeln!(out, "{line}")?;
                }
                writeln!(out)?;
            }
            Self::Terminal => {
                let (width, height) = terminal::size()?;
                let room = usize::from(height).saturating_sub(1);
                let lines = picture.lines(last, names, room.saturating_sub(12));
                let all = lines.iter().take(room).map(|line| shortened(line, width.into()));
                let text: Vec<_> = all.collect();
                execute!(out, cursor::MoveTo(0, 0), terminal::Clear(terminal::ClearType::All))?;
                write!(out, "{}\r\nq: quit", text.join("\r\n"))?;
            }
        }
        Ok(out.flush()?)
    }

    /// Waits for the next picture; `true` if a key says that it was the last.
    fn wait(&self, over: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        let pause = match self {
            Self::Terminal => PICTURE,
            Self::Plain => PLAIN_PICTURE,
        };
        let end = Instant::now() + pause;
        const STEP: Duration = Duration::from_millis(100);
        while Instant::now() < end && !over() {
            match self {
                Self::Plain => std::thread::sleep(STEP),
                Self::Terminal => {
                    if event::poll(STEP)? && is_quit(&event::read()?) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        if matches!(self, Self::Terminal) {
            // Nothing can be done about a terminal that is gone.
            drop(execute!(std::io::stdout(), cursor::Show, terminal::LeaveAlternateScreen));
            drop(terminal::disable_raw_mode());
        }
    }
}

/// `q`, escape, or Ctrl-C, which raw mode delivers as a key.
fn is_quit(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

/// What was offered at the last picture, by daemon and sender, and when.
#[derive(Default)]
struct Rates {
    taken: Option<Instant>,
    offered: Vec<(&'static str, u64, u64)>,
}

/// Everything that one picture shows.
struct Picture {
    taken: Instant,
    logd: Result<Said, String>,
    metricsd: Result<(Said, Vec<Series>, f64), String>,
}

/// A daemon's state and ledger.
struct Said {
    state: Vec<(String, String)>,
    rows: Vec<LedgerRow>,
}

impl Picture {
    fn take(dir: &Path) -> Self {
        let both = Both::open(dir);
        let logd = both
            .journal
            .and_then(|mut logd| Ok(Said { state: logd.status()?, rows: logd.audit()? }));
        let metricsd = both.metrics.and_then(Self::of_metricsd);
        let brief = |error: anyhow::Error| format!("{error:#}");
        Self { taken: Instant::now(), logd: logd.map_err(brief), metricsd: metricsd.map_err(brief) }
    }

    fn of_metricsd(mut metricsd: Metrics) -> anyhow::Result<(Said, Vec<Series>, f64)> {
        let said = Said { state: metricsd.status()?, rows: metricsd.audit()? };
        let window = window_seconds(&mut metricsd)?;
        Ok((said, metricsd.scrape(false)?.series, window))
    }

    fn lines(&self, last: &mut Rates, names: &Names, most: usize) -> Vec<String> {
        let mut lines = vec![
            head("logd", self.logd.as_ref(), &["boot", "records", "dropped", "senders"]),
            head(
                "metricsd",
                self.metricsd.as_ref().map(|(said, ..)| said),
                &["boot", "series", "spans", "export_acknowledged", "export_lost"],
            ),
            String::new(),
        ];
        lines.extend(table(2, &self.senders(last, names)));
        if let Ok((_, series, window)) = &self.metricsd {
            lines.push(String::new());
            lines.extend(table(2, &busiest(series, *window, names, most)));
        }
        lines
    }

    fn senders(&self, last: &mut Rates, names: &Names) -> Vec<Vec<String>> {
        let head = ["SENDER", "AT", "ITEMS/S", "OFFERED", "REFUSED", "FOLDED", "DROPPED", "KEPT"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        let seconds = last.taken.map(|taken| (self.taken - taken).as_secs_f64());
        let logd = self.logd.iter().flat_map(|said| &said.rows).map(|row| ("logd", row));
        let metricsd = self.metricsd.iter().flat_map(|(said, ..)| &said.rows);
        let rows: Vec<_> = logd.chain(metricsd.map(|row| ("metricsd", row))).collect();
        for (at, row) in rows.iter().filter(|(_, row)| row.offered > 0) {
            let known =
                last.offered.iter().find(|(daemon, id, _)| daemon == at && *id == row.service);
            let rate = known.zip(seconds).map(|((_, _, before), seconds)| {
                format!("{:.1}", row.offered.saturating_sub(*before) as f64 / seconds)
            });
            let mut cells = vec![names.of_row(row), (*at).to_owned(), rate.unwrap_or_default()];
            let counts = [row.offered, row.refused_total(), row.folded, row.dropped, row.kept];
            cells.extend(counts.map(|count| count.to_string()));
            lines.push(cells);
        }
        last.taken = Some(self.taken);
        last.offered = rows.iter().map(|(at, row)| (*at, row.service, row.offered)).collect();
        lines
    }
}

/// A line about a daemon: chosen parts of its state.
fn head(name: &str, said: Result<&Said, &String>, keys: &[&str]) -> String {
    match said {
        Err(why) => format!("{name}: {why}"),
        Ok(said) => {
            let shown = said.state.iter().filter(|(key, _)| keys.contains(&key.as_str()));
            let shown: Vec<_> = shown.map(|(key, value)| format!("{key} {value}")).collect();
            format!("{name}: {}", shown.join(", "))
        }
    }
}

/// The series that changed most in their last window, then gauges by name.
fn busiest(all: &[Series], window: f64, names: &Names, most: usize) -> Vec<Vec<String>> {
    let mut all: Vec<_> = all.iter().collect();
    let busy = |series: &Series| series.short.count;
    all.sort_by(|a, b| (busy(b), &a.name, &a.labels).cmp(&(busy(a), &b.name, &b.labels)));
    let mut rows = vec![["METRIC", "SERVICE", "VALUE", "PER S", ""].map(str::to_owned).to_vec()];
    rows.extend(all.into_iter().take(most).map(|series| {
        vec![
            shortened(&series.title(), 44),
            names.of_service(series.service),
            value_text(series),
            rate(series, window).map(|rate| rate_text(series, rate)).unwrap_or_default(),
            detail_text(series),
        ]
    }));
    rows
}
