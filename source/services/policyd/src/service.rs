use nexus_abi::{Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_port::{Event, Now, Service, Token, World};
use nexus_recipe::Policy;
use nexus_wire::markers;
use nexus_wire::policy::{self, Action, Check, Decision, Frame, Object, PolicyStatus, REPLY_BYTES};

use crate::audit::Audit;
use crate::table::Table;
use crate::telemetry;

/// The policy service. See the crate.
pub struct Policyd {
    pub(crate) table: Table,
    audit: Audit,
    rejects: RejectMarkers<2>,
    pub(crate) is_proven: bool,
    stopping: bool,
}

/// A question that was decided, or why a frame was none.
pub(crate) type Outcome<'a> = Result<(Check<'a>, Decision), PolicyStatus>;

impl Policyd {
    /// Decides by this policy. Takes all memory that it will ever need.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            table: Table::new(policy),
            audit: Audit::new(&policy.audit),
            rejects: RejectMarkers::new([
                markers::POLICYD_REJECT_INVALID_ARGS,
                markers::POLICYD_REJECT_OVER_LIMIT,
            ]),
            is_proven: false,
            stopping: false,
        }
    }

    /// Answers one frame of whoever has this id.
    pub(crate) fn answer<'f>(
        &self,
        from: ServiceId,
        frame: &'f [u8],
    ) -> (Outcome<'f>, [u8; REPLY_BYTES]) {
        match policy::decode(frame) {
            Ok(Frame { nonce, check }) => {
                let decision = self.decide(from, check);
                (Ok((check, decision)), policy::reply(nonce, decision))
            }
            Err(refusal) => (Err(refusal.status), policy::refusal(refusal)),
        }
    }

    fn decide(&self, from: ServiceId, check: Check<'_>) -> Decision {
        if check.subject != from && !self.may_ask_for_others(from) {
            Decision::NotDelegate
        } else if self.table.grants(check) {
            Decision::Allowed
        } else if self.table.name(check.subject).is_some() {
            Decision::NotGranted
        } else {
            Decision::UnknownSubject
        }
    }

    fn may_ask_for_others(&self, subject: ServiceId) -> bool {
        self.table.grants(Check { subject, action: Action::AskForOthers, object: Object::NONE })
    }

    fn request(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        let (outcome, reply) = self.answer(from.service(), frame);
        telemetry::note(outcome.map(|(_, decision)| decision));
        world.reply(token, &reply);
        match outcome {
            Ok((_, Decision::Allowed)) => {}
            Ok((check, decision)) => {
                self.audit.denied(from.service(), check, decision, &self.table, now);
            }
            Err(PolicyStatus::OverLimit) => self.rejects.note(RejectMarker::OverLimit, world),
            Err(_) => self.rejects.note(RejectMarker::InvalidArgs, world),
        }
    }
}

impl Service for Policyd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if !self.is_proven {
            self.prove(world);
        }
        match event {
            Event::Request { from, token, frame } => {
                self.request(from, token, frame, now.mono, world);
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

    fn check_invariants(&self) {
        let rules = self.table.rules();
        assert!(rules.is_sorted(), "rules are found by their order");
        assert!(rules.iter().all(|rule| self.table.name(rule.who).is_some()), "all are known");
    }
}
