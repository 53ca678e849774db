use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_wire::entropy;
use nexus_wire::sessions::SessionStatus;

use crate::noise::Seed;

const SEEDS: usize = 8;
const SEED_BYTES: usize = size_of::<Seed>();
/// From here on more are asked for.
const FEW: usize = SEEDS / 2;
/// For how long entropyd is waited for.
const PATIENCE: Nanos = Nanos::from_secs(1);
/// Before it is asked again after a refusal.
const PAUSE: Nanos = Nanos::from_millis(20);

const _: () = assert!(SEEDS * SEED_BYTES <= entropy::ENTROPY_BYTES_MAX, "one reply has them all");

/// Entropy for the next handshakes, fetched before it is needed.
pub(crate) struct Seeds {
    have: [Seed; SEEDS],
    count: usize,
    call: OneCall,
    nonce: u32,
    /// When entropyd may be asked again.
    again: Mono,
}

impl Seeds {
    pub(crate) const fn new(first: CallId) -> Self {
        let call = OneCall::new(ServiceId::from_name("entropyd"), first);
        Self { have: [[0; SEED_BYTES]; SEEDS], count: 0, call, nonce: 0, again: Mono(0) }
    }

    /// Spends the next one on what is made of it. It stays for the next time if nothing was made.
    ///
    /// # Errors
    /// `not_ready`: there is none; else why nothing was made.
    pub(crate) fn spend<T>(
        &mut self,
        make: impl FnOnce(&Seed) -> Result<T, SessionStatus>,
    ) -> Result<T, SessionStatus> {
        let (last, rest) = self
            .have
            .get_mut(..self.count)
            .and_then(<[Seed]>::split_last_mut)
            .ok_or(SessionStatus::NotReady)?;
        let made = make(last)?;
        (*last, self.count) = ([0; SEED_BYTES], rest.len());
        Ok(made)
    }

    /// Asks for more if there are few.
    pub(crate) fn refill(&mut self, now: Mono, world: &mut impl World) {
        if !self.is_low() || self.call.is_open() || now < self.again {
            return;
        }
        self.nonce = self.nonce.wrapping_add(1);
        let bytes = (SEEDS - self.count) * SEED_BYTES;
        let frame = entropy::request(self.nonce, bytes as u16);
        if self.call.begin(&frame, now.after(PATIENCE), world).is_err() {
            self.again = now.after(PAUSE);
        }
    }

    /// A call has ended, maybe ours; whether it was.
    pub(crate) fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
    ) -> bool {
        let Some(result) = self.call.ended(call, result) else { return false };
        let answer = result.ok().and_then(|frame| entropy::decode_reply(self.nonce, frame));
        match answer {
            Some(Ok(bytes)) => self.take(bytes),
            _ => self.again = now.after(PAUSE),
        }
        true
    }

    fn take(&mut self, bytes: &[u8]) {
        let places = self.have.iter_mut().skip(self.count);
        for (place, bytes) in places.zip(bytes.as_chunks().0) {
            *place = *bytes;
            self.count += 1;
        }
    }

    pub(crate) fn expire(&mut self, now: Mono) {
        self.call.expired(now);
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        let again = (self.is_low() && !self.call.is_open()).then_some(self.again);
        self.call.deadline().or(again)
    }

    const fn is_low(&self) -> bool {
        self.count <= FEW
    }
}
