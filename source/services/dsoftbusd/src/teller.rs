use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Mono;
use nexus_gate::Asker;
use nexus_port::World;
use nexus_session::{End, Happened, NewSession};
use nexus_wire::sessions::{Op, SessionStatus, encode_answer, encode_opened, plain_reply};
use nexus_wire::{EncodeError, SpanStatus};

use crate::records::Records;
use crate::telemetry;
use crate::wishes::Wish;

/// Tells local programs what has come of what they have asked for, and everybody who watches.
pub(crate) struct Teller {
    pub(crate) records: Records,
    /// Where replies are written.
    pub(crate) reply: Box<[u8]>,
}

impl Teller {
    /// Takes its memory now.
    pub(crate) fn new() -> Self {
        Self { records: Records::new(), reply: vec![0; FRAME_BYTES_MAX].into() }
    }

    /// What has come of a session.
    pub(crate) fn happened(
        &mut self,
        happened: Happened<'_, Wish, Asker>,
        now: Mono,
        world: &mut impl World,
    ) {
        match happened {
            Happened::Opened { waiter, opened } => self.opened(waiter, opened, now, world),
            Happened::Answered { waiter, answer } => {
                let nonce = waiter.echo.nonce;
                let reply = answer.map(|bytes| whole(encode_answer(bytes, nonce, &mut self.reply)));
                tell(&waiter, reply, world);
            }
            Happened::Closed { waiter } => {
                telemetry::note_end(End::Closed);
                tell(&waiter, Err(SessionStatus::Ok), world);
            }
            Happened::Ending(how) => telemetry::note_end(how),
            Happened::Ended => {}
        }
    }

    /// Somebody has a session, or will have none.
    pub(crate) fn opened(
        &mut self,
        wish: Wish,
        opened: Result<NewSession, SessionStatus>,
        now: Mono,
        world: &mut impl World,
    ) {
        self.records.opened(&wish, opened, now);
        if let Ok(NewSession { took, .. }) = opened {
            telemetry::note_handshake(took);
        }
        let nonce = wish.asker.echo.nonce;
        let reply = opened.map(|new| whole(encode_opened(new.id, nonce, &mut self.reply)));
        tell(&wish.asker, reply, world);
        wish.path.end(now, if opened.is_ok() { SpanStatus::Ok } else { SpanStatus::Error });
    }
}

/// Answers with what was asked for, or with a status alone.
pub(crate) fn tell(asker: &Asker, reply: Result<&[u8], SessionStatus>, world: &mut impl World) {
    let status = reply.err().unwrap_or(SessionStatus::Ok);
    telemetry::note_request(Op::from_raw(asker.echo.op), status);
    world.reply(asker.token, reply.unwrap_or(&plain_reply(asker.echo, status)));
}

/// A reply of ours always fits its room.
pub(crate) fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.unwrap_or_default()
}
