//! For whoever may wait for a device: formats, mounts, syncs and reads in one call.

use core::fmt;

use nexus_port::{BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};

use crate::{
    Damaged, Fault, File, Format, FormatError, Found, Limits, Quota, Refusal, State, Store, Twin,
};

/// Why something was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The device did not read.
    Device(BlockError),
    /// The device holds no store that we know.
    Format(FormatError),
    /// The store has failed.
    Fault(Fault),
    /// The store does not do that.
    Refusal(Refusal),
    /// A sector of the file is damaged.
    Damaged(Damaged),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => error.fmt(f),
            Self::Format(error) => error.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::Refusal(refusal) => refusal.fmt(f),
            Self::Damaged(damaged) => damaged.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// Carries out all that the store has for its device.
///
/// # Errors
/// [`Error::Fault`] if the store has failed.
pub fn drive(store: &mut Store, device: &mut impl BlockDevice) -> Result<(), Error> {
    while let Some(request) = store.next_io() {
        let outcome = device.carry_out(request);
        store.complete(outcome);
    }
    match store.state() {
        State::Failed(fault) => Err(Error::Fault(fault)),
        State::Unmounted | State::Starting | State::Ready => Ok(()),
    }
}

/// Makes all that was done so far durable.
///
/// # Errors
/// [`Error::Refusal`], [`Error::Fault`].
pub fn sync(store: &mut Store, device: &mut impl BlockDevice) -> Result<(), Error> {
    store.sync()?;
    drive(store, device)
}

/// Reads how a device is formatted.
///
/// # Errors
/// [`Error::Format`].
pub fn read_format(device: &mut impl BlockDevice) -> Result<Format, Error> {
    let front = read_sector(device, 0);
    let end = Format::decode(&front).map(|format| format.superblock(Twin::Back));
    let back = read_sector(device, end.unwrap_or(device.sectors().saturating_sub(1)));
    Format::of_copies(&front, &back).map_err(Error::Format)
}

/// One sector; zeros if it cannot be read.
pub(crate) fn read_sector(device: &mut impl BlockDevice, sector: u32) -> [u8; SECTOR_BYTES] {
    match device.carry_out(BlockRequest::Read { sector, sectors: 1 }) {
        BlockOutcome::Read(bytes) => bytes.first_chunk().copied().unwrap_or([0; SECTOR_BYTES]),
        BlockOutcome::Done | BlockOutcome::Failed(_) => [0; SECTOR_BYTES],
    }
}

/// Formats a device, whatever it holds, and mounts it.
///
/// # Errors
/// [`Error::Format`] if the limits cannot be, [`Error::Fault`].
pub fn format(
    device: &mut impl BlockDevice,
    limits: Limits,
    quotas: &[Quota<'_>],
) -> Result<Store, Error> {
    let generation = read_format(device).map_or(0, |format| format.generation());
    let format = Format::new(limits, generation.wrapping_add(1)).map_err(Error::Format)?;
    if device.sectors() < limits.sectors {
        return Err(Error::Format(FormatError::CutShort { sectors: limits.sectors }));
    }
    let mut store = Store::new(format, quotas);
    store.format();
    drive(&mut store, device)?;
    Ok(store)
}

/// Mounts the store that a device holds.
///
/// # Errors
/// [`Error::Format`], [`Error::Fault`].
pub fn mount(device: &mut impl BlockDevice, quotas: &[Quota<'_>]) -> Result<Store, Error> {
    let format = read_format(device)?;
    let sectors = format.limits().sectors;
    if device.sectors() < sectors {
        return Err(Error::Format(FormatError::CutShort { sectors }));
    }
    let mut store = Store::new(format, quotas);
    store.mount();
    drive(&mut store, device)?;
    Ok(store)
}

/// Mounts the store that a device holds, to look at it: the device is asked for reads and nothing
/// else, and may have been cut short.
///
/// # Errors
/// [`Error::Format`], [`Error::Fault`].
pub fn view(device: &mut impl BlockDevice) -> Result<Store, Error> {
    let mut store = Store::new(read_format(device)?, &[]);
    store.mount();
    look(&mut store, device);
    match store.state() {
        State::Failed(fault) => Err(Error::Fault(fault)),
        State::Unmounted | State::Starting | State::Ready => Ok(store),
    }
}

/// Mounts without a flush, which would be more than reading.
pub(crate) fn look(store: &mut Store, device: &mut impl BlockDevice) {
    while let Some(request) = store.next_io() {
        let outcome = match request {
            BlockRequest::Flush | BlockRequest::Write { .. } => BlockOutcome::Done,
            BlockRequest::Read { .. } => device.carry_out(request),
        };
        store.complete(outcome);
    }
}

/// Reads bytes of a file from `offset` on until `out` is full or the file ends; says how many.
///
/// # Errors
/// [`Error::Refusal`], [`Error::Device`], [`Error::Damaged`]; then `out` holds anything.
pub fn read(
    store: &Store,
    device: &mut impl BlockDevice,
    file: File,
    offset: u32,
    out: &mut [u8],
) -> Result<usize, Error> {
    let mut at = 0;
    while let Some(rest) = out.get_mut(at..).filter(|rest| !rest.is_empty()) {
        at += match store.locate(file, offset + at as u32, rest.len() as u32)? {
            Found::End => break,
            Found::Memory(bytes) => copy(rest, bytes),
            Found::Disk(span) => match device.carry_out(span.request()) {
                BlockOutcome::Read(bytes) => {
                    let mut copied = 0;
                    for piece in span.pieces(bytes) {
                        let place = rest.get_mut(copied..).unwrap_or_default();
                        copied += copy(place, piece.map_err(Error::Damaged)?);
                    }
                    copied
                }
                BlockOutcome::Failed(error) => return Err(Error::Device(error)),
                BlockOutcome::Done => return Err(Error::Device(BlockError::Io)),
            },
        };
    }
    Ok(at)
}

fn copy(out: &mut [u8], bytes: &[u8]) -> usize {
    let count = out.len().min(bytes.len());
    let (place, bytes) = (out.split_at_mut(count).0, bytes.split_at(count).0);
    place.copy_from_slice(bytes);
    count
}
