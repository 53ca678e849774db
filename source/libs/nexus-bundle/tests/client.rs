//! The client of bundlemgrd: only its own answer is one, and only in time.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{BundleClient, NoAnswer};
use nexus_port::{CallError, CallId, SubmitError, Token, World};
use nexus_wire::Echo;
use nexus_wire::bundles::{
    BUNDLE_NAME_BYTES_MAX, BundleName, BundleStatus, Op, Piece, Reply, Request, decode,
    encode_piece, plain_reply,
};
use proptest::prelude::*;

/// bundlemgrd as far as its client sees it.
#[derive(Default)]
struct There {
    refuses: Option<SubmitError>,
    asked: Vec<(CallId, Echo)>,
}

impl World for There {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("bundlemgrd"));
        self.refuses.map_or(Ok(()), Err)?;
        self.asked.push((call, decode(frame).unwrap().echo));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

const PATIENCE: Nanos = Nanos::from_secs(2);

fn client() -> BundleClient {
    BundleClient::new(CallId(0x1_0000), PATIENCE)
}

/// A request that is waited for: the name of its call, and what its answer echoes.
fn asked(there: &mut There, client: &mut BundleClient, now: u64) -> (CallId, Echo) {
    let name = BundleName::new("demo.hello").unwrap();
    client.ask(&Request::Fetch { name, at: 7, max: 9 }, Mono(now), there).unwrap();
    *there.asked.last().unwrap()
}

#[test]
fn what_is_asked_for_comes_and_what_is_refused_says_why() {
    let (mut there, mut client) = (There::default(), client());
    let (call, echo) = asked(&mut there, &mut client, 5);
    assert_eq!((echo.op, client.deadline()), (Op::Fetch.raw(), Some(Mono(5).after(PATIENCE))));
    let (mut out, piece) = ([0; 64], Piece { size: 99, bytes: b"bytes" });
    let frame = encode_piece(&piece, echo.nonce, &mut out).unwrap();
    assert_eq!(client.ended(call, Ok(frame)), Some(Ok(Reply::Piece(piece))));
    for status in [BundleStatus::NotFound, BundleStatus::Corrupt, BundleStatus::Busy] {
        let (call, echo) = asked(&mut there, &mut client, 5);
        let refused = plain_reply(echo, status);
        assert_eq!(client.ended(call, Ok(&refused)), Some(Err(NoAnswer::Refused(status))));
        assert_eq!(client.deadline(), None);
    }
}

#[test]
fn the_longest_name_fits() {
    let (mut there, mut client) = (There::default(), client());
    let text = "n".repeat(BUNDLE_NAME_BYTES_MAX);
    let name = BundleName::new(&text).unwrap();
    client.ask(&Request::Fetch { name, at: u32::MAX, max: u16::MAX }, Mono(5), &mut there).unwrap();
    assert_eq!(there.asked.len(), 1);
}

#[test]
fn who_is_not_there_or_dies_is_away() {
    for refuses in [SubmitError::NotReady, SubmitError::Busy] {
        let mut there = There { refuses: Some(refuses), ..There::default() };
        let mut client = client();
        let name = BundleName::new("demo.hello").unwrap();
        let begun = client.ask(&Request::Query { name }, Mono(5), &mut there);
        assert_eq!((begun, client.deadline()), (Err(NoAnswer::Away), None));
    }
    let (mut there, mut client) = (There::default(), client());
    let (call, _) = asked(&mut there, &mut client, 5);
    assert_eq!(client.ended(call, Err(CallError::PeerDied)), Some(Err(NoAnswer::Away)));
}

#[test]
fn who_says_nothing_in_time_is_away_and_what_it_says_later_is_not_heard() {
    let (mut there, mut client) = (There::default(), client());
    let (late, echo) = asked(&mut there, &mut client, 5);
    let end = Mono(5).after(PATIENCE);
    assert_eq!(client.expired(Mono(end.0 - 1)), None);
    assert_eq!(client.expired(end), Some(NoAnswer::Away));
    assert_eq!(client.expired(end), None, "once");
    let (call, _) = asked(&mut there, &mut client, end.0);
    assert_ne!(call, late);
    assert_eq!(client.ended(late, Ok(&plain_reply(echo, BundleStatus::NotFound))), None);
    assert!(client.deadline().is_some(), "the request is waited for");
}

proptest! {
    #[test]
    fn what_is_no_answer_to_the_request_is_none(
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        wrong in 1u32..,
    ) {
        let (mut there, mut client) = (There::default(), client());
        let (call, echo) = asked(&mut there, &mut client, 5);
        prop_assert_eq!(client.ended(CallId(call.0 ^ wrong), Ok(&[])), None, "another call");
        let other = Echo { nonce: echo.nonce.wrapping_add(wrong), ..echo };
        let other = plain_reply(other, BundleStatus::Corrupt);
        prop_assert_eq!(client.ended(call, Ok(&other)), Some(Err(NoAnswer::Away)));
        let (call, _) = asked(&mut there, &mut client, 5);
        prop_assert!(client.ended(call, Ok(&bytes)).unwrap().is_err());
    }
}
