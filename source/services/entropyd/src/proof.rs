use nexus_port::World;
use nexus_wire::entropy::{REPLY_BYTES_MAX, decode_reply, request};
use nexus_wire::markers;

use crate::service::{Entropyd, Source};

/// Bytes that are asked for.
const BYTES: u16 = 32;

impl<S: Source> Entropyd<S> {
    /// Asks twice by the way that every frame takes, sees that both times something else came, and
    /// only then says that entropyd is ready.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        if self.gives_something_else_each_time() == Some(true) {
            world.print(markers::ENTROPYD_READY);
        }
    }

    fn gives_something_else_each_time(&mut self) -> Option<bool> {
        let [mut first, mut second] = [[0; REPLY_BYTES_MAX]; 2];
        let (_, first) = self.answer(&request(1, BYTES), &mut first);
        let (_, second) = self.answer(&request(2, BYTES), &mut second);
        let (first, second) = (decode_reply(1, first)?.ok()?, decode_reply(2, second)?.ok()?);
        Some(first.len() == usize::from(BYTES) && first != second)
    }
}
