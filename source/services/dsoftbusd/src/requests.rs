//! What local programs ask.

use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_gate::Asker;
use nexus_port::{Token, World};
use nexus_wire::sessions::{Frame, Request, SessionStatus, decode};

use crate::service::Dsoftbusd;
use crate::teller::tell;

impl Dsoftbusd {
    /// Begins what is asked for; what comes of it is told later, unless it cannot begin.
    pub(crate) fn request(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        let (echo, begun) = match decode(frame) {
            Ok(Frame { echo, request }) => {
                (echo, self.begin(Asker { from, token, echo }, request, now))
            }
            Err(refusal) => (refusal.echo, Err(self.mark(refusal.status, world))),
        };
        if let Err(status) = begun {
            tell(&Asker { from, token, echo }, Err(status), world);
        }
    }

    fn begin(
        &mut self,
        asker: Asker,
        request: Request<'_>,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let of = |session| (session, asker.life());
        match request {
            Request::Open { peer } => self.wishes.add(asker, peer),
            Request::Ask { session, bytes } => self.endpoint.ask(of(session), asker, bytes, now),
            Request::Close { session } => self.endpoint.close(of(session), asker, now),
        }
    }
}
