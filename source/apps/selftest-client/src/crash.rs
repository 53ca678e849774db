//! A program that ends badly is reported: on the console, in the journal with its number and its
//! code, and behind that with the very last lines that it has logged.

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Text};
use nexus_wire::Level;
use nexus_wire::logs::Record;

use crate::Why;
use crate::bundles::BROUGHT;
use crate::exec::{EXECD, LINES, start};
use crate::journal::has;
use crate::metrics::{is_ours, origin};
use crate::spans::shown;
use crate::talk::Talk;

/// A program that ends badly.
struct Bad {
    bundle: &'static str,
    entry: ServiceId,
    /// How: 128 and the cause of a fault, or what it has exited with.
    code: u32,
    /// The last lines that it has logged, the last one first, and of which level.
    lines: &'static [(&'static str, &'static str)],
}

const INFO: &str = "info";

/// It uses up its stack, behind which nothing is mapped: a fault of a store, 15.
const FALLS: Bad = Bad {
    bundle: "demo.crash",
    entry: ServiceId::from_name("demo-crash"),
    code: 128 + 15,
    lines: &[(LINES[2], INFO), (LINES[1], INFO), (LINES[0], INFO)],
};

/// It takes more memory than it may: a panic, which is logged before it ends.
const HOARDS: Bad = Bad {
    bundle: BROUGHT,
    entry: ServiceId::from_name("demo-hoard"),
    code: 101,
    lines: &[
        ("memory allocation of 4096 bytes failed", "error"),
        (LINES[2], INFO),
        (LINES[1], INFO),
        (LINES[0], INFO),
    ],
};

/// How far back execd looks for lines, by the recipe.
const WINDOW_NS: u64 = 10_000_000_000;

/// Lines of a program at most.
const LINES_MAX: usize = 8;

pub(crate) fn reports(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    is_reported(talk, &FALLS)?;
    is_reported(talk, &HOARDS)?;
    let origin = origin(EXECD);
    let crashes = [("origin", origin.as_str()), ("label.how", "crash"), ("value", "2")];
    talk.wait_for(since, "crashes are not counted in the journal", |record| {
        is_ours(record, "execd_exits_total") && has(record, &crashes)
    })
}

fn is_reported(talk: &mut Talk<'_>, bad: &Bad) -> Result<(), Why> {
    let since = talk.fresh_time();
    let pid = start(talk, bad.bundle)?;
    let mut fields = Text::<256>::EMPTY;
    let (Bad { code, bundle, .. }, count) = (bad, bad.lines.len());
    let written = write!(
        fields,
        "code={code}\nevent=crash.v1\nname={bundle}\npid={pid}\nrecent_count={count}\n\
         recent_window_nsec={WINDOW_NS}\n"
    );
    written.map_err(|_| "a report does not fit")?;
    talk.until("a crash is not in the journal with all its lines", |talk| {
        look(talk, since, bad, pid, fields.as_str())
    })
}

/// Whether the report is there, and each line behind it.
fn look(
    talk: &mut Talk<'_>,
    since: Mono,
    bad: &Bad,
    pid: u32,
    fields: &str,
) -> Result<Option<()>, Why> {
    let (mut is_there, mut lines) = (false, bad.lines.iter());
    let mut logged = [0; LINES_MAX];
    let mut count = 0;
    talk.each_record(since, |record| {
        if record.service == bad.entry {
            let place = logged.get_mut(count).ok_or("a program has said more than it says")?;
            (*place, count) = (record.id.0, count + 1);
        } else if is_of(record, "crash.v1", pid) {
            let is_new = !core::mem::replace(&mut is_there, true);
            let is_it = record.level == Level::Error && record.fields.as_str() == fields;
            return if is_new && is_it { Ok(()) } else { Err("a crash is not reported as it was") };
        } else if is_of(record, "crash.line.v1", pid) {
            let (line, level) = lines.next().ok_or("a program has more last lines than it said")?;
            count = count.checked_sub(1).ok_or("a line is reported that was not logged")?;
            let id = shown(logged.get(count).copied().unwrap_or_default());
            let is_it = record.message == *line
                && has(
                    record,
                    &[("record_id", id.as_str()), ("name", bad.bundle), ("level", *level)],
                );
            return if is_it { Ok(()) } else { Err("a last line is not as it was logged") };
        }
        Ok(())
    })?;
    Ok((is_there && lines.next().is_none()).then_some(()))
}

fn is_of(record: &Record<'_>, event: &str, pid: u32) -> bool {
    let pid = shown(pid);
    record.service == EXECD
        && record.scope == "execd"
        && has(record, &[("event", event), ("pid", pid.as_str())])
}
