//! What we have is ours: while we have something of everything, somebody who may do nothing tries
//! to read, to use and to end it. All of that is refused, and counted as exactly; what we have goes
//! on to its end as if nobody had been there.

use alloc::vec::Vec;

use nexus_abi::Rights;
use nexus_bounded::{Mono, Text};
use nexus_wire::bundles::{BundleStatus, Request as Bundles};
use nexus_wire::exec::{ExecStatus, Request as Exec};
use nexus_wire::metrics::{Request, SpanEnd, SpanStart};
use nexus_wire::sessions::{SessionId, SessionStatus};
use nexus_wire::timers::{Qos, TimerId};
use nexus_wire::{SpanId, SpanStatus, TraceId};

use crate::Why;
use crate::bundles::{Asker, bundle, name as bundle_name};
use crate::intruder::{self, INTRUDER, REFUSED, SCOPE, digits};
use crate::ledgers;
use crate::metrics::{attrs, name};
use crate::spans::{is_exported, life_and_wide, shown};
use crate::talk::Talk;
use crate::tallies::{Of, Tallies};
use crate::{entropy, exec, files, sessions, timers};

/// The bundle that starts the intruder.
const BUNDLE: &str = "demo.intruder";
/// What we are bringing meanwhile, and how much of it has come.
pub(crate) const UPLOAD: &str = "demo.spare";
const BEGUN_BYTES: usize = 512;
/// The span that lives meanwhile: its numbers, which no other case has, and its name.
pub(crate) const SPAN: u32 = 1102;
pub(crate) const TRACE: u32 = 1101;
pub(crate) const LIVE_SPAN: &str = "selftest.untouched";

/// All of it, where all services record in one name.
pub(crate) fn are_refused(talk: &mut Talk<'_>) -> Result<(), Why> {
    try_all(talk, Of::Anybody)
}

/// All of it, where each service records for itself.
pub(crate) fn are_refused_by_each(talk: &mut Talk<'_>) -> Result<(), Why> {
    try_all(talk, Of::Each)
}

fn try_all(talk: &mut Talk<'_>, of: Of) -> Result<(), Why> {
    let ours = Ours::take(talk)?;
    let before = Tallies::now(talk, of)?;
    let given = intrude(talk)?;
    ours.end_well(talk, given.as_str())?;
    before.have_grown(talk, of)?;
    ledgers::have_refused(talk)
}

/// What we have of everything.
struct Ours {
    since: Mono,
    timer: TimerId,
    pid: u32,
    session: SessionId,
    upload: Vec<u8>,
    entropy: entropy::Bytes,
}

/// A number that the intruder tries.
fn is_tried(number: u32, tried: u32) -> Result<(), Why> {
    let is_tried = (1..=tried).contains(&number);
    if is_tried { Ok(()) } else { Err("what we have has a number that nobody tries") }
}

impl Ours {
    fn take(talk: &mut Talk<'_>) -> Result<Self, Why> {
        let since = talk.fresh_time();
        files::keep(talk)?;
        let end = timers::boundary(talk, timers::FAR)?;
        let timer = timers::set(talk, Qos::Idle, end, end)?;
        is_tried(timer.0, intruder::TIMERS)?;
        let pid = exec::start(talk, exec::WAIT)?;
        is_tried(pid, intruder::PIDS)?;
        let session = sessions::open(talk, sessions::PEER)?;
        is_tried(session.0, intruder::SESSIONS)?;
        let program = [7; 2 * BEGUN_BYTES];
        let upload = bundle(UPLOAD, "demo-hello", 64, Rights::NONE, &program)?;
        begin(talk, &upload)?;
        start_span(talk)?;
        let entropy = entropy::get(talk)?;
        Ok(Self { since, timer, pid, session, upload, entropy })
    }

    /// Everything is as it was, and ends as it does when nobody else is there.
    fn end_well(&self, talk: &mut Talk<'_>, given: &str) -> Result<(), Why> {
        files::is_kept(talk)?;
        files::forget(talk)?;
        timers::take_back(talk, self.timer)?;
        if !exec::runs(talk, self.pid)? {
            return Err("a program of ours was ended");
        }
        let kill = Exec::Kill { pid: self.pid };
        exec::must(talk, &kill, ExecStatus::Ok, "a program of ours cannot be ended")?;
        exec::ends(talk, self.pid)?;
        sessions::echoes(talk, self.session, b"still here")?;
        sessions::close(talk, self.session, SessionStatus::Ok)?;
        finish(talk, &self.upload)?;
        end_span(talk, self.since)?;
        let next = entropy::get(talk)?;
        let ours = [self.entropy, next].map(|bytes| digits(&bytes));
        let is_given_twice = ours.iter().any(|ours| ours.as_str() == given);
        if is_given_twice { Err("two were given the same bytes") } else { Ok(()) }
    }
}

/// Brings the first bytes of a bundle.
fn begin(talk: &mut Talk<'_>, upload: &[u8]) -> Result<(), Why> {
    let mut asker = Asker::new(talk);
    let size = upload.len() as u32;
    asker.begin(UPLOAD, size, BundleStatus::Ok, "a bundle cannot be begun")?;
    let bring = Bundles::Bring { at: 0, bytes: upload.get(..BEGUN_BYTES).unwrap_or_default() };
    asker.must(&bring, BundleStatus::Ok, "a piece of a bundle was refused")
}

/// Brings the rest, sees that it is what was brought, and takes it away.
fn finish(talk: &mut Talk<'_>, upload: &[u8]) -> Result<(), Why> {
    use BundleStatus::Ok as Done;
    let mut asker = Asker::new(talk);
    let bytes = upload.get(BEGUN_BYTES..).unwrap_or_default();
    let bring = Bundles::Bring { at: BEGUN_BYTES as u32, bytes };
    asker.must(&bring, Done, "what was begun cannot go on")?;
    asker.must(&Bundles::Commit, Done, "what was brought is no bundle")?;
    if asker.fetch(UPLOAD)? != upload {
        return Err("a bundle does not come back as it was brought");
    }
    let remove = Bundles::Remove { name: bundle_name(UPLOAD)? };
    asker.must(&remove, Done, "a bundle cannot be taken away")
}

fn start_span(talk: &mut Talk<'_>) -> Result<(), Why> {
    let me = talk.me();
    let (span, trace) = (SpanId::new(me, SPAN), TraceId::new(me, TRACE));
    let (name, attrs) = (name(LIVE_SPAN)?, attrs("")?);
    let parent = SpanId::NONE;
    talk.tell(&Request::SpanStart(SpanStart { span, trace, parent, start_ns: 5_000, name, attrs }))
}

/// It is exported as we end it.
fn end_span(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let me = talk.me();
    let (span, attrs) = (SpanId::new(me, SPAN), attrs("")?);
    let end = SpanEnd { span, end_ns: 7_000, status: SpanStatus::Ok, attrs };
    talk.tell(&Request::SpanEnd(end))?;
    let (life, trace) = life_and_wide(talk, TraceId::new(me, TRACE))?;
    let (span, common) = (shown(span), [("incarnation", life.as_str()), ("trace", trace.as_str())]);
    let fields = [
        ("span", span.as_str()),
        ("start_ns", "5000"),
        ("end_ns", "7000"),
        ("dur_ns", "2000"),
        ("status", "ok"),
    ];
    is_exported(talk, since, LIVE_SPAN, [&common, &fields], &["seq"])
}

/// Lets the intruder try everything: the bytes of entropy that it was given. What it says of it is
/// its last record, by the stamp of its entry.
fn intrude(talk: &mut Talk<'_>) -> Result<Text<{ 2 * intruder::SHOWN_BYTES }>, Why> {
    let since = talk.fresh_time();
    let pid = exec::start(talk, BUNDLE)?;
    exec::ends(talk, pid)?;
    talk.until("nobody has tried what must be refused", |talk| {
        let mut given = None;
        talk.each_record(since, |record| {
            if record.service != INTRUDER || record.scope != SCOPE {
                return Ok(());
            }
            if record.message != REFUSED {
                return Err("what must be refused to others is not: it says what");
            }
            given = record.fields.get("given").and_then(Text::new);
            Ok(())
        })?;
        Ok(given)
    })
}
