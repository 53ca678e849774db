//! A block device of the machine: requests that end with an interrupt.
//!
//! The queue and the registers are those of `virtio-drivers`; requests are made here, because that
//! crate's own block driver waits for flushes. The device reads and writes the pool that the image
//! gives us and nothing else: bytes are copied into it and lent from it.
//!
//! Deliberately absent: legacy devices, and devices that cannot flush.
#![expect(unsafe_code, reason = "memory that a device uses while we go on")]

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering::SeqCst, fence};

use nexus_abi::kernel::{CapabilityKind, Signals};
use nexus_port::{
    BLOCK_SECTORS_MAX, BLOCKS_MAX, BlockError, BlockOutcome, BlockRequest, CallId, SECTOR_BYTES,
    SubmitError,
};
use virtio_drivers::PhysAddr;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, MmioVersion};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};

use super::calls::{self, Mapping, Slot};
use super::virtio::{Pool, Surroundings, held, mapped};

/// What the image calls the device's registers, its interrupt and its pool.
const DEVICE: &str = "disk";
const INTERRUPT: &str = "disk-interrupt";
const POOL_NAME: &str = "disk-pool";

/// The only queue of a block device.
const QUEUE: u16 = 0;
/// Places of the queue: three for each request.
const QUEUE_SIZE: usize = 16;

/// Features of the device (virtio 1.2, 5.2.3 and 6).
const READ_ONLY: u64 = 1 << 5;
const FLUSH: u64 = 1 << 9;
const VERSION_1: u64 = 1 << 32;

/// Kinds of requests (virtio 1.2, 5.2.6).
const READ: u32 = 0;
const WRITE: u32 = 1;
const FLUSH_NOW: u32 = 4;

/// What the device says of a request that it has carried out.
const DONE: u8 = 0;
/// What stands there before.
const NOTHING: u8 = 0xff;

const DATA_BYTES: usize = BLOCK_SECTORS_MAX as usize * SECTOR_BYTES;

/// What a request is, for the device (virtio 1.2, 5.2.6); riscv64 is little-endian, as it wants.
#[repr(C)]
struct Head {
    kind: u32,
    reserved: u32,
    sector: u64,
}

/// One request in the pool: its two ends, and what is read or written.
#[repr(C, align(4096))]
struct Place {
    head: Head,
    verdict: u8,
    data: [u8; DATA_BYTES],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// The device has it.
    UnderWay {
        call: CallId,
        token: u16,
        kind: u32,
        len: usize,
    },
    /// Its bytes are being looked at.
    Lent,
}

struct Request {
    state: State,
    /// A pointer, not a reference: the device may be at it.
    place: NonNull<Place>,
}

/// The parts of a request as the device gets them: what it reads, and what it writes.
type Parts<'a> = ([&'a [u8]; 2], [&'a mut [u8]; 2]);

impl Request {
    /// # Safety
    /// Nobody else uses the place, but for the device between `add` and `pop_used`.
    unsafe fn parts<'a>(&self, kind: u32, len: usize) -> Parts<'a> {
        let place = self.place.as_ptr();
        // SAFETY: the place is mapped, and the caller says that it is ours.
        let (head, verdict, data) = unsafe {
            let head =
                core::slice::from_raw_parts((&raw const (*place).head).cast(), size_of::<Head>());
            let verdict = core::slice::from_mut(&mut (*place).verdict);
            let data = (&raw mut (*place).data).cast::<u8>();
            (head, verdict, data)
        };
        // SAFETY: as above; a length within the data.
        let (written, read) = match kind {
            WRITE => (unsafe { core::slice::from_raw_parts(data, len) }, &mut [][..]),
            _ => (&[][..], unsafe { core::slice::from_raw_parts_mut(data, len) }),
        };
        ([head, written], [read, verdict])
    }
}

/// One request more than may be under way, so that a new one can be made while the bytes of one are
/// looked at.
const REQUESTS: usize = BLOCKS_MAX + 1;

/// Why a device cannot be used.
#[derive(Debug)]
pub(super) enum Unfit {
    /// No registers of a virtio device are there.
    NoDevice,
    /// It is no block device.
    NotABlockDevice,
    /// It speaks the language of before version 1.
    Legacy,
    /// It cannot make anything durable.
    NoFlush,
    /// It refuses what we have chosen, or the pool is too small.
    NotWanted,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDevice => "no device is attached there",
            Self::NotABlockDevice => "what is attached there is no disk",
            Self::Legacy => "a legacy device: set virtio-mmio.force-legacy=off",
            Self::NoFlush => "it cannot flush: attach it with a write cache",
            Self::NotWanted => "it refuses to be driven, or the pool is too small",
        })
    }
}

/// The disk of this process.
pub(super) struct Disk {
    transport: MmioTransport<'static>,
    queue: VirtQueue<Surroundings, QUEUE_SIZE>,
    requests: [Request; REQUESTS],
    interrupt: Slot,
    is_read_only: bool,
    sectors: u64,
}

/// A request that has ended.
pub(super) struct Ended {
    pub(super) call: CallId,
    place: NonNull<Place>,
    result: Result<(), BlockError>,
    /// Bytes that were read.
    read: usize,
}

impl Ended {
    /// What became of it; the bytes stay until this is dropped, which is before the next is taken.
    pub(super) fn outcome(&self) -> BlockOutcome<'_> {
        match self.result {
            Err(error) => BlockOutcome::Failed(error),
            Ok(()) if self.read == 0 => BlockOutcome::Done,
            Ok(()) => {
                // SAFETY: the device is done with it, and no request is given a place that is lent.
                let place = unsafe { self.place.as_ref() };
                BlockOutcome::Read(place.data.get(..self.read).unwrap_or_default())
            }
        }
    }
}

impl Disk {
    /// The disk that the image gives us; `None` if it gives us none.
    pub(super) fn find() -> Option<Result<Self, Unfit>> {
        let window = mapped(CapabilityKind::Device, DEVICE)?;
        let pool = mapped(CapabilityKind::Dma, POOL_NAME)?;
        let interrupt = held(CapabilityKind::Interrupt, INTERRUPT)?;
        Pool::install(pool);
        Some(Self::start(window, interrupt))
    }

    fn start(window: Mapping, interrupt: Slot) -> Result<Self, Unfit> {
        let header = NonNull::new(window.address as *mut _).ok_or(Unfit::NoDevice)?;
        // SAFETY: the window is mapped for as long as we live, and nobody else has it.
        let transport = unsafe { MmioTransport::new(header, window.bytes) };
        let mut transport = transport.map_err(|_| Unfit::NoDevice)?;
        if transport.device_type() != DeviceType::Block {
            return Err(Unfit::NotABlockDevice);
        }
        if transport.version() != MmioVersion::Modern {
            return Err(Unfit::Legacy);
        }
        let features = negotiate(&mut transport)?;
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false);
        let queue = queue.map_err(|_| Unfit::NotWanted)?;
        let mut places = [(); REQUESTS].map(|()| Pool::take(size_of::<Place>()));
        if places.iter().any(Option::is_none) {
            return Err(Unfit::NotWanted);
        }
        let place = |at: &mut Option<(PhysAddr, NonNull<u8>)>| {
            at.map_or(NonNull::dangling(), |(_, start)| start.cast())
        };
        let requests = places.each_mut().map(|at| Request { state: State::Free, place: place(at) });
        transport.finish_init();
        let word = |at| transport.read_config_space::<u32>(at).map_err(|_| Unfit::NotWanted);
        let sectors = u64::from(word(4)?) << 32 | u64::from(word(0)?);
        let allowed = calls::interrupt_done(interrupt);
        assert!(allowed.is_ok(), "we hold the interrupt");
        let is_read_only = features & READ_ONLY != 0;
        Ok(Self { transport, queue, requests, interrupt, is_read_only, sectors })
    }

    /// The signal of its interrupt.
    pub(super) fn signal(&self) -> Signals {
        Signals::interrupt(self.interrupt.0 as usize)
    }

    /// Asks for something.
    pub(super) fn submit(
        &mut self,
        call: CallId,
        request: BlockRequest<'_>,
    ) -> Result<(), SubmitError> {
        let is_busy = |request: &&Request| matches!(request.state, State::UnderWay { .. });
        if self.requests.iter().filter(is_busy).count() >= BLOCKS_MAX {
            return Err(SubmitError::Busy);
        }
        let free = self.requests.iter_mut().find(|request| request.state == State::Free);
        let free = free.ok_or(SubmitError::Busy)?;
        let (kind, sector, len) = match request {
            BlockRequest::Read { sector, sectors } => {
                (READ, sector, sectors as usize * SECTOR_BYTES)
            }
            BlockRequest::Write { sector, bytes } => (WRITE, sector, bytes.len()),
            BlockRequest::Flush => (FLUSH_NOW, 0, 0),
        };
        assert!(len <= DATA_BYTES, "no request is longer");
        // SAFETY: it is free, so the device is not at it.
        let place = unsafe { free.place.as_mut() };
        place.head = Head { kind, reserved: 0, sector: sector.into() };
        place.verdict = NOTHING;
        if let BlockRequest::Write { bytes, .. } = request {
            place.data.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        }
        // SAFETY: it is free until the device has it, which it has as soon as this is added.
        let (from, mut into) = unsafe { free.parts(kind, len) };
        let from = if from[1].is_empty() { &from[..1] } else { &from[..] };
        let into = if into[0].is_empty() { &mut into[1..] } else { &mut into[..] };
        // SAFETY: nobody touches the place before the device has given it back.
        let token = unsafe { self.queue.add(from, into) };
        assert!(token.is_ok(), "the queue has three places for each request");
        let token = token.map_err(|_| SubmitError::Busy)?;
        free.state = State::UnderWay { call, token, kind, len };
        // Whether the device wants to be told must not be read before it can see the request, or it
        // goes to sleep and is never told; `should_notify` does not see to that itself.
        fence(SeqCst);
        if self.queue.should_notify() {
            self.transport.notify(QUEUE);
        }
        Ok(())
    }

    /// The interrupt has come: what has ended is to be taken, then it may come again.
    pub(super) fn interrupted(&mut self) {
        self.transport.ack_interrupt();
    }

    /// Lets the interrupt come again.
    pub(super) fn listen(&self) {
        let allowed = calls::interrupt_done(self.interrupt);
        assert!(allowed.is_ok(), "we hold the interrupt");
    }

    /// The next request that has ended.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        for request in &mut self.requests {
            if request.state == State::Lent {
                request.state = State::Free;
            }
        }
        let used = self.queue.peek_used()?;
        let is_used = |state| matches!(state, State::UnderWay { token, .. } if token == used);
        let is_it = |request: &&mut Request| is_used(request.state);
        let request = self.requests.iter_mut().find(is_it);
        assert!(request.is_some(), "the device gives back what it was given");
        let request = request?;
        let State::UnderWay { call, token, kind, len } = request.state else { return None };
        // SAFETY: the device has just given it back.
        let (from, mut into) = unsafe { request.parts(kind, len) };
        let from = if from[1].is_empty() { &from[..1] } else { &from[..] };
        let into = if into[0].is_empty() { &mut into[1..] } else { &mut into[..] };
        // SAFETY: these are the parts that were added under this token.
        let popped = unsafe { self.queue.pop_used(token, from, into) };
        request.state = State::Lent;
        // SAFETY: the device is done with it.
        let (verdict, sector) = unsafe {
            let place = request.place.as_ref();
            (place.verdict, place.head.sector)
        };
        let is_done = popped.is_ok() && verdict == DONE;
        let place = request.place;
        let result = if is_done { Ok(()) } else { Err(self.why(kind, sector, len)) };
        let read = if kind == READ { len } else { 0 };
        Some(Ended { call, place, result, read })
    }

    fn why(&self, kind: u32, sector: u64, len: usize) -> BlockError {
        let end = sector + (len / SECTOR_BYTES) as u64;
        match kind {
            READ | WRITE if end > self.sectors => BlockError::OutOfRange,
            WRITE if self.is_read_only => BlockError::ReadOnly,
            _ => BlockError::Io,
        }
    }
}

/// Agrees with the device on what it shall do (virtio 1.2, 3.1.1).
fn negotiate(transport: &mut MmioTransport<'static>) -> Result<u64, Unfit> {
    let known = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
    transport.set_status(DeviceStatus::empty());
    transport.set_status(known);
    let offered = transport.read_device_features();
    if offered & VERSION_1 == 0 {
        return Err(Unfit::Legacy);
    }
    if offered & FLUSH == 0 {
        return Err(Unfit::NoFlush);
    }
    let chosen = offered & (VERSION_1 | FLUSH | READ_ONLY);
    transport.write_driver_features(chosen);
    transport.set_status(known | DeviceStatus::FEATURES_OK);
    let is_agreed = transport.get_status().contains(DeviceStatus::FEATURES_OK);
    if is_agreed { Ok(chosen) } else { Err(Unfit::NotWanted) }
}
