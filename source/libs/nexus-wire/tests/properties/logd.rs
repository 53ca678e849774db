//! Requests to logd.

use nexus_wire::logs::{
    self, AppendBatchWriter, Frame, Head, NewRecord, Op, RecordText, Request, Search, SentRecord,
    Version,
};
use nexus_wire::{Fields, Level, LogStatus};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::any::{bytes, fields, leak, level, record_id, service, text};

pub(crate) fn new_record() -> impl Strategy<Value = NewRecord<'static>> {
    (level(), text(64), text(256), bytes(0, 512))
        .prop_map(|(level, scope, message, fields)| NewRecord { level, scope, message, fields })
}

/// A record as it lies in frames, for as long as the test runs.
fn joined(record: &NewRecord<'_>) -> SentRecord<'static> {
    record.join(Box::leak(Box::new([0; size_of::<RecordText>()]))).unwrap()
}

fn search() -> impl Strategy<Value = Search<'static>> {
    let pair = fields(192).prop_filter("one pair at most", |pair| pair.iter().count() <= 1);
    let service = proptest::option::of(service().prop_filter("0 is none", |id| id.raw() != 0));
    let numbers = any::<(u32, u64, u64, u16, bool, bool, bool)>();
    (numbers, record_id(), service, level(), text(64), pair).prop_map(
        |(numbers, id, service, level_max, scope, pair)| {
            let (boot, since_ns, until_ns, max, backward, gaps, one_boot) = numbers;
            Search {
                boot,
                id,
                since_ns,
                until_ns,
                service,
                max,
                level_max,
                backward,
                gaps,
                scope,
                one_boot,
                pair,
            }
        },
    )
}

fn batch() -> impl Strategy<Value = (u64, Vec<NewRecord<'static>>)> {
    (any::<u64>(), vec(new_record(), 0..6))
}

fn batch_frame(nonce: u64, records: &[NewRecord<'_>]) -> Vec<u8> {
    let mut out = [0; 8192];
    let mut writer = AppendBatchWriter::new(nonce, &mut out);
    for record in records {
        assert!(writer.record(record));
    }
    assert_eq!(usize::from(writer.len()), records.len());
    assert_eq!(writer.is_empty(), records.is_empty());
    writer.finish().unwrap().to_vec()
}

fn request() -> impl Strategy<Value = Request<'static>> {
    prop_oneof![
        new_record().prop_map(|record| Request::Append(joined(&record))),
        any::<(u64, u16)>().prop_map(|(since_ns, max)| Request::Query { since_ns, max }),
        Just(Request::Stats),
        Just(Request::Hello),
        batch().prop_map(|(nonce, records)| {
            let Ok(Frame { request, .. }) = logs::decode(leak(batch_frame(nonce, &records))) else {
                panic!("a written APPEND_BATCH is legal");
            };
            request
        }),
        search().prop_map(Request::Search),
        any::<u32>().prop_map(|cursor| Request::Audit { cursor }),
        Just(Request::Status),
        Just(Request::Anchors),
    ]
}

pub(crate) fn head() -> impl Strategy<Value = Head> {
    prop_oneof![Just(Head { version: Version::V1, nonce: 0 }), head_v2()]
}

pub(crate) fn head_v2() -> impl Strategy<Value = Head> {
    any::<u64>().prop_map(|nonce| Head { version: Version::V2, nonce })
}

/// A legal frame.
pub(crate) fn frame() -> impl Strategy<Value = Vec<u8>> {
    (request(), any::<u64>(), any::<bool>()).prop_map(|(request, nonce, first)| {
        let first = first && request.op().version_is_legal(Version::V1);
        let v2 = Head { version: Version::V2, nonce };
        let head = if first { Head { version: Version::V1, nonce: 0 } } else { v2 };
        encoded(&request, head)
    })
}

fn encoded(request: &Request<'_>, head: Head) -> Vec<u8> {
    logs::encode(request, head, &mut [0; 8192]).unwrap().to_vec()
}

proptest! {
    #[test]
    fn a_decoded_request_is_what_was_encoded(request in request(), head in head()) {
        let mut out = [0; 8192];
        let frame = logs::encode(&request, head, &mut out);
        if request.op().version_is_legal(head.version) {
            let frame = frame.unwrap();
            prop_assert_eq!(logs::decode(frame), Ok(Frame { head, request }));
            let append = match request {
                Request::Append(record) => Some((head, record)),
                _ => None,
            };
            prop_assert_eq!(logs::read_append(frame), append);
        } else {
            prop_assert!(frame.is_err());
        }
    }

    #[test]
    fn a_request_that_does_not_fit_is_not_encoded(request in request(), head in head_v2()) {
        let len = encoded(&request, head).len();
        for len in (0..len).rev().take(64).chain(0..len.min(16)) {
            prop_assert!(logs::encode(&request, head, &mut vec![0; len]).is_err());
        }
    }

    #[test]
    fn a_decoded_append_batch_is_what_was_written((nonce, records) in batch()) {
        let frame = batch_frame(nonce, &records);
        let Ok(Frame { head, request: Request::AppendBatch(batch) }) = logs::decode(&frame) else {
            panic!("a written APPEND_BATCH is legal");
        };
        prop_assert_eq!(head, Head { version: Version::V2, nonce });
        prop_assert_eq!(usize::from(batch.len()), records.len());
        prop_assert_eq!(batch.is_empty(), records.is_empty());
        prop_assert_eq!(batch.records().map(|record| record.as_new()).collect::<Vec<_>>(), records);
    }

    #[test]
    fn an_append_batch_writer_writes_records_whole_or_not_at_all(
        (nonce, records) in batch(),
        room in 0usize..1500,
    ) {
        let mut out = vec![0; room];
        let mut writer = AppendBatchWriter::new(nonce, &mut out);
        let written: Vec<_> = records.into_iter().filter(|record| writer.record(record)).collect();
        match writer.finish() {
            Err(_) => prop_assert!(room < 14 && written.is_empty()),
            Ok(frame) => {
                let decoded = logs::decode(frame);
                let Ok(Frame { request: Request::AppendBatch(batch), .. }) = decoded else {
                    panic!("a written APPEND_BATCH is legal");
                };
                let records = batch.records().map(|record| record.as_new());
                prop_assert_eq!(records.collect::<Vec<_>>(), written);
            }
        }
    }
}

#[test]
fn what_no_frame_may_carry_is_not_encoded() {
    let long = "x".repeat(600);
    let record = NewRecord { level: Level::Info, scope: "s", message: "m", fields: b"" };
    let two = Fields::parse(b"a=1\nb=2\n").unwrap();
    let mut wide = vec![b'a', b'='];
    wide.extend(long.bytes());
    wide.push(b'\n');
    let wide = Fields::parse(&wide).unwrap();
    let nobody = Some(nexus_abi::ServiceId::from_raw(0));
    let v2 = Head { version: Version::V2, nonce: 1 };
    for request in [
        Request::Search(Search { scope: &long[..65], ..Search::ALL }),
        Request::Search(Search { pair: two, ..Search::ALL }),
        Request::Search(Search { pair: wide, ..Search::ALL }),
        Request::Search(Search { service: nobody, ..Search::ALL }),
    ] {
        assert!(logs::encode(&request, v2, &mut [0; 1024]).is_err(), "{request:?}");
    }
    for beyond in [
        NewRecord { scope: &long[..65], ..record },
        NewRecord { message: &long[..257], ..record },
        NewRecord { fields: &long.as_bytes()[..513], ..record },
    ] {
        assert!(beyond.join(&mut [0; size_of::<RecordText>()]).is_err(), "{beyond:?}");
    }
    let mut out = [0; 1024];
    let mut writer = AppendBatchWriter::new(1, &mut out);
    assert!(!writer.record(&NewRecord { scope: &long[..65], ..record }));
    assert!(writer.record(&record));
    let lost_nonce = Head { version: Version::V1, nonce: 1 };
    assert!(logs::encode(&Request::Stats, lost_nonce, &mut out).is_err());
}

/// Lengths are judged before anything behind them, and before the level.
#[test]
fn lengths_beyond_their_bounds_are_over_limit() {
    let append = |scope: u8, message: u16, fields: u16| {
        let lengths = [message.to_le_bytes(), fields.to_le_bytes()].concat();
        [b"LO\x01\x01\x09", &[scope][..], &lengths].concat()
    };
    let search = |scope: u8, pair: u16| {
        let mut frame =
            encoded(&Request::Search(Search::ALL), Head { version: Version::V2, nonce: 1 });
        let at = frame.len() - 3;
        frame[at] = scope;
        frame[at + 1..].copy_from_slice(&pair.to_le_bytes());
        frame
    };
    let status = |frame: &[u8]| logs::decode(frame).err().map(|refusal| refusal.status);
    for frame in
        [append(65, 0, 0), append(0, 257, 0), append(0, 0, 513), search(65, 0), search(0, 193)]
    {
        assert_eq!(status(&frame), Some(LogStatus::OverLimit), "{frame:?}");
    }
    for frame in [append(64, 256, 512), append(0, 0, 0), search(64, 192)] {
        assert_eq!(status(&frame), Some(LogStatus::InvalidArgs), "{frame:?}");
    }
}

/// An unknown version is answered in version 1: by its own operation where that has one there.
#[test]
fn an_unknown_version_is_unsupported() {
    for op in 0..=255u8 {
        let frame = [b'L', b'O', 3, op, 1, 2, 3, 4, 5, 6, 7, 8];
        let refusal = logs::decode(&frame).unwrap_err();
        assert_eq!(refusal.status, LogStatus::Unsupported);
        assert_eq!(refusal.head, Head { version: Version::V1, nonce: 0 });
        let own = Op::from_raw(op).filter(|op| op.version_is_legal(Version::V1));
        assert_eq!(refusal.op, own.unwrap_or(Op::Stats));
    }
}

#[test]
fn own_operations_do_not_exist_in_version_1() {
    for op in Op::ALL.iter().copied().filter(|op| op.raw() >= 16) {
        let refusal = logs::decode(&[b'L', b'O', 1, op.raw()]).unwrap_err();
        assert_eq!((refusal.op, refusal.status), (Op::Stats, LogStatus::Unsupported));
    }
}
