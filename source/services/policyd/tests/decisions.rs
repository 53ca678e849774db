//! policyd by its frames alone.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;

use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_policy::{PolicyClient, Verdict};
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::Policy;
use nexus_wire::policy::{
    Action, Check, Decision, Frame, Object, PolicyStatus, decode_reply, encode,
};
use nexus_wire::{Level, markers};
use policyd::Policyd;
use proptest::prelude::*;

const POLICY: &str = r#"
image = "image"
read_logs = ["reader"]
scrape_metrics = []
ask_for_others = ["execd"]
install_bundle = []
open_session = [{ who = "user", what = ["execd", "reader"] }]
audit = { records_per_s = 2, records_burst = 3 }

[[spawn]]
who = "user"
what = ["demo.hello"]

[[write_state]]
who = "user"
what = ["user/notes/", "shared/"]
"#;

#[derive(Default)]
struct Console {
    replies: Vec<Vec<u8>>,
    lines: Vec<String>,
}

impl World for Console {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.replies.push(frame.to_vec());
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        panic!("policyd asks nobody");
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

struct Bed {
    policyd: Policyd,
    world: Console,
    now: u64,
}

fn check<'a>(subject: &str, action: Action, object: &'a str) -> Check<'a> {
    Check { subject: ServiceId::from_name(subject), action, object: Object::new(object).unwrap() }
}

impl Bed {
    fn new(policy: &str) -> Self {
        let policyd = Policyd::new(&Policy::parse(policy).unwrap());
        let mut bed = Self { policyd, world: Console::default(), now: 1 };
        bed.handle(Event::Wake);
        bed
    }

    fn handle(&mut self, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        self.policyd.handle(now, event, &mut self.world);
        self.policyd.check_invariants();
    }

    fn send(&mut self, from: &str, frame: &[u8]) -> Vec<u8> {
        let from = ServiceId::from_name(from);
        let from = Sender::stamped(from, 7, Incarnation::new(1), Rights::NONE);
        self.handle(Event::Request { from, token: Token::from_raw(1), frame });
        self.world.replies.pop().unwrap()
    }

    fn ask(&mut self, from: &str, check: Check<'_>) -> Decision {
        let mut out = [0; 128];
        let frame = encode(&Frame { nonce: 9, check }, &mut out).unwrap().to_vec();
        let reply = self.send(from, &frame);
        decode_reply(9, &reply).unwrap().unwrap()
    }

    /// What somebody hears who asks about itself.
    fn of_itself(&mut self, who: &str, action: Action, object: &str) -> Decision {
        self.ask(who, check(who, action, object))
    }
}

#[test]
fn policyd_is_ready_once_it_has_allowed_what_it_grants_and_denied_what_not() {
    let bed = Bed::new(POLICY);
    assert_eq!(bed.world.lines, [markers::POLICYD_READY]);
    assert_eq!(bed.policyd.deadline(), None);
}

#[test]
fn what_the_policy_grants_is_allowed_and_nothing_else() {
    use Action::{OpenSession, ReadLogs, ScrapeMetrics, Spawn, WriteState};
    let mut bed = Bed::new(POLICY);
    for (who, action, object, decision) in [
        ("reader", ReadLogs, "", Decision::Allowed),
        ("reader", ReadLogs, "x", Decision::NotGranted),
        ("reader", ScrapeMetrics, "", Decision::NotGranted),
        ("user", ReadLogs, "", Decision::NotGranted),
        ("user", Spawn, "demo.hello", Decision::Allowed),
        ("user", Spawn, "demo.hell", Decision::NotGranted),
        ("user", Spawn, "demo.hello.too", Decision::NotGranted),
        ("user", Spawn, "", Decision::NotGranted),
        ("user", OpenSession, "reader", Decision::Allowed),
        ("user", OpenSession, "user", Decision::NotGranted),
        ("user", WriteState, "user/notes/today", Decision::Allowed),
        ("user", WriteState, "shared/a/b", Decision::Allowed),
        ("user", WriteState, "user/notes/", Decision::NotGranted),
        ("user", WriteState, "user/notes", Decision::NotGranted),
        ("user", WriteState, "user/secret", Decision::NotGranted),
        ("user", WriteState, "user/notes/../a", Decision::NotGranted),
        ("user", WriteState, "user/notes//a", Decision::NotGranted),
        ("stranger", Spawn, "demo.hello", Decision::UnknownSubject),
    ] {
        assert_eq!(bed.of_itself(who, action, object), decision, "{who} {action:?} {object}");
    }
}

#[test]
fn only_whom_the_policy_lets_asks_about_others() {
    let mut bed = Bed::new(POLICY);
    let question = check("user", Action::Spawn, "demo.hello");
    assert_eq!(bed.ask("execd", question), Decision::Allowed);
    assert_eq!(bed.ask("reader", question), Decision::NotDelegate);
    assert_eq!(bed.ask("stranger", question), Decision::NotDelegate);
    let nobody = check("nobody", Action::Spawn, "demo.hello");
    assert_eq!(bed.ask("execd", nobody), Decision::UnknownSubject);
    assert_eq!(bed.ask("reader", nobody), Decision::NotDelegate, "who is known is not told");
}

#[test]
fn an_empty_policy_denies_everything() {
    let empty = "image = 'i'\nread_logs = []\nscrape_metrics = []\nask_for_others = []\n\
                 spawn = []\ninstall_bundle = []\nwrite_state = []\nopen_session = []\n\
                 audit = { records_per_s = 1, records_burst = 1 }";
    let mut bed = Bed::new(empty);
    assert_eq!(bed.world.lines, [markers::POLICYD_READY]);
    for action in Action::ALL.iter().copied() {
        assert_eq!(bed.of_itself("user", action, ""), Decision::UnknownSubject);
    }
}

#[test]
fn test_reject_malformed_and_oversized_frames() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new(POLICY);
    let mut out = [0; 128];
    let frame = Frame { nonce: 0x0102_0304, check: check("user", Action::Spawn, "demo.hello") };
    let good = encode(&frame, &mut out).unwrap().to_vec();
    let changed = |at: usize, to: u8| {
        let mut frame = good.clone();
        frame[at] = to;
        frame
    };
    let long = [&good[..], &[0; 4000]].concat();
    let nothing = (vec![], PolicyStatus::InvalidArgs);
    for (frame, status) in [
        nothing,
        (good[..7].to_vec(), PolicyStatus::InvalidArgs),
        (good[..20].to_vec(), PolicyStatus::InvalidArgs),
        (long, PolicyStatus::InvalidArgs),
        (changed(0, b'X'), PolicyStatus::InvalidArgs),
        (changed(2, 2), PolicyStatus::InvalidArgs),
        (changed(3, 9), PolicyStatus::InvalidArgs),
        (changed(16, 99), PolicyStatus::InvalidArgs),
        (changed(17, 65), PolicyStatus::OverLimit),
        (changed(18, b'D'), PolicyStatus::InvalidArgs),
    ] {
        let nonce = if frame.len() < 8 { 0 } else { 0x0102_0304 };
        let reply = bed.send("user", &frame);
        assert_eq!(decode_reply(nonce, &reply), Some(Err(status)), "{frame:?}");
    }
    let lines = [
        markers::POLICYD_READY,
        markers::POLICYD_REJECT_INVALID_ARGS,
        markers::POLICYD_REJECT_OVER_LIMIT,
    ];
    assert_eq!(bed.world.lines, lines, "each reason once");
    let refused = |reason| recording.counter("policyd_refusals_total", &[("reason", reason)]);
    assert_eq!((refused("invalid_args"), refused("over_limit")), (9, 1));
}

#[test]
fn decisions_are_counted_exactly_by_outcome() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new(POLICY);
    let counted = |outcome| recording.counter("policyd_decisions_total", &[("outcome", outcome)]);
    assert_eq!(counted("allowed"), 0, "its proof at start is nobody's question");
    (0..3)
        .for_each(|_| assert!(bed.of_itself("reader", Action::ReadLogs, "") == Decision::Allowed));
    bed.of_itself("reader", Action::Spawn, "a");
    bed.of_itself("stranger", Action::Spawn, "a");
    bed.ask("reader", check("user", Action::Spawn, "a"));
    let all = ["allowed", "not_granted", "unknown_subject", "not_delegate"].map(counted);
    assert_eq!(all, [3, 1, 1, 1]);
}

#[test]
fn denials_are_audited_within_their_budget_and_the_rest_is_counted() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let mut bed = Bed::new(POLICY);
    bed.of_itself("user", Action::Spawn, "demo.hello");
    for _ in 0..5 {
        bed.ask("reader", check("stranger", Action::Spawn, "demo.hello"));
    }
    bed.now += 500_000_000;
    bed.of_itself("user", Action::WriteState, "reader/a");
    let records = captured.records();
    let [loaded, first, second, third, last] = &records[..] else { panic!("{records:?}") };
    assert_eq!((loaded.level, &*loaded.message), (Level::Info, "decides by 7 rules"));
    let stranger = ServiceId::from_name("stranger");
    assert_eq!(first.message, format!("spawn denied to {stranger}: not_delegate"));
    assert_eq!(
        first.fields,
        format!(
            "action=spawn\nasked_by=reader\nevent=policy.denied.v1\nleft_out=0\n\
             object=demo.hello\nreason=not_delegate\nsubject={stranger}\n"
        )
    );
    assert_eq!((&first.fields, first.level), (&second.fields, Level::Warn));
    assert_eq!(first.fields, third.fields);
    assert_eq!(last.message, "write_state denied to user: not_granted");
    assert!(last.fields.contains("left_out=2\n"), "{}", last.fields);
    assert_eq!(recording.counter("policyd_audit_left_out_total", &[]), 2);
}

#[test]
fn questions_of_logd_cause_no_record() {
    let captured = nexus_log::memory::capture();
    let mut bed = Bed::new(POLICY);
    bed.of_itself("logd", Action::WriteState, "logd/a");
    assert_eq!(captured.records().len(), 1, "the one of its start");
}

/// A world in which a client's calls are answered by policyd at once.
struct Together<'b> {
    bed: &'b mut Bed,
    answer: Option<(CallId, Vec<u8>)>,
}

impl World for Together<'_> {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("policyd"));
        self.answer = Some((call, self.bed.send("execd", frame)));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

#[test]
fn its_client_hears_what_it_decides() {
    let mut bed = Bed::new(POLICY);
    let mut client = PolicyClient::new(CallId(0));
    for (object, decision) in
        [("demo.hello", Decision::Allowed), ("demo.bye", Decision::NotGranted)]
    {
        let mut world = Together { bed: &mut bed, answer: None };
        client.ask(check("user", Action::Spawn, object), Mono(1), &mut world).unwrap();
        let (call, answer) = world.answer.unwrap();
        assert_eq!(client.ended(call, Ok(&answer)), Some(Verdict::Decided(decision)));
    }
}

proptest! {
    /// Against a plain set of what the policy says.
    #[test]
    fn a_decision_follows_from_the_policy_alone(
        grants in prop::collection::btree_set((0u8..3, 0u8..3), 0..6),
        asks in prop::collection::vec((0u8..3, 0u8..3, 0u8..3), 1..20),
    ) {
        let service = |n: u8| format!("svc{n}");
        let objects = |who: u8| {
            let its = grants.iter().filter(|(subject, _)| *subject == who);
            its.map(|(_, object)| format!("bundle{object}")).collect::<Vec<_>>()
        };
        let subjects = grants.iter().map(|(who, _)| *who).collect::<BTreeSet<_>>();
        let rule = |who: &u8| {
            format!("{{ who = {:?}, what = {:?} }}", service(*who), objects(*who))
        };
        let rules = subjects.iter().map(rule).collect::<Vec<_>>().join(", ");
        let rules = format!("install_bundle = [{rules}]");
        let text = POLICY.replacen("install_bundle = []", &rules, 1);
        let mut bed = Bed::new(&text);
        for (from, subject, object) in asks {
            let object_name = format!("bundle{object}");
            let asked = check(&service(subject), Action::InstallBundle, &object_name);
            let expected = if from != subject {
                Decision::NotDelegate
            } else if grants.contains(&(subject, object)) {
                Decision::Allowed
            } else if subjects.contains(&subject) {
                Decision::NotGranted
            } else {
                Decision::UnknownSubject
            };
            prop_assert_eq!(bed.ask(&service(from), asked), expected);
            let is_granted = grants.contains(&(subject, object));
            prop_assert_eq!(bed.ask("execd", asked) == Decision::Allowed, is_granted);
        }
    }

    #[test]
    fn no_frame_makes_it_fall_or_allows_a_stranger_anything(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bed = Bed::new(POLICY);
        let reply = bed.send("stranger", &bytes);
        prop_assert_eq!(reply.len(), 10);
        prop_assert_ne!(reply[9], Decision::Allowed.raw());
    }
}
