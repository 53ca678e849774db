//! Input of every kind: nothing panics, and every refusal can be answered and understood.

use nexus_wire::LedgerRow;
use nexus_wire::files;
use nexus_wire::logs::{self, Head, Version};
use nexus_wire::metrics::{self, plain_reply};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{logd, metricsd, statefsd};

/// Decodes `bytes` as a request to metricsd and reads all that is in it.
fn feed_metricsd(bytes: &[u8]) {
    match metrics::decode(bytes) {
        Ok(frame) => {
            if let metrics::Request::Batch(batch) = frame.request {
                let items = batch.values().len() + batch.items().count();
                assert_eq!(items, batch.len() as usize);
            }
            // What is legal can be said again and means the same.
            let mut out = vec![0; bytes.len()];
            let again = metrics::encode(&frame.request, frame.nonce, &mut out).unwrap();
            assert_eq!(again.len(), bytes.len());
            assert_eq!(metrics::decode(again), Ok(frame));
        }
        Err(refusal) => {
            let reply = plain_reply(refusal.op, refusal.status, refusal.nonce);
            if let Some(op) = metrics::Op::from_raw(refusal.op) {
                let decoded = metrics::decode_reply(op, refusal.nonce, &reply);
                assert_eq!(decoded, Some((refusal.status, metrics::Reply::Plain)));
            }
            let echoed = bytes.get(4..8).filter(|_| bytes.starts_with(b"MT"));
            let nonce = echoed.map_or([0; 4], |echoed| echoed.try_into().unwrap());
            assert_eq!(refusal.nonce.to_le_bytes(), nonce);
        }
    }
}

/// Decodes `bytes` as a request to logd and reads all that is in it.
fn feed_logd(bytes: &[u8]) {
    let append = match logs::decode(bytes) {
        Ok(logs::Frame { head, request: logs::Request::Append(record) }) => Some((head, record)),
        _ => None,
    };
    assert_eq!(logs::read_append(bytes), append, "the short way says the same");
    match logs::decode(bytes) {
        Ok(frame) => {
            if let logs::Request::AppendBatch(batch) = frame.request {
                assert_eq!(batch.records().count(), usize::from(batch.len()));
            }
            let mut out = vec![0; bytes.len()];
            assert_eq!(logs::encode(&frame.request, frame.head, &mut out), Ok(bytes));
        }
        Err(refusal) => {
            let mut out = [0; 64];
            let reply = refusal.encode(0, &mut out).unwrap();
            let (status, _) = logs::decode_reply(refusal.op, refusal.head, reply).unwrap();
            assert_eq!(status, refusal.status);
        }
    }
}

/// Decodes `bytes` as a request to statefsd and reads all that is in it.
fn feed_statefsd(bytes: &[u8]) {
    match files::decode(bytes) {
        Ok(frame) => {
            let mut out = vec![0; bytes.len()];
            assert_eq!(files::encode(&frame.request, frame.nonce, &mut out), Ok(bytes));
        }
        Err(refusal) => {
            let reply = files::plain_reply(refusal.op, refusal.status, refusal.nonce);
            if let Some(op) = files::Op::from_raw(refusal.op) {
                let decoded = files::decode_reply(op, refusal.nonce, &reply);
                assert_eq!(decoded, Some((refusal.status, files::Reply::Plain)));
            }
            let echoed = bytes.get(4..8).filter(|_| bytes.starts_with(b"SF"));
            let nonce = echoed.map_or([0; 4], |echoed| echoed.try_into().unwrap());
            assert_eq!(refusal.nonce.to_le_bytes(), nonce);
        }
    }
}

/// Decodes `bytes` as a reply of any service to anything that can be asked, and counts all
/// that is in it.
fn feed_clients(bytes: &[u8]) -> usize {
    let word = |at: usize| bytes.get(at..at + 4).map_or([0; 4], |word| word.try_into().unwrap());
    let metrics_nonce = u32::from_le_bytes(word(5));
    let [low, high] = [word(5), word(9)].map(u32::from_le_bytes);
    let v2 = Head { version: Version::V2, nonce: u64::from(high) << 32 | u64::from(low) };
    let heads = [Head { version: Version::V1, nonce: 0 }, v2];
    let logs = logs::Op::ALL.iter().copied().flat_map(|op| heads.map(|head| (op, head)));
    let metrics = metrics::Op::ALL.iter().copied();
    let files = files::Op::ALL.iter().copied();
    files.map(|op| count_statefsd(op, metrics_nonce, bytes)).sum::<usize>()
        + metrics.map(|op| count_metricsd(op, metrics_nonce, bytes)).sum::<usize>()
        + logs.map(|(op, head)| count_logd(op, head, bytes)).sum::<usize>()
}

fn count_metricsd(op: metrics::Op, nonce: u32, bytes: &[u8]) -> usize {
    match metrics::decode_reply(op, nonce, bytes) {
        Some((_, metrics::Reply::Scrape(reply))) => {
            reply.series().map(|series| series.value.buckets().count()).sum()
        }
        Some((_, metrics::Reply::Spans(reply))) => reply.spans().count(),
        Some((_, metrics::Reply::Range(reply))) => reply.entries().count(),
        Some((_, metrics::Reply::Audit(reply))) => reply.rows().filter(LedgerRow::balances).count(),
        _ => 0,
    }
}

fn count_logd(op: logs::Op, head: Head, bytes: &[u8]) -> usize {
    match logs::decode_reply(op, head, bytes) {
        Some((_, logs::Reply::Query(reply))) => reply.iter().count(),
        Some((_, logs::Reply::Search(reply))) => reply.found().count(),
        Some((_, logs::Reply::Anchors(reply))) => reply.iter().count(),
        _ => 0,
    }
}

fn count_statefsd(op: files::Op, nonce: u32, bytes: &[u8]) -> usize {
    match files::decode_reply(op, nonce, bytes) {
        Some((_, files::Reply::List(reply))) => reply.files().count(),
        Some((_, files::Reply::Read(reply))) => reply.bytes.len(),
        _ => 0,
    }
}

fn feed_all(bytes: &[u8]) {
    feed_metricsd(bytes);
    feed_statefsd(bytes);
    feed_logd(bytes);
    assert!(feed_clients(bytes) <= 64 * bytes.len());
}

fn legal() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![metricsd::frame(), logd::frame(), statefsd::frame()]
}

/// A reply's head with anything behind it.
fn nearly_reply() -> impl Strategy<Value = Vec<u8>> {
    (0..3_usize, 1u8..27, prop_oneof![Just(0u8), any::<u8>()], vec(any::<u8>(), 0..300)).prop_map(
        |(service, op, status, body)| {
            let magic = [*b"LO\x02", *b"MT\x01", *b"SF\x01"][service];
            [&magic[..], &[op | 0x80, status], &body].concat()
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200)) {
        feed_all(&bytes);
    }

    #[test]
    fn any_body_behind_a_good_head_is_survived(
        op in 0u8..27,
        service in 0..3_usize,
        body in vec(prop_oneof![0u8..4, any::<u8>()], 0..200),
    ) {
        let head = [[b'L', b'O', 2, op], [b'M', b'T', 1, op], [b'S', b'F', 1, op]][service];
        feed_all(&[&head[..], &body].concat());
    }

    #[test]
    fn every_cut_of_a_legal_frame_is_survived(frame in legal()) {
        for len in 0..frame.len() {
            feed_metricsd(&frame[..len]);
            feed_logd(&frame[..len]);
            feed_statefsd(&frame[..len]);
        }
        feed_all(&frame);
    }

    #[test]
    fn a_legal_frame_with_one_byte_more_is_refused(frame in legal(), byte in any::<u8>()) {
        let longer = [&frame[..], &[byte]].concat();
        prop_assert!(metrics::decode(&longer).is_err() && logs::decode(&longer).is_err());
        prop_assert!(files::decode(&longer).is_err());
    }

    #[test]
    fn every_change_of_a_byte_of_a_legal_frame_is_survived(
        frame in legal(),
        changes in vec((any::<Index>(), any::<u8>()), 64),
    ) {
        for (at, byte) in changes {
            let mut changed = frame.clone();
            let at = at.index(changed.len());
            changed[at] = byte;
            feed_all(&changed);
        }
    }

    #[test]
    fn any_reply_is_survived(frame in nearly_reply()) {
        prop_assert!(feed_clients(&frame) <= 64 * frame.len());
    }
}
