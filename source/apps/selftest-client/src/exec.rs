//! Programs start from bundles by request, and end; what the policy or reason forbids does not
//! start. execd's own numbers and the trees of its spans come back from logd.

use nexus_abi::{FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::exec::{ExecStatus, Reply, Request, decode_reply, encode};

use crate::Why;
use crate::bundles::{bundle, install, name};
use crate::journal::has;
use crate::metrics::{COUNTER, GAUGE, NO_UNIT, is_ours, origin};
use crate::series::{Metric, Series, told};
use crate::talk::Talk;
use crate::trees::{Tree, only_tree};

pub(crate) const EXECD: ServiceId = ServiceId::from_name("execd");

/// It says its lines and ends well, as this entry.
const HELLO: &str = "demo.hello";
const HELLO_ENTRY: ServiceId = ServiceId::from_name("demo-hello");
/// It says its lines and waits until it is ended, as this entry.
pub(crate) const WAIT: &str = "demo.wait";
const WAIT_ENTRY: ServiceId = ServiceId::from_name("demo-wait");
/// We may bring and start it, but what it needs its entry may not have.
const NOSY: &str = "demo.nosy";
/// It needs more memory than its entry has.
const LARGE: &str = "demo.large";
/// It is none of the programs that entries run.
const FALSE: &str = "demo.false";
/// We may not start it.
const FORBIDDEN: &str = "demo.forbidden";
/// We may start it, and there is none.
const ABSENT: &str = "demo.absent";

/// What we bring, with the KiB of memory and the rights that each needs.
const BROUGHT: [(&str, u32, Rights); 3] =
    [(NOSY, 64, Rights::QUERY), (LARGE, 1 << 20, Rights::NONE), (FALSE, 64, Rights::NONE)];

/// What a request to start has to do, where a program has started and where it was denied.
const STARTED: Tree = Tree::of(&["policy", "fetch", "load", "start"], "ok");
const DENIED: Tree = Tree::of(&["policy"], "error");

/// What a demo says, in order.
pub(crate) const LINES: [&str; 3] = ["line 1 of 3", "line 2 of 3", "line 3 of 3"];

fn ask<T>(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    look: impl FnOnce(ExecStatus, Reply<'_>) -> T,
) -> Result<T, Why> {
    let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
    let frame = encode(request, nonce, &mut frame).map_err(|_| "no such frame")?;
    let answer = talk.send(EXECD, frame)?;
    let reply = decode_reply(request.op(), nonce, answer);
    let (status, reply) = reply.ok_or("execd's answer is none to the request")?;
    Ok(look(status, reply))
}

/// Starts a program that must start: its number.
pub(crate) fn start(talk: &mut Talk<'_>, bundle: &str) -> Result<u32, Why> {
    let pid = ask(talk, &Request::Start { name: name(bundle)? }, |_, reply| match reply {
        Reply::Started { pid } => Some(pid),
        _ => None,
    })?;
    pid.filter(|pid| *pid != 0).ok_or("a program does not start")
}

pub(crate) fn must(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    wanted: ExecStatus,
    or: Why,
) -> Result<(), Why> {
    if ask(talk, request, |status, _| status)? == wanted { Ok(()) } else { Err(or) }
}

pub(crate) fn runs(talk: &mut Talk<'_>, pid: u32) -> Result<bool, Why> {
    ask(talk, &Request::List, |_, reply| match reply {
        Reply::List(list) => Some(list.running().any(|running| running.pid == pid)),
        _ => None,
    })?
    .ok_or("execd does not say what runs")
}

pub(crate) fn ends(talk: &mut Talk<'_>, pid: u32) -> Result<(), Why> {
    talk.until("a program does not end", |talk| Ok((!runs(talk, pid)?).then_some(())))
}

pub(crate) fn path(talk: &mut Talk<'_>) -> Result<(), Why> {
    for (text, memory_kib, needs) in BROUGHT {
        install(talk, text, &bundle(text, "demo-hello", memory_kib, needs, b"no program at all")?)?;
    }
    let since = talk.fresh_time();
    let pid = start(talk, HELLO)?;
    ends(talk, pid)?;
    has_said(talk, since, HELLO_ENTRY)?;
    waits_until_it_is_ended(talk, since)?;
    are_refused(talk)?;
    says_why(talk, since)?;
    is_told(talk, since)?;
    is_a_tree(talk, since, HELLO, STARTED)?;
    is_a_tree(talk, since, FORBIDDEN, DENIED)
}

/// What a program says is logged under its own identity, in its order, and nothing else of it is.
fn has_said(talk: &mut Talk<'_>, since: Mono, entry: ServiceId) -> Result<(), Why> {
    talk.until("what a program has said is not in the journal", |talk| {
        let mut lines = LINES.iter();
        talk.each_record(since, |record| match record.service == entry {
            true if lines.next() == Some(&record.message) && record.scope == "demo" => Ok(()),
            true => Err("a program has not said what it says"),
            false => Ok(()),
        })?;
        Ok(lines.next().is_none().then_some(()))
    })
}

fn waits_until_it_is_ended(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let pid = start(talk, WAIT)?;
    if !runs(talk, pid)? {
        return Err("a program that waits does not run");
    }
    let again = Request::Start { name: name(WAIT)? };
    must(talk, &again, ExecStatus::LoadFailed, "a program runs twice")?;
    let origin = origin(EXECD);
    let live = [("origin", origin.as_str()), ("value", "1")];
    talk.wait_for(since, "what runs is not in the journal", |record| {
        is_ours(record, "execd_processes_live") && has(record, &live)
    })?;
    // Whoever has not had its turn yet runs too: this one has, and goes on.
    has_said(talk, since, WAIT_ENTRY)?;
    let kill = Request::Kill { pid };
    must(talk, &kill, ExecStatus::Ok, "a program cannot be ended by whose it is")?;
    ends(talk, pid)?;
    must(talk, &kill, ExecStatus::NotFound, "a program can be ended twice")
}

fn are_refused(talk: &mut Talk<'_>) -> Result<(), Why> {
    use ExecStatus::{Denied, LoadFailed, NotFound};
    for (text, status, or) in [
        (FORBIDDEN, Denied, "what we may not start was not denied"),
        (NOSY, Denied, "what a program may not have was not denied"),
        (ABSENT, NotFound, "what is not there was not missed"),
        (LARGE, LoadFailed, "more memory was given than an entry has"),
        (FALSE, LoadFailed, "a program was started in the name of another"),
    ] {
        must(talk, &Request::Start { name: name(text)? }, status, or)?;
    }
    are_no_frames(talk)
}

/// Each program that was not loaded has its own reason.
fn says_why(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    for (name, reason) in [(WAIT, "running"), (LARGE, "too_much_memory"), (FALSE, "other_program")]
    {
        let fields = [("event", "exec.load_failed.v1"), ("name", name), ("reason", reason)];
        talk.wait_for(since, "why a program was not loaded is not in the journal", |record| {
            record.service == EXECD && has(record, &fields)
        })?;
    }
    Ok(())
}

fn are_no_frames(talk: &mut Talk<'_>) -> Result<(), Why> {
    use ExecStatus::{InvalidArgs, OverLimit};
    let good = Request::Start { name: name(HELLO)? };
    let mut out = [0; 64];
    let length = encode(&good, 1, &mut out).map_err(|_| "no such frame")?.len();
    let (unknown_op, name_length) = (3, 8);
    for (at, to, status) in
        [(0, b'X', InvalidArgs), (unknown_op, 99, InvalidArgs), (name_length, 200, OverLimit)]
    {
        let mut frame = out;
        frame.get_mut(at).into_iter().for_each(|byte| *byte = to);
        refuses(talk, frame.get(..length).unwrap_or_default(), status)?;
    }
    refuses(talk, out.get(..length - 1).unwrap_or_default(), InvalidArgs)?;
    refuses(talk, &[], InvalidArgs)
}

fn refuses(talk: &mut Talk<'_>, frame: &[u8], wanted: ExecStatus) -> Result<(), Why> {
    let answer = talk.send(EXECD, frame)?;
    let status = answer.get(4).copied().and_then(ExecStatus::from_raw);
    if status == Some(wanted) { Ok(()) } else { Err("a frame that is none was not refused") }
}

/// What execd counts of all that.
fn is_told(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let [one, two, three] = ["1", "2", "3"].map(|value| [COUNTER, NO_UNIT, ("value", value)]);
    let none = [GAUGE, NO_UNIT, ("value", "0")];
    let by = |labels, values| Series { labels, values };
    let metrics = [
        Metric { name: "execd_spawns_total", series: &[by(&[], &two)] },
        Metric { name: "execd_denials_total", series: &[by(&[], &two)] },
        Metric {
            name: "execd_failures_total",
            series: &[
                by(&[("label.reason", "load_failed")], &three),
                by(&[("label.reason", "not_found")], &one),
            ],
        },
        Metric {
            name: "execd_exits_total",
            series: &[by(&[("label.how", "ok")], &one), by(&[("label.how", "killed")], &one)],
        },
        Metric { name: "execd_processes_live", series: &[by(&[], &none)] },
    ];
    told(talk, EXECD, since, &metrics, "what execd counts is not in the journal")
}

/// The request to start that bundle is one tree of spans, of this form.
fn is_a_tree(talk: &mut Talk<'_>, since: Mono, bundle: &str, form: Tree) -> Result<(), Why> {
    let whole = ("exec.path", ("attr.bundle", bundle));
    talk.until("a request to start is not in the journal as a whole", |talk| {
        only_tree(talk, since, EXECD, whole)?.map(|tree| tree.is(form)).transpose()
    })
}
