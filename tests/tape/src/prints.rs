//! What a service lets out, as hashes.

use alloc::vec::Vec;

use crc::{CRC_64_XZ, Crc, Digest};
use nexus_abi::ServiceId;
use nexus_bounded::Text;
use nexus_wire::FILE_NAME_BYTES_MAX;
use nexus_wire::files::{FileName, Request, decode};

/// Files that a tape makes at most, one under the same name counted again.
const STREAMS_MAX: usize = 512;

const STATEFSD: ServiceId = ServiceId::from_name("statefsd");

static CRC64: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

/// Bytes so far, and their hash.
#[derive(Clone)]
pub(crate) struct Hash {
    bytes: u64,
    digest: Digest<'static, u64>,
}

impl Hash {
    fn new() -> Self {
        Self { bytes: 0, digest: CRC64.digest() }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.digest.update(bytes);
    }

    /// How many bytes, and their hash.
    pub(crate) fn value(&self) -> (u64, u64) {
        (self.bytes, self.digest.clone().finalize())
    }

    pub(crate) fn of(bytes: &[u8]) -> u64 {
        CRC64.checksum(bytes)
    }
}

/// A file from its beginning on, as its bytes were handed to statefsd.
pub struct Stream {
    name: Text<FILE_NAME_BYTES_MAX>,
    hash: Hash,
}

impl Stream {
    /// Its name, below the prefix of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// How many bytes it got, and the CRC-64/XZ of them.
    #[must_use]
    pub fn value(&self) -> (u64, u64) {
        self.hash.value()
    }

    /// The hash that some bytes have.
    #[must_use]
    pub fn hash_of(bytes: &[u8]) -> u64 {
        Hash::of(bytes)
    }
}

/// Everything that was let out.
pub struct Prints {
    /// In the order in which they were begun.
    streams: Vec<Stream>,
    /// Files that found no place.
    pub(crate) unseen: u64,
    /// Every frame to statefsd.
    pub(crate) calls: Hash,
    /// Every other call, every answer and every line.
    pub(crate) others: Hash,
}

impl Prints {
    /// Takes all memory.
    pub(crate) fn new() -> Self {
        Self {
            streams: Vec::with_capacity(STREAMS_MAX),
            unseen: 0,
            calls: Hash::new(),
            others: Hash::new(),
        }
    }

    /// The files, in the order in which they were begun.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    pub(crate) fn out(&mut self, bytes: &[u8]) {
        self.others.add(bytes);
    }

    pub(crate) fn call(&mut self, to: ServiceId, frame: &[u8]) {
        if to != STATEFSD {
            return self.others.add(frame);
        }
        self.calls.add(frame);
        match decode(frame).map(|frame| frame.request) {
            Ok(Request::Create(new) | Request::Draft(new)) => self.begin(new.name),
            Ok(Request::Append(append)) => self.add(append.to.name, append.bytes),
            Ok(Request::Replace(replace)) => {
                self.begin(replace.name);
                self.add(replace.name, replace.bytes);
            }
            _ => {}
        }
    }

    fn begin(&mut self, name: FileName<'_>) {
        let name = Text::new(name.as_str()).filter(|_| self.streams.len() < STREAMS_MAX);
        match name {
            Some(name) => self.streams.push(Stream { name, hash: Hash::new() }),
            None => self.unseen += 1,
        }
    }

    /// What a file that goes on from a former life gets counts as a file of its own.
    fn add(&mut self, name: FileName<'_>, bytes: &[u8]) {
        let is_it = |stream: &&mut Stream| stream.name.as_str() == name.as_str();
        if let Some(stream) = self.streams.iter_mut().rev().find(is_it) {
            stream.hash.add(bytes);
        } else {
            self.begin(name);
            self.streams.last_mut().into_iter().for_each(|stream| stream.hash.add(bytes));
        }
    }
}
