use nexus_abi::Incarnation;

use crate::{CallError, Closed, SendError, SubmitError, Transport};

/// Calls to one service, one at a time, as a world makes them that knows no connections.
pub trait Caller {
    /// Whether we may call it at all.
    fn is_known(&self) -> bool;

    /// Makes the call; the frame is copied before this returns.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    fn submit(&mut self, frame: &[u8]) -> Result<(), SubmitError>;

    /// The first `bytes` of the answer to the call that has ended last.
    fn answer(&self, bytes: usize) -> &[u8];
}

/// A [`Transport`] over calls: one frame is under way at a time, and a connection is one with one
/// life of the callee. The answer of another life ends it unread, so that whoever uses it learns
/// that what the callee knew of them is gone.
pub struct CallLink<C> {
    caller: C,
    state: State,
    /// The life that has answered on this connection.
    life: Option<Incarnation>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Closed,
    /// Given up while its call is under way: what the call uses is not ours before its end.
    GivenUp,
    Idle,
    UnderWay,
    Answered(usize),
}

impl<C: Caller> CallLink<C> {
    /// A way that `caller` goes; nothing is connected yet.
    pub const fn new(caller: C) -> Self {
        Self { caller, state: State::Closed, life: None }
    }

    /// Whether there is a connection, as far as is known.
    pub const fn is_connected(&self) -> bool {
        !matches!(self.state, State::Closed | State::GivenUp)
    }

    /// The call has ended: with an answer of so many bytes by this life of the callee, or without.
    pub fn ended(&mut self, result: Result<(usize, Incarnation), CallError>) {
        let is_ours = matches!(self.state, State::UnderWay | State::GivenUp);
        assert!(is_ours, "a call ends once");
        self.state = match result {
            Ok((bytes, life)) if self.state == State::UnderWay && self.is_same(life) => {
                self.life = Some(life);
                State::Answered(bytes)
            }
            _ => State::Closed,
        };
    }

    fn is_same(&self, life: Incarnation) -> bool {
        self.life.is_none_or(|known| known == life)
    }
}

impl<C: Caller> Transport for CallLink<C> {
    fn connect(&mut self) -> Result<(), Closed> {
        self.close();
        if self.state == State::GivenUp || !self.caller.is_known() {
            return Err(Closed);
        }
        (self.state, self.life) = (State::Idle, None);
        Ok(())
    }

    fn close(&mut self) {
        self.state = match self.state {
            State::UnderWay | State::GivenUp => State::GivenUp,
            _ => State::Closed,
        };
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        match self.state {
            State::Closed | State::GivenUp => return Err(SendError::Closed),
            State::UnderWay | State::Answered(_) => return Err(SendError::Full),
            State::Idle => {}
        }
        match self.caller.submit(frame) {
            Ok(()) => self.state = State::UnderWay,
            Err(SubmitError::Busy) => return Err(SendError::Full),
            Err(SubmitError::NotReady) => {
                self.state = State::Closed;
                return Err(SendError::Closed);
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let bytes = match self.state {
            State::Closed | State::GivenUp => return Err(Closed),
            State::Idle | State::UnderWay => return Ok(None),
            State::Answered(bytes) => bytes,
        };
        let answer = self.caller.answer(bytes);
        let fits = into.get_mut(..answer.len()).map(|front| front.copy_from_slice(answer));
        self.state = if fits.is_some() { State::Idle } else { State::Closed };
        fits.map(|()| Some(bytes)).ok_or(Closed)
    }
}
