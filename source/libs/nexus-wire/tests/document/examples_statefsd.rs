use nexus_wire::files::{
    Append, FileName, FilePrefix, FilesWriter, HelloReply, List, Listed, NewFile, Op, Read,
    ReadWriter, Replace, Request, StatReply, Target, encode, plain_reply,
};
use nexus_wire::{FileKind, FileStatus};

use crate::examples::Examples;

const NONCE: u32 = 7;
const EPOCH: u64 = 0x3_0000_0001;

fn name() -> FileName<'static> {
    FileName::new("raw/17").unwrap()
}

pub(crate) fn all() -> Examples {
    let mut examples = Examples::new();
    for request in requests() {
        let frame = encode(&request, NONCE, &mut [0; 128]).unwrap().to_vec();
        examples.push((named(request.op(), "request"), frame));
    }
    examples.extend(replies());
    let refusal = plain_reply(Op::Delete.raw(), FileStatus::NotFound, NONCE);
    examples.push((named(Op::Delete, "refusal"), refusal.to_vec()));
    examples
}

fn named(op: Op, direction: &str) -> String {
    format!("statefsd {} {direction}", format!("{op:?}").to_uppercase())
}

fn requests() -> [Request<'static>; 11] {
    let (name, prefix) = (name(), |text| FilePrefix::new(text).unwrap());
    let (file, draft) = (Target { name, draft: false }, Target { name, draft: true });
    [
        Request::Hello,
        Request::Stat(file),
        Request::List(List { prefix: prefix("raw/"), after: prefix("raw/16") }),
        Request::Read(Read { draft: false, name, at: 508, max: 4 }),
        Request::Create(NewFile { name, capacity: 65_536 }),
        Request::Draft(NewFile { name, capacity: 4096 }),
        Request::Append(Append { to: draft, at: 1016, bytes: b"abc" }),
        Request::Finish(draft),
        Request::Replace(Replace { name, bytes: b"value" }),
        Request::Delete(file),
        Request::Sync { epoch: EPOCH },
    ]
}

fn replies() -> Examples {
    let hello = HelloReply { epoch: EPOCH, quota: 1 << 20, used: 2048, free: 4096, refused: 2 };
    let stat = StatReply { kind: FileKind::Log, len: 1016, capacity: 65_532 };
    let (mut one, mut two, mut three, mut four) = ([0; 64], [0; 64], [0; 64], [0; 64]);
    let mut read = ReadWriter::new(NONCE, 1016, &mut one);
    read.bytes(b"ab");
    read.bytes(b"c");
    let mut list = FilesWriter::new(NONCE, &mut two);
    assert!(list.file(&Listed { name: name(), kind: FileKind::Log, len: 1016 }));
    let mut examples = vec![
        (named(Op::Hello, "reply"), hello.encode(NONCE, &mut three).unwrap().to_vec()),
        (named(Op::Stat, "reply"), stat.encode(NONCE, &mut four).unwrap().to_vec()),
        (named(Op::List, "reply"), list.finish(true).unwrap().to_vec()),
        (named(Op::Read, "reply"), read.finish().unwrap().to_vec()),
    ];
    let plain = Op::ALL.iter().filter(|op| op.raw() >= Op::Create.raw());
    examples
        .extend(plain.map(|op| {
            (named(*op, "reply"), plain_reply(op.raw(), FileStatus::Ok, NONCE).to_vec())
        }));
    examples
}
