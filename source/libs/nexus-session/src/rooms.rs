use alloc::boxed::Box;
use alloc::vec;

use nexus_wire::sessions::SESSION_BYTES_MAX;
use nexus_wire::sessions::line::{INSIDE_BYTES_MAX, SEALED_BYTES_MAX, WELCOME_BYTES};

/// Where messages are made and read, one at a time; taken once.
pub struct Rooms {
    /// Where the next message is sealed.
    pub sealing: Sealing,
    /// What was sealed, open again.
    pub open: Box<[u8]>,
    /// What is answered.
    pub(crate) answer: Box<[u8]>,
    /// What is answered to a hello.
    pub(crate) welcome: [u8; WELCOME_BYTES],
}

/// Where a message is sealed.
pub struct Sealing {
    pub(crate) inside: Box<[u8]>,
    pub(crate) sealed: Box<[u8]>,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        Self {
            sealing: Sealing { inside: room(INSIDE_BYTES_MAX), sealed: room(SEALED_BYTES_MAX) },
            open: room(SEALED_BYTES_MAX),
            answer: room(SESSION_BYTES_MAX),
            welcome: [0; WELCOME_BYTES],
        }
    }
}

/// Room for so many bytes.
pub(crate) fn room(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into()
}
