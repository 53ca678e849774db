//! A client library's way to a service of the simulated world.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use nexus_abi::{FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_port::{Closed, SendError, Transport};

use crate::fabric::LifeId;

/// One end of a link: the [`Transport`] that a client library drives. What it sends is on its way
/// as soon as the world runs; each connection is a new life of the sender.
pub struct Link(Rc<RefCell<Wire>>);

impl Link {
    /// Whether an answer has come, or the connection has broken.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let wire = self.0.borrow();
        !wire.inbox.is_empty() || !wire.open
    }
}

/// What both ends share.
#[derive(Default)]
pub(crate) struct Wire {
    /// Number of the present connection, or of the last one.
    connection: u64,
    open: bool,
    /// Whether somebody serves at the other end.
    pub(crate) serving: bool,
    /// Frames that the world has not taken yet.
    outbox: VecDeque<Vec<u8>>,
    /// Answers that the client has not taken yet, and whether they are cumulative.
    inbox: VecDeque<(Vec<u8>, bool)>,
    /// Requests that the world has taken and not answered.
    under_way: u32,
    capacity: u32,
}

impl Wire {
    /// What is still under way belongs to no connection any more.
    fn close(&mut self) {
        self.connection += 1;
        self.open = false;
        self.outbox.clear();
        self.inbox.clear();
    }
}

impl Transport for Link {
    fn connect(&mut self) -> Result<(), Closed> {
        let mut wire = self.0.borrow_mut();
        if !wire.serving {
            return Err(Closed);
        }
        let Wire { connection, serving, capacity, .. } = *wire;
        *wire =
            Wire { connection: connection + 1, open: true, serving, capacity, ..Wire::default() };
        Ok(())
    }

    fn close(&mut self) {
        self.0.borrow_mut().close();
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        assert!(frame.len() <= FRAME_BYTES_MAX, "a client sent {} bytes", frame.len());
        let mut wire = self.0.borrow_mut();
        if !wire.open {
            return Err(SendError::Closed);
        }
        if wire.outbox.len() as u64 + u64::from(wire.under_way) >= u64::from(wire.capacity) {
            return Err(SendError::Full);
        }
        wire.outbox.push_back(frame.to_vec());
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let mut wire = self.0.borrow_mut();
        let Some((frame, _)) = wire.inbox.pop_front() else {
            return if wire.open { Ok(None) } else { Err(Closed) };
        };
        let Some(front) = into.get_mut(..frame.len()) else {
            wire.close();
            return Err(Closed);
        };
        front.copy_from_slice(&frame);
        Ok(Some(frame.len()))
    }
}

/// What the world wants to know of a link since it looked last.
pub(crate) enum LinkNews {
    /// The connection it knew is over.
    Ended,
    /// There is a new connection.
    Began,
    /// A frame was sent on it.
    Frame(Vec<u8>),
}

/// The world's end of a link.
pub(crate) struct LinkEnd {
    wire: Rc<RefCell<Wire>>,
    pub(crate) name: ServiceId,
    pub(crate) rights: Rights,
    pub(crate) to: ServiceId,
    /// The life of the present connection.
    pub(crate) life: Option<LifeId>,
    /// Number of the connection that `life` belongs to.
    connection: u64,
    /// Number of the next request, and of the next one to be answered to the client.
    next_sent: u64,
    next_answered: u64,
    /// Answers that came before earlier ones.
    early: BTreeMap<u64, (Vec<u8>, bool)>,
}

impl LinkEnd {
    pub(crate) fn new(
        name: ServiceId,
        rights: Rights,
        to: ServiceId,
        capacity: u32,
    ) -> (Self, Link) {
        let wire = Rc::new(RefCell::new(Wire { capacity, ..Wire::default() }));
        let end = Self {
            wire: Rc::clone(&wire),
            name,
            rights,
            to,
            life: None,
            connection: 0,
            next_sent: 0,
            next_answered: 0,
            early: BTreeMap::new(),
        };
        (end, Link(wire))
    }

    /// What the client has done, one thing after another.
    pub(crate) fn news(&mut self) -> Option<LinkNews> {
        let mut wire = self.wire.borrow_mut();
        let same = wire.open && wire.connection == self.connection;
        if self.life.is_some() && !same {
            return Some(LinkNews::Ended);
        }
        if self.life.is_none() && wire.open {
            self.connection = wire.connection;
            (self.next_sent, self.next_answered) = (0, 0);
            self.early.clear();
            return Some(LinkNews::Began);
        }
        let frame = wire.outbox.pop_front()?;
        wire.under_way += 1;
        Some(LinkNews::Frame(frame))
    }

    /// The number of the request that is sent now.
    pub(crate) const fn number(&mut self) -> u64 {
        self.next_sent += 1;
        self.next_sent - 1
    }

    /// Hands an answer to the client once all earlier ones were.
    pub(crate) fn answered(&mut self, number: u64, frame: Vec<u8>, cumulative: bool, fold: bool) {
        let mut wire = self.wire.borrow_mut();
        if wire.connection != self.connection {
            return;
        }
        self.early.insert(number, (frame, cumulative));
        while let Some((frame, cumulative)) = self.early.remove(&self.next_answered) {
            self.next_answered += 1;
            wire.under_way -= 1;
            if fold && cumulative && wire.inbox.back().is_some_and(|(_, earlier)| *earlier) {
                wire.inbox.pop_back();
            }
            wire.inbox.push_back((frame, cumulative));
        }
    }

    /// Tells the client that nobody serves any more, or somebody does again.
    pub(crate) fn set_serving(&mut self, serving: bool) {
        let mut wire = self.wire.borrow_mut();
        wire.serving = serving;
        if !serving {
            wire.open = false;
            wire.outbox.clear();
        }
    }
}
