//! `obsctl top`: what is busiest, again and again.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyModifiers};
use crossterm::{cursor, event, execute, terminal};

use crate::Verdict;
use crate::cli::{Place, TopArgs};
use crate::names::Names;
use crate::picture::{Frame, Height, Picture, Rates};
use crate::render::shortened;

/// Time between two pictures on a terminal.
const PICTURE: Duration = Duration::from_secs(1);
/// Columns of a picture elsewhere.
const PLAIN_WIDTH: usize = 80;
/// Time between two pictures elsewhere.
const PLAIN_PICTURE: Duration = Duration::from_secs(2);

pub(crate) fn run(place: &Place, args: &TopArgs) -> anyhow::Result<Verdict> {
    let stop = stop_flag()?;
    let length = args.seconds.map(Duration::from_secs);
    let show = Show { lines: args.lines, length, journal: false };
    watch(&place.dir(), &Names::of(place)?, show, &stop, &mut || Ok(()))?;
    Ok(Verdict::Fine)
}

/// What is watched, and how long.
#[derive(Clone, Copy)]
pub(crate) struct Show {
    /// Series in a picture that is not on a terminal.
    pub(crate) lines: usize,
    pub(crate) length: Option<Duration>,
    /// With what has come back from the journal.
    pub(crate) journal: bool,
}

/// A flag that SIGINT, SIGTERM and the end of the terminal set.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Shows pictures until `stop`, `length` or a key ends it. `check` is asked before each one.
pub(crate) fn watch(
    dir: &Path,
    names: &Names,
    show: Show,
    stop: &AtomicBool,
    check: &mut dyn FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    let over =
        || stop.load(Ordering::Relaxed) || show.length.is_some_and(|end| begin.elapsed() >= end);
    let mut painter = Painter::new()?;
    let mut last = Rates::default();
    while !over() {
        check()?;
        let picture = Picture::take(dir, show.journal);
        if let Some(why) = picture.failure().filter(|_| matches!(painter, Painter::Plain)) {
            anyhow::bail!("nothing can be read: {why}");
        }
        painter.paint(&picture, &mut last, names, show.lines)?;
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
                let height = Height::Series(plain_lines);
                let frame = Frame { width: PLAIN_WIDTH, height };
                for line in picture.lines(last, names, frame) {
                    writeln!(out, "{line}")?;
                }
                writeln!(out)?;
            }
            Self::Terminal => {
                let (width, height) = terminal::size()?;
                let room = usize::from(height).saturating_sub(1);
                let frame = Frame { width: width.into(), height: Height::Lines(room) };
                let lines = picture.lines(last, names, frame);
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
