use nexus_bounded::Mono;
use nexus_port::World;
use nexus_session::{Accepting, Opening, Pair, Rooms, public_key};
use nexus_wire::sessions::line::{KEY_BYTES, Kind};
use nexus_wire::sessions::{EndpointName, SessionId, SessionStatus};

use crate::service::Dsoftbusd;

/// Keys and entropy that serve nothing but this proof.
const OWN: [u8; KEY_BYTES] = [0x11; KEY_BYTES];
const OTHER: [u8; KEY_BYTES] = [0x22; KEY_BYTES];
const SAID: &[u8] = b"is this you?";

impl Dsoftbusd {
    /// Opens a session between two endpoints that are made up, carries something over it, sees a
    /// repeat refused and a stranger turned away, and only then says that it serves.
    pub(crate) fn prove(&mut self, world: &mut impl World) {
        if carries_once_what_is_said(self.endpoint.rooms()) == Some(true) {
            world.print(self.ready);
        }
    }
}

fn pair<'a>(private: &'a [u8; KEY_BYTES], public: &'a [u8; KEY_BYTES]) -> Option<Pair<'a>> {
    let (from, to) = (EndpointName::new("own")?, EndpointName::new("other")?);
    Some(Pair { private, public, from, to })
}

fn carries_once_what_is_said(rooms: &mut Rooms) -> Option<bool> {
    let (own, other) = (public_key(&OWN), public_key(&OTHER));
    let (opening, hello) = Opening::begin(pair(&OWN, &other)?, &[1; KEY_BYTES], Mono(7)).ok()?;
    let not_its_key = Accepting::begin(pair(&OTHER, &other)?, &[2; KEY_BYTES], &hello);
    let is_strange = not_its_key.err() == Some(SessionStatus::NotAuthentic);
    let its_key = Accepting::begin(pair(&OTHER, &own)?, &[2; KEY_BYTES], &hello);
    let (accepting, at) = its_key.ok()?;
    let (mut theirs, welcome) = accepting.end(SessionId(3)).ok()?;
    let (mut ours, session) = opening.end(&welcome).ok()?;
    let are_met = is_strange && at == Mono(7) && session == SessionId(3);
    let sealed = ours.seal(Kind::Data, SAID, &mut rooms.sealing).ok()?;
    let is_heard = theirs.open(sealed, &mut rooms.open) == Ok((Kind::Data, SAID));
    let again = theirs.open(sealed, &mut rooms.open);
    Some(are_met && is_heard && again == Err(SessionStatus::Replayed))
}
