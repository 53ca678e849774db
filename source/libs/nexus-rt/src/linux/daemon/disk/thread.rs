//! The thread: hands the hosted service one event after another, and waits for the disk itself.

use std::io::{self, IoSlice, Write as _};
use std::process;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, panicking};
use std::time::Duration;

use nexus_abi::{FRAME_BYTES_MAX, Incarnation, Rights, Sender, ServiceId};
use nexus_port::{
    BLOCK_SECTORS_MAX, BLOCKS_MAX, BlockDevice, BlockOutcome, BlockRequest, CallId, Event,
    SECTOR_BYTES, Service, SubmitError, Token, World,
};

use super::lanes::{CALLS_MAX, Next, Shared, Totals};
use crate::linux::clock::{Clock, monotonic};
use crate::linux::socket::FrameBuffer;

/// The service keeps its frames and all that lasts in its own memory.
pub(super) const STACK_BYTES: usize = 512 * 1024;

type Bytes = [u8; BLOCK_SECTORS_MAX as usize * SECTOR_BYTES];

/// A request that the device has not seen yet.
struct Asked {
    call: CallId,
    kind: Kind,
    /// Bytes to be written.
    len: usize,
    bytes: Box<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Read { sector: u32, sectors: u32 },
    Write { sector: u32 },
    Flush,
}

/// The world as the hosted service sees it.
struct Around {
    shared: Arc<Shared>,
    asked: [Asked; BLOCKS_MAX],
    /// What stands before its lines on the console: whose it is.
    prefix: String,
}

/// A hosted service and all that it needs.
pub(super) struct Hosting<H, D> {
    hosted: H,
    device: D,
    around: Around,
    caller: Sender,
    frame: Box<FrameBuffer>,
}

/// Tells the loop that the thread has ended, however that came about.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.end(panicking());
    }
}

pub(super) fn start<H, D>(name: &str, hosting: Hosting<H, D>) -> io::Result<JoinHandle<()>>
where
    H: Service + Send + 'static,
    D: BlockDevice + Send + 'static,
{
    let farewell = Farewell(Arc::clone(&hosting.around.shared));
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    builder.spawn(move || {
        let _farewell = farewell;
        hosting.run();
    })
}

impl<H: Service, D: BlockDevice> Hosting<H, D> {
    pub(super) fn new(daemon: &str, hosted: H, device: D, shared: Arc<Shared>) -> Self {
        let none = || Asked { call: CallId(0), kind: Kind::None, len: 0, bytes: zeros() };
        let service = ServiceId::from_name(daemon);
        Self {
            hosted,
            device,
            around: Around {
                shared,
                asked: [none(), none(), none(), none()],
                prefix: format!("{daemon}: "),
            },
            caller: Sender::stamped(service, process::id(), Incarnation::new(1), Rights::NONE),
            frame: Box::new([0; FRAME_BYTES_MAX]),
        }
    }

    fn run(mut self) {
        let mut clock = Clock::new();
        let (mut is_stopping, mut calls) = (false, 0);
        while !(is_stopping && self.hosted.stopped()) {
            clock.turn();
            if self.hosted.deadline().is_some_and(|at| at <= monotonic()) {
                self.deliver(clock, Event::Wake);
            }
            // Calls go before requests for the disk, most are answered out of memory; but only so
            // many, or a daemon that never rests would never get anything to the disk.
            if calls >= CALLS_MAX && self.around.is_disk_wanted() {
                calls = 0;
                self.carry_out_next(clock);
                continue;
            }
            let patience = self.patience();
            match self.around.shared.next(patience, &mut self.frame) {
                Next::Call(token, len) => {
                    calls += 1;
                    let frame = self.frame.get(..len).unwrap_or_default();
                    let event = Event::Request { from: self.caller, token, frame };
                    hand_over(&mut self.hosted, clock, event, &mut self.around);
                }
                Next::Stop => {
                    is_stopping = true;
                    self.deliver(clock, Event::Stop);
                }
                Next::Nothing => {
                    calls = 0;
                    self.carry_out_next(clock);
                }
            }
        }
    }

    /// Hands over an event that borrows nothing of ours.
    fn deliver(&mut self, clock: Clock, event: Event<'_>) {
        hand_over(&mut self.hosted, clock, event, &mut self.around);
    }

    /// How long the thread may wait for something to do.
    fn patience(&self) -> Option<Duration> {
        if self.around.is_disk_wanted() {
            return Some(Duration::ZERO);
        }
        let deadline = self.hosted.deadline()?;
        Some(Duration::from_nanos(deadline.since(monotonic()).0))
    }

    /// Carries out one request, reads before others, and tells the service.
    fn carry_out_next(&mut self, clock: Clock) {
        let Self { hosted, device, around, .. } = self;
        let is_asked = |(_, asked): &(usize, &Asked)| asked.kind != Kind::None;
        let waiting = around.asked.iter().enumerate().filter(is_asked);
        let first = waiting.min_by_key(|(_, it)| !matches!(it.kind, Kind::Read { .. }));
        let Some((at, _)) = first else { return };
        let asked = &mut around.asked[at];
        let (call, kind) = (asked.call, asked.kind);
        asked.kind = Kind::None;
        let request = match kind {
            Kind::None => return,
            Kind::Read { sector, sectors } => BlockRequest::Read { sector, sectors },
            Kind::Write { sector } => BlockRequest::Write {
                sector,
                bytes: asked.bytes.get(..asked.len).unwrap_or_default(),
            },
            Kind::Flush => BlockRequest::Flush,
        };
        let outcome = device.carry_out(request);
        count(&mut around.shared.lanes().totals, request, outcome);
        hand_over(hosted, clock, Event::Block { call, outcome }, around);
    }
}

impl Around {
    fn is_disk_wanted(&self) -> bool {
        self.asked.iter().any(|asked| asked.kind != Kind::None)
    }
}

fn zeros() -> Box<Bytes> {
    Box::new([0; BLOCK_SECTORS_MAX as usize * SECTOR_BYTES])
}

fn count(totals: &mut Totals, request: BlockRequest<'_>, outcome: BlockOutcome<'_>) {
    match request {
        _ if matches!(outcome, BlockOutcome::Failed(_)) => totals.failed += 1,
        BlockRequest::Read { .. } => totals.reads += 1,
        BlockRequest::Write { bytes, .. } => {
            totals.writes += 1;
            totals.bytes_written += bytes.len() as u64;
        }
        BlockRequest::Flush => totals.syncs += 1,
    }
}

/// Gives the service an event, and in debug builds sees to it that the service is sound afterwards.
fn hand_over(service: &mut impl Service, clock: Clock, event: Event<'_>, around: &mut Around) {
    service.handle(clock.now(), event, around);
    if cfg!(debug_assertions) {
        service.check_invariants();
    }
}

impl World for Around {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        assert!(frame.len() <= FRAME_BYTES_MAX, "a service answers with frames");
        self.shared.answer(token, frame);
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let free = self.asked.iter_mut().find(|asked| asked.kind == Kind::None);
        let free = free.ok_or(SubmitError::Busy)?;
        free.call = call;
        free.kind = match request {
            BlockRequest::Read { sector, sectors } => Kind::Read { sector, sectors },
            BlockRequest::Write { sector, bytes } => {
                assert!(bytes.len() <= free.bytes.len(), "no request is longer");
                free.bytes[..bytes.len()].copy_from_slice(bytes);
                free.len = bytes.len();
                Kind::Write { sector }
            }
            BlockRequest::Flush => Kind::Flush,
        };
        Ok(())
    }

    fn print(&mut self, line: &str) {
        let parts = [self.prefix.as_bytes(), line.as_bytes(), b"\n"].map(IoSlice::new);
        // One call, so that lines do not mix; a console that is gone must not stop the service.
        drop(io::stderr().lock().write_vectored(&parts));
    }
}
