//! SIGTERM and SIGINT as something to wait for.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// From now on a file that would grow beyond what the process may write is an error like a full
/// disk, and no longer the end of the process.
pub(super) fn outlive_file_limits() -> io::Result<()> {
    flag::register(libc::SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Readable once one of the signals came. Dropped, it leaves the signals to their defaults.
pub(super) struct Signals {
    readable: UnixStream,
    handlers: [SigId; 2],
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let (readable, on_term) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        let on_int = on_term.try_clone()?;
        let handlers = [
            low_level::pipe::register(SIGTERM, on_term)?,
            low_level::pipe::register(SIGINT, on_int)?,
        ];
        Ok(Self { readable, handlers })
    }

    /// Forgets the signals that came.
    pub(super) fn drain(&self) -> io::Result<()> {
        match (&self.readable).read(&mut [0; 64]) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handlers.into_iter().for_each(|handler| {
            low_level::unregister(handler);
        });
    }
}
