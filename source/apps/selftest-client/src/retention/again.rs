//! What was kept is there in the next boot.

use nexus_wire::logs::{self, Found, Record, Search};
use nexus_wire::state::logd;
use nexus_wire::{LogStatus, RecordId, Tier};

use super::{LONG, NOTE, Note, SHORT, Workload, rows_of, sums_are_exact};
use crate::Why;
use crate::journal::has;
use crate::metrics::is_ours;
use crate::rows::Seen;
use crate::security::is_ready;
use crate::spans::shown;
use crate::talk::{METRICSD, Talk};

/// Pages of the journal that one look takes.
const PAGES_MAX: u32 = 256;

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
