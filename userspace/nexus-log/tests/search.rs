//! Looking into the journal: only logd's own answer is one, and only in time.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_log::{NotFound, SearchClient};
use nexus_port::{CallError, CallId, SubmitError, Token, World};
use nexus_wire::logs::{Found, Frame, Op, Record, Refusal, Request, Search, SearchWriter, decode};
use nexus_wire::{Fields, LABELS_BYTES_MAX, Level, LogStatus, RecordId, SCOPE_BYTES_MAX};
use proptest::prelude::*;

/// logd as far as who searches sees it.
#[derive(Default)]
struct There {
    refuses: Option<SubmitError>,
    asked: Vec<(CallId, Vec<u8>)>,
}

impl World for There {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("logd"));
        self.refuses.map_or(Ok(()), Err)?;
        self.asked.push((call, frame.to_vec()));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

const PATIENCE: Nanos = Nanos::from_secs(1);
const LAST: Search<'static> = Search { max: 8, backward: true, ..Search::ALL };

fn client() -> SearchClient {
    SearchClient::new(CallId(0x3_0000), PATIENCE)
}

/// A search that is waited for: the name of its call, and the frame that asks.
fn asked(there: &mut There, client: &mut SearchClient, now: u64) -> (CallId, Vec<u8>) {
    client.ask(&LAST, Mono(now), there).unwrap();
    there.asked.last().unwrap().clone()
}

fn record(message: &str) -> Record<'_> {
    let (id, level, service) = (RecordId(9), Level::Warn, ServiceId::from_name("hello"));
    Record { id, ts_ns: 5, level, service, scope: "hello", message, fields: Fields::EMPTY }
}

/// What logd answers: a record and a gap.
fn answer(frame: &[u8]) -> Vec<u8> {
    let Frame { head, request } = decode(frame).unwrap();
    assert_eq!(request, Request::Search(LAST));
    let mut out = vec![0; 4096];
    let mut writer = SearchWriter::new(head.nonce, 1, 9, 0, &mut out);
    assert!(writer.found(&Found::Record(record("a line"))));
    assert!(writer.found(&Found::Gap(record("gap"))));
    writer.finish(RecordId(9), false).unwrap().to_vec()
}

fn refused(frame: &[u8], status: LogStatus) -> Vec<u8> {
    let (head, mut out) = (decode(frame).unwrap().head, [0; 64]);
    Refusal { head, op: Op::Search, status }.encode(0, &mut out).unwrap().to_vec()
}

#[test]
fn what_is_found_comes_and_a_refusal_says_why() {
    let (mut there, mut client) = (There::default(), client());
    let (call, frame) = asked(&mut there, &mut client, 5);
    assert_eq!((client.is_open(), client.deadline()), (true, Some(Mono(5).after(PATIENCE))));
    let answer = answer(&frame);
    let found = client.ended(call, Ok(&answer)).unwrap().unwrap();
    assert!(found.records().eq([record("a line")]), "a gap is no record");
    assert!(!client.is_open());
    let (call, frame) = asked(&mut there, &mut client, 5);
    let denied = refused(&frame, LogStatus::Denied);
    assert_eq!(client.ended(call, Ok(&denied)), Some(Err(NotFound::Refused(LogStatus::Denied))));
}

#[test]
fn the_longest_search_fits() {
    let (mut there, mut client) = (There::default(), client());
    let (scope, pair) = ("s".repeat(SCOPE_BYTES_MAX), "v".repeat(LABELS_BYTES_MAX - 3));
    let pair = format!("k={pair}\n");
    let pair = Fields::parse(pair.as_bytes()).unwrap();
    let search = Search { scope: &scope, pair, ..LAST };
    client.ask(&search, Mono(5), &mut there).unwrap();
    assert_eq!(decode(&there.asked[0].1).unwrap().request, Request::Search(search));
}

#[test]
fn who_is_not_there_dies_or_says_nothing_in_time_is_away() {
    let mut client = client();
    for refuses in [SubmitError::NotReady, SubmitError::Busy] {
        let mut there = There { refuses: Some(refuses), ..There::default() };
        assert_eq!(client.ask(&LAST, Mono(5), &mut there), Err(NotFound::Away));
        assert!(!client.is_open());
    }
    let mut there = There::default();
    let (call, _) = asked(&mut there, &mut client, 5);
    assert_eq!(client.ended(call, Err(CallError::PeerDied)), Some(Err(NotFound::Away)));
    let (late, frame) = asked(&mut there, &mut client, 5);
    let end = Mono(5).after(PATIENCE);
    assert_eq!(client.expired(Mono(end.0 - 1)), None);
    assert_eq!(client.expired(end), Some(NotFound::Away));
    assert_eq!(client.expired(end), None, "once");
    let (call, _) = asked(&mut there, &mut client, end.0);
    assert_ne!(call, late);
    assert_eq!(client.ended(late, Ok(&answer(&frame))), None, "too late");
    assert!(client.is_open(), "the search is waited for");
}

proptest! {
    #[test]
    fn what_is_no_answer_to_the_search_is_none(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        wrong in 1u32..,
    ) {
        let (mut there, mut client) = (There::default(), client());
        let (former, other) = asked(&mut there, &mut client, 5);
        prop_assert_eq!(client.ended(CallId(former.0 ^ wrong), Ok(&[])), None, "another call");
        prop_assert!(client.ended(former, Ok(&bytes)).unwrap().is_err());
        let (call, _) = asked(&mut there, &mut client, 5);
        let other = answer(&other);
        prop_assert_eq!(client.ended(call, Ok(&other)), Some(Err(NotFound::Away)));
    }
}
