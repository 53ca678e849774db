//! What it tries of those who keep what others have told, and of policyd.

use nexus_abi::ServiceId;
use nexus_wire::files::{self, Append, FileName, FilePrefix, List, NewFile, Read, Replace, Target};
use nexus_wire::logs::{self, Head, NewRecord, Search, Version};
use nexus_wire::metrics::{self, Range, SpanEnd, SpanStart};
use nexus_wire::policy::{self, Action, Check, Decision, Object};
use nexus_wire::{
    FileStatus, Level, LogStatus, MetricStatus, SeriesId, SpanId, SpanStatus, TraceId,
};

use super::{HEAD, Intruder, NO_FRAME, TRY_BYTES_MAX, VICTIM, front};
use crate::Why;
use crate::files::{KEPT, STATEFSD};
use crate::metrics::{attrs, counter, gauge, name};
use crate::others::{LIVE_SPAN, SPAN, TRACE};
use crate::policy::POLICYD;
use crate::talk::{LOGD, METRICSD};

/// Bytes up to what an answer of logd tells: its nonce has eight bytes.
const LOGD_HEAD: usize = 13;
/// Where a frame has its operation, and one that nobody knows.
const OP: usize = 3;
const UNKNOWN_OP: u8 = 99;

/// Questions that logd denies, and other refusals of it.
pub(crate) const LOGD_DENIED: usize = 5;
pub(crate) const LOGD_OTHERS: usize = 1 + CLAIMS.len();

/// Fields and labels that claim to be the selftest's.
const CLAIMS: [&str; 3] = ["service=selftest-client\n", "service_id=1\n", "sender_service_id=1\n"];

pub(super) fn journal(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    use logs::Request::{Anchors, Audit, Query, Search as Seek, Status};
    let questions: [_; LOGD_DENIED] = [
        Query { since_ns: 0, max: u16::MAX },
        Seek(Search::ALL),
        Audit { cursor: 0 },
        Status,
        Anchors,
    ];
    for question in questions {
        let (mut out, head) = ([0; TRY_BYTES_MAX], v2(it));
        let frame = front(logs::encode(&question, head, &mut out))?;
        let denied = (&[LogStatus::Denied.raw()][..], LOGD_HEAD);
        it.refuses(LOGD, frame, denied, "logd told what may not be read")?;
    }
    for claim in CLAIMS {
        let record =
            NewRecord { level: Level::Info, scope: "x", message: "x", fields: claim.as_bytes() };
        if it.talk.append(record)? != (LogStatus::InvalidArgs, 0) {
            return Err("logd took a record in the name of another");
        }
    }
    let (mut out, head) = ([0; TRY_BYTES_MAX], v2(it));
    let length = front(logs::encode(&Status, head, &mut out))?.len();
    let frame = with_unknown_op(&mut out, length);
    let unsupported = (&[LogStatus::Unsupported.raw()][..], LOGD_HEAD);
    it.refuses(LOGD, frame, unsupported, "logd took an operation that nobody knows")
}

fn v2(it: &mut Intruder<'_, '_>) -> Head {
    Head { version: Version::V2, nonce: it.talk.next_nonce().into() }
}

/// A frame with an operation that nobody knows.
fn with_unknown_op(out: &mut [u8], length: usize) -> &[u8] {
    out.iter_mut().skip(OP).take(1).for_each(|op| *op = UNKNOWN_OP);
    out.get(..length).unwrap_or_default()
}

/// Questions that metricsd denies, and other refusals of it.
pub(crate) const METRICSD_DENIED: usize = 5;
pub(crate) const METRICSD_OTHERS: usize = 1 + 2 * CLAIMS.len() + SPANS + SERIES as usize;

/// Tries to end the span that the selftest has begun, and to put others into its trace.
const SPANS: usize = 4;
/// Numbers of registered series that are tried.
const SERIES: u32 = 8;

pub(super) fn metrics(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    use metrics::Request::{Audit, Range as Windows, Scrape, Spans, Status};
    let questions: [_; METRICSD_DENIED] = [
        Scrape { cursor: 0, with_help: true },
        Spans { cursor: 0 },
        Audit { cursor: 0 },
        Status,
        Windows(Range::ALL),
    ];
    for question in questions {
        let denied = &[MetricStatus::Denied];
        tell(it, &question, denied, "metricsd told what may not be read")?;
    }
    for claim in CLAIMS {
        for update in [counter("forged", claim, 1)?, gauge("forged", claim, 1)?] {
            let or = "metricsd took a value in the name of another";
            tell(it, &update, &[MetricStatus::InvalidArgs], or)?;
        }
    }
    spans(it)?;
    for slot in 0..SERIES {
        let series = SeriesId::new(core::num::NonZeroU32::MIN, slot);
        let update = metrics::Request::Update { series, value: 1 };
        let refused = &[MetricStatus::InvalidArgs, MetricStatus::NotFound];
        tell(it, &update, refused, "metricsd took a value for a series of another")?;
    }
    let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
    let length = front(metrics::encode(&Status, nonce, &mut out))?.len();
    let frame = with_unknown_op(&mut out, length);
    let invalid = (&[MetricStatus::InvalidArgs.raw()][..], HEAD);
    it.refuses(METRICSD, frame, invalid, "metricsd took an operation that nobody knows")
}

fn tell(
    it: &mut Intruder<'_, '_>,
    request: &metrics::Request<'_>,
    statuses: &[MetricStatus],
    or: Why,
) -> Result<(), Why> {
    let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
    let frame = front(metrics::encode(request, nonce, &mut out))?;
    let mut raw = [0; 2];
    raw.iter_mut().zip(statuses).for_each(|(raw, status)| *raw = status.raw());
    let statuses = raw.get(..statuses.len()).unwrap_or_default();
    it.refuses(METRICSD, frame, (statuses, HEAD), or)
}

fn spans(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    let me = it.talk.me();
    let (theirs, trace) = (SpanId::new(VICTIM, SPAN), TraceId::new(VICTIM, TRACE));
    let (ours, other) = (SpanId::new(me, 1), TraceId::new(me, 1));
    let start = |span, trace, parent| {
        let (name, attrs) = (name(LIVE_SPAN)?, attrs("")?);
        Ok(metrics::Request::SpanStart(SpanStart { span, trace, parent, start_ns: 1, name, attrs }))
    };
    let end = SpanEnd { span: theirs, end_ns: 2, status: SpanStatus::Error, attrs: attrs("")? };
    let tries: [_; SPANS] = [
        metrics::Request::SpanEnd(end),
        start(theirs, other, SpanId::NONE)?,
        start(ours, trace, SpanId::NONE)?,
        start(ours, other, theirs)?,
    ];
    tries.into_iter().try_for_each(|request| {
        tell(it, &request, &[MetricStatus::InvalidArgs], "metricsd took a span of another")
    })
}

/// Who has no share is denied everything, whether it is there or is a request at all.
pub(super) fn files(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    use files::Request;
    let name = FileName::new(KEPT).ok_or(NO_FRAME)?;
    let all = FilePrefix::new("").ok_or(NO_FRAME)?;
    let (target, bytes) = (Target { name, draft: false }, &b"spoiled"[..]);
    let tries = [
        Request::Hello,
        Request::List(List { prefix: all, after: all }),
        Request::Stat(target),
        Request::Read(Read { name, draft: false, at: 0, max: u16::MAX }),
        Request::Create(NewFile { name, capacity: 1 }),
        Request::Draft(NewFile { name, capacity: 1 }),
        Request::Append(Append { to: target, at: 0, bytes }),
        Request::Finish(target),
        Request::Replace(Replace { name, bytes }),
        Request::Delete(target),
        Request::Sync { epoch: 1 },
    ];
    let denied = (&[FileStatus::Denied.raw()][..], HEAD);
    let or = "statefsd has told or done something for who has no share";
    for request in tries {
        let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
        let frame = front(files::encode(&request, nonce, &mut out))?;
        it.refuses(STATEFSD, frame, denied, or)?;
    }
    it.refuses(STATEFSD, b"no frame", denied, or)
}

/// Whatever it asks about others is not for it to know, be they known or not; and it may nothing.
pub(super) fn decisions(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    let me = it.talk.me();
    let others: [_; ASKED_OF_OTHERS] =
        ["selftest-client", "execd", "nobody"].map(ServiceId::from_name);
    for subject in others.into_iter().chain([me]) {
        let check = Check { subject, action: Action::ReadLogs, object: Object::NONE };
        let is_denied = match decision(it, check)? {
            Some(Decision::NotDelegate) => subject != me,
            Some(Decision::NotGranted | Decision::UnknownSubject) => subject == me,
            Some(Decision::Allowed) | None => false,
        };
        if !is_denied {
            return Err("policyd has told or allowed what it may not");
        }
    }
    Ok(())
}

/// Questions about others among them.
pub(crate) const ASKED_OF_OTHERS: usize = 3;

fn decision(it: &mut Intruder<'_, '_>, check: Check<'_>) -> Result<Option<Decision>, Why> {
    let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
    let frame = front(policy::encode(&policy::Frame { nonce, check }, &mut out))?;
    let answer = it.talk.send(POLICYD, frame)?;
    Ok(policy::decode_reply(nonce, answer).and_then(Result::ok))
}
