//! metricsd refuses what it must, and nothing of it reaches the journal.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Mono;
use nexus_wire::logs::Record;
use nexus_wire::metrics::{Reply, Request, SpanStart};
use nexus_wire::{MetricStatus, SpanId, TraceId};

use crate::Why;
use crate::journal::has;
use crate::metrics::{self, attrs, counter, name};
use crate::talk::{METRICSD, Talk};

/// What every refused item is called.
const FORGED: &str = "selftest_forged";
/// What is exported after them.
const CONTROL: &str = "selftest_control_total";

/// Labels that claim an identity, that are not canonical, and that are no fields.
const INVALID: &[&str] =
    &["service_id=1\n", "sender_service_id=1\n", "b=1\na=2\n", "a=1\na=2\n", "a=1"];

/// Where an update has the length of its name.
const NAME_LENGTH_AT: usize = 8;

pub(crate) fn rejects(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = Mono(0);
    talk.until("metricsd is not ready", is_ready)?;
    talk.wait_for(since, "metricsd's first record is not in the journal", is_first_record)?;

    let since = talk.fresh_time();
    forged(talk)?;
    long_name(talk)?;
    flood(talk)?;

    talk.tell(&counter(CONTROL, "", 1)?)?;
    talk.wait_for(since, "the control is not exported", |record| {
        metrics::is_ours(record, CONTROL) && has(record, &[("value", "1")])
    })?;
    talk.each_record(since, |record| match record.message {
        FORGED => Err("something is exported that was refused"),
        _ => Ok(()),
    })
}

/// Whether metricsd serves, and has read its own first record back.
pub(crate) fn is_ready(talk: &mut Talk<'_>) -> Result<Option<()>, Why> {
    let Ok((MetricStatus::Ok, Reply::Status(state))) = talk.ask_metricsd(&Request::Status) else {
        return Ok(None);
    };
    Ok((state.get("export_ready") == Some("true")).then_some(()))
}

fn is_first_record(record: &Record<'_>) -> bool {
    record.service == METRICSD && record.scope == "metricsd" && record.message == "ready"
}

fn forged(talk: &mut Talk<'_>) -> Result<(), Why> {
    for labels in INVALID {
        let (status, _) = talk.ask_metricsd(&counter(FORGED, labels, 1)?)?;
        if status != MetricStatus::InvalidArgs {
            return Err("labels that are not canonical, or claim an identity, were taken");
        }
    }
    let me = talk.me();
    let foreign = [
        (SpanId::new(METRICSD, 1), TraceId::new(me, 1)),
        (SpanId::new(me, 1), TraceId::new(METRICSD, 1)),
    ];
    for (span, trace) in foreign {
        let (name, attrs) = (name(FORGED)?, attrs("")?);
        let start = SpanStart { span, trace, parent: SpanId::NONE, start_ns: 1, name, attrs };
        if talk.ask_metricsd(&Request::SpanStart(start))?.0 != MetricStatus::InvalidArgs {
            return Err("a span under somebody else's ids was taken");
        }
    }
    Ok(())
}

fn long_name(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut frame = [0; FRAME_BYTES_MAX];
    let (_, length) = talk.metricsd_frame(&counter(FORGED, "", 1)?, &mut frame)?;
    frame.iter_mut().skip(NAME_LENGTH_AT).take(1).for_each(|place| *place = 49);
    match talk.metricsd_status_of(frame.get(..length).unwrap_or_default())? {
        MetricStatus::OverLimit => Ok(()),
        _ => Err("a name that is too long was taken"),
    }
}

/// A good frame and zeros behind it, as large as frames can be.
fn flood(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut frame = [0; FRAME_BYTES_MAX];
    talk.metricsd_frame(&Request::Ping, &mut frame)?;
    let statuses = [MetricStatus::InvalidArgs, MetricStatus::RateLimited];
    talk.flood(&frame, statuses, Talk::metricsd_status_of)
}
