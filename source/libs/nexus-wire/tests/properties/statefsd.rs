//! Requests to statefsd, and its replies.

use nexus_wire::files::{
    self, Append, FileName, FilePrefix, FilesWriter, Frame, HelloReply, List, Listed, NewFile, Op,
    Read, ReadWriter, Replace, Reply, Request, StatReply, Target, plain_reply,
};
use nexus_wire::{FILE_BYTES_MAX, FileKind, FileStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::any::{bytes, leak};

fn name() -> impl Strategy<Value = FileName<'static>> {
    vec("[a-z0-9_-][a-z0-9_.-]{0,8}", 1..=4).prop_map(|parts| {
        let name = leak::<str>(parts.join("/"));
        FileName::new(name).unwrap()
    })
}

fn prefix() -> impl Strategy<Value = FilePrefix<'static>> {
    "[a-z0-9_./-]{0,40}".prop_map(|text| FilePrefix::new(leak(text)).unwrap())
}

fn target() -> impl Strategy<Value = Target<'static>> {
    (name(), any::<bool>()).prop_map(|(name, draft)| Target { name, draft })
}

fn file_bytes() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![bytes(0, 40), bytes(FILE_BYTES_MAX - 1, FILE_BYTES_MAX)]
}

pub(crate) fn request() -> impl Strategy<Value = Request<'static>> {
    let new = || (name(), any::<u32>()).prop_map(|(name, capacity)| NewFile { name, capacity });
    let read = (name(), any::<(bool, u32, u16)>()).prop_map(|(name, (draft, at, max))| Read {
        name,
        draft,
        at,
        max,
    });
    let append =
        (target(), any::<u32>(), file_bytes()).prop_map(|(to, at, bytes)| Append { to, at, bytes });
    prop_oneof![
        Just(Request::Hello),
        target().prop_map(Request::Stat),
        (prefix(), prefix()).prop_map(|(prefix, after)| Request::List(List { prefix, after })),
        read.prop_map(Request::Read),
        new().prop_map(Request::Create),
        new().prop_map(Request::Draft),
        append.prop_map(Request::Append),
        target().prop_map(Request::Finish),
        (name(), file_bytes()).prop_map(|(name, bytes)| Request::Replace(Replace { name, bytes })),
        target().prop_map(Request::Delete),
        any::<u64>().prop_map(|epoch| Request::Sync { epoch }),
    ]
}

pub(crate) fn frame() -> impl Strategy<Value = Vec<u8>> {
    (request(), any::<u32>()).prop_map(|(request, nonce)| {
        files::encode(&request, nonce, &mut [0; 4096]).unwrap().to_vec()
    })
}

fn listed() -> impl Strategy<Value = Listed<'static>> {
    (name(), select(FileKind::ALL), any::<u32>()).prop_map(|(name, kind, len)| Listed {
        name,
        kind,
        len,
    })
}

proptest! {
    #[test]
    fn a_request_is_what_was_asked(request in request(), nonce in any::<u32>()) {
        let mut out = [0; 4096];
        let frame = files::encode(&request, nonce, &mut out).unwrap();
        prop_assert_eq!(files::decode(frame), Ok(Frame { nonce, request }));
        let len = frame.len();
        prop_assert!(files::encode(&request, nonce, &mut vec![0; len - 1]).is_err());
    }

    #[test]
    fn numbers_come_back(
        nonce in any::<u32>(),
        numbers in any::<[u64; 5]>(),
        kind in select(FileKind::ALL),
    ) {
        let [epoch, quota, used, free, refused] = numbers;
        let hello = HelloReply { epoch, quota, used, free, refused };
        let mut out = [0; 64];
        let frame = hello.encode(nonce, &mut out).unwrap();
        let expected = Some((FileStatus::Ok, Reply::Hello(hello)));
        prop_assert_eq!(files::decode_reply(Op::Hello, nonce, frame), expected);
        prop_assert_eq!(files::decode_reply(Op::Hello, nonce.wrapping_add(1), frame), None);
        prop_assert_eq!(files::decode_reply(Op::Stat, nonce, frame), None);
        let stat = StatReply { kind, len: epoch as u32, capacity: quota as u32 };
        let frame = stat.encode(nonce, &mut out).unwrap();
        let expected = Some((FileStatus::Ok, Reply::Stat(stat)));
        prop_assert_eq!(files::decode_reply(Op::Stat, nonce, frame), expected);
    }

    #[test]
    fn bytes_that_were_read_come_back(
        nonce in any::<u32>(),
        len in any::<u32>(),
        pieces in vec(bytes(0, 508), 0..9),
    ) {
        let whole = pieces.concat();
        let mut out = [0; 8192];
        let mut writer = ReadWriter::new(nonce, len, &mut out);
        pieces.iter().for_each(|piece| writer.bytes(piece));
        let frame = writer.finish();
        prop_assert_eq!(frame.is_ok(), whole.len() <= FILE_BYTES_MAX);
        if let Ok(frame) = frame {
            let expected = files::ReadReply { len, bytes: &whole };
            let expected = Some((FileStatus::Ok, Reply::Read(expected)));
            prop_assert_eq!(files::decode_reply(Op::Read, nonce, frame), expected);
        }
    }

    #[test]
    fn as_many_files_are_listed_as_fit(
        nonce in any::<u32>(),
        more in any::<bool>(),
        names in vec(listed(), 0..100),
    ) {
        let mut out = [0; 1000];
        let mut writer = FilesWriter::new(nonce, &mut out);
        let fitting = names.iter().take_while(|file| writer.file(file)).count();
        let frame = writer.finish(more).unwrap();
        let Some((FileStatus::Ok, Reply::List(list))) = files::decode_reply(Op::List, nonce, frame)
        else { panic!("no list") };
        prop_assert_eq!(list.more, more);
        prop_assert!(list.files().eq(names.iter().take(fitting).copied()));
        prop_assert!(fitting == names.len() || fitting >= 18);
    }

    #[test]
    fn a_refusal_says_why(
        op in select(Op::ALL),
        status in select(FileStatus::ALL),
        nonce in any::<u32>(),
    ) {
        let frame = plain_reply(op.raw(), status, nonce);
        let has_body = op.raw() <= Op::Read.raw() && status == FileStatus::Ok;
        let expected = (!has_body).then_some((status, Reply::Plain));
        prop_assert_eq!(files::decode_reply(op, nonce, &frame), expected);
    }

    #[test]
    fn names_lead_nowhere_else(text in "[a-c./A ]{0,12}") {
        let parts = || text.split('/');
        let is_legal = |part: &str| !part.contains(['A', ' ']) && !["", ".", ".."].contains(&part);
        prop_assert_eq!(FileName::new(&text).is_some(), parts().all(is_legal));
        prop_assert_eq!(FilePrefix::new(&text).is_some(), !text.contains(['A', ' ']));
    }
}

#[test]
fn what_is_too_long_is_told_before_what_is_behind_it_is_looked_at() {
    let refused = |op: Op, body: &[u8]| {
        let frame = [&[b'S', b'F', 1, op.raw(), 9, 0, 0, 0], body].concat();
        files::decode(&frame).map(drop).map_err(|refusal| (refusal.nonce, refusal.status))
    };
    for op in [Op::Stat, Op::List, Op::Read, Op::Create, Op::Append, Op::Replace, Op::Delete] {
        assert_eq!(refused(op, &[41; 20]), Err((9, FileStatus::OverLimit)), "{op:?}");
        assert_eq!(refused(op, &[]), Err((9, FileStatus::InvalidArgs)), "{op:?}");
    }
    assert_eq!(refused(Op::Replace, &[1, 0xc9, 0x0f, b'a']), Err((9, FileStatus::OverLimit)));
    assert_eq!(refused(Op::Replace, &[1, 0xc8, 0x0f, b'a']), Err((9, FileStatus::InvalidArgs)));
    assert_eq!(refused(Op::Stat, &[1, 2, b'a']), Err((9, FileStatus::InvalidArgs)));
    let names = ["a".repeat(40), "a".repeat(41)].map(|name| FileName::new(&name).is_some());
    assert_eq!(names, [true, false]);
    let prefixes = ["/".repeat(40), "/".repeat(41)].map(|text| FilePrefix::new(&text).is_some());
    assert_eq!(prefixes, [true, false]);
}
