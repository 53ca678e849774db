//! Calls of the service to other daemons: one connection each, answers in the order of the calls.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallId, SubmitError};
use rustix::net::SocketAddrUnix;

use super::counters::Counters;
use super::poller::{Poller, Source};
use crate::linux::clock::monotonic;
use crate::linux::socket::{self, FrameBuffer, Received};

/// Calls that may be under way at a time, to all daemons together.
const IN_FLIGHT_MAX: usize = 64;

/// It is said at most once in so long that a callee is waited for.
const PACE: Nanos = Nanos::from_secs(1);

struct InFlight {
    call: CallId,
    /// The connection it was sent over.
    life: u32,
}

struct Callee {
    /// What people are told while it is away.
    wait: String,
    service: ServiceId,
    /// Where it listens for us: our own socket if it serves us one, else its main socket.
    addresses: [SocketAddrUnix; 2],
    link: Option<OwnedFd>,
    /// Connections so far.
    life: u32,
    in_flight: VecDeque<InFlight>,
    /// Whether it was said that it is waited for, and when that was said last.
    waiting: bool,
    said: Option<Mono>,
}

/// What came back from a callee, or from the disk thread.
pub(super) enum Answer {
    /// The answer to a call, so many bytes of the buffer.
    Frame(CallId, usize),
    /// A call whose connection broke before its answer came.
    Died(CallId),
}

/// All daemons that may be called.
pub(super) struct Calls {
    callees: Box<[Callee]>,
}

impl Calls {
    /// Calls of the service `own` to the daemons `names` in `run_dir`.
    pub(super) fn new(run_dir: &Path, own: &str, names: &[&str]) -> io::Result<Self> {
        let callee = |name: &&str| {
            let file = format!("{name}.sock");
            let served = socket::address(&run_dir.join("svc").join(own).join(&file))?;
            let main = run_dir.join(&file);
            Ok(Callee {
                wait: format!("{own}: waiting for {name} at {}\n", main.display()),
                service: ServiceId::from_name(name),
                addresses: [served, socket::address(&main)?],
                link: None,
                life: 0,
                in_flight: VecDeque::with_capacity(IN_FLIGHT_MAX),
                waiting: false,
                said: None,
            })
        };
        Ok(Self { callees: names.iter().map(callee).collect::<io::Result<_>>()? })
    }

    /// How many daemons may be called.
    pub(super) fn len(&self) -> usize {
        self.callees.len()
    }

    /// Whether some answer can be had without waiting: a call died.
    pub(super) fn any_died(&self) -> bool {
        self.callees.iter().any(|callee| callee.first_died().is_some())
    }

    /// As [`nexus_port::World::submit`].
    pub(super) fn submit(
        &mut self,
        poller: &Poller,
        to: ServiceId,
        call: CallId,
        frame: &[u8],
    ) -> Result<(), SubmitError> {
        let in_flight: usize = self.callees.iter().map(|callee| callee.in_flight.len()).sum();
        let mut callees = (0u32..).zip(self.callees.iter_mut());
        let callee = callees.find(|(_, callee)| callee.service == to);
        let (at, callee) = callee.ok_or(SubmitError::NotReady)?;
        if in_flight >= IN_FLIGHT_MAX {
            return Err(SubmitError::Busy);
        }
        // A connection that broke since it was last used is replaced by a fresh one, once.
        let sent = callee.send(poller, at, frame).or_else(|error| match error {
            SubmitError::NotReady => callee.send(poller, at, frame),
            SubmitError::Busy => Err(error),
        });
        if sent.is_ok() {
            callee.in_flight.push_back(InFlight { call, life: callee.life });
        }
        sent
    }

    /// The next thing that came back from the callee at `at`; `None` if there is none now.
    pub(super) fn receive(
        &mut self,
        at: usize,
        buffer: &mut FrameBuffer,
        counters: &mut Counters,
    ) -> Option<Answer> {
        let callee = self.callees.get_mut(at)?;
        loop {
            if let Some(call) = callee.first_died() {
                callee.in_flight.pop_front();
                counters.calls_died += 1;
                return Some(Answer::Died(call));
            }
            match socket::receive(callee.link.as_ref()?, buffer) {
                Ok(Received::Nothing) => return None,
                Ok(Received::Frame(len)) => match callee.in_flight.pop_front() {
                    Some(InFlight { call, .. }) => return Some(Answer::Frame(call, len)),
                    None => {
                        counters.calls_unasked += 1;
                        callee.link = None;
                    }
                },
                Ok(Received::Oversized | Received::End) | Err(_) => callee.link = None,
            }
        }
    }
}

impl Callee {
    /// The oldest call, if its connection is gone.
    fn first_died(&self) -> Option<CallId> {
        let first = self.in_flight.front()?;
        (self.link.is_none() || first.life != self.life).then_some(first.call)
    }

    fn send(&mut self, poller: &Poller, at: u32, frame: &[u8]) -> Result<(), SubmitError> {
        if self.link.is_none() {
            self.link = self.connect(poller, at).ok();
            self.note_whether_there(monotonic());
            self.life = self.life.wrapping_add(1);
        }
        let link = self.link.as_ref().ok_or(SubmitError::NotReady)?;
        socket::send(link, frame).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => SubmitError::Busy,
            _ => {
                self.link = None;
                SubmitError::NotReady
            }
        })
    }

    /// Says once that the callee is waited for, each time that it is gone, and not twice a second.
    fn note_whether_there(&mut self, now: Mono) {
        let gone = self.link.is_none();
        let soon = self.said.is_some_and(|said| now.since(said) < PACE);
        if gone && !self.waiting && !soon {
            // A console that is gone must not stop the service.
            drop(io::stderr().write_all(self.wait.as_bytes()));
            self.said = Some(now);
            self.waiting = true;
        } else if !gone {
            self.waiting = false;
        }
    }

    fn connect(&self, poller: &Poller, at: u32) -> io::Result<OwnedFd> {
        let [served, main] = &self.addresses;
        let link = match socket::connect(served) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => socket::connect(main),
            other => other,
        }?;
        poller.add(&link, Source::Callee(at))?;
        Ok(link)
    }
}
