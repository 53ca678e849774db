//! A client library's way to a daemon.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use nexus_bounded::Nanos;
use nexus_port::{Closed, SendError, Transport};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::client::Connection;
use super::socket::timespec;
use crate::clients::Way;

/// A connection that can be made again, as the client libraries want it.
#[derive(Debug)]
pub struct Link {
    run_dir: PathBuf,
    daemon: &'static str,
    connection: Option<Connection>,
    watch: Option<Arc<Watch>>,
}

impl Link {
    /// A way to `RUN_DIR/<daemon>.sock`; nothing is connected yet.
    pub fn new(run_dir: impl Into<PathBuf>, daemon: &'static str) -> Self {
        Self { run_dir: run_dir.into(), daemon, connection: None, watch: None }
    }

    /// As [`Self::new`]; whoever waits for `watch` wakes up when a reply or the end has come.
    pub(super) fn watched(run_dir: PathBuf, daemon: &'static str, watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch), ..Self::new(run_dir, daemon) }
    }

    fn open(&mut self) -> io::Result<()> {
        self.close();
        let connection = Connection::open(&self.run_dir, self.daemon)?;
        if let Some(watch) = &self.watch {
            watch.add(&connection)?;
        }
        self.connection = Some(connection);
        Ok(())
    }
}

impl Way for Link {
    fn is_connected(&self) -> bool {
        self.connection.is_some()
    }
}

impl Transport for Link {
    fn connect(&mut self) -> Result<(), Closed> {
        self.open().map_err(|_| Closed)
    }

    fn close(&mut self) {
        if let (Some(connection), Some(watch)) = (self.connection.take(), &self.watch) {
            watch.remove(&connection);
        }
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

/// Several descriptors to wait for at once, from one thread, while others open and close them.
#[derive(Debug)]
pub(super) struct Watch {
    epoll: OwnedFd,
}

impl Watch {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// From now on `fd` wakes who waits when it can be read.
    pub(super) fn add(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(0), EventFlags::IN)?)
    }

    /// Closing alone is not enough: a forked child may hold a copy.
    fn remove(&self, fd: impl AsFd) {
        // One that is not in there any more is what was wanted.
        epoll::delete(&self.epoll, fd).unwrap_or(());
    }

    /// Waits for at most `timeout`; `true` if one of them can be read. It may return early.
    pub(super) fn wait(&self, timeout: Nanos) -> bool {
        let mut events = [const { MaybeUninit::<Event>::uninit() }; 4];
        let woken = epoll::wait(&self.epoll, &mut events, Some(&timespec(timeout)));
        woken.is_ok_and(|(ready, _)| !ready.is_empty())
    }
}
