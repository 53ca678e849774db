use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{Token, World};
use nexus_wire::markers;
use nexus_wire::timers::{
    Frame, Qos, REPLY_BYTES_MAX, Reply, Request, TimerStatus, decode_reply, encode,
};

use crate::{PER_OWNER, TIMERS_MAX, Timed};

impl Timed {
    /// Sets a timer for now by the way that every frame takes, lets it run out, sees that it is
    /// there no more, and only then says that timed is ready.
    pub(crate) fn prove(&mut self, now: Mono, world: &mut impl World) {
        self.is_proven = true;
        nexus_log::info!("timed", "keeps time";
            event = "timed.began.v1", per_owner = PER_OWNER, timers_max = TIMERS_MAX);
        if self.sets_and_ends_one(now, world) == Some(true) {
            world.print(markers::TIMED_READY);
        }
    }

    fn sets_and_ends_one(&mut self, now: Mono, world: &mut impl World) -> Option<bool> {
        let set = Request::Register { qos: Qos::PerfBurst, deadline: now };
        let (TimerStatus::Ok, Reply::Registered { timer, coalesced }) = self.ask(1, set)? else {
            return Some(false);
        };
        let ended = self.expire(now, world);
        let (status, _) = self.ask(2, Request::Cancel { timer })?;
        Some(coalesced == now && ended == 1 && status == TimerStatus::NotFound)
    }

    fn ask(&mut self, nonce: u32, request: Request) -> Option<(TimerStatus, Reply)> {
        let me =
            Sender::stamped(ServiceId::from_name("timed"), 0, Incarnation::new(1), Rights::NONE);
        let (mut frame, mut out) = ([0; 32], [0; REPLY_BYTES_MAX]);
        let frame = encode(&Frame { nonce, request }, &mut frame).ok()?;
        let (_, reply) = self.answer(me, Token::from_raw(0), frame, &mut out);
        decode_reply(request.op(), nonce, reply?)
    }
}
