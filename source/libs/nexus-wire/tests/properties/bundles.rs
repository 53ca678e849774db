//! Frames of bundlemgrd and of execd.

use nexus_abi::Rights;
use nexus_bounded::Mono;
use nexus_wire::bundles::{
    BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundleVersion, BundlesWriter, Info, Listed,
    Origin, Piece, Reply, Request, decode, decode_reply, encode, encode_info, encode_piece,
    plain_reply,
};
use nexus_wire::{Echo, bundles, exec};
use proptest::prelude::*;

const NAME: &str = "[a-z][a-z0-9_.-]{0,30}";

fn name(text: &str) -> BundleName<'_> {
    BundleName::new(text).unwrap()
}

/// A request of each kind.
fn requests<'a>(text: &'a str, number: u32, bytes: &'a [u8]) -> [Request<'a>; 9] {
    let name = name(text);
    [
        Request::List { after: None },
        Request::List { after: Some(name) },
        Request::Query { name },
        Request::Begin { name, size: number },
        Request::Bring { at: number, bytes },
        Request::Commit,
        Request::GiveUp,
        Request::Fetch { name, at: number, max: number as u16 },
        Request::Remove { name },
    ]
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        text in NAME,
        nonce: u32,
        number: u32,
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        which in 0usize..9,
        cut in any::<prop::sample::Index>(),
    ) {
        let request = requests(&text, number, &bytes)[which];
        let mut out = [0; 128];
        let frame = encode(&request, nonce, &mut out).unwrap();
        let echo = Echo { op: request.op().raw(), nonce };
        prop_assert_eq!(decode(frame), Ok(bundles::Frame { echo, request }));
        prop_assert!(decode(&frame[..cut.index(frame.len())]).is_err());
        prop_assert!(decode(&[frame, &[0]].concat()).is_err());
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(
        texts in prop::collection::vec(NAME, 1..5),
        nonce: u32,
        size: u32,
        digest: [u8; 32],
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        status in prop::sample::select(BundleStatus::ALL),
    ) {
        let (op, version) = (bundles::Op::Query, BundleVersion::new("1.0").unwrap());
        let (rights, origin, entry) = (Rights::SCRAPE, Origin::State, name(&texts[0]));
        let info = Info { size, memory_kib: size, rights, origin, version, entry, digest };
        let mut out = [0; 512];
        let frame = encode_info(&info, nonce, &mut out).unwrap();
        let read = decode_reply(op, nonce, frame);
        prop_assert_eq!(read, Some((BundleStatus::Ok, Reply::Info(info))));
        prop_assert_eq!(decode_reply(op, nonce.wrapping_add(1), frame), None);
        prop_assert_eq!(decode_reply(bundles::Op::Fetch, nonce, frame), None);

        let piece = Piece { size, bytes: &bytes };
        let frame = encode_piece(&piece, nonce, &mut out).unwrap();
        let read = decode_reply(bundles::Op::Fetch, nonce, frame);
        prop_assert_eq!(read, Some((BundleStatus::Ok, Reply::Piece(piece))));

        let all = texts.iter().map(|text| Listed { name: name(text), version, origin, size });
        let all = all.collect::<Vec<_>>();
        let mut writer = BundlesWriter::new(nonce, &mut out);
        prop_assert!(all.iter().all(|bundle| writer.bundle(bundle)));
        let frame = writer.finish(true).unwrap();
        match decode_reply(bundles::Op::List, nonce, frame) {
            Some((BundleStatus::Ok, Reply::List(list))) => {
                prop_assert!(list.more && list.bundles().eq(all));
            }
            other => prop_assert!(false, "{:?}", other),
        }
        let plain = plain_reply(Echo { op: bundles::Op::Commit.raw(), nonce }, status);
        let read = decode_reply(bundles::Op::Commit, nonce, &plain);
        prop_assert_eq!(read, Some((status, Reply::Plain)));
    }

    #[test]
    fn whatever_comes_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Err(refused) = decode(&bytes) {
            prop_assert_eq!(plain_reply(refused.echo, refused.status)[4], refused.status.raw());
        }
        if let Err(refused) = exec::decode(&bytes) {
            let reply = exec::plain_reply(refused.echo, refused.status);
            prop_assert_eq!(reply[4], refused.status.raw());
        }
        bundles::Op::ALL.iter().for_each(|op| { let _nothing = decode_reply(*op, 0, &bytes); });
        exec::Op::ALL.iter().for_each(|op| { let _nothing = exec::decode_reply(*op, 0, &bytes); });
    }

    #[test]
    fn what_is_said_to_execd_and_by_it_is_read_as_it_was_written(
        texts in prop::collection::vec(NAME, 1..5),
        nonce: u32,
        pid: u32,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut out = [0; 256];
        let start = exec::Request::Start { name: name(&texts[0]) };
        for request in [start, exec::Request::Kill { pid }, exec::Request::List] {
            let frame = exec::encode(&request, nonce, &mut out).unwrap();
            let echo = Echo { op: request.op().raw(), nonce };
            prop_assert_eq!(exec::decode(frame), Ok(exec::Frame { echo, request }));
            prop_assert!(exec::decode(&frame[..cut.index(frame.len())]).is_err());
            prop_assert!(exec::decode(&[frame, &[0]].concat()).is_err());
        }
        let frame = exec::started_reply(pid, nonce);
        let started = Some((exec::ExecStatus::Ok, exec::Reply::Started { pid }));
        prop_assert_eq!(exec::decode_reply(exec::Op::Start, nonce, &frame), started);
        let running = |text| exec::Running { pid, since: Mono(pid.into()), name: name(text) };
        let all = texts.iter().map(|text| running(text)).collect::<Vec<_>>();
        let mut writer = exec::RunningWriter::new(nonce, &mut out);
        prop_assert!(all.iter().all(|process| writer.process(process)));
        match exec::decode_reply(exec::Op::List, nonce, writer.finish().unwrap()) {
            Some((exec::ExecStatus::Ok, exec::Reply::List(list))) => {
                prop_assert!(list.running().eq(all));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn a_length_beyond_its_bound_is_over_limit_whatever_stands_behind_it() {
    let mut out = [0; 64];
    let mut query = encode(&Request::Query { name: name("a") }, 9, &mut out).unwrap().to_vec();
    query[8] = 32;
    assert_eq!(decode(&query).unwrap_err().status, BundleStatus::OverLimit);
    let bring = Request::Bring { at: 0, bytes: &[] };
    let mut bring = encode(&bring, 9, &mut out).unwrap().to_vec();
    bring[12..14].copy_from_slice(&(BUNDLE_PIECE_BYTES_MAX as u16 + 1).to_le_bytes());
    assert_eq!(decode(&bring).unwrap_err().status, BundleStatus::OverLimit);
    let start = exec::Request::Start { name: name("a") };
    let mut start = exec::encode(&start, 9, &mut out).unwrap().to_vec();
    start[8] = 32;
    assert_eq!(exec::decode(&start).unwrap_err().status, exec::ExecStatus::OverLimit);
    let foreign = [b"MT", &start[2..]].concat();
    let echo = Echo { op: 0, nonce: 0 };
    let refused = exec::Refusal { echo, status: exec::ExecStatus::InvalidArgs };
    assert_eq!(exec::decode(&foreign), Err(refused));
}

#[test]
fn names_and_versions_are_what_they_may_be() {
    for text in ["a", "demo.hello", &"a".repeat(31)] {
        assert!(BundleName::new(text).is_some(), "{text}");
    }
    for text in ["", "1a", ".a", "a/b", "A", "a b", &"a".repeat(32)] {
        assert!(BundleName::new(text).is_none(), "{text}");
    }
    assert!(BundleVersion::new("1.0-rc_2").is_some());
    for text in ["", "1/0", &"1".repeat(17)] {
        assert!(BundleVersion::new(text).is_none(), "{text}");
    }
}
