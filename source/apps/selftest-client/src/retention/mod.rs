//! What is kept on a disk comes back exactly: windows by RANGE and records by SEARCH, in the boot
//! that kept them and in the next one ([`again`]).
//!
//! What is told is a [`Workload`]. When all of it is durable, a record of ours notes in logd in
//! which windows that was, and is waited for until it is durable too: the next boot, and whoever
//! reads the disk, hold what is kept to that note.

pub(crate) mod again;
mod asking;
mod workload;

use nexus_bounded::Nanos;
use nexus_wire::logs::NewRecord;
use nexus_wire::metrics::{self, Moment};
use nexus_wire::state::{logd, metricsd};
use nexus_wire::{Level, MetricStatus, Tier};

use crate::Why;
use crate::journal::has;
use crate::metrics::{counter, gauge, is_ours};
use crate::outage::FATAL;
use crate::rows::{Row, Seen};
use crate::security::is_ready;
use crate::spans::shown;
use crate::talk::{METRICSD, Talk};
pub(crate) use workload::STEPS_MAX;
pub use workload::{ANEW, LONG, NOTE, Note, SHORT, Told, Workload};

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
    is_heard_again(talk)?;
    keep(talk, &ANEW).map(drop)
}

/// What was held up while metricsd was away comes in a window that says so: waits until the next
/// one begins.
fn is_heard_again(talk: &mut Talk<'_>) -> Result<(), Why> {
    talk.client.flush();
    let here = talk.window()?;
    let next = (here.number() + 1).saturating_mul(here.length);
    talk.client.pause(Nanos(next.saturating_sub(here.now.mono_ns)));
    Ok(())
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
                let mut row = Row::counted(number, windows(raw_windows), count);
                if number == 0 {
                    // metricsd has begun in the middle of it, and maybe of the boot's first raw
                    // window, which is caught up then; of raw ones none of ours is.
                    row = row.caught_up_as(seen.row);
                }
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
