use nexus_bounded::Mono;
use nexus_wire::Echo;
use nexus_wire::bundles::BundleName;
use nexus_wire::exec::{
    ExecStatus, Op, Request, Running, RunningWriter, encode, plain_reply, started_reply,
};

use crate::examples::Examples;

const NONCE: u32 = 7;

pub(crate) fn all() -> Examples {
    let name = BundleName::new("demo").unwrap();
    let request = |title: &str, request| {
        let frame = encode(&request, NONCE, &mut [0; 64]).unwrap().to_vec();
        (format!("execd {title} request"), frame)
    };
    let reply = |title: &str, frame: &[u8]| (format!("execd {title} reply"), frame.to_vec());
    let mut out = [0; 64];
    let mut running = RunningWriter::new(NONCE, &mut out);
    assert!(running.process(&Running { pid: 9, since: Mono(12_000_345), name }));
    let kill = Echo { op: Op::Kill.raw(), nonce: NONCE };
    vec![
        request("START", Request::Start { name }),
        reply("START", &started_reply(9, NONCE)),
        request("KILL", Request::Kill { pid: 9 }),
        reply("KILL", &plain_reply(kill, ExecStatus::NotFound)),
        request("LIST", Request::List),
        reply("LIST", running.finish().unwrap()),
    ]
}
