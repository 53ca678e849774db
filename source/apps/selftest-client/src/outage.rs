//! Services die, and come back: what their clients see meanwhile, and what is there afterwards.
//!
//! For worlds in which a service ends when it receives [`FATAL`], and is started again.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::bundles::BundleName;
use nexus_wire::exec::{self, ExecStatus};
use nexus_wire::logs::NewRecord;
use nexus_wire::{Level, LogStatus, MetricStatus};

use crate::journal::has;
use crate::metrics::{COUNTER, NO_UNIT, counter};
use crate::security::is_ready;
use crate::series::{Metric, Series, told};
use crate::talk::{LOGD, METRICSD, Talk};
use crate::{Absence, Why};

/// What a service dies of where its death is tried.
pub const FATAL: &[u8] = b"end at once";

const POLICYD: ServiceId = ServiceId::from_name("policyd");
const EXECD: ServiceId = ServiceId::from_name("execd");

/// A bundle that the policy lets us have started. Nobody has it where this is tried.
const GRANTED: &str = "demo.hello";

const TOTAL: &str = "selftest_outage_total";

/// Waits until the counter is exported with this total.
fn total_is(
    talk: &mut Talk<'_>,
    since: Mono,
    total: &'static str,
    late: &'static str,
) -> Result<(), Why> {
    let values = [COUNTER, NO_UNIT, ("value", total)];
    let series = [Series { labels: &[], values: &values }];
    told(talk, talk.me(), since, &[Metric { name: TOTAL, series: &series }], late)
}

const fn record(message: &'static str) -> NewRecord<'static> {
    NewRecord { level: Level::Info, scope: "selftest.outage", message, fields: b"" }
}

/// Ends a service: the call that does it is told so, and the next one that nobody is there.
fn end(talk: &mut Talk<'_>, service: ServiceId) -> Result<(), Why> {
    is_absent(talk, service, Absence::Died)?;
    is_absent(talk, service, Absence::NotReady)
}

fn is_absent(talk: &mut Talk<'_>, service: ServiceId, how: Absence) -> Result<(), Why> {
    if talk.send(service, FATAL).is_ok() {
        return Err("a service answers that should be dead");
    }
    match talk.client.absence() {
        Absence::Unknown => Ok(()),
        seen if seen == how => Ok(()),
        _ => Err("the end of a service does not look like one"),
    }
}

/// Waits until logd takes a record.
fn logd_is_back(talk: &mut Talk<'_>, message: &'static str) -> Result<(), Why> {
    let since = talk.fresh_time();
    talk.until("logd does not come back", |talk| match talk.append(record(message)) {
        Ok((LogStatus::Ok, _)) => Ok(Some(())),
        Ok((LogStatus::RateLimited, _)) | Err(_) => Ok(None),
        Ok(_) => Err("a good record was refused"),
    })?;
    let me = talk.me();
    talk.wait_for(since, "a record is lost after logd came back", |found| {
        found.service == me && found.as_new() == record(message)
    })
}

/// Without logd metricsd counts on; with the next one, its records go on, and those that the former
/// had acknowledged are told to be lost.
pub(crate) fn of_logd(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    talk.append_good(record("before"))?;
    talk.tell(&counter(TOTAL, "", 1)?)?;
    total_is(talk, since, "1", "a counter is not in the journal")?;

    end(talk, LOGD)?;
    talk.tell(&counter(TOTAL, "", 2)?)?;
    logd_is_back(talk, "after")?;
    total_is(talk, since, "3", "a counter is not in the next journal")?;
    talk.wait_for(since, "what logd took along is not told", |found| {
        let gap = [("event", "gap.v1"), ("reason", "logd_restarted")];
        found.service == METRICSD && has(found, &gap)
    })
}

/// Without metricsd records go on, and so do other services; the next one counts anew.
pub(crate) fn of_metricsd(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    end(talk, METRICSD)?;
    talk.append_good(record("without metricsd"))?;
    if start(talk)? != ExecStatus::FetchFailed {
        return Err("execd does not go on without metricsd");
    }
    let update = counter(TOTAL, "", 5)?;
    talk.until("metricsd does not come back", |talk| match talk.ask_metricsd(&update) {
        Ok((MetricStatus::Ok, _)) => Ok(Some(())),
        Ok((MetricStatus::RateLimited, _)) | Err(_) => Ok(None),
        Ok(_) => Err("a good update was refused"),
    })?;
    talk.until("metricsd is not ready again", is_ready)?;
    total_is(talk, since, "5", "metricsd does not count anew")
}

/// The second and the third death within a minute.
pub(crate) fn again_and_again(talk: &mut Talk<'_>) -> Result<(), Why> {
    for message in ["after the second", "after the third"] {
        end(talk, LOGD)?;
        logd_is_back(talk, message)?;
    }
    Ok(())
}

/// What execd answers when it is to start what the policy grants.
fn start(talk: &mut Talk<'_>) -> Result<ExecStatus, Why> {
    let name = BundleName::new(GRANTED).ok_or("no such bundle")?;
    let (request, nonce) = (exec::Request::Start { name }, talk.next_nonce());
    let mut frame = [0; FRAME_BYTES_MAX];
    let frame = exec::encode(&request, nonce, &mut frame).map_err(|_| "no such frame")?;
    let answer = talk.send(EXECD, frame)?;
    let reply = exec::decode_reply(request.op(), nonce, answer);
    reply.map(|(status, _)| status).ok_or("execd's answer is none to the request")
}

/// While nobody decides nothing is started, not even what the policy grants, and it is said why;
/// the next policyd decides again.
pub(crate) fn of_policyd(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    if start(talk)? != ExecStatus::FetchFailed {
        return Err("what the policy grants is not allowed");
    }
    end(talk, POLICYD)?;
    if start(talk)? != ExecStatus::Denied {
        return Err("something is allowed while nobody decides");
    }
    talk.until("policyd does not come back", |talk| match start(talk)? {
        ExecStatus::FetchFailed => Ok(Some(())),
        ExecStatus::Denied => Ok(None),
        _ => Err("a request that waits for policyd is answered otherwise"),
    })?;
    talk.wait_for(since, "why nothing was started is not in the journal", |found| {
        let denied = [("action", "spawn"), ("event", "exec.denied.v1"), ("reason", "policyd away")];
        found.scope == "execd" && found.level == Level::Warn && has(found, &denied)
    })
}
