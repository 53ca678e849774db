//! The entropy device of the machine: bytes that are asked for before they are needed.
//!
//! One request is under way at a time, and nobody waits for it but the start. What was given out is
//! wiped in the pool, which the device fills anew when little is left.
//!
//! Deliberately absent: its interrupt, and legacy devices.
#![expect(unsafe_code, reason = "memory that a device uses while we go on")]

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering::SeqCst, fence};

use nexus_abi::kernel::CapabilityKind;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, MmioVersion};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};

use super::Clock;
use super::calls::Mapping;
use super::virtio::{Pool, Surroundings, mapped};

/// What the image calls the device's registers and its pool.
const DEVICE: &str = "entropy";
const POOL_NAME: &str = "entropy-pool";

/// The only queue of an entropy device (virtio 1.2, 5.4.2).
const QUEUE: u16 = 0;
const QUEUE_SIZE: usize = 2;
/// virtio 1.2, 6.
const VERSION_1: u64 = 1 << 32;

/// Bytes that are asked for at once.
const BYTES: usize = 1024;
/// With fewer the device is asked again.
const FEW: usize = BYTES / 2;
/// How long the first bytes are waited for.
const PATIENCE_MILLIS: u64 = 500;

/// Why there is no entropy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// The image gives us no device or no pool.
    NotGiven,
    /// No entropy device is attached there, or a legacy one.
    NoDevice,
    /// It refuses what we have chosen, or the pool is too small.
    NotWanted,
    /// It brings nothing.
    Silent,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGiven => "the image gives no entropy device: give `entropy` and its pool",
            Self::NoDevice => "no entropy device of version 1 is attached there: attach one",
            Self::NotWanted => "it refuses to be driven, or the pool is too small",
            Self::Silent => "it brings nothing: look at its source on the host",
        })
    }
}

/// The device of this process.
pub struct Entropy {
    transport: MmioTransport<'static>,
    queue: VirtQueue<Surroundings, QUEUE_SIZE>,
    /// A pointer, not a reference: the device may be at it.
    place: NonNull<[u8; BYTES]>,
    /// What the device calls the request that it has.
    under_way: Option<u16>,
    /// Which bytes of the place are there and were not given out, while it has none.
    left: core::ops::Range<usize>,
}

impl Entropy {
    /// The device that the image gives us, when it has brought its first bytes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn find() -> Result<Self, Unfit> {
        let window = mapped(CapabilityKind::Device, DEVICE).ok_or(Unfit::NotGiven)?;
        let pool = mapped(CapabilityKind::Dma, POOL_NAME).ok_or(Unfit::NotGiven)?;
        Pool::install(pool);
        let mut entropy = Self::start(window)?;
        entropy.ask();
        let clock = Clock::new();
        let until = clock.in_millis(PATIENCE_MILLIS);
        while entropy.under_way.is_some() {
            entropy.look();
            if clock.ticks() >= until {
                return Err(Unfit::Silent);
            }
        }
        Ok(entropy)
    }

    fn start(window: Mapping) -> Result<Self, Unfit> {
        let header = NonNull::new(window.address as *mut _).ok_or(Unfit::NoDevice)?;
        // SAFETY: the window is mapped for as long as we live, and nobody else has it.
        let transport = unsafe { MmioTransport::new(header, window.bytes) };
        let mut transport = transport.map_err(|_| Unfit::NoDevice)?;
        let is_modern = transport.version() == MmioVersion::Modern;
        if !is_modern || transport.device_type() != DeviceType::EntropySource {
            return Err(Unfit::NoDevice);
        }
        negotiate(&mut transport)?;
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false);
        let mut queue = queue.map_err(|_| Unfit::NotWanted)?;
        queue.set_dev_notify(false);
        let (_, place) = Pool::take(BYTES).ok_or(Unfit::NotWanted)?;
        transport.finish_init();
        Ok(Self { transport, queue, place: place.cast(), under_way: None, left: 0..0 })
    }

    /// Fills all of `into` with bytes that nobody was given before, or says `false`. Never waits.
    pub fn take(&mut self, into: &mut [u8]) -> bool {
        self.look();
        let has_enough = self.under_way.is_none() && self.left.len() >= into.len();
        if has_enough {
            let from = self.left.start..self.left.start + into.len();
            self.left.start = from.end;
            // SAFETY: no request is under way, so that the device is not at the place.
            let place = unsafe { self.place.as_mut() };
            for (to, byte) in into.iter_mut().zip(place.get_mut(from).unwrap_or_default()) {
                *to = core::mem::take(byte);
            }
        }
        if self.under_way.is_none() && self.left.len() < FEW {
            self.ask();
        }
        has_enough
    }

    /// Has the device fill the whole place.
    fn ask(&mut self) {
        self.left = 0..0;
        // SAFETY: no request is under way; the place stays for ever, and nobody touches it before
        // the device has given it back.
        let added = unsafe { self.queue.add(&[], &mut [self.place.as_mut()]) };
        self.under_way = added.ok();
        // As with disks: whether the device wants to be told must not be read before it can see
        // the request.
        fence(SeqCst);
        if self.queue.should_notify() {
            self.transport.notify(QUEUE);
        }
    }

    /// Takes what the device has brought.
    fn look(&mut self) {
        let Some(token) = self.under_way.filter(|token| self.queue.peek_used() == Some(*token))
        else {
            return;
        };
        // SAFETY: this is the part that was added under this token, and the device has just given
        // it back.
        let used = unsafe { self.queue.pop_used(token, &[], &mut [self.place.as_mut()]) };
        self.under_way = None;
        self.left = 0..used.map_or(0, |bytes| (bytes as usize).min(BYTES));
    }
}

/// Agrees with the device on what it shall do (virtio 1.2, 3.1.1).
fn negotiate(transport: &mut MmioTransport<'static>) -> Result<(), Unfit> {
    let known = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
    transport.set_status(DeviceStatus::empty());
    transport.set_status(known);
    if transport.read_device_features() & VERSION_1 == 0 {
        return Err(Unfit::NoDevice);
    }
    transport.write_driver_features(VERSION_1);
    transport.set_status(known | DeviceStatus::FEATURES_OK);
    let is_agreed = transport.get_status().contains(DeviceStatus::FEATURES_OK);
    if is_agreed { Ok(()) } else { Err(Unfit::NotWanted) }
}
