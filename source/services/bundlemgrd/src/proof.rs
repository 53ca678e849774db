use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_bundle::Checker;
use nexus_port::{Token, World};
use nexus_wire::bundles::{
    self, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, Info, Op, Reply, Request,
};
use nexus_wire::markers;

use crate::Bundlemgrd;
use crate::service::{Asker, Turn};

const NONCE: u32 = 1;

impl Bundlemgrd {
    /// Reads every bundle of the boot image back by its frames, and only if each is what QUERY says
    /// of it, digest and all, says that bundlemgrd is ready.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        let names = |at: &Self| at.catalogue.behind(None).first().map(|bundle| bundle.name);
        let (mut next, mut all_whole) = (names(self), true);
        while let Some(name) = next {
            all_whole &= self.reads_back(name.get(), world) == Some(true);
            next = self.catalogue.behind(Some(name.get())).first().map(|bundle| bundle.name);
        }
        if all_whole {
            world.print(markers::BUNDLEMGRD_READY);
        }
    }

    fn reads_back(&mut self, name: BundleName<'_>, world: &mut impl World) -> Option<bool> {
        let Reply::Info(Info { size, digest, .. }) = self.ask(Request::Query { name }, world)?
        else {
            return Some(false);
        };
        let mut checker = Checker::new(size);
        while checker.seen() < size {
            let (at, max) = (checker.seen(), BUNDLE_PIECE_BYTES_MAX as u16);
            let Reply::Piece(piece) = self.ask(Request::Fetch { name, at, max }, world)? else {
                return Some(false);
            };
            checker.take(piece.bytes).ok().filter(|()| !piece.bytes.is_empty())?;
        }
        checker.finish().ok().map(|(manifest, seen)| manifest.name == name && seen == digest)
    }

    /// What is answered by the way that every frame takes.
    fn ask(&mut self, request: Request<'_>, world: &mut impl World) -> Option<Reply<'_>> {
        let op: Op = request.op();
        let me = ServiceId::from_name("bundlemgrd");
        let from = Sender::stamped(me, 0, Incarnation::new(1), Rights::NONE);
        let asker = Asker::new(from, Token::from_raw(0), op.raw(), NONCE);
        let Ok(Turn::Says(len)) = self.act(&asker, request, Mono(0), world) else { return None };
        let answer = bundles::decode_reply(op, NONCE, self.reply.get(..len)?)?;
        Some(answer).filter(|(status, _)| *status == BundleStatus::Ok).map(|(_, reply)| reply)
    }
}
