use nexus_bounded::Mono;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_port::{Event, Now, Service, World};
use nexus_wire::entropy::{
    ENTROPY_BYTES_MAX, EntropyStatus, Frame, REPLY_BYTES_MAX, Refusal, decode, encode_reply,
    plain_reply,
};
use nexus_wire::{EncodeError, markers};

use crate::telemetry;

/// Where the bytes come from: a device, or whatever a test says.
pub trait Source {
    /// Fills all of `into` with bytes that it gives but once, or says `false`. Never waits.
    fn take(&mut self, into: &mut [u8]) -> bool;
}

/// What must not come twice in a row.
type Block = [u8; 16];

/// The service. See the crate.
pub struct Entropyd<S> {
    source: S,
    latest: Option<Block>,
    rejects: RejectMarkers<2>,
    is_proven: bool,
    stopping: bool,
}

/// Room for any reply.
pub(crate) type Room = [u8; REPLY_BYTES_MAX];

impl<S: Source> Entropyd<S> {
    /// Gives out what `source` gives.
    #[must_use]
    pub const fn new(source: S) -> Self {
        let rejects = RejectMarkers::new([
            markers::ENTROPYD_REJECT_INVALID_ARGS,
            markers::ENTROPYD_REJECT_OVER_LIMIT,
        ]);
        Self { source, latest: None, rejects, is_proven: false, stopping: false }
    }

    /// Answers one frame, whoever sent it.
    pub(crate) fn answer<'b>(
        &mut self,
        frame: &[u8],
        out: &'b mut Room,
    ) -> (EntropyStatus, &'b [u8]) {
        let mut room = [0; ENTROPY_BYTES_MAX];
        let given = decode(frame).and_then(|Frame { echo, count }| {
            let bytes = room.get_mut(..count.into()).unwrap_or_default();
            let refuse = |status| Refusal { echo, status };
            self.give(bytes).map_err(refuse).map(|bytes| (echo.nonce, bytes))
        });
        match given {
            Ok((nonce, bytes)) => (EntropyStatus::Ok, whole(encode_reply(bytes, nonce, out))),
            Err(Refusal { echo, status }) => (status, refusal(plain_reply(echo, status), out)),
        }
    }

    fn give<'b>(&mut self, into: &'b mut [u8]) -> Result<&'b [u8], EntropyStatus> {
        if !self.source.take(into) {
            return Err(EntropyStatus::NotReady);
        }
        if self.repeats(into) {
            telemetry::note_repeat();
            return Err(EntropyStatus::NotReady);
        }
        Ok(into)
    }

    /// Whether a block is the one before.
    fn repeats(&mut self, bytes: &[u8]) -> bool {
        let mut repeats = false;
        for block in bytes.as_chunks::<{ size_of::<Block>() }>().0 {
            repeats |= self.latest.replace(*block) == Some(*block);
        }
        repeats
    }

    fn mark(&mut self, status: EntropyStatus, world: &mut impl World) {
        match status {
            EntropyStatus::InvalidArgs => self.rejects.note(RejectMarker::InvalidArgs, world),
            EntropyStatus::OverLimit => self.rejects.note(RejectMarker::OverLimit, world),
            EntropyStatus::Ok | EntropyStatus::NotReady => {}
        }
    }
}

/// A reply of ours always fits its room.
fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits");
    reply.unwrap_or_default()
}

fn refusal<const N: usize>(reply: [u8; N], out: &mut Room) -> &[u8] {
    const { assert!(N <= REPLY_BYTES_MAX, "a refusal is a reply") };
    out.iter_mut().zip(reply).for_each(|(to, from)| *to = from);
    out.get(..N).unwrap_or_default()
}

impl<S: Source> Service for Entropyd<S> {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl World) {
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
        }
        match event {
            Event::Request { token, frame, .. } => {
                let mut out = [0; REPLY_BYTES_MAX];
                let (status, reply) = self.answer(frame, &mut out);
                world.reply(token, reply);
                telemetry::note(status);
                self.mark(status, world);
            }
            Event::Stop => self.stopping = true,
            Event::Completion { .. }
            | Event::Block { .. }
            | Event::PeerGone { .. }
            | Event::Wake => {}
        }
    }

    /// At once until the proof at start is done.
    fn deadline(&self) -> Option<Mono> {
        (!self.is_proven).then_some(Mono(0))
    }

    fn stopped(&self) -> bool {
        self.stopping
    }
}
