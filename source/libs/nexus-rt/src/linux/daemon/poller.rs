//! What the loop waits for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nexus_bounded::{Nanos, SlotId};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::linux::socket::timespec;

/// Events taken from the kernel at a time.
const EVENTS_MAX: usize = 256;

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// A signal came.
    Signal,
    /// Somebody wants to connect to the listener of this number.
    Listener(u32),
    /// A connection can be read, or written if it waits for that, or is at its end.
    Connection(SlotId),
    /// An answer came from the callee of this number.
    Callee(u32),
    /// An answer came from the disk thread, or it has ended.
    Disk,
}

impl Source {
    fn pack(self) -> EventData {
        let (kind, at) = match self {
            Self::Signal => (0, 0),
            Self::Listener(at) => (1, at),
            Self::Connection(slot) => (2, slot.0),
            Self::Callee(at) => (3, at),
            Self::Disk => (4, 0),
        };
        EventData::new_u64((kind << 32) | u64::from(at))
    }

    fn unpack(data: EventData) -> Self {
        let data = data.u64();
        let at = (data & u64::from(u32::MAX)) as u32;
        match data >> 32 {
            0 => Self::Signal,
            1 => Self::Listener(at),
            2 => Self::Connection(SlotId(at)),
            3 => Self::Callee(at),
            _ => Self::Disk,
        }
    }
}

/// The set of descriptors we wait for. A descriptor leaves it when it is closed.
pub(super) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Waits for `source` to be readable.
    pub(super) fn add(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, source.pack(), EventFlags::IN)?)
    }

    /// From now on waits for `source` to be readable.
    pub(super) fn want_read(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, source.pack(), EventFlags::IN)?)
    }

    /// From now on waits for `source` to be writable, and no longer for it to be readable.
    pub(super) fn want_write(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, source.pack(), EventFlags::OUT)?)
    }

    /// From now on waits for nothing of `source`.
    pub(super) fn want_nothing(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, source.pack(), EventFlags::empty())?)
    }

    /// Waits until something happens or `timeout` has passed, without end if there is none.
    pub(super) fn wait(&self, ready: &mut Ready, timeout: Option<Nanos>) -> io::Result<()> {
        ready.events.clear();
        let timeout = timeout.map(timespec);
        match epoll::wait(&self.epoll, spare_capacity(&mut ready.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What happened, all memory taken at the start.
pub(super) struct Ready {
    events: Vec<Event>,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self { events: Vec::with_capacity(EVENTS_MAX) }
    }

    /// How many events came.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The event of this number.
    pub(super) fn get(&self, at: usize) -> Option<Source> {
        self.events.get(at).map(|event| Source::unpack(event.data))
    }
}
