//! What Noise does for us: a handshake that is bound to two keys, two names and one suite, and the
//! sealing of messages afterwards. Nobody else names the crate that does it.

use alloc::boxed::Box;

use nexus_bounded::Mono;
use nexus_wire::EncodeError;
use nexus_wire::sessions::line::{
    self, HELLO_BYTES, KEY_BYTES, Kind, PROLOGUE_BYTES_MAX, SUITE, SUITE_NAME, Sealed,
    WELCOME_BYTES,
};
use nexus_wire::sessions::{EndpointName, SessionId, SessionStatus};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};

use crate::rooms::Sealing;

/// Entropy for one handshake.
pub type Seed = [u8; KEY_BYTES];

/// Gives out what it has, once.
struct OneSeed(Option<Seed>);

impl Random for OneSeed {
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), snow::Error> {
        let seed = self.0.take().filter(|seed| seed.len() == into.len());
        into.copy_from_slice(&seed.ok_or(snow::Error::Rng)?);
        Ok(())
    }
}

/// The crate's own primitives, but for entropy.
struct Primitives(Seed);

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(OneSeed(Some(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// The public key that belongs to a private one.
#[must_use]
pub fn public_key(private: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    if let Some(mut pair) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        pair.set(private);
        key.iter_mut().zip(pair.pubkey()).for_each(|(to, from)| *to = *from);
    }
    key
}

/// Two endpoints as one of them has them.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// Our own key.
    pub private: &'a [u8; KEY_BYTES],
    /// The other's.
    pub public: &'a [u8; KEY_BYTES],
    /// Who begins.
    pub from: EndpointName<'a>,
    /// With whom.
    pub to: EndpointName<'a>,
}

impl Pair<'_> {
    fn builder<'b>(
        &'b self,
        seed: &Seed,
        room: &'b mut [u8; PROLOGUE_BYTES_MAX],
    ) -> Result<Builder<'b>, snow::Error> {
        let prologue = line::prologue(SUITE, self.from, self.to, room);
        assert!(prologue.is_ok(), "two names fit");
        Builder::with_resolver(SUITE_NAME.parse()?, Box::new(Primitives(*seed)))
            .prologue(prologue.unwrap_or_default())?
            .local_private_key(self.private)?
            .remote_public_key(self.public)
    }

    fn begin(&self, seed: &Seed) -> Result<HandshakeState, snow::Error> {
        self.builder(seed, &mut [0; PROLOGUE_BYTES_MAX])?.build_initiator()
    }

    fn await_hello(&self, seed: &Seed) -> Result<HandshakeState, snow::Error> {
        self.builder(seed, &mut [0; PROLOGUE_BYTES_MAX])?.build_responder()
    }
}

/// Whatever is wrong with what came: it was not made for us by whom it should come from.
const NOT_AUTHENTIC: SessionStatus = SessionStatus::NotAuthentic;

/// A session that one has asked for.
pub struct Opening(Box<HandshakeState>);

impl Opening {
    /// Begins, at this time, with fresh entropy: what to say.
    pub fn begin(
        pair: Pair<'_>,
        seed: &Seed,
        at: Mono,
    ) -> Result<(Self, [u8; HELLO_BYTES]), SessionStatus> {
        let mut hello = [0; HELLO_BYTES];
        let state = pair.begin(seed).and_then(|mut state| {
            let written = state.write_message(&line::inside_hello(at), &mut hello)?;
            assert!(written == HELLO_BYTES, "both have the same suite");
            Ok(state)
        });
        // Keys that cannot be used are all that may be wrong here.
        state.map(|state| (Self(Box::new(state)), hello)).map_err(|_| NOT_AUTHENTIC)
    }

    /// What was answered: the session, and how the other side numbers it.
    pub fn end(
        mut self,
        welcome: &[u8; WELCOME_BYTES],
    ) -> Result<(Channel, SessionId), SessionStatus> {
        let mut inside = [0; WELCOME_BYTES];
        let read = self.0.read_message(welcome, &mut inside).map_err(|_| NOT_AUTHENTIC)?;
        let session = line::read_welcome(inside.get(..read).unwrap_or_default());
        let channel = self.0.into_transport_mode().map(Channel).map_err(|_| NOT_AUTHENTIC)?;
        Ok((channel, session.ok_or(NOT_AUTHENTIC)?))
    }
}

/// A session that somebody else has asked for.
pub struct Accepting(Box<HandshakeState>);

impl Accepting {
    /// What was said, if it is authentic, and when that was. The entropy is used by
    /// [`Self::end`] only.
    pub fn begin(
        pair: Pair<'_>,
        seed: &Seed,
        hello: &[u8; HELLO_BYTES],
    ) -> Result<(Self, Mono), SessionStatus> {
        let mut state = pair.await_hello(seed).map_err(|_| NOT_AUTHENTIC)?;
        let mut inside = [0; HELLO_BYTES];
        let read = state.read_message(hello, &mut inside).map_err(|_| NOT_AUTHENTIC)?;
        let at = line::read_hello(inside.get(..read).unwrap_or_default()).ok_or(NOT_AUTHENTIC)?;
        Ok((Self(Box::new(state)), at))
    }

    /// The session, which is ours under this number, and what to answer.
    pub fn end(
        mut self,
        session: SessionId,
    ) -> Result<(Channel, [u8; WELCOME_BYTES]), SessionStatus> {
        let mut welcome = [0; WELCOME_BYTES];
        let written = self.0.write_message(&line::inside_welcome(session), &mut welcome);
        assert!(written.is_err() || written == Ok(WELCOME_BYTES), "both have the same suite");
        written.map_err(|_| NOT_AUTHENTIC)?;
        let channel = self.0.into_transport_mode().map(Channel).map_err(|_| NOT_AUTHENTIC)?;
        Ok((channel, welcome))
    }
}

/// What only two can read.
pub struct Channel(TransportState);

impl Channel {
    /// Seals the next message to the other side. Once sealed it must be sent or never.
    pub fn seal<'b>(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        room: &'b mut Sealing,
    ) -> Result<Sealed<'b>, EncodeError> {
        let counter = self.0.sending_nonce();
        let inside = line::inside(kind, bytes, &mut room.inside)?;
        let len = self.0.write_message(inside, &mut room.sealed).map_err(|_| EncodeError)?;
        Ok(Sealed { counter, bytes: room.sealed.get(..len).unwrap_or_default() })
    }

    /// Opens what must be the next message from the other side; if it is not, nothing changes.
    pub fn open<'b>(
        &mut self,
        sealed: Sealed<'_>,
        room: &'b mut [u8],
    ) -> Result<(Kind, &'b [u8]), SessionStatus> {
        let next = self.0.receiving_nonce();
        if sealed.counter != next {
            let is_old = sealed.counter < next;
            return Err(if is_old { SessionStatus::Replayed } else { SessionStatus::OutOfOrder });
        }
        let read = self.0.read_message(sealed.bytes, room).map_err(|_| NOT_AUTHENTIC)?;
        line::read_inside(room.get(..read).unwrap_or_default()).ok_or(NOT_AUTHENTIC)
    }
}
