//! What other endpoints ask.

use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_port::{Token, World};
use nexus_session::Served;
use nexus_wire::sessions::SessionStatus;
use nexus_wire::sessions::line::{Frame, Op, decode, encode_reply, plain_reply};

use crate::service::Dsoftbusd;
use crate::telemetry;
use crate::teller::whole;

impl Dsoftbusd {
    /// Answers another endpoint, or whoever says to be one.
    pub(crate) fn line(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        let (echo, served) = match decode(frame) {
            Ok(frame) => (frame.echo, self.serve(from, frame, now)),
            Err(refusal) => (refusal.echo, Err(self.mark(refusal.status, world))),
        };
        match served {
            Ok(len) => world.reply(token, self.teller.reply.get(..len).unwrap_or_default()),
            Err(status) => {
                world.reply(token, &plain_reply(echo, status));
                self.teller.records.rejected(from.service(), status, now);
            }
        }
        telemetry::note_line(Op::from_raw(echo.op), served.err().unwrap_or(SessionStatus::Ok));
    }

    /// Does what is asked for: the length of the reply.
    fn serve(
        &mut self,
        from: Sender,
        Frame { echo, request }: Frame<'_>,
        now: Mono,
    ) -> Result<usize, SessionStatus> {
        let (live, answers) = (self.endpoint.accepted(), &mut self.answers);
        let answer = |asked: &[u8], out: &mut [u8]| answers.write(asked, (live, now), out);
        let Served { reply, accepted } = self.endpoint.serve(from, request, answer, now)?;
        if let Some(peer) = accepted {
            self.teller.records.accepted(peer, now);
        }
        Ok(whole(encode_reply(&reply, echo, &mut self.teller.reply)).len())
    }
}
