//! A client library's way to a daemon.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use nexus_port::{Closed, SendError, Transport};

use super::client::Connection;

/// A connection that can be made again, as the client libraries want it.
#[derive(Debug)]
pub struct Link {
    run_dir: PathBuf,
    daemon: &'static str,
    connection: Option<Connection>,
}

impl Link {
    /// A way to `RUN_DIR/<daemon>.sock`; nothing is connected yet.
    pub fn new(run_dir: impl Into<PathBuf>, daemon: &'static str) -> Self {
        Self { run_dir: run_dir.into(), daemon, connection: None }
    }

    /// What becomes readable when a reply or the end has come.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(Connection::as_fd)
    }
}

impl Transport for Link {
    fn connect(&mut self) -> Result<(), Closed> {
        self.connection = Connection::open(&self.run_dir, self.daemon).ok();
        self.connection.as_ref().map(drop).ok_or(Closed)
    }

    fn close(&mut self) {
        self.connection = None;
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let connection = self.connection.as_mut().ok_or(SendError::Closed)?;
        connection.send(frame).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => SendError::Full,
            _ => SendError::Closed,
        })
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        match self.connection.as_mut().ok_or(Closed)?.try_recv(into) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => Err(Closed),
        }
    }
}
