//! Sessions open with whom the policy allows and the keys prove, carry what is asked once and in
//! order, and end; whatever is denied, strange, spoiled or too much is refused. dsoftbusd's own
//! numbers, the other endpoints', and the trees of its spans come back from logd.

use alloc::vec::Vec;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::sessions::line::{self, HELLO_BYTES, SUITE, Sealed};
use nexus_wire::sessions::{
    EndpointName, Reply, Request, SessionId, SessionStatus, decode_reply, encode,
};

use crate::Why;
use crate::journal::has;
use crate::metrics::{COUNTER, GAUGE, NO_UNIT, is_ours, origin};
use crate::series::{Exports, Metric, Series, all_told};
use crate::talk::Talk;
use crate::trees::{Tree, first_tree};

pub(crate) const DSOFTBUSD: ServiceId = ServiceId::from_name("dsoftbusd");

/// It answers as it should.
pub(crate) const PEER: &str = "dsoftbusd-peer";
/// What it hears and says is spoiled.
const ROUGH: &str = "dsoftbusd-rough";
/// It has not the key of its name.
const STRANGER: &str = "dsoftbusd-stranger";
/// We may not open sessions with it.
const FORBIDDEN: &str = "dsoftbusd";

/// Sessions that one owner may have.
const PER_OWNER: usize = 4;
/// Where the status stands in an answer.
const STATUS: usize = 4;

/// What whoever refuses a session has to do: nothing but ask the policy, or also try.
const OPENED: Tree = Tree::of(&["policy", "handshake"], "ok");
const DENIED: Tree = Tree::of(&["policy"], "error");
const STRANGE: Tree = Tree::of(&["policy", "handshake"], "error");

/// All of it, where the other endpoints record in the name of the first.
pub(crate) fn are_carried(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    works(talk)?;
    are_counted(talk, since, &[])?;
    are_trees(talk, since)
}

/// All of it, and what the other endpoints say of it.
pub(crate) fn are_carried_between_processes(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    works(talk)?;
    let (peer, rough) = (HEARD_BY_PEER.map(row), HEARD_BY_ROUGH.map(row));
    let stranger = HEARD_BY_STRANGER.map(row);
    let (peer, rough) = (peer.each_ref().map(series), rough.each_ref().map(series));
    let stranger = stranger.each_ref().map(series);
    let heard = |series| [Metric { name: "dsoftbusd_line_requests_total", series }];
    let (peer, rough, stranger) = (heard(&peer), heard(&rough), heard(&stranger));
    let others: [Exports<'_>; 3] = [
        (ServiceId::from_name(PEER), &peer),
        (ServiceId::from_name(ROUGH), &rough),
        (ServiceId::from_name(STRANGER), &stranger),
    ];
    are_counted(talk, since, &others)?;
    are_trees(talk, since)
}

fn works(talk: &mut Talk<'_>) -> Result<(), Why> {
    let first = open(talk, PEER)?;
    is_answered(talk, first)?;
    are_as_many_as_may_be(talk, first)?;
    a_rough_line_is_noticed(talk)?;
    must_not_open(talk, FORBIDDEN, SessionStatus::Denied)?;
    must_not_open(talk, STRANGER, SessionStatus::NotAuthentic)?;
    we_are_no_endpoint(talk)?;
    are_no_frames(talk)
}

fn name(text: &str) -> Result<EndpointName<'_>, Why> {
    EndpointName::new(text).ok_or("an endpoint's name is none")
}

fn ask<T>(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    look: impl FnOnce(SessionStatus, Reply<'_>) -> T,
) -> Result<T, Why> {
    let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
    let frame = encode(request, nonce, &mut frame).map_err(|_| "no such frame")?;
    let answer = talk.send(DSOFTBUSD, frame)?;
    let reply = decode_reply(request.op(), nonce, answer);
    let (status, reply) = reply.ok_or("dsoftbusd's answer is none to the request")?;
    Ok(look(status, reply))
}

/// Opens a session that must be opened.
pub(crate) fn open(talk: &mut Talk<'_>, peer: &str) -> Result<SessionId, Why> {
    let opened = ask(talk, &Request::Open { peer: name(peer)? }, |_, reply| match reply {
        Reply::Opened(session) => Some(session),
        _ => None,
    })?;
    opened.ok_or("a session is not opened")
}

fn must_not_open(talk: &mut Talk<'_>, peer: &str, wanted: SessionStatus) -> Result<(), Why> {
    let request = Request::Open { peer: name(peer)? };
    must(talk, &request, wanted, "a session is opened, or refused for another reason")
}

fn must(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    wanted: SessionStatus,
    or: Why,
) -> Result<(), Why> {
    if ask(talk, request, |status, _| status)? == wanted { Ok(()) } else { Err(or) }
}

/// Asks what must be answered by the same.
pub(crate) fn echoes(talk: &mut Talk<'_>, session: SessionId, bytes: &[u8]) -> Result<(), Why> {
    let is_same = ask(talk, &Request::Ask { session, bytes }, |status, reply| {
        status == SessionStatus::Ok && reply == Reply::Answer(bytes)
    })?;
    if is_same { Ok(()) } else { Err("what was asked is not answered as it was") }
}

fn must_not_be_answered(
    talk: &mut Talk<'_>,
    session: SessionId,
    wanted: SessionStatus,
) -> Result<(), Why> {
    let request = Request::Ask { session, bytes: b"spoiled" };
    must(talk, &request, wanted, "a spoiled answer is taken, or refused for another reason")
}

pub(crate) fn close(
    talk: &mut Talk<'_>,
    session: SessionId,
    wanted: SessionStatus,
) -> Result<(), Why> {
    must(talk, &Request::Close { session }, wanted, "a session is closed otherwise than once")
}

fn is_answered(talk: &mut Talk<'_>, session: SessionId) -> Result<(), Why> {
    echoes(talk, session, b"hello")?;
    let is_its = ask(talk, &Request::Ask { session, bytes: &[] }, |_, reply| match reply {
        Reply::Answer(status) => {
            status.starts_with(b"answered=2\nendpoint=dsoftbusd-peer\nmono_ns=")
                && status.ends_with(b"\nsessions=1\n")
        }
        _ => false,
    })?;
    if is_its { Ok(()) } else { Err("an endpoint does not say how it is") }
}

fn are_as_many_as_may_be(talk: &mut Talk<'_>, first: SessionId) -> Result<(), Why> {
    let mut sessions = [first; PER_OWNER];
    for session in sessions.iter_mut().skip(1) {
        *session = open(talk, PEER)?;
    }
    must_not_open(talk, PEER, SessionStatus::OverLimit)?;
    let [_stays_open, others @ ..] = sessions;
    others.into_iter().try_for_each(|session| close(talk, session, SessionStatus::Ok))?;
    others.into_iter().take(1).try_for_each(|again| close(talk, again, SessionStatus::NotFound))
}

/// The line spoils answers by the number of the session.
fn a_rough_line_is_noticed(talk: &mut Talk<'_>) -> Result<(), Why> {
    let good = open(talk, ROUGH)?;
    echoes(talk, good, b"first")?;
    echoes(talk, good, b"second")?;
    close(talk, good, SessionStatus::Ok)?;
    let repeats = open(talk, ROUGH)?;
    echoes(talk, repeats, b"first")?;
    must_not_be_answered(talk, repeats, SessionStatus::Replayed)?;
    must_not_be_answered(talk, repeats, SessionStatus::NotFound)?;
    for _ in ["changed", "cut"] {
        let spoils = open(talk, ROUGH)?;
        must_not_be_answered(talk, spoils, SessionStatus::NotAuthentic)?;
    }
    must_not_open(talk, ROUGH, SessionStatus::Downgraded)
}

/// To another endpoint we are nobody, whatever we say.
fn we_are_no_endpoint(talk: &mut Talk<'_>) -> Result<(), Why> {
    let hello = line::Request::Handshake { suite: SUITE, hello: &[7; HELLO_BYTES] };
    let sealed = Sealed { counter: 0, bytes: &[7; 32] };
    let carry = line::Request::Carry { session: SessionId(1), sealed };
    for (request, status) in [(hello, SessionStatus::Denied), (carry, SessionStatus::NotFound)] {
        let mut out = [0; 128];
        let frame = line::encode(&request, talk.next_nonce(), &mut out);
        let frame = frame.map_err(|_| "no such frame")?;
        refuses(talk, PEER, frame, status)?;
        let cut = frame.split_last().map_or(&[][..], |(_, cut)| cut);
        refuses(talk, PEER, cut, SessionStatus::InvalidArgs)?;
    }
    Ok(())
}

fn are_no_frames(talk: &mut Talk<'_>) -> Result<(), Why> {
    use SessionStatus::{InvalidArgs, OverLimit};
    let good = Request::Open { peer: name(PEER)? };
    let mut out = [0; 64];
    let length = encode(&good, 1, &mut out).map_err(|_| "no such frame")?.len();
    let (unknown_op, name_length) = (3, 8);
    for (at, to, status) in [(unknown_op, 99, InvalidArgs), (name_length, 65, OverLimit)] {
        let mut frame = out;
        frame.get_mut(at).into_iter().for_each(|byte| *byte = to);
        refuses(talk, "dsoftbusd", frame.get(..length).unwrap_or_default(), status)?;
    }
    refuses(talk, "dsoftbusd", out.get(..length - 1).unwrap_or_default(), InvalidArgs)?;
    let mut longest = [0; FRAME_BYTES_MAX];
    longest.iter_mut().zip(out.iter().take(length)).for_each(|(to, from)| *to = *from);
    refuses(talk, "dsoftbusd", &longest, InvalidArgs)
}

fn refuses(talk: &mut Talk<'_>, who: &str, frame: &[u8], wanted: SessionStatus) -> Result<(), Why> {
    let answer = talk.send(ServiceId::from_name(who), frame)?;
    let status = answer.get(STATUS).copied().and_then(SessionStatus::from_raw);
    if status == Some(wanted) { Ok(()) } else { Err("a frame that must be refused is not") }
}

/// What requests came to: the operation, the outcome, and how often.
type Row = (&'static str, &'static str, &'static str);

const ASKED: [Row; 13] = [
    ("open", "ok", "8"),
    ("open", "over_limit", "2"),
    ("open", "denied", "1"),
    ("open", "not_authentic", "1"),
    ("open", "downgraded", "1"),
    ("open", "invalid_args", "2"),
    ("ask", "ok", "5"),
    ("ask", "replayed", "1"),
    ("ask", "not_authentic", "2"),
    ("ask", "not_found", "1"),
    ("close", "ok", "4"),
    ("close", "not_found", "1"),
    ("none", "invalid_args", "1"),
];

const HEARD_BY_PEER: [Row; 6] = [
    ("handshake", "ok", "4"),
    ("handshake", "denied", "1"),
    ("handshake", "invalid_args", "1"),
    ("carry", "ok", "5"),
    ("carry", "not_found", "1"),
    ("carry", "invalid_args", "1"),
];

/// Ten messages came, four of them ends: each first cut, changed, in another session and too early,
/// and again afterwards; and five handshakes, each again.
const HEARD_BY_ROUGH: [Row; 8] = [
    ("handshake", "ok", "5"),
    ("handshake", "replayed", "5"),
    ("carry", "ok", "10"),
    ("carry", "invalid_args", "10"),
    ("carry", "not_authentic", "10"),
    ("carry", "out_of_order", "10"),
    ("carry", "replayed", "6"),
    ("carry", "not_found", "14"),
];

const HEARD_BY_STRANGER: [Row; 1] = [("handshake", "not_authentic", "2")];

/// What dsoftbusd counts of all that, and others do.
fn are_counted(talk: &mut Talk<'_>, since: Mono, others: &[Exports<'_>]) -> Result<(), Why> {
    let asked = ASKED.map(row);
    let asked = asked.each_ref().map(series);
    let [closed, failed] = ["4", "3"].map(|value| [COUNTER, NO_UNIT, ("value", value)]);
    let live = [GAUGE, NO_UNIT, ("value", "1")];
    let ended = [
        Series { labels: &[("label.how", "closed")], values: &closed },
        Series { labels: &[("label.how", "failed")], values: &failed },
    ];
    let metrics = [
        Metric { name: "dsoftbusd_requests_total", series: &asked },
        Metric { name: "dsoftbusd_sessions_ended_total", series: &ended },
        Metric { name: "dsoftbusd_sessions", series: &[Series { labels: &[], values: &live }] },
    ];
    let exports: Vec<Exports<'_>> =
        [(DSOFTBUSD, &metrics[..])].into_iter().chain(others.iter().copied()).collect();
    all_told(talk, since, &exports, "what endpoints count is not in the journal")?;
    let origin = origin(DSOFTBUSD);
    let opened = [("origin", origin.as_str()), ("unit", "ns"), ("count", "8")];
    talk.wait_for(since, "how long handshakes took is not in the journal", |record| {
        is_ours(record, "dsoftbusd_handshake_ns") && has(record, &opened)
    })
}

type Pair = (&'static str, &'static str);

/// The labels and the values of a row.
fn row((op, outcome, value): Row) -> ([Pair; 2], [Pair; 3]) {
    ([("label.op", op), ("label.outcome", outcome)], [COUNTER, NO_UNIT, ("value", value)])
}

fn series((labels, values): &([Pair; 2], [Pair; 3])) -> Series<'_> {
    Series { labels, values }
}

/// Each request for a session is a tree of spans; by now all of them are exported.
fn are_trees(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    is_a_tree(talk, since, PEER, OPENED)?;
    is_a_tree(talk, since, FORBIDDEN, DENIED)?;
    is_a_tree(talk, since, STRANGER, STRANGE)
}

/// The first request for a session with that endpoint is one tree of spans, of this form.
fn is_a_tree(talk: &mut Talk<'_>, since: Mono, peer: &str, form: Tree) -> Result<(), Why> {
    let whole = ("session.open", ("attr.peer", peer));
    talk.until("a request for a session is not in the journal as a whole", |talk| {
        first_tree(talk, since, DSOFTBUSD, whole)?.map(|tree| tree.is(form)).transpose()
    })
}
