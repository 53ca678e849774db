//! Sessions between endpoints, by their frames alone.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod net;

use dsoftbusd::{Dsoftbusd, Says, WAITING_MAX};
use net::{NAMES, Net, READY, line_status, ring};
use nexus_port::{Event, Service as _};
use nexus_session::{
    ACCEPTED_MAX, ACCEPTED_PER_PEER, IDLE, IDLE_ACCEPTED, PATIENCE, PER_OWNER, PER_PEER,
    SESSIONS_MAX,
};
use nexus_wire::sessions::line::{self, HELLO_BYTES, SUITE, Sealed};
use nexus_wire::sessions::{
    EndpointName, Op, Request, SESSION_BYTES_MAX, SessionId, SessionStatus, encode,
};
use nexus_wire::{Level, SpanStatus, markers};
use proptest::prelude::*;

const USER: &str = "user";
const US: &str = NAMES[0];
const PEER: &str = NAMES[1];

/// Programs enough to open as many sessions as there may be.
const USERS: [&str; 5] = ["user", "user2", "user3", "user4", "user5"];

fn open(peer: &str) -> Request<'_> {
    Request::Open { peer: EndpointName::new(peer).unwrap() }
}

fn requests(
    recording: &nexus_metrics::memory::Recording,
    op: &'static str,
    outcome: SessionStatus,
) -> u64 {
    let labels = [("op", op), ("outcome", outcome.name())];
    recording.counter("dsoftbusd_requests_total", &labels)
}

fn line_requests(
    recording: &nexus_metrics::memory::Recording,
    op: &'static str,
    outcome: SessionStatus,
) -> u64 {
    let labels = [("op", op), ("outcome", outcome.name())];
    recording.counter("dsoftbusd_line_requests_total", &labels)
}

#[test]
fn an_endpoint_is_ready_once_it_has_spoken_to_itself() {
    let net = Net::new();
    assert_eq!(net.outside.lines, [READY; 4]);
}

#[test]
fn what_is_asked_is_answered_by_the_other_endpoint() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    for bytes in [&b"hello"[..], &[0], &vec![7; SESSION_BYTES_MAX]] {
        assert_eq!(net.say(USER, session, bytes).unwrap(), bytes);
    }
    let status = net.say(USER, session, b"").unwrap();
    let now = net.now;
    let expected = format!("answered=4\nendpoint=peer\nmono_ns={now}\nsessions=1\n");
    assert_eq!(String::from_utf8(status).unwrap(), expected);
    assert_eq!(net.close(USER, session), SessionStatus::Ok);
    assert_eq!(net.say(USER, session, b"hello"), Err(SessionStatus::NotFound));
}

#[test]
fn what_goes_between_endpoints_nobody_else_can_read() {
    let mut net = Net::new();
    let said = b"a secret of some length";
    let session = net.open(USER, PEER).unwrap();
    net.say(USER, session, said).unwrap();
    net.say(USER, session, said).unwrap();
    let has = |frame: &[u8], part: &[u8]| frame.windows(part.len()).any(|window| window == part);
    assert_eq!(net.seen.len(), 6, "a handshake and two questions, with their answers");
    assert!(!net.seen.iter().any(|frame| has(frame, said)));
    let [.., first, first_answer, second, _] = &net.seen[..] else { panic!("six frames") };
    assert_ne!(first[20..], second[20..], "the same is never sealed in the same way");
    assert_ne!(first[22..], first_answer[19..]);
}

#[test]
fn counters_histogram_spans_and_records_tell_what_was_done() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    net.say(USER, session, b"hello").unwrap();
    assert_eq!(recording.gauge("dsoftbusd_sessions", &[]), Some(1));
    net.close(USER, session);
    let ok = SessionStatus::Ok;
    assert_eq!(["open", "ask", "close"].map(|op| requests(&recording, op, ok)), [1; 3]);
    let line = ["handshake", "carry"].map(|op| line_requests(&recording, op, ok));
    assert_eq!(line, [1, 2], "the end is carried too");
    let ended = recording.counter("dsoftbusd_sessions_ended_total", &[("how", "closed")]);
    assert_eq!(ended, 1);
    assert_eq!(recording.gauge("dsoftbusd_sessions", &[]), Some(0));
    let handshakes = recording.histogram("dsoftbusd_handshake_ns", &[]).unwrap();
    assert_eq!(handshakes.counts.iter().sum::<u64>(), 1);
    let spans = recording.finished_spans();
    let [policy, handshake, whole] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(
        [&*policy.name, &handshake.name, &whole.name],
        ["policy", "handshake", "session.open"]
    );
    for part in [policy, handshake] {
        assert_eq!((part.parent, part.trace), (whole.span, whole.trace));
    }
    assert!(spans.iter().all(|span| span.status == SpanStatus::Ok));
    let records = captured.records();
    let events = records.iter().map(|record| (record.level, &*record.message));
    assert_eq!(
        events.collect::<Vec<_>>(),
        [(Level::Info, "session of dsoftbusd"), (Level::Info, "session 1 with peer")]
    );
    assert!(records[1].fields.contains("peer=peer\nsession=1\n"), "{}", records[1].fields);
}

#[test]
fn test_reject_whom_the_policy_denies_and_everybody_while_it_cannot_be_asked() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let mut net = Net::new();
    net.denies = true;
    assert_eq!(net.open(USER, PEER), Err(SessionStatus::Denied));
    assert_eq!(net.open(USER, "nobody"), Err(SessionStatus::Denied), "who is there is not told");
    net.denies = false;
    net.away("policyd");
    assert_eq!(net.open(USER, PEER), Err(SessionStatus::Denied));
    net.back("policyd");
    assert!(net.open(USER, PEER).is_ok());
    assert_eq!(requests(&recording, "open", SessionStatus::Denied), 3);
    let records = captured.records();
    assert_eq!(
        (&*records[0].message, records[0].level),
        ("no session with peer: denied", Level::Warn)
    );
    let spans = recording.finished_spans();
    assert_eq!(spans.iter().filter(|span| span.status == SpanStatus::Error).count(), 6);
}

#[test]
fn test_reject_an_endpoint_that_is_not_known_not_there_or_silent() {
    let mut net = Net::new();
    assert_eq!(net.open(USER, "nobody"), Err(SessionStatus::NotFound));
    net.away(PEER);
    assert_eq!(net.open(USER, PEER), Err(SessionStatus::PeerAway));
    net.back(PEER);
    net.mute.push(PEER);
    let token = net.submit(USER, &open(PEER));
    net.run();
    assert_eq!(net.answer(token, Op::Open), None);
    net.pass(PATIENCE.0);
    assert_eq!(net.answer(token, Op::Open), Some((SessionStatus::PeerAway, vec![])));
    net.mute.clear();
    assert!(net.open(USER, PEER).is_ok(), "the slot serves again");
}

#[test]
fn the_histogram_has_handshakes_that_ended_well_and_how_long_they_took() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let token = net.submit(USER, &open(PEER));
    net.run_policy();
    net.now += 700;
    net.run();
    assert_eq!(net.answer(token, Op::Open).unwrap().0, SessionStatus::Ok);
    let taken = |recording: &nexus_metrics::memory::Recording| {
        let handshakes = recording.histogram("dsoftbusd_handshake_ns", &[]).unwrap();
        (handshakes.counts.iter().sum::<u64>(), handshakes.sum)
    };
    assert_eq!(taken(&recording), (1, 700));
    assert_eq!(net.open(USER, "stranger"), Err(SessionStatus::NotAuthentic));
    assert_eq!(net.open(USER, "nobody"), Err(SessionStatus::NotFound));
    net.from_peer = Some(Box::new(|answer| changed(answer, 9)));
    assert_eq!(net.open(USER, PEER), Err(SessionStatus::Downgraded));
    net.away(PEER);
    assert_eq!(net.open(USER, PEER), Err(SessionStatus::PeerAway));
    assert_eq!(taken(&recording), (1, 700), "what failed is no handshake that took long");
}

#[test]
fn test_reject_a_session_without_entropy() {
    let mut net = Net::new();
    net.away("entropyd");
    let opened = (0..12).map(|_| net.open(USER, PEER).map(|it| net.close(USER, it)));
    let opened = opened.collect::<Vec<_>>();
    assert_eq!(opened[7], Ok(SessionStatus::Ok), "eight were there");
    assert_eq!(opened[8..], [Err(SessionStatus::NotReady); 4]);
    net.back("entropyd");
    net.pass(1_000_000_000);
    assert!(net.open(USER, PEER).is_ok());
}

#[test]
fn test_reject_more_sessions_than_an_owner_an_endpoint_or_all_may_have() {
    let mut net = Net::new();
    let open = |net: &mut Net, who, peer| net.open(who, peer).is_ok();
    for _ in 0..PER_OWNER {
        assert!(open(&mut net, USERS[0], PEER));
    }
    assert_eq!(net.open(USERS[0], "third"), Err(SessionStatus::OverLimit));
    for _ in PER_OWNER..PER_PEER {
        assert!(open(&mut net, USERS[1], PEER));
    }
    assert_eq!(net.open(USERS[2], PEER), Err(SessionStatus::OverLimit));
    for who in [USERS[2], USERS[3]] {
        for _ in 0..PER_OWNER {
            assert!(open(&mut net, who, "third"));
        }
    }
    assert_eq!(PER_PEER * 2, SESSIONS_MAX);
    assert_eq!(net.open(USERS[4], "third"), Err(SessionStatus::OverLimit));
    assert_eq!(net.close(USERS[0], SessionId(1)), SessionStatus::Ok);
    assert!(open(&mut net, USERS[4], PEER), "as soon as one has ended");
}

#[test]
fn test_reject_more_sessions_than_another_endpoint_may_have_with_us() {
    let mut net = Net::new();
    let hello = |net: &mut Net, from: &'static str| {
        // Opened by frames of endpoints that have forgotten what they had.
        net.now += 1;
        net.start(from);
        let token = net.submit_at(from, USER, &open(PEER));
        net.run();
        net.answer(token, Op::Open).unwrap().0
    };
    let opened = (0..=ACCEPTED_PER_PEER).map(|_| hello(&mut net, US)).collect::<Vec<_>>();
    assert_eq!(opened[ACCEPTED_PER_PEER - 1], SessionStatus::Ok);
    assert_eq!(opened[ACCEPTED_PER_PEER], SessionStatus::OverLimit);
    assert_eq!(hello(&mut net, "third"), SessionStatus::Ok, "others have their own");
    const { assert!(ACCEPTED_MAX == 2 * ACCEPTED_PER_PEER) };
    net.pass(IDLE_ACCEPTED.0);
    assert_eq!(hello(&mut net, US), SessionStatus::Ok);
}

#[test]
fn test_reject_the_session_of_another_sender_or_of_another_life() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    for ask in [Request::Ask { session, bytes: b"x" }, Request::Close { session }] {
        assert_eq!(net.ask("user2", &ask).0, SessionStatus::NotFound);
    }
    assert_eq!(net.say(USER, session, b"x").unwrap(), b"x");
    net.gone(USER);
    assert_eq!(net.say(USER, session, b"x"), Err(SessionStatus::NotFound));
}

#[test]
fn a_session_waits_for_one_answer_at_a_time() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    let first = net.submit(USER, &Request::Ask { session, bytes: b"first" });
    for second in [Request::Ask { session, bytes: b"second" }, Request::Close { session }] {
        let second = (net.submit(USER, &second), second.op());
        assert_eq!(net.answer(second.0, second.1), Some((SessionStatus::Busy, vec![])));
    }
    net.run();
    assert_eq!(net.answer(first, Op::Ask), Some((SessionStatus::Ok, b"first".to_vec())));
}

#[test]
fn a_session_that_is_being_closed_is_there_no_more() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    let closing = net.submit(USER, &Request::Close { session });
    for late in [Request::Ask { session, bytes: b"late" }, Request::Close { session }] {
        let token = net.submit(USER, &late);
        assert_eq!(net.answer(token, late.op()), Some((SessionStatus::NotFound, vec![])));
    }
    net.run();
    assert_eq!(net.answer(closing, Op::Close), Some((SessionStatus::Ok, vec![])));
}

#[test]
fn several_sessions_are_asked_side_by_side() {
    let mut net = Net::new();
    let sessions = [PEER, "third", PEER].map(|peer| net.open(USER, peer).unwrap());
    let tokens = sessions.map(|session| net.submit(USER, &Request::Ask { session, bytes: b"x" }));
    net.run();
    for token in tokens {
        assert_eq!(net.answer(token, Op::Ask), Some((SessionStatus::Ok, b"x".to_vec())));
    }
}

#[test]
fn test_reject_wishes_beyond_those_that_may_wait() {
    let mut net = Net::new();
    let first = net.submit("first", &open(PEER));
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(names.len(), WAITING_MAX as usize);
    let waiting = names.map(|name| net.submit(name, &open(PEER)));
    for who in ["a", "i"] {
        let token = net.submit(who, &open(PEER));
        assert_eq!(net.answer(token, Op::Open), Some((SessionStatus::Busy, vec![])), "{who}");
    }
    net.run();
    let answered = [first].into_iter().chain(waiting).map(|token| net.answer(token, Op::Open));
    let statuses = answered.map(|answer| answer.unwrap().0).collect::<Vec<_>>();
    assert_eq!(statuses[..PER_PEER], [SessionStatus::Ok; PER_PEER]);
    assert_eq!(statuses[PER_PEER], SessionStatus::OverLimit);
}

/// Where things stand in a CARRY: its head, the session, the counter, the length.
const SESSION_AT: usize = 8;
const COUNTER_AT: usize = 12;
const SEALED_AT: usize = 22;

fn changed(frame: &[u8], at: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at] ^= 1;
    frame
}

#[test]
fn test_reject_what_was_changed_repeated_cut_or_is_not_next_and_nothing_has_changed() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let (session, other) = (net.open(USER, PEER).unwrap(), net.open(USER, PEER).unwrap());
    net.say(USER, session, b"before").unwrap();
    let before = net.seen[net.seen.len() - 2].clone();
    net.say(USER, other, b"elsewhere").unwrap();
    let elsewhere = net.seen[net.seen.len() - 2].clone();
    let token = net.submit(USER, &Request::Ask { session, bytes: b"after" });
    let frame = net.take_call();
    let to_other = {
        let mut to_other = frame.clone();
        to_other[SESSION_AT..COUNTER_AT].copy_from_slice(&elsewhere[SESSION_AT..COUNTER_AT]);
        to_other
    };
    for (what, frame, status) in [
        ("repeated", before.clone(), SessionStatus::Replayed),
        ("later", changed(&changed(&frame, COUNTER_AT), COUNTER_AT + 1), SessionStatus::OutOfOrder),
        ("sealed", changed(&frame, SEALED_AT), SessionStatus::NotAuthentic),
        ("tag", changed(&frame, frame.len() - 1), SessionStatus::NotAuthentic),
        ("in another session", to_other, SessionStatus::NotAuthentic),
        ("in no session", changed(&frame, SESSION_AT + 3), SessionStatus::NotFound),
        ("cut", frame[..frame.len() - 1].to_vec(), SessionStatus::InvalidArgs),
        ("longer", [&frame[..], &[0]].concat(), SessionStatus::InvalidArgs),
        ("of another length", changed(&frame, SEALED_AT - 2), SessionStatus::InvalidArgs),
    ] {
        let answer = net.send(PEER, US, &frame).unwrap();
        assert_eq!(line_status(line::Op::Carry, &answer), status, "{what}");
    }
    let of_other_sender = net.send(PEER, "third", &frame).unwrap();
    assert_eq!(line_status(line::Op::Carry, &of_other_sender), SessionStatus::NotFound);
    net.put_call(frame);
    net.run();
    assert_eq!(net.answer(token, Op::Ask), Some((SessionStatus::Ok, b"after".to_vec())));
    for (status, times) in [
        (SessionStatus::Replayed, 1),
        (SessionStatus::OutOfOrder, 1),
        (SessionStatus::NotAuthentic, 3),
        (SessionStatus::NotFound, 2),
        (SessionStatus::InvalidArgs, 3),
        (SessionStatus::Ok, 3),
    ] {
        assert_eq!(line_requests(&recording, "carry", status), times, "{status:?}");
    }
}

#[test]
fn test_reject_answers_that_were_changed_repeated_or_cut_and_the_session_ends() {
    let recording = nexus_metrics::memory::record();
    type Change = fn(&[u8], &[u8]) -> Vec<u8>;
    let changes: [(&str, Change, SessionStatus); 6] = [
        ("repeated", |before, now| [&now[..9], &before[9..]].concat(), SessionStatus::Replayed),
        ("later", |_, now| changed(&changed(now, 9), 10), SessionStatus::OutOfOrder),
        ("sealed", |_, now| changed(now, 19), SessionStatus::NotAuthentic),
        ("cut", |_, now| now[..now.len() - 1].to_vec(), SessionStatus::NotAuthentic),
        ("of another question", |_, now| changed(now, 5), SessionStatus::NotAuthentic),
        ("empty", |_, _| vec![], SessionStatus::NotAuthentic),
    ];
    for (what, change, status) in changes {
        let mut net = Net::new();
        let session = net.open(USER, PEER).unwrap();
        net.say(USER, session, b"before").unwrap();
        let before = net.seen.last().unwrap().clone();
        let mut is_first = true;
        net.from_peer = Some(Box::new(move |now| {
            if std::mem::take(&mut is_first) { change(&before, now) } else { now.to_vec() }
        }));
        assert_eq!(net.say(USER, session, b"after"), Err(status), "{what}");
        assert_eq!(net.say(USER, session, b"again"), Err(SessionStatus::NotFound), "{what}");
        assert!(net.open(USER, PEER).is_ok(), "{what}");
    }
    let failed = recording.counter("dsoftbusd_sessions_ended_total", &[("how", "failed")]);
    assert_eq!(failed, 6);
    assert_eq!(line_requests(&recording, "carry", SessionStatus::Ok), 18, "each end was told");
}

#[test]
fn test_reject_whoever_has_not_the_key_of_whom_he_says_to_be() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    assert_eq!(net.open(USER, "stranger"), Err(SessionStatus::NotAuthentic));
    let token = net.submit_at("stranger", USER, &open(PEER));
    net.run();
    let answer = net.answer(token, Op::Open);
    assert_eq!(answer, Some((SessionStatus::NotAuthentic, vec![])));
    assert_eq!(line_requests(&recording, "handshake", SessionStatus::NotAuthentic), 2);
}

/// The hello of a session that is opened.
fn hello(net: &mut Net) -> Vec<u8> {
    let token = net.submit(USER, &open(PEER));
    net.run_policy();
    let hello = net.take_call();
    net.put_call(hello.clone());
    net.run();
    assert!(net.answer(token, Op::Open).is_some());
    hello
}

#[test]
fn test_reject_a_handshake_that_was_replayed_changed_downgraded_or_is_somebody_elses() {
    let mut net = Net::new();
    let first = hello(&mut net);
    net.now += 1_000;
    let second = hello(&mut net);
    let suite = |suite: u8| {
        let mut frame = first.clone();
        frame[8] = suite;
        frame
    };
    let key = (SUITE, &[7; HELLO_BYTES]);
    let made_up = line::Request::Handshake { suite: key.0, hello: key.1 };
    let mut out = [0; 128];
    let made_up = line::encode(&made_up, 1, &mut out).unwrap().to_vec();
    for (what, from, frame, status) in [
        ("replayed", US, first.clone(), SessionStatus::Replayed),
        ("the latest replayed", US, second, SessionStatus::Replayed),
        ("changed", US, changed(&first, 12), SessionStatus::NotAuthentic),
        ("time changed", US, changed(&first, 44), SessionStatus::NotAuthentic),
        ("suite 0", US, suite(0), SessionStatus::Downgraded),
        ("suite 2", US, suite(2), SessionStatus::Downgraded),
        ("of another endpoint", "third", first.clone(), SessionStatus::NotAuthentic),
        ("of no endpoint", USER, first.clone(), SessionStatus::Denied),
        ("made up", US, made_up, SessionStatus::NotAuthentic),
        ("cut", US, first[..first.len() - 1].to_vec(), SessionStatus::InvalidArgs),
        ("length", US, changed(&first, 9), SessionStatus::OverLimit),
    ] {
        let answer = net.send(PEER, from, &frame).unwrap();
        assert_eq!(line_status(line::Op::Handshake, &answer), status, "{what}");
    }
    let answer = net.send("third", US, &first).unwrap();
    let to_another = line_status(line::Op::Handshake, &answer);
    assert_eq!(to_another, SessionStatus::NotAuthentic, "who is meant is part of it");
    net.now += 1_000;
    net.start(PEER);
    let answer = net.send(PEER, US, &first).unwrap();
    let to_next_life = line_status(line::Op::Handshake, &answer);
    assert_eq!(to_next_life, SessionStatus::Replayed, "what was said before its life began");
}

#[test]
fn test_reject_a_handshake_of_a_time_to_come() {
    let mut net = Net::new();
    net.now += 5_000_000;
    let token = net.submit(USER, &open(PEER));
    net.run_policy();
    let hello = net.take_call();
    net.now -= 4_000_000;
    let answer = net.send(PEER, US, &hello).unwrap();
    assert_eq!(line_status(line::Op::Handshake, &answer), SessionStatus::OutOfOrder);
    net.now += 4_000_000;
    net.put_call(hello);
    net.run();
    assert_eq!(net.answer(token, Op::Open).unwrap().0, SessionStatus::Ok);
}

#[test]
fn test_reject_a_welcome_that_was_changed_downgraded_or_of_another_handshake() {
    type Change = fn(&[u8], &[u8]) -> Vec<u8>;
    let changes: [(&str, Change, SessionStatus); 5] = [
        ("changed", |_, now| changed(now, 20), SessionStatus::NotAuthentic),
        ("session changed", |_, now| changed(now, 44), SessionStatus::NotAuthentic),
        ("suite", |_, now| changed(now, 9), SessionStatus::Downgraded),
        (
            "of another",
            |before, now| [&now[..9], &before[9..]].concat(),
            SessionStatus::NotAuthentic,
        ),
        ("cut", |_, now| now[..30].to_vec(), SessionStatus::NotAuthentic),
    ];
    for (what, change, status) in changes {
        let mut net = Net::new();
        net.open(USER, PEER).unwrap();
        let before = net.seen.last().unwrap().clone();
        net.from_peer = Some(Box::new(move |now| change(&before, now)));
        assert_eq!(net.open(USER, PEER), Err(status), "{what}");
        net.from_peer = None;
        assert!(net.open(USER, PEER).is_ok(), "{what}");
    }
}

#[test]
fn sessions_over_which_nothing_is_said_end_at_both_sides() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    net.pass(IDLE.0 - 1);
    assert!(net.say(USER, session, b"x").is_ok(), "not yet");
    net.pass(IDLE.0 - 1);
    assert!(net.say(USER, session, b"x").is_ok(), "it counts from the last answer");
    net.pass(IDLE.0);
    assert_eq!(net.say(USER, session, b"x"), Err(SessionStatus::NotFound));
    let ended = |how| recording.counter("dsoftbusd_sessions_ended_total", &[("how", how)]);
    assert_eq!((ended("idle"), ended("closed")), (1, 0));
    assert_eq!(line_requests(&recording, "carry", SessionStatus::Ok), 3, "the end was told");
}

#[test]
fn sessions_end_with_the_life_of_their_owner() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let idle = net.open(USER, PEER).unwrap();
    let asked = net.open(USER, PEER).unwrap();
    net.submit(USER, &Request::Ask { session: asked, bytes: b"x" });
    net.submit(USER, &open(PEER));
    net.gone(USER);
    let ended = recording.counter("dsoftbusd_sessions_ended_total", &[("how", "owner_gone")]);
    assert_eq!(ended, 2, "what was wished for was never opened");
    let status = net.open("user2", PEER).unwrap();
    let status = net.say("user2", status, b"").unwrap();
    assert!(String::from_utf8(status).unwrap().ends_with("sessions=1\n"));
    assert_ne!(idle, asked);
}

#[test]
fn a_session_that_is_being_opened_ends_with_the_life_of_its_owner() {
    let mut net = Net::new();
    net.submit(USER, &open(PEER));
    net.run_policy();
    net.gone(USER);
    let session = net.open("user2", PEER).unwrap();
    let status = net.say("user2", session, b"").unwrap();
    assert!(String::from_utf8(status).unwrap().ends_with("sessions=1\n"));
}

#[test]
fn sessions_end_with_the_life_of_either_endpoint() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    net.now += 1;
    net.gone(PEER);
    net.start(PEER);
    assert_eq!(net.say(USER, session, b"x"), Err(SessionStatus::PeerAway));
    assert_eq!(net.say(USER, session, b"x"), Err(SessionStatus::NotFound));
    net.now += 1;
    let session = net.open(USER, PEER).unwrap();
    net.say(USER, session, b"x").unwrap();
    net.now += 1;
    net.gone(US);
    net.start(US);
    net.now += 1;
    let session = net.open(USER, PEER).unwrap();
    let status = net.say(USER, session, b"").unwrap();
    assert!(String::from_utf8(status).unwrap().ends_with("sessions=1\n"), "the old one is gone");
}

#[test]
fn what_finds_no_place_is_handed_over_later_as_it_was() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    net.outside.busy = 3;
    let token = net.submit(USER, &Request::Ask { session, bytes: b"x" });
    net.run();
    assert_eq!(net.answer(token, Op::Ask), None);
    net.pass(20_000_000);
    assert_eq!(net.answer(token, Op::Ask), Some((SessionStatus::Ok, b"x".to_vec())));
    net.outside.busy = u32::MAX;
    let token = net.submit(USER, &Request::Ask { session, bytes: b"y" });
    net.pass(PATIENCE.0);
    assert_eq!(net.answer(token, Op::Ask), Some((SessionStatus::PeerAway, vec![])));
}

#[test]
fn test_reject_malformed_and_oversized_frames() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let mut out = [0; 4096];
    let good = encode(&open(PEER), 9, &mut out).unwrap().to_vec();
    let with = |at: usize, to: u8| {
        let mut frame = good.clone();
        frame[at] = to;
        frame
    };
    let long = [&good[..], &[0; 4000]].concat();
    let ask = [&good[..3], &[Op::Ask.raw(), 9, 0, 0, 0, 1, 0, 0, 0, 0xff, 0x0f]].concat();
    for (frame, status) in [
        (vec![], SessionStatus::InvalidArgs),
        (good[..7].to_vec(), SessionStatus::InvalidArgs),
        (good[..9].to_vec(), SessionStatus::InvalidArgs),
        (long, SessionStatus::InvalidArgs),
        (with(0, b'X'), SessionStatus::InvalidArgs),
        (with(2, 2), SessionStatus::InvalidArgs),
        (with(3, 9), SessionStatus::InvalidArgs),
        (with(8, 0), SessionStatus::InvalidArgs),
        (with(8, 65), SessionStatus::OverLimit),
        (with(9, b'P'), SessionStatus::InvalidArgs),
        (ask, SessionStatus::OverLimit),
    ] {
        let reply = net.send(US, USER, &frame).unwrap();
        assert_eq!(reply[4], status.raw(), "{frame:?}");
    }
    let lines = &net.outside.lines[4..];
    let expected = [markers::DSOFTBUSD_REJECT_INVALID_ARGS, markers::DSOFTBUSD_REJECT_OVER_LIMIT];
    assert_eq!(lines, expected, "each reason once");
    assert_eq!(requests(&recording, "open", SessionStatus::OverLimit), 1);
    assert_eq!(requests(&recording, "ask", SessionStatus::OverLimit), 1);
}

#[test]
fn records_are_written_within_a_budget_and_the_rest_is_counted() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let mut net = Net::new();
    net.denies = true;
    for _ in 0..40 {
        assert_eq!(net.open(USER, PEER), Err(SessionStatus::Denied));
    }
    assert_eq!(captured.records().len(), 32);
    assert_eq!(recording.counter("dsoftbusd_records_left_out_total", &[]), 8);
}

#[test]
fn it_closes_its_sessions_before_it_stops() {
    let mut net = Net::new();
    net.open(USER, PEER).unwrap();
    net.handle(US, Event::Stop);
    let has_stopped = |net: &Net| net.ends[US].stopped();
    assert!(!has_stopped(&net));
    let mut undone = String::new();
    net.ends[US].undone(&mut undone).unwrap();
    assert_eq!(undone, "1 sessions are not closed");
    net.run();
    assert!(has_stopped(&net));
}

#[test]
fn what_was_asked_before_it_stops_is_answered_and_then_it_stops() {
    let recording = nexus_metrics::memory::record();
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    let asked = net.submit(USER, &Request::Ask { session, bytes: b"x" });
    let wished = net.submit("user2", &open(PEER));
    net.handle(US, Event::Stop);
    net.run();
    assert_eq!(net.answer(asked, Op::Ask), Some((SessionStatus::Ok, b"x".to_vec())));
    assert_eq!(net.answer(wished, Op::Open).unwrap().0, SessionStatus::Ok);
    assert!(net.ends[US].stopped(), "without waiting until somebody has been idle for long");
    let closed = recording.counter("dsoftbusd_sessions_ended_total", &[("how", "closed")]);
    assert_eq!(closed, 2);
}

#[test]
fn an_endpoint_wants_to_be_woken_at_once_for_its_proof() {
    let silent = Dsoftbusd::new(&ring(PEER), Says::LOCAL);
    assert_eq!(silent.deadline(), Some(nexus_bounded::Mono(0)));
}

/// How frames begin that are nearly right.
const HEADS: [&[u8]; 4] = [b"", b"SB\x01", b"SL\x01", b"SL\x01\x02"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Somebody in the middle does anything to anything: what is answered is what was asked, or
    /// there is a reason.
    #[test]
    fn whatever_the_middle_does_nothing_wrong_is_answered(
        changes in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), 1u8..), 1..12),
    ) {
        let mut net = Net::new();
        let mut session = net.open(USER, PEER).unwrap();
        for (kind, at, by) in changes {
            let seen = net.seen.clone();
            let middle = move |frame: &[u8]| {
                let mut frame = frame.to_vec();
                match kind {
                    0 => {
                        let at = at.index(frame.len());
                        frame[at] ^= by;
                    }
                    1 => frame.truncate(at.index(frame.len())),
                    2 => frame = seen[at.index(seen.len())].clone(),
                    _ => {}
                }
                frame
            };
            let mut once = Some(middle);
            let middle = Box::new(move |frame: &[u8]| match once.take() {
                Some(middle) => middle(frame),
                None => frame.to_vec(),
            });
            if by % 2 == 0 { net.to_peer = Some(middle) } else { net.from_peer = Some(middle) };
            let said = [by, kind, 7];
            match net.say(USER, session, &said) {
                Ok(answer) => prop_assert_eq!(answer, said),
                Err(status) => {
                    prop_assert_ne!(status, SessionStatus::Ok);
                    (net.to_peer, net.from_peer) = (None, None);
                    net.now += 1;
                    session = net.open(USER, PEER).unwrap();
                }
            }
        }
    }

    #[test]
    fn no_frame_makes_it_fall(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        magic in prop::sample::select(&HEADS[..]),
    ) {
        let mut net = Net::new();
        let frame = [magic, &bytes].concat();
        net.send(US, PEER, &frame);
        net.run();
        prop_assert!(net.open(USER, PEER).is_ok());
    }
}

#[test]
fn a_message_is_sealed_under_each_counter_once() {
    let mut net = Net::new();
    let session = net.open(USER, PEER).unwrap();
    (0..5).for_each(|_| drop(net.say(USER, session, b"x").unwrap()));
    let counters = net.seen.iter().filter_map(|frame| match line::decode(frame) {
        Ok(line::Frame {
            request: line::Request::Carry { sealed: Sealed { counter, .. }, .. },
            ..
        }) => Some(counter),
        _ => None,
    });
    assert_eq!(counters.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

const PAGE: &str = include_str!("../../../../docs/sessions.md");

/// Where the tests are that the page names.
const TESTS: [&str; 4] = [
    include_str!("sessions.rs"),
    include_str!("memory.rs"),
    include_str!("../../../libs/nexus-session/tests/opened.rs"),
    include_str!("../../../libs/nexus-session/tests/accepted.rs"),
];

/// What the page names in the column of tests: those, and those that are none.
fn named(page: &str) -> (Vec<&str>, Vec<&str>) {
    let rows = page.split("## How it is held").nth(1).unwrap().lines();
    let names = rows
        .filter_map(|row| row.split('|').nth(2))
        .flat_map(|held| held.split('`').skip(1).step_by(2));
    let is_test = |name: &&str| {
        let test = format!("fn {name}(");
        TESTS.iter().any(|source| source.contains(&test))
    };
    names.partition(is_test)
}

#[test]
fn the_page_names_tests_that_are_there_and_one_that_is_not_is_noticed() {
    let (tests, others) = named(PAGE);
    assert!(others.is_empty(), "{others:?}");
    assert!(tests.len() > 10, "{tests:?}");
    let renamed = PAGE.replace("`every_session_takes_the_same`", "`every_session_takes_some`");
    assert_eq!(named(&renamed).1, ["every_session_takes_some"]);
}
