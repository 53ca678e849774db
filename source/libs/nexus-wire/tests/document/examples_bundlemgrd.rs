use nexus_abi::Rights;
use nexus_wire::Echo;
use nexus_wire::bundles::{
    BundleName, BundleStatus, BundleVersion, BundlesWriter, Info, Listed, Op, Origin, Piece,
    Request, encode, encode_info, encode_piece, plain_reply,
};

use crate::examples::Examples;

const NONCE: u32 = 7;

pub(crate) fn all() -> Examples {
    let name = BundleName::new("demo").unwrap();
    let version = BundleVersion::new("1.0").unwrap();
    let request = |title: &str, request| {
        let frame = encode(&request, NONCE, &mut [0; 64]).unwrap().to_vec();
        (format!("bundlemgrd {title} request"), frame)
    };
    let reply = |title: &str, frame: &[u8]| (format!("bundlemgrd {title} reply"), frame.to_vec());
    let plain = |title: &str, op: Op, status| {
        reply(title, &plain_reply(Echo { op: op.raw(), nonce: NONCE }, status))
    };
    let (mut list, mut out) = ([0; 64], [0; 96]);
    let mut bundles = BundlesWriter::new(NONCE, &mut list);
    assert!(bundles.bundle(&Listed { name, version, origin: Origin::Boot, size: 67 }));
    let entry = BundleName::new("hello").unwrap();
    let digest = core::array::from_fn(|at| at as u8);
    let rights = Rights::QUERY;
    let origin = Origin::State;
    let info = Info { size: 67, memory_kib: 64, rights, origin, version, entry, digest };
    let info = encode_info(&info, NONCE, &mut out).unwrap();
    let piece =
        encode_piece(&Piece { size: 67, bytes: b"NXB" }, NONCE, &mut [0; 32]).unwrap().to_vec();
    vec![
        request("LIST", Request::List { after: Some(name) }),
        reply("LIST", bundles.finish(true).unwrap()),
        request("QUERY", Request::Query { name }),
        reply("QUERY", info),
        request("BEGIN", Request::Begin { name, size: 67 }),
        plain("BEGIN", Op::Begin, BundleStatus::OverQuota),
        request("BRING", Request::Bring { at: 0, bytes: b"NXB" }),
        plain("BRING", Op::Bring, BundleStatus::Ok),
        request("COMMIT", Request::Commit),
        plain("COMMIT", Op::Commit, BundleStatus::Corrupt),
        request("GIVE_UP", Request::GiveUp),
        plain("GIVE_UP", Op::GiveUp, BundleStatus::Ok),
        request("FETCH", Request::Fetch { name, at: 0, max: 3 }),
        reply("FETCH", &piece),
        request("REMOVE", Request::Remove { name }),
        plain("REMOVE", Op::Remove, BundleStatus::Denied),
    ]
}
