use nexus_bundle::Processes;
use nexus_port::World;
use nexus_wire::bundles::BundleName;
use nexus_wire::exec::{
    ExecStatus, Op, REQUEST_BYTES_MAX, Refusal, Reply, Request, decode, decode_reply, encode,
    plain_reply,
};
use nexus_wire::markers;

use crate::service::Execd;

const NONCE: u32 = 1;

impl<P: Processes> Execd<P> {
    /// Sees by its own frames that nothing runs, and that a request that was cut is refused, and
    /// only then says that execd is ready.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        if self.lists_nothing() == Some(true) && refuses_a_cut_request() == Some(true) {
            world.print(markers::EXECD_READY);
        }
    }

    fn lists_nothing(&mut self) -> Option<bool> {
        match decode_reply(Op::List, NONCE, self.list(NONCE))? {
            (ExecStatus::Ok, Reply::List(list)) => Some(list.running().next().is_none()),
            _ => Some(false),
        }
    }
}

fn refuses_a_cut_request() -> Option<bool> {
    let mut out = [0; REQUEST_BYTES_MAX];
    let name = BundleName::new("demo")?;
    let frame = encode(&Request::Start { name }, NONCE, &mut out).ok()?;
    let (_, cut) = frame.split_last()?;
    let Refusal { echo, status } = decode(cut).err()?;
    let reply = decode_reply(Op::Start, NONCE, &plain_reply(echo, status))?.0;
    Some(reply == ExecStatus::InvalidArgs)
}
