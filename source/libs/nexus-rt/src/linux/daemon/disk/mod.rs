//! The state disk of a daemon: a service of files on a thread of its own, over an image in a
//! folder.
//!
//! The service is the one that owns the disk in the guest, with the same frames; here it serves
//! one caller, the daemon that hosts it. The daemon's loop puts a call into a free [`lanes`] and
//! goes on; the [`thread`] takes it, lets the service handle it, carries out what the service asks
//! of its disk by waiting for it, and wakes the loop when an answer lies there. However slow the
//! disk is, the loop never waits for it.
//!
//! Invariants: memory is taken before the thread starts, on both sides; a call that was taken comes
//! back once, also if the thread dies; nothing is written to the image before the number of this
//! start is durable beside it, and the image's place is reserved.
//!
//! Deliberately absent: a second caller, a queue beyond the lanes, and another way to files.

mod folder;
mod holder;
mod image;
mod lanes;
mod thread;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use nexus_abi::ServiceId;
use nexus_port::{BLOCKS_MAX, BlockDevice, CallId, Service, SubmitError};
use nexus_recipe::MemoryLine;

pub use self::image::Image;
use self::lanes::{CALLS_MAX, Lane, Shared};
use self::thread::{Hosting, STACK_BYTES};
use super::calls::Answer;
use super::poller::{Poller, Source};
use crate::linux::socket::FrameBuffer;

/// The daemon's end of its disk thread.
pub(super) struct Disk {
    service: ServiceId,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// What people are told if the thread dies.
    obituary: String,
    is_mourned: bool,
}

/// What a disk thread takes for itself, beside the service that it runs.
pub(super) fn memory() -> Vec<MemoryLine> {
    let line = |what, count: usize, bytes_each: usize| MemoryLine {
        what,
        count: count as u64,
        bytes_each: bytes_each as u64,
    };
    vec![
        line("calls of the state disk", CALLS_MAX, size_of::<Lane>()),
        line("requests of the state disk", BLOCKS_MAX + 1, image::REQUEST_BYTES),
        line("the disk thread's stack", 1, STACK_BYTES),
    ]
}

impl Disk {
    /// Starts the thread that runs `hosted`, which the daemon `daemon` calls as `service`, on
    /// `device`.
    pub(super) fn start<H, D>(
        daemon: &str,
        service: &str,
        hosted: H,
        device: D,
        poller: &Poller,
    ) -> io::Result<Self>
    where
        H: Service + Send + 'static,
        D: BlockDevice + Send + 'static,
    {
        let shared = Arc::new(Shared::new()?);
        poller.add(&shared.answers, Source::Disk)?;
        let hosting = Hosting::new(daemon, hosted, device, Arc::clone(&shared));
        let thread = thread::start(service, hosting)?;
        Ok(Self {
            service: ServiceId::from_name(service),
            shared,
            thread: Some(thread),
            obituary: format!(
                "{daemon}: its disk thread has died; nothing is kept until {daemon} is started \
                 again"
            ),
            is_mourned: false,
        })
    }

    /// Whether calls to `service` are its.
    pub(super) fn serves(&self, service: ServiceId) -> bool {
        self.service == service
    }

    /// As [`nexus_port::World::submit`].
    pub(super) fn submit(&self, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.shared.lanes().ask(call, frame)?;
        self.shared.work.notify_one();
        Ok(())
    }

    /// The next answer that lies there; it is copied to `frame`.
    pub(super) fn receive(&self, frame: &mut FrameBuffer) -> Option<Answer> {
        self.shared.lanes().next_answer(frame)
    }

    /// How many answers can lie there at most.
    pub(super) const ANSWERS_MAX: usize = CALLS_MAX;

    /// Forgets that it was woken: what lies there is looked at now.
    pub(super) fn woken(&self) {
        self.shared.drain();
    }

    /// What is to be said of the thread's death, once.
    pub(super) fn obituary(&mut self) -> Option<&str> {
        let is_news = !self.is_mourned && self.shared.lanes().has_died();
        self.is_mourned |= is_news;
        is_news.then_some(self.obituary.as_str())
    }

    /// Asks the thread to end when all is durable; `true` once it has.
    pub(super) fn stop(&mut self) -> bool {
        let is_over = self.shared.lanes().stop();
        self.shared.work.notify_one();
        if is_over && let Some(thread) = self.thread.take() {
            // How it ended was told already.
            drop(thread.join());
        }
        is_over
    }

    /// Whether the thread has ended.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_none()
    }

    /// As [`nexus_port::World::port_status`].
    pub(super) fn status(&self, out: &mut dyn FnMut(&str, u64)) {
        self.shared.lanes().status(out);
    }
}
