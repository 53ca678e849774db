use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, Token, World};
use nexus_wire::EncodeError;
use nexus_wire::timers::{self, Frame, Qos, REPLY_BYTES_MAX, Refusal, Reply, Request, TimerStatus};

use crate::telemetry::{self, Outcome};
use crate::timers::{Sleeper, Timers};

/// The timer service. See the crate.
pub struct Timed {
    pub(crate) timers: Timers,
    pub(crate) is_proven: bool,
    stopping: bool,
}

/// Room for any reply.
pub(crate) type Room = [u8; REPLY_BYTES_MAX];

impl Timed {
    /// Without any timer. Takes all memory that it will ever need.
    #[must_use]
    pub fn new() -> Self {
        Self { timers: Timers::new(), is_proven: false, stopping: false }
    }

    /// Answers one frame, whoever sent it; a sleeper not yet.
    pub(crate) fn answer<'b>(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        out: &'b mut Room,
    ) -> (Outcome, Option<&'b [u8]>) {
        let done = timers::decode(frame).and_then(|Frame { nonce, request }| {
            let refuse = |status| Refusal { nonce, op: request.op(), status };
            self.act(from, token, nonce, request).map_err(refuse).map(|done| (nonce, done))
        });
        match done {
            Ok((nonce, (outcome, reply))) => {
                (outcome, reply.map(|reply| whole(timers::encode_reply(nonce, &reply, out))))
            }
            Err(refusal) => {
                let reply = whole(timers::encode_refusal(&refusal, out));
                (Outcome::Refused(refusal.status), Some(reply))
            }
        }
    }

    fn act(
        &mut self,
        from: Sender,
        token: Token,
        nonce: u32,
        request: Request,
    ) -> Result<(Outcome, Option<Reply>), TimerStatus> {
        match request {
            Request::Register { qos, deadline } => {
                let coalesced = coalesce(qos, deadline)?;
                let timer = self.timers.add(from, coalesced, None)?;
                let reply = Reply::Registered { timer, coalesced };
                Ok((Outcome::Set { deadline, coalesced }, Some(reply)))
            }
            Request::SleepUntil { qos, deadline } => {
                let coalesced = coalesce(qos, deadline)?;
                self.timers.add(from, coalesced, Some(Sleeper { token, nonce }))?;
                Ok((Outcome::Set { deadline, coalesced }, None))
            }
            Request::Cancel { timer } => {
                self.timers.cancel(from, timer)?;
                Ok((Outcome::Cancelled, Some(Reply::Cancelled)))
            }
        }
    }

    /// Ends what has run out, all in this one wake-up; how many.
    pub(crate) fn expire(&mut self, now: Mono, world: &mut impl World) -> u64 {
        let mut ended = 0;
        while let Some(sleeper) = self.timers.pop_due(now) {
            ended += 1;
            if let Some(Sleeper { token, nonce }) = sleeper {
                let woken = Reply::Woken { at: now };
                let mut out = [0; REPLY_BYTES_MAX];
                world.reply(token, whole(timers::encode_reply(nonce, &woken, &mut out)));
            }
        }
        ended
    }
}

fn coalesce(qos: Qos, deadline: Mono) -> Result<Mono, TimerStatus> {
    qos.coalesced(deadline).ok_or(TimerStatus::InvalidArgs)
}

/// A reply of ours always fits its room.
fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits");
    reply.unwrap_or_default()
}

impl Default for Timed {
    fn default() -> Self {
        Self::new()
    }
}

impl Service for Timed {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if !self.is_proven {
            self.prove(now.mono, world);
        }
        telemetry::note_ended(self.expire(now.mono, world));
        match event {
            Event::Request { from, token, frame } => {
                let mut out = [0; REPLY_BYTES_MAX];
                let (outcome, reply) = self.answer(from, token, frame, &mut out);
                telemetry::note(outcome);
                if let Some(reply) = reply {
                    world.reply(token, reply);
                }
            }
            Event::PeerGone { id, incarnation, .. } => self.timers.forget(id, incarnation),
            Event::Stop => self.stopping = true,
            Event::Completion { .. } | Event::Block { .. } | Event::Wake => {}
        }
        telemetry::note_live(self.timers.len());
    }

    /// At once until the proof at start is done.
    fn deadline(&self) -> Option<Mono> {
        if self.is_proven { self.timers.next() } else { Some(Mono(0)) }
    }

    fn stopped(&self) -> bool {
        self.stopping
    }

    fn undone(&self, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        match self.timers.len() {
            0 => Ok(()),
            live => write!(out, "{live} timers have not run out"),
        }
    }

    fn check_invariants(&self) {
        self.timers.check();
    }
}
