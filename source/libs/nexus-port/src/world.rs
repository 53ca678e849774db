use core::fmt;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;

use crate::{BlockRequest, Event, Now};

/// Names a request until it is answered. Opaque to services.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token(u64);

impl Token {
    /// A token as the port numbers them.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The port's number.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// A service's own name for a call it made, or a request to the disk; it comes back with its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallId(pub u32);

/// Why a call could not be made. Nothing was sent, and no completion will come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubmitError {
    /// As many calls as the world carries for us, to all callees together, are under way. Try after
    /// a completion: its place is free already while it is handled.
    Busy,
    /// Nobody serves under that name now. Try later.
    NotReady,
}

/// Requests for the disk that may be under way, each of at most [`BLOCK_SECTORS_MAX`] sectors.
pub const BLOCKS_MAX: usize = 4;

/// Sectors that one request reads or writes at most.
pub const BLOCK_SECTORS_MAX: u32 = 64;

/// What a service can have done. Nothing here blocks, fails late, or calls back. Frames are at most
/// [`nexus_abi::FRAME_BYTES_MAX`] bytes.
pub trait World {
    /// Answers a request. If its sender is gone meanwhile the answer is dropped by the port. A port
    /// may hold it back until the earlier requests of the same connection are answered.
    fn reply(&mut self, token: Token, frame: &[u8]);

    /// Answers a request cumulatively: the port may send only the last of several
    /// acknowledgements to one connection. Only for frames whose meaning includes the earlier ones.
    /// A call made by [`World::submit`] is owed its own completion: where a port leaves
    /// acknowledgements out, such frames go by a transport that reads them itself.
    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.reply(token, frame);
    }

    /// Hands `frame` to the service `to`. The bytes are copied before this returns. A call cannot
    /// be taken back; if we end before its completion, it may never be received.
    ///
    /// # Errors
    /// [`SubmitError`], at once; otherwise exactly one [`Event::Completion`] follows.
    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError>;

    /// Asks the disk for something; what is written is copied before this returns. Where there is
    /// a disk, [`BLOCKS_MAX`] requests may be under way.
    ///
    /// # Errors
    /// [`SubmitError`], at once: [`SubmitError::NotReady`] where there is no disk. Otherwise
    /// exactly one [`Event::Block`] follows.
    #[expect(unused_variables, reason = "most worlds have no disk for their services")]
    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    /// Prints one whole line on the console. For markers and state changes only.
    fn print(&mut self, line: &str);

    /// Names every total that the port keeps of its own doings (connections cut off, answers that
    /// nobody took, ..), for status replies. Keys are `[a-z0-9_]` and begin with `port_`; a port
    /// without any names none.
    #[expect(unused_variables, reason = "a port without totals")]
    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {}
}

/// A service: one state machine.
pub trait Service {
    /// Handles one event. Must not block; all consequences go through `world`.
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World);

    /// When the service next wants [`Event::Wake`], if nothing else happens before.
    fn deadline(&self) -> Option<Mono>;

    /// Whether, after [`Event::Stop`], nothing is left to do, calls under way included.
    fn stopped(&self) -> bool;

    /// Writes in words what is lost if the service ends now, such as `3 records not sent`; nothing
    /// if nothing is. For people, when it ends.
    ///
    /// # Errors
    /// Those of `out`.
    #[expect(unused_variables, reason = "a service that leaves nothing undone")]
    fn undone(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }

    /// Asserts what holds whenever no event is being handled. Simulated worlds, and ports in debug
    /// builds, call it after every event.
    fn check_invariants(&self) {}
}
