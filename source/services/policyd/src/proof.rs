use nexus_abi::ServiceId;
use nexus_port::World;
use nexus_wire::policy::{
    Action, Check, Decision, Frame, Object, REQUEST_BYTES_MAX, decode_reply, encode,
};
use nexus_wire::{OBJECT_BYTES_MAX, markers};

use crate::Policyd;
use crate::audit::Audit;
use crate::table::Rule;

/// Nobody: no entry of an image has this id but by an accident that the table would know of.
const NOBODY: ServiceId = ServiceId::from_raw(0);
const NONCE: u32 = 1;

impl Policyd {
    /// Asks what the table grants, and what it grants to nobody, by the way that every frame takes,
    /// and only then says that policyd is ready.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        self.is_proven = true;
        Audit::began(&self.table);
        let all_granted = self.table.rules().iter().all(|rule| self.grants(rule));
        let nobody = Check { subject: NOBODY, action: Action::ReadLogs, object: Object::NONE };
        if all_granted && self.ask(nobody) == Some(Decision::UnknownSubject) {
            world.print(markers::POLICYD_READY);
        }
    }

    /// Whether the service that a rule is about is allowed what it grants; of a prefix, a file
    /// below it, if its path can be said in a frame.
    fn grants(&self, rule: &Rule) -> bool {
        let mut room = [0; OBJECT_BYTES_MAX];
        let object = match rule.action {
            Action::WriteState => below(&rule.object, &mut room),
            _ => Object::new(&rule.object),
        };
        let check = object.map(|object| Check { subject: rule.who, action: rule.action, object });
        check.is_none_or(|check| self.ask(check) == Some(Decision::Allowed))
    }

    fn ask(&self, check: Check<'_>) -> Option<Decision> {
        let mut frame = [0; REQUEST_BYTES_MAX];
        let frame = encode(&Frame { nonce: NONCE, check }, &mut frame).ok()?;
        let (_, reply) = self.answer(check.subject, frame);
        decode_reply(NONCE, &reply)?.ok()
    }
}

/// The path of a file below a prefix.
fn below<'b>(prefix: &str, room: &'b mut [u8]) -> Option<Object<'b>> {
    let path = room.get_mut(..=prefix.len())?;
    let (name, front) = path.split_last_mut()?;
    front.copy_from_slice(prefix.as_bytes());
    *name = b'a';
    core::str::from_utf8(path).ok().and_then(Object::new)
}
