use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::sessions::SESSION_BYTES_MAX;
use nexus_wire::sessions::line::{INSIDE_BYTES_MAX, SEALED_BYTES_MAX};

/// Where messages are made and read, one at a time; taken once.
pub struct Rooms {
    pub sealing: Sealing,
    /// What was sealed, open again.
    pub open: Box<[u8]>,
    /// What is answered.
    pub answer: Box<[u8]>,
    /// A reply.
    pub reply: Box<[u8]>,
}

/// Where a message is sealed.
pub struct Sealing {
    pub inside: Box<[u8]>,
    pub sealed: Box<[u8]>,
}

impl Rooms {
    pub fn new() -> Self {
        Self {
            sealing: Sealing { inside: room(INSIDE_BYTES_MAX), sealed: room(SEALED_BYTES_MAX) },
            open: room(SEALED_BYTES_MAX),
            answer: room(SESSION_BYTES_MAX),
            reply: room(FRAME_BYTES_MAX),
        }
    }
}

/// Room for so many bytes.
pub fn room(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into()
}
