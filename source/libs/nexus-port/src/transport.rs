/// A client's way to one service: frames out, replies in, in order, nothing blocking.
///
/// The façades' state machines drive it; ports implement it over a socket, a channel of the OS, or
/// a queue of the simulated world. Whoever implements it loses no frame that it has accepted while
/// the connection lasts, and delivers the replies of one connection in order.
pub trait Transport {
    /// Makes a new connection, giving up the former one with all that is under way on it.
    ///
    /// # Errors
    /// [`Closed`] if nobody serves there now.
    fn connect(&mut self) -> Result<(), Closed>;

    /// Gives up the connection, if there is one.
    fn close(&mut self);

    /// Hands over one frame of at most [`nexus_abi::FRAME_BYTES_MAX`] bytes, whole or not at all.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent.
    fn send(&mut self, frame: &[u8]) -> Result<(), SendError>;

    /// Takes the next reply, if one has come, to the front of `into`: its length, or `None`. A
    /// reply that is longer than `into` counts as a broken connection.
    ///
    /// # Errors
    /// [`Closed`] if the connection is gone and every reply that came on it has been taken.
    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed>;
}

/// There is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The service is behind; try again after its next reply, or later.
    Full,
    /// There is no connection.
    Closed,
}
