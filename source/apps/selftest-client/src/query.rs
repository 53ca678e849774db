//! Records come back by QUERY as they were appended, in order, within limit and since.

use nexus_abi::ServiceId;
use nexus_wire::logs::{NewRecord, Record, Reply, Request};
use nexus_wire::{Level, LogStatus};

use crate::Why;
use crate::recorded;
use crate::talk::Talk;

const fn record(level: Level, message: &'static str, fields: &'static [u8]) -> NewRecord<'static> {
    NewRecord { level, scope: "selftest.query", message, fields }
}

const RECORDS: [NewRecord<'static>; 3] = [
    record(Level::Error, "one", b"n=1\n"),
    record(Level::Warn, "two", b"a.b-c_d=x y\nn=2\n"),
    record(Level::Trace, "three", b""),
];

/// As many as a query may give.
const LIMIT: u16 = 2;

pub(crate) fn reads_back(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    let mut ids = [0; RECORDS.len()];
    for (id, record) in ids.iter_mut().zip(RECORDS) {
        *id = talk.append_good(record)?;
    }
    let me = talk.me();
    let mut ours = RECORDS.iter().zip(ids);
    talk.each_record(since, |found| match ours.next() {
        _ if found.service != me => Err("a record of somebody else, while only we write"),
        Some((record, id)) if is(found, me, id, record) => Ok(()),
        _ => Err("a record is not as it was appended"),
    })?;
    if ours.next().is_some() {
        return Err("a record is missing");
    }
    within_limits(talk, since.0, &ids)?;
    recorded::logs(talk)
}

fn is(found: &Record<'_>, from: ServiceId, id: u64, record: &NewRecord<'_>) -> bool {
    found.service == from && found.id.0 == id && found.as_new() == *record
}

/// A query with a limit gives the oldest records only, and one from a later time on none.
fn within_limits(talk: &mut Talk<'_>, since_ns: u64, ids: &[u64]) -> Result<(), Why> {
    if !gives(talk, since_ns, ids.get(..usize::from(LIMIT)).unwrap_or_default())? {
        return Err("a query with a limit does not give the oldest records");
    }
    let later = talk.now().0 + 1;
    if gives(talk, later, &[])? {
        Ok(())
    } else {
        Err("a query gives records from before it was asked for")
    }
}

/// Whether a query gives the records of these numbers, in this order.
fn gives(talk: &mut Talk<'_>, since_ns: u64, ids: &[u64]) -> Result<bool, Why> {
    talk.until("no budget to read", |talk| {
        match talk.ask_logd(&Request::Query { since_ns, max: LIMIT })? {
            (LogStatus::Ok, Reply::Query(records)) => {
                Ok(Some(records.iter().map(|record| record.id.0).eq(ids.iter().copied())))
            }
            (LogStatus::RateLimited, _) => Ok(None),
            _ => Err("a query was refused"),
        }
    })
}
