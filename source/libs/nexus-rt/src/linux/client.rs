//! A program's connection to a daemon.
//!
//! ```no_run
//! use nexus_rt::linux::client::{Connection, run_dir};
//!
//! let mut metricsd = Connection::open(run_dir(), "metricsd")?;
//! let ping = *b"MT\x01\x06\x07\0\0\0";
//! let mut reply = [0; 4096];
//! let len = metricsd.call(&ping, &mut reply)?;
//! assert_eq!(&reply[..len], b"MT\x01\x86\0\x07\0\0\0");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! When a connection breaks, opening another one is the caller's decision: only the caller knows
//! what was under way and whether it may be said twice.

use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Nanos;
use rustix::event::PollFlags;

use super::socket::{self, FrameBuffer, Received};

/// How long [`Connection::call`] waits unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// The run directory that `NEXUS_RUN_DIR` names, else `/run/nexus`.
#[must_use]
pub fn run_dir() -> PathBuf {
    env::var_os("NEXUS_RUN_DIR").map_or_else(|| PathBuf::from("/run/nexus"), PathBuf::from)
}

/// A connection to a daemon: frames out, replies in, in order.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    patience: Duration,
    frame: Box<FrameBuffer>,
}

impl Connection {
    /// Connects to `RUN_DIR/<daemon>.sock`. A run directory may be the folder of one service
    /// (`DIR/svc/<name>`): then the program speaks as that service.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` if the daemon does not run, `WouldBlock` if too many wait
    /// for it; the text names the path.
    pub fn open(run_dir: impl AsRef<Path>, daemon: &str) -> io::Result<Self> {
        let path = run_dir.as_ref().join(format!("{daemon}.sock"));
        let socket = socket::connect(&socket::address(&path)?).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Ok(Self { socket, patience: PATIENCE, frame: Box::new([0; FRAME_BYTES_MAX]) })
    }

    /// Lets [`Self::call`] wait for at most `patience`.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends `frame` and waits for its reply, which goes to the front of `reply`; gives its length.
    /// No other reply may be outstanding.
    ///
    /// # Errors
    /// `TimedOut` after 5 seconds (see [`Self::set_patience`]): the reply may still come, so the
    /// connection is of no more use for calls. `UnexpectedEof` or `BrokenPipe` if the daemon went
    /// away, `InvalidInput` for a frame over 4096 bytes, `StorageFull` if `reply` is too short.
    pub fn call(&mut self, frame: &[u8], reply: &mut [u8]) -> io::Result<usize> {
        let until = Instant::now() + self.patience;
        while let Err(error) = self.send(frame) {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            self.wait(PollFlags::OUT, until)?;
        }
        self.receive_until(reply, until)
    }

    /// Sends `frame` without waiting for anything.
    ///
    /// # Errors
    /// `WouldBlock` if the daemon is behind, `BrokenPipe` if it went away, `InvalidInput` for a
    /// frame over 4096 bytes.
    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        socket::send(&self.socket, frame)
    }

    /// Takes the next reply if it has come, to the front of `reply`; gives its length.
    ///
    /// # Errors
    /// `WouldBlock` if none has come, `UnexpectedEof` if none will come any more, `StorageFull` if
    /// it is longer than `reply`: then it is lost.
    pub fn try_recv(&mut self, reply: &mut [u8]) -> io::Result<usize> {
        let len = match socket::receive(&self.socket, &mut self.frame)? {
            Received::Frame(len) => len,
            Received::Oversized => return Err(io::ErrorKind::StorageFull.into()),
            Received::Nothing => return Err(io::ErrorKind::WouldBlock.into()),
            Received::End => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let into = reply.get_mut(..len).ok_or(io::ErrorKind::StorageFull)?;
        into.copy_from_slice(&self.frame[..len]);
        Ok(len)
    }

    /// As [`Self::try_recv`], but waits for the reply, for at most `patience`.
    ///
    /// # Errors
    /// `TimedOut` if none came; else as [`Self::try_recv`].
    pub fn recv(&mut self, reply: &mut [u8], patience: Duration) -> io::Result<usize> {
        self.receive_until(reply, Instant::now() + patience)
    }

    fn receive_until(&mut self, reply: &mut [u8], until: Instant) -> io::Result<usize> {
        loop {
            match self.try_recv(reply) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::IN, until)?;
                }
                other => return other,
            }
        }
    }

    fn wait(&self, what: PollFlags, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left = Nanos(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
        socket::wait(&self.socket, what, left)
    }
}

impl AsFd for Connection {
    /// To wait for it together with others; readable when a reply or the end has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
