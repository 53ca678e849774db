use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_bundle::Checker;
use nexus_gate::Asker;
use nexus_port::{Token, World};
use nexus_wire::bundles::{
    self, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, Info, Op, Reply, Request, StoredName,
};
use nexus_wire::{Echo, markers};

use crate::Bundlemgrd;
use crate::service::Turn;

const NONCE: u32 = 1;

impl Bundlemgrd {
    /// Reads every bundle of the boot image back by its frames, and only if each is what QUERY says
    /// of it, digest and all, says that bundlemgrd is ready.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        let (mut next, mut all_whole) = (self.name_behind(None), true);
        while let Some(name) = next {
            all_whole &= self.reads_back(name.get(), world) == Some(true);
            next = self.name_behind(Some(name.get()));
        }
        if all_whole {
            world.print(markers::BUNDLEMGRD_READY);
        }
    }

    fn name_behind(&self, after: Option<BundleName<'_>>) -> Option<StoredName> {
        self.store.behind(after).next().map(|bundle| bundle.name().stored())
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
        checker.finish().ok().map(|seen| seen.manifest.name == name && seen.digest == digest)
    }

    /// What is answered by the way that every frame takes.
    fn ask(&mut self, request: Request<'_>, world: &mut impl World) -> Option<Reply<'_>> {
        let op: Op = request.op();
        let me = ServiceId::from_name("bundlemgrd");
        let from = Sender::stamped(me, 0, Incarnation::new(1), Rights::NONE);
        let (token, echo) = (Token::from_raw(0), Echo { op: op.raw(), nonce: NONCE });
        let asker = Asker { from, token, echo };
        let Ok(Turn::Says(len)) = self.act(&asker, request, Mono(0), world) else { return None };
        let answer = bundles::decode_reply(op, NONCE, self.reply.get(..len)?)?;
        Some(answer).filter(|(status, _)| *status == BundleStatus::Ok).map(|(_, reply)| reply)
    }
}
