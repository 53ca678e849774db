/// Bytes of a sector, the unit in which a device reads and writes. A sector is written whole or, if
/// power is cut meanwhile, holds anything.
pub const SECTOR_BYTES: usize = 512;

/// What a device is asked for. Between two flushes it may carry writes out in any order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockRequest<'a> {
    /// Read `sectors` sectors from `sector` on.
    Read {
        /// The first one, from 0.
        sector: u32,
        /// How many, at least 1.
        sectors: u32,
    },
    /// Write `bytes`, whole sectors and at least one, from `sector` on. They are copied before the
    /// asker goes on.
    Write {
        /// The first one, from 0.
        sector: u32,
        /// What they shall hold.
        bytes: &'a [u8],
    },
    /// Make everything durable whose writing has been completed.
    Flush,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockOutcome<'a> {
    /// A write or a flush is done.
    Done,
    /// A read is done: as many bytes as were asked for.
    Read(&'a [u8]),
    /// It failed. What a failed write leaves in its sectors, and what a failed flush has made
    /// durable, is unknown.
    Failed(BlockError),
}

/// Why a device did not do what it was asked for. Always the world's fault: try again or report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockError {
    /// The device reports an error, or reported nothing in time.
    Io,
    /// What lies under the device has no room: a sparse image on a full disk.
    NoSpace,
    /// Beyond the end of the device.
    OutOfRange,
    /// The device takes no writes.
    ReadOnly,
}

impl core::fmt::Display for BlockError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Io => "the device reports an error: see its own log, or try another device",
            Self::NoSpace => "no room under the device: free some on the disk that holds its image",
            Self::OutOfRange => "beyond the end of the device: the image was cut short",
            Self::ReadOnly => "the device takes no writes: attach it writable",
        })
    }
}

/// A device whose user waits for each request: an image file, a simulated disk. Services do not
/// wait; their port completes requests later, with the same words.
pub trait BlockDevice {
    /// How many sectors it has.
    fn sectors(&self) -> u32;

    /// Carries out one request.
    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_>;
}
