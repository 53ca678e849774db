//! The client of policyd: whatever happens to a question, only policyd's word allows anything.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_policy::{PATIENCE, PolicyClient, Verdict};
use nexus_port::{CallError, CallId, SubmitError, Token, World};
use nexus_wire::policy::{
    Action, Check, Decision, Object, PolicyStatus, Refusal, decode, refusal, reply,
};
use proptest::prelude::*;

/// policyd as far as its client sees it.
#[derive(Default)]
struct There {
    refuses: Option<SubmitError>,
    asked: Vec<(CallId, u32)>,
}

impl World for There {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("policyd"));
        self.refuses.map_or(Ok(()), Err)?;
        let asked = decode(frame).unwrap();
        assert_eq!(asked.check, CHECK);
        self.asked.push((call, asked.nonce));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

const CHECK: Check<'static> = Check {
    subject: ServiceId::from_name("execd"),
    action: Action::ReadLogs,
    object: Object::NONE,
};
const FIRST: CallId = CallId(0x1_0000);

/// A question that is open: the client, the name of its call, and its nonce.
fn asked(there: &mut There, client: &mut PolicyClient, now: u64) -> (CallId, u32) {
    client.ask(CHECK, Mono(now), there).unwrap();
    *there.asked.last().unwrap()
}

#[test]
fn only_an_answer_that_allows_allows() {
    let (mut there, mut client) = (There::default(), PolicyClient::new(FIRST));
    for decision in Decision::ALL.iter().copied() {
        let (call, nonce) = asked(&mut there, &mut client, 5);
        let verdict = client.ended(call, Ok(&reply(nonce, decision))).unwrap();
        assert_eq!(verdict, Verdict::Decided(decision));
        assert_eq!(verdict.is_allowed(), decision == Decision::Allowed);
        assert_eq!((verdict.reason(), client.deadline()), (decision.name(), None));
    }
    let (call, nonce) = asked(&mut there, &mut client, 5);
    let refused = refusal(Refusal { nonce, status: PolicyStatus::OverLimit });
    let verdict = client.ended(call, Ok(&refused)).unwrap();
    assert_eq!((verdict.is_allowed(), verdict.reason()), (false, "over_limit"));
}

#[test]
fn without_policyd_everything_is_denied_and_says_so() {
    let mut there = There { refuses: Some(SubmitError::NotReady), ..There::default() };
    let mut client = PolicyClient::new(FIRST);
    let verdict = client.ask(CHECK, Mono(5), &mut there).unwrap_err();
    assert_eq!((verdict.is_allowed(), verdict.reason()), (false, "policyd away"));
    there.refuses = Some(SubmitError::Busy);
    assert_eq!(client.ask(CHECK, Mono(5), &mut there), Err(Verdict::Busy));
    there.refuses = None;
    let (call, _) = asked(&mut there, &mut client, 5);
    assert_eq!(client.ended(call, Err(CallError::PeerDied)), Some(Verdict::Away));
}

#[test]
fn who_says_nothing_in_time_is_away_and_what_it_says_later_is_not_heard() {
    let (mut there, mut client) = (There::default(), PolicyClient::new(FIRST));
    let (late, nonce) = asked(&mut there, &mut client, 5);
    let end = Mono(5).after(PATIENCE);
    assert_eq!(client.deadline(), Some(end));
    assert_eq!(client.expired(Mono(end.0 - 1)), None);
    assert_eq!(client.expired(end), Some(Verdict::Away));
    assert_eq!(client.expired(end), None, "once");
    let (call, _) = asked(&mut there, &mut client, end.0);
    assert_ne!(call, late);
    assert_eq!(client.ended(late, Ok(&reply(nonce, Decision::Allowed))), None);
    assert!(client.deadline().is_some(), "the question is open");
}

proptest! {
    #[test]
    fn what_is_no_answer_to_the_question_denies(
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        wrong in 1u32..,
    ) {
        let (mut there, mut client) = (There::default(), PolicyClient::new(FIRST));
        let (call, nonce) = asked(&mut there, &mut client, 5);
        prop_assert_eq!(client.ended(CallId(call.0 ^ wrong), Ok(&[])), None, "another call");
        let other = reply(nonce.wrapping_add(wrong), Decision::Allowed);
        prop_assert_eq!(client.ended(call, Ok(&other)), Some(Verdict::Away));
        let (call, _) = asked(&mut there, &mut client, 5);
        prop_assert!(!client.ended(call, Ok(&bytes)).unwrap().is_allowed());
    }
}
