use nexus_port::{CallId, Token};

use crate::fabric::LifeId;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Back {
    /// To a service, as the completion of its call.
    Call(CallId),
    /// To a scripted client.
    Ticket(u64),
    /// To a link, in the order of its requests.
    Link(u64),
    /// To nobody.
    Nobody,
}

/// A request that has no answer yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) caller: LifeId,
    pub(crate) back: Back,
    /// Number of the process that owes the answer.
    pub(crate) callee: usize,
}

/// All requests without an answer. A token names one of them once and for all: a slot's next
/// request has another generation.
#[derive(Default)]
pub(crate) struct Requests {
    slots: Vec<(u32, Option<Request>)>,
    free: Vec<u32>,
}

impl Requests {
    pub(crate) fn open(&mut self, request: Request) -> Token {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let (generation, place) = &mut self.slots[slot as usize];
        *place = Some(request);
        Token::from_raw(u64::from(*generation) << 32 | u64::from(slot))
    }

    pub(crate) fn is_open(&self, token: Token) -> bool {
        let (generation, slot) = split(token);
        self.slots.get(slot).is_some_and(|(now, place)| *now == generation && place.is_some())
    }

    /// Ends a request; `None` if it has ended before, or never was.
    pub(crate) fn close(&mut self, token: Token) -> Option<Request> {
        let (generation, slot) = split(token);
        let (now, place) = self.slots.get_mut(slot)?;
        if *now != generation {
            return None;
        }
        let request = place.take()?;
        *now = now.wrapping_add(1);
        self.free.push(u32::try_from(slot).unwrap_or(u32::MAX));
        Some(request)
    }

    /// Tokens of the requests that `callee` owes an answer.
    pub(crate) fn owed_by(&self, callee: usize) -> Vec<Token> {
        let owed = |request: &Request| request.callee == callee;
        (0u32..)
            .zip(&self.slots)
            .filter(|(_, (_, place))| place.as_ref().is_some_and(owed))
            .map(|(slot, (generation, _))| {
                Token::from_raw(u64::from(*generation) << 32 | u64::from(slot))
            })
            .collect()
    }
}

const fn split(token: Token) -> (u32, usize) {
    ((token.raw() >> 32) as u32, (token.raw() & 0xffff_ffff) as usize)
}
