//! What is kept on a disk comes back exactly: windows by RANGE and records by SEARCH, in the boot
//! that kept them and in the next one.
//!
//! What is told is a [`Workload`]. When all of it is durable, a record of ours notes in logd in
//! which windows that was, and is waited for until it is durable too: the next boot, and whoever
//! reads the disk, hold what is kept to that note.

use core::fmt::Write as _;

use nexus_bounded::{Nanos, Text};
use nexus_wire::logs::{self, Found, NewRecord, Record, Search};
use nexus_wire::metrics::{self, Moment};
use nexus_wire::state::{logd, metricsd};
use nexus_wire::{Level, LogStatus, MetricStatus, RecordId, Tier};

use crate::Why;
use crate::journal::has;
use crate::metrics::{counter, gauge, is_ours};
use crate::outage::FATAL;
use crate::rows::{Row, Seen};
use crate::security::is_ready;
use crate::spans::shown;
use crate::talk::{METRICSD, Talk};

/// What is told of two series, step by step, each step in a window of its own.
pub struct Workload {
    /// Name of the counter.
    pub counter: &'static str,
    /// Name of the gauge.
    pub gauge: &'static str,
    /// The steps.
    pub steps: &'static [Told],
}

/// A step of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Not before this time since boot, seconds.
    pub from_s: u64,
    /// What is added to the counter.
    pub count: u64,
    /// What the gauge is set to.
    pub level: i64,
}

impl Workload {
    /// What the counter comes to.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.steps.iter().map(|step| step.count).sum()
    }
}

const fn told(from_s: u64, count: u64, level: i64) -> Told {
    Told { from_s, count, level }
}

/// Two windows, as soon as they come.
pub const SHORT: Workload = Workload {
    counter: "selftest_kept_total",
    gauge: "selftest_kept_level",
    steps: &[told(0, 5, -9), told(0, 37, 4)],
};

/// On both sides of the first two boundaries of short windows, and of the first of long ones.
pub const LONG: Workload = Workload {
    counter: "selftest_long_total",
    gauge: "selftest_long_level",
    steps: &[told(8, 1, -1), told(11, 2, 20), told(31, 4, -3), told(58, 8, 4), told(61, 16, -5)],
};

/// Told once what was kept before was set aside.
pub const ANEW: Workload = Workload {
    counter: "selftest_anew_total",
    gauge: "selftest_anew_level",
    steps: &[told(0, 3, 1)],
};

/// Steps of a workload at most.
pub(crate) const STEPS_MAX: usize = 5;

/// Pages of the journal that one look takes.
const PAGES_MAX: u32 = 256;

/// Scope and message of the note.
pub const NOTE: (&str, &str) = ("selftest.kept", "note");

/// The windows of a workload's steps, and the boot they are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// metricsd's number of the boot.
    pub boot: u32,
    windows: [u64; STEPS_MAX],
    steps: usize,
}

impl Note {
    /// Number of the window of each step.
    #[must_use]
    pub fn windows(&self) -> &[u64] {
        self.windows.get(..self.steps).unwrap_or_default()
    }

    /// As a record has it; `None` if a text is no note.
    #[must_use]
    pub fn read(run: &str, windows: &str) -> Option<Self> {
        let mut note = Self { boot: run.parse().ok()?, windows: [0; STEPS_MAX], steps: 0 };
        for text in windows.split('.') {
            *note.windows.get_mut(note.steps)? = text.parse().ok()?;
            note.steps += 1;
        }
        Some(note)
    }

    /// Its fields.
    fn fields(&self) -> Text<160> {
        let mut text = Text::EMPTY;
        let mut written = write!(text, "run={}\nwindows=", self.boot).is_ok();
        for (at, window) in self.windows().iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            written &= write!(text, "{dot}{window}").is_ok();
        }
        assert!(written && writeln!(text).is_ok(), "a note has room for its numbers");
        text
    }
}

const NO_RANGE: Why = "what is kept cannot be asked for";

pub(crate) fn is_kept(talk: &mut Talk<'_>) -> Result<(), Why> {
    keep(talk, &SHORT).map(drop)
}

/// Steps of the lengths of longer windows are put together out of raw ones here: the longer ones
/// are not made before a segment is full.
pub(crate) fn crosses_boundaries(talk: &mut Talk<'_>) -> Result<(), Why> {
    let note = keep(talk, &LONG)?;
    sums_are_exact(talk, &LONG, &note, [Tier::Raw; 2])
}

/// At its third death metricsd is suspected to die of what it has kept: that is set aside, which is
/// told and counted, and a new generation of files is begun, which is kept as the first was.
pub(crate) fn is_set_aside(talk: &mut Talk<'_>) -> Result<(), Why> {
    for death in 1..=3 {
        let since = talk.fresh_time();
        dies(talk)?;
        let is_there = talk.all_rows(&SHORT, Tier::Raw, 0)?.0.counted.len() > 0;
        if is_there != (death < 3) {
            return Err("what is set aside is not what the third death makes suspect");
        }
        let generation = talk.number_of_metricsd(metricsd::RETENTION_GENERATION)?;
        let aside = talk.number_of_metricsd(metricsd::RETENTION_SET_ASIDE)?;
        if [generation, aside] != if death < 3 { [1, 0] } else { [2, 1] } {
            return Err("metricsd does not say what it has set aside");
        }
        if death == 3 {
            talk.wait_for(since, "init does not say what it suspects", |record| {
                let is_it = record.message == "stored state is suspect and set aside";
                is_it && has(record, &[("child", "metricsd"), ("count", "1")])
            })?;
        }
    }
    keep(talk, &ANEW).map(drop)
}

/// Ends metricsd, and waits until the next life of it keeps what it has.
fn dies(talk: &mut Talk<'_>) -> Result<(), Why> {
    if talk.send(METRICSD, FATAL).is_ok() {
        return Err("a service answers that should be dead");
    }
    talk.until("metricsd is not ready again", |talk| {
        if is_ready(talk)?.is_none() {
            return Ok(None);
        }
        match talk.ask_metricsd(&metrics::Request::Status) {
            Ok((MetricStatus::Ok, metrics::Reply::Status(fields))) => {
                let is_keeping = fields.get(metricsd::RETENTION_STATE) == Some("keeping");
                Ok(is_keeping.then_some(()))
            }
            _ => Ok(None),
        }
    })
}

/// Tells a workload, and sees it kept.
fn keep(talk: &mut Talk<'_>, workload: &Workload) -> Result<Note, Why> {
    let since = talk.fresh_time();
    let (mut first, mut last) = ([0; STEPS_MAX], [0; STEPS_MAX]);
    let mut earliest = 0;
    for (step, (first, last)) in workload.steps.iter().zip(first.iter_mut().zip(&mut last)) {
        [*first, *last] = tell(talk, workload, *step, earliest)?;
        earliest = *last + 1;
    }
    let note = read_back(talk, workload, |at, window| {
        let (first, last) = (first.get(at).copied(), last.get(at).copied());
        first <= Some(window) && Some(window) <= last
    })?;
    // All of it was there before, so what is durable behind that covers it.
    let at = talk.window()?.now.mono_ns;
    talk.until("what was recorded does not become durable", |talk| {
        Ok((talk.number_of_metricsd(metricsd::RETENTION_LAST_SYNC_NS)? > at).then_some(()))
    })?;
    let (total, boot) = (shown(workload.total()), shown(note.boot));
    let values = [("value", total.as_str()), ("boot", boot.as_str())];
    talk.wait_for(since, "what is kept is not in the journal", |record| {
        is_ours(record, workload.counter) && has(record, &values)
    })?;
    write_down(talk, &note)?;
    Ok(note)
}

/// Tells a step once its time has come, in a window not before `earliest`: between which windows
/// that was.
fn tell(
    talk: &mut Talk<'_>,
    workload: &Workload,
    step: Told,
    earliest: u64,
) -> Result<[u64; 2], Why> {
    let before = talk.window()?;
    let from = Nanos::from_secs(step.from_s).0.max(earliest.saturating_mul(before.length));
    talk.client.pause(Nanos(from.saturating_sub(before.now.mono_ns)));
    let before = talk.window()?;
    if before.number() < earliest {
        return Err("time does not pass as it should");
    }
    talk.tell(&counter(workload.counter, "part=a\n", step.count)?)?;
    talk.tell(&gauge(workload.gauge, "part=a\n", step.level)?)?;
    Ok([before.number(), talk.window()?.number()])
}

/// metricsd's time, and how long its windows are.
#[derive(Clone, Copy)]
struct Window {
    now: Moment,
    length: u64,
}

impl Window {
    const fn number(self) -> u64 {
        self.now.mono_ns / self.length
    }
}

impl Talk<'_> {
    fn window(&mut self) -> Result<Window, Why> {
        let nothing = metrics::Range { name: "-", is_prefix: false, ..metrics::Range::ALL };
        let nothing = metrics::Range { tier: Tier::Raw, ..nothing };
        self.until(NO_RANGE, |talk| match talk.ask_metricsd(&metrics::Request::Range(nothing))? {
            (MetricStatus::Ok, metrics::Reply::Range(range)) => {
                Ok(Some(Window { now: range.head.now, length: range.head.window_ns }))
            }
            (MetricStatus::NotReady | MetricStatus::RateLimited, _) => Ok(None),
            _ => Err("a question for what is kept was refused"),
        })
    }

    fn number_of_metricsd(&mut self, key: &str) -> Result<u64, Why> {
        let status = self.until("no budget for a status", |talk| {
            match talk.ask_metricsd(&metrics::Request::Status)? {
                (MetricStatus::Ok, metrics::Reply::Status(fields)) => Ok(Some(fields.number(key))),
                (MetricStatus::RateLimited, _) => Ok(None),
                _ => Err("metricsd's status was refused"),
            }
        })?;
        status.ok_or("metricsd's status does not say how it keeps")
    }

    fn number_of_logd(&mut self, key: &str) -> Result<u64, Why> {
        let status = self.until("no budget for a status", |talk| {
            match talk.ask_logd(&logs::Request::Status)? {
                (LogStatus::Ok, logs::Reply::Status(fields)) => Ok(Some(fields.number(key))),
                (LogStatus::RateLimited, _) => Ok(None),
                _ => Err("logd's status was refused"),
            }
        })?;
        status.ok_or("logd's status does not say how it keeps")
    }
}

/// A number among the fields of a status.
trait Numbers {
    fn number(&self, key: &str) -> Option<u64>;
}

impl Numbers for nexus_wire::Fields<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }
}

/// What must be there of a step, in the window `at`.
const fn rows_of(step: Told, at: u64) -> [Row; 2] {
    [Row::counted(at, 1, step.count), Row::level(at, 1, step.level)]
}

/// Waits until RANGE gives each step of a workload, in a window that `may_be` its own: which these
/// are.
fn read_back(
    talk: &mut Talk<'_>,
    workload: &Workload,
    may_be: impl Fn(usize, u64) -> bool,
) -> Result<Note, Why> {
    let from = Moment { mono_ns: 0, ..talk.window()?.now };
    talk.until("what was recorded does not come back", |talk| {
        let Some((rows, now)) = talk.rows(workload, from, Tier::Raw, 0)? else {
            return Ok(None);
        };
        let mut note = Note { boot: now.boot, windows: [0; STEPS_MAX], steps: 0 };
        if rows.counted.len() < workload.steps.len() || rows.levels.len() < workload.steps.len() {
            return Ok(None);
        }
        for (at, (step, place)) in workload.steps.iter().zip(&mut note.windows).enumerate() {
            let (counted, level) = (rows.counted.get(at), rows.levels.get(at));
            let windows = [counted, level].map(|seen| seen.map_or(0, Seen::step));
            let [expected, other] = rows_of(*step, 0);
            let is_it = |seen: Option<Seen>, row: Row, window| {
                seen == Some(Seen { boot: now.boot, row: row.moved_to(window) })
            };
            let [counted_in, level_in] = windows;
            if !is_it(counted, expected, counted_in) || !is_it(level, other, level_in) {
                return Err("what comes back is not what was recorded");
            }
            if !windows.into_iter().all(|window| may_be(at, window)) {
                return Err("what comes back is of another window");
            }
            // A step whose two series lie in two windows is noted by the first.
            *place = counted_in;
            note.steps += 1;
        }
        Ok(Some(note))
    })
}

/// Notes in logd where it was, durably.
fn write_down(talk: &mut Talk<'_>, note: &Note) -> Result<(), Why> {
    let (fields, (scope, message)) = (note.fields(), NOTE);
    let fields = fields.as_str().as_bytes();
    let id = talk.append_good(NewRecord { level: Level::Info, scope, message, fields })?;
    talk.until("a record does not become durable", |talk| {
        Ok((talk.number_of_logd(logd::RETENTION_DURABLE)? >= id).then_some(()))
    })
}

/// Shows the records of the first boot that has any like these: its number.
fn search_oldest(
    talk: &mut Talk<'_>,
    wanted: Search<'_>,
    mut look: impl FnMut(&Record<'_>) -> Result<(), Why>,
) -> Result<u32, Why> {
    let (mut at, mut oldest) = ((1, RecordId(0)), None);
    for _ in 0..PAGES_MAX {
        let search = Search { boot: at.0, id: at.1, ..wanted };
        let next = talk.until("no budget to read", |talk| {
            match talk.ask_logd(&logs::Request::Search(search))? {
                (LogStatus::Ok, logs::Reply::Search(page)) => {
                    let is_of_next = oldest.is_some_and(|boot| boot != page.boot);
                    for found in page.found().take_while(|_| !is_of_next) {
                        let Found::Record(record) = found else { return Err("an unwanted gap") };
                        look(&record)?;
                        oldest = Some(page.boot);
                    }
                    let goes_on = page.more && !is_of_next;
                    Ok(Some(goes_on.then_some((page.boot, page.next_id))))
                }
                (LogStatus::RateLimited, _) => Ok(None),
                _ => Err("a search was refused"),
            }
        })?;
        match next {
            Some(next) => at = next,
            None => return oldest.ok_or("the boot before has left no record"),
        }
    }
    Err("the journal has no end")
}

/// The note of the boot before.
fn read_note(talk: &mut Talk<'_>) -> Result<Note, Why> {
    talk.until("what former boots have kept is not read", |talk| {
        let (status, reply) = talk.ask_logd(&logs::Request::Status)?;
        let logs::Reply::Status(fields) = reply else {
            return if status == LogStatus::RateLimited { Ok(None) } else { Err("no status") };
        };
        Ok((fields.get(logd::RETENTION) == Some("ok")).then_some(()))
    })?;
    let now = talk.number_of_logd(logd::BOOT)?;
    let (me, (scope, message)) = (talk.me(), NOTE);
    let (mut found, mut count) = (None, 0);
    let wanted = Search { service: Some(me), scope, ..Search::ALL };
    let boot = search_oldest(talk, wanted, |record| {
        let (run, windows) = (record.fields.get("run"), record.fields.get("windows"));
        found = run.zip(windows).and_then(|(run, windows)| Note::read(run, windows));
        count += 1;
        let is_whole = record.message == message && record.fields.iter().count() == 2;
        if is_whole { Ok(()) } else { Err("a record of the boot before is not what it was") }
    })?;
    let note = found.filter(|_| count == 1).ok_or("the boot before has left no record")?;
    if note.boot == boot && u64::from(boot) < now {
        Ok(note)
    } else {
        Err("a record of the boot before is not under its number")
    }
}

pub(crate) fn logs_are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    records_are_there(talk, &SHORT)
}

pub(crate) fn logs_of_boundaries_are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    records_are_there(talk, &LONG)
}

/// The note is there, and the last snapshot of the counter that metricsd exported.
fn records_are_there(talk: &mut Talk<'_>, workload: &Workload) -> Result<(), Why> {
    let note = read_note(talk)?;
    if note.windows().len() != workload.steps.len() {
        return Err("a record of the boot before notes another workload");
    }
    let (total, boot) = (shown(workload.total()), shown(note.boot));
    let values = [("value", total.as_str()), ("boot", boot.as_str())];
    let mut is_there = false;
    let wanted = Search { service: Some(METRICSD), scope: "metrics", ..Search::ALL };
    search_oldest(talk, wanted, |record| {
        if is_ours(record, workload.counter) {
            is_there = has(record, &values);
        }
        Ok(())
    })?;
    if is_there { Ok(()) } else { Err("the last snapshot of the boot before is not there") }
}

pub(crate) fn windows_are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    windows_are_as_noted(talk, &SHORT).map(drop)
}

/// Raw windows, and the longer ones that were made of them.
pub(crate) fn rollups_are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    let note = windows_are_as_noted(talk, &LONG)?;
    sums_are_exact(talk, &LONG, &note, [Tier::Short, Tier::Long])
}

fn windows_are_as_noted(talk: &mut Talk<'_>, workload: &Workload) -> Result<Note, Why> {
    talk.until("metricsd is not ready", is_ready)?;
    let note = read_note(talk)?;
    let (rows, now) = talk.all_rows(workload, Tier::Raw, 0)?;
    if note.boot >= now.boot {
        return Err("the boot before has no lower number than this one");
    }
    let is_there =
        workload.steps.iter().zip(note.windows()).enumerate().all(|(at, (step, own))| {
            let [counted, level] = rows_of(*step, *own);
            let is_noted = |seen: Option<Seen>, row| seen == Some(Seen { boot: note.boot, row });
            // The gauge was set behind the counter.
            let behind =
                [0, 1].map(|more| is_noted(rows.levels.get(at), level.moved_to(own + more)));
            is_noted(rows.counted.get(at), counted) && behind.contains(&true)
        });
    let count = workload.steps.len();
    if is_there && rows.counted.len() == count && rows.levels.len() == count {
        Ok(note)
    } else {
        Err("windows of the boot before are not what they were")
    }
}

/// The lengths of short and long windows, ns.
const LENGTHS: [u64; 2] = [10_000_000_000, 60_000_000_000];

/// Steps as long as short and as long windows are the sums of the raw ones, in these tiers.
fn sums_are_exact(
    talk: &mut Talk<'_>,
    workload: &Workload,
    note: &Note,
    tiers: [Tier; 2],
) -> Result<(), Why> {
    let raw = talk.window()?.length;
    let from = Moment { boot: note.boot, mono_ns: 0 };
    for (length, tier) in LENGTHS.into_iter().zip(tiers) {
        // A longer window is one; of raw ones those count in which something was recorded.
        let windows = |raw| if tier == Tier::Raw { raw } else { 1 };
        talk.until("windows are not put together", |talk| {
            let Some((rows, _)) = talk.rows(workload, from, tier, length)? else {
                return Ok(None);
            };
            let mut at = 0;
            let mut steps = workload.steps.iter().zip(note.windows()).peekable();
            while let Some((step, window)) = steps.next() {
                let number = window * raw / length;
                let (mut count, mut raw_windows) = (step.count, 1);
                while let Some((more, _)) = steps.next_if(|(_, w)| *w * raw / length == number) {
                    (count, raw_windows) = (count + more.count, raw_windows + 1);
                }
                let Some(seen) = rows.counted.get(at) else { return Ok(None) };
                let row = Row::counted(number, windows(raw_windows), count);
                if seen != (Seen { boot: note.boot, row }) {
                    return Err("a longer window is not the sum of its parts");
                }
                at += 1;
            }
            let is_all = rows.counted.len() == at;
            if is_all { Ok(Some(())) } else { Err("there are longer windows of nothing") }
        })?;
    }
    Ok(())
}
