//! A disk that loses power.

use nexus_port::{BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};

use crate::Rng;

type Sector = [u8; SECTOR_BYTES];

/// What a cut of power does to one sector that was written and not flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It holds what was written.
    Kept,
    /// It holds what it held before.
    Lost,
    /// It holds neither.
    Torn,
}

/// A disk in memory. What is written is volatile until a flush; before that a cut of power may
/// keep, lose or tear each written sector, whatever happens to the others.
///
/// What may go wrong besides: any write or flush ([`Disk::fail`]), for a reason of the test's
/// choice. A write that fails leaves the first half of its sectors written. A flush that fails
/// loses every other sector that was to become durable, without a word at the next one. Sectors can
/// be unreadable ([`Disk::spoil`]), unwritable ([`Disk::wear_out`]) or changed ([`Disk::flip`]).
#[derive(Clone)]
pub struct Disk {
    durable: Vec<Sector>,
    /// Written since the last flush, in order.
    volatile: Vec<(u32, Sector)>,
    spoilt: Vec<u32>,
    worn: Vec<u32>,
    requests: u64,
    failing: core::ops::Range<u64>,
    error: BlockError,
    sectors_written: u64,
    flushes: u64,
    answer: Vec<u8>,
}

impl Disk {
    /// A disk of zeros.
    #[must_use]
    pub fn new(sectors: u32) -> Self {
        Self::from_image(&vec![0; sectors as usize * SECTOR_BYTES])
    }

    /// A disk that holds the bytes of an image, whole sectors of it.
    #[must_use]
    pub fn from_image(image: &[u8]) -> Self {
        Self {
            durable: image.as_chunks().0.to_vec(),
            volatile: Vec::new(),
            spoilt: Vec::new(),
            worn: Vec::new(),
            requests: 0,
            failing: 0..0,
            error: BlockError::Io,
            sectors_written: 0,
            flushes: 0,
            answer: Vec::new(),
        }
    }

    /// What is durable.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        self.durable.as_flattened()
    }

    /// How many sectors were written since the last flush; one may count twice.
    #[must_use]
    pub fn volatile(&self) -> usize {
        self.volatile.len()
    }

    /// The disk after a cut of power that does to each volatile sector, in the order of the
    /// writes, what `fates` says; what `fates` does not reach is lost.
    #[must_use]
    pub fn cut(&self, fates: &[Fate]) -> Self {
        let mut after = Self::from_image(self.image());
        for ((sector, bytes), fate) in self.volatile.iter().zip(fates) {
            match fate {
                Fate::Kept => after.durable[*sector as usize] = *bytes,
                Fate::Lost => {}
                Fate::Torn => Rng::new(1).fill(&mut after.durable[*sector as usize]),
            }
        }
        after
    }

    /// From the `first`-th write or flush on, counted from 0, `count` of them fail.
    pub fn fail(&mut self, first: u64, count: u64, error: BlockError) {
        self.failing = first..first.saturating_add(count);
        self.error = error;
    }

    /// Writes and flushes so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Sectors written so far.
    #[must_use]
    pub fn sectors_written(&self) -> u64 {
        self.sectors_written
    }

    /// Flushes so far.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// A sector cannot be read from now on.
    pub fn spoil(&mut self, sector: u32) {
        self.spoilt.push(sector);
    }

    /// A sector cannot be written from now on: requests that try to fail.
    pub fn wear_out(&mut self, sector: u32) {
        self.worn.push(sector);
    }

    /// Changes bits of a byte of the image.
    pub fn flip(&mut self, byte: usize, bits: u8) {
        self.durable.as_flattened_mut()[byte] ^= bits;
    }

    fn read(&mut self, sector: u32, sectors: u32) -> Result<(), BlockError> {
        let wanted = sector..sector + sectors;
        if self.spoilt.iter().any(|spoilt| wanted.contains(spoilt)) {
            return Err(BlockError::Io);
        }
        self.answer.clear();
        for sector in wanted {
            let written = self.volatile.iter().rfind(|(at, _)| *at == sector);
            let bytes = written.map_or(&self.durable[sector as usize], |(_, bytes)| bytes);
            self.answer.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn write(&mut self, sector: u32, bytes: &[u8]) -> Result<(), BlockError> {
        let (sectors, rest) = bytes.as_chunks::<SECTOR_BYTES>();
        assert!(rest.is_empty() && !sectors.is_empty(), "whole sectors are written");
        let target = sector..sector + sectors.len() as u32;
        let fails = self.fails() || self.worn.iter().any(|worn| target.contains(worn));
        let written = if fails { &sectors[..sectors.len() / 2] } else { sectors };
        self.volatile.extend((sector..).zip(written.iter().copied()));
        self.sectors_written += written.len() as u64;
        if fails { Err(self.error) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), BlockError> {
        let fails = self.fails();
        self.flushes += 1;
        for (at, (sector, bytes)) in self.volatile.drain(..).enumerate() {
            if !fails || at % 2 == 0 {
                self.durable[sector as usize] = bytes;
            }
        }
        if fails { Err(self.error) } else { Ok(()) }
    }

    fn fails(&mut self) -> bool {
        let fails = self.failing.contains(&self.requests);
        self.requests += 1;
        fails
    }
}

impl BlockDevice for Disk {
    fn sectors(&self) -> u32 {
        u32::try_from(self.durable.len()).unwrap_or(u32::MAX)
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        let (sector, sectors) = match request {
            BlockRequest::Read { sector, sectors } => (sector, sectors),
            BlockRequest::Write { sector, bytes } => {
                (sector, u32::try_from(bytes.len() / SECTOR_BYTES).unwrap_or(u32::MAX))
            }
            BlockRequest::Flush => (0, 0),
        };
        if u64::from(sector) + u64::from(sectors) > u64::from(self.sectors()) {
            return BlockOutcome::Failed(BlockError::OutOfRange);
        }
        let done = match request {
            BlockRequest::Read { .. } => {
                return match self.read(sector, sectors) {
                    Ok(()) => BlockOutcome::Read(&self.answer),
                    Err(error) => BlockOutcome::Failed(error),
                };
            }
            BlockRequest::Write { bytes, .. } => self.write(sector, bytes),
            BlockRequest::Flush => self.flush(),
        };
        done.map_or_else(BlockOutcome::Failed, |()| BlockOutcome::Done)
    }
}

/// Ways in which a cut of power can treat `count` written sectors: every prefix, also with the
/// next one torn; each missing alone; each there alone, or torn; all subsets of up to 10; of
/// more, `samples` that follow from `seed`.
pub fn fates(count: usize, samples: usize, seed: u64) -> impl Iterator<Item = Vec<Fate>> {
    let all = move |fate: &dyn Fn(usize) -> Fate| (0..count).map(fate).collect::<Vec<_>>();
    let kept = |is_kept: bool| if is_kept { Fate::Kept } else { Fate::Lost };
    let prefixes = (0..=count).map(move |end| all(&|at| kept(at < end)));
    let torn =
        (0..count).map(move |end| all(&|at| if at == end { Fate::Torn } else { kept(at < end) }));
    let missing = (0..count).map(move |one| all(&|at| kept(at != one)));
    let alone = (0..count).map(move |one| all(&|at| kept(at == one)));
    let torn_alone =
        (0..count).map(move |one| all(&|at| if at == one { Fate::Torn } else { Fate::Lost }));
    let is_small = count <= SUBSETS_UP_TO;
    let subsets = if is_small { 1_usize << count } else { 0 };
    let subsets = (0..subsets).map(move |set| all(&|at| kept(set >> at & 1 == 1)));
    let mut rng = Rng::new(seed);
    let samples = (0..if is_small { 0 } else { samples }).map(move |_| {
        (0..count).map(|_| [Fate::Kept, Fate::Lost, Fate::Torn][rng.up_to(2) as usize]).collect()
    });
    prefixes.chain(torn).chain(missing).chain(alone).chain(torn_alone).chain(subsets).chain(samples)
}

const SUBSETS_UP_TO: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(disk: &mut Disk, sector: u32, byte: u8, sectors: usize) -> bool {
        let bytes = vec![byte; sectors * SECTOR_BYTES];
        disk.carry_out(BlockRequest::Write { sector, bytes: &bytes }) == BlockOutcome::Done
    }

    fn first_bytes(disk: &mut Disk) -> Vec<u8> {
        let sectors = disk.sectors();
        match disk.carry_out(BlockRequest::Read { sector: 0, sectors }) {
            BlockOutcome::Read(bytes) => bytes.chunks(SECTOR_BYTES).map(|bytes| bytes[0]).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_at_once_and_durable_with_a_flush() {
        let mut disk = Disk::new(3);
        assert!(write(&mut disk, 1, 7, 2));
        assert_eq!(first_bytes(&mut disk), [0, 7, 7]);
        assert_eq!(first_bytes(&mut disk.cut(&[])), [0, 0, 0]);
        assert_eq!(first_bytes(&mut disk.cut(&[Fate::Lost, Fate::Kept])), [0, 0, 7]);
        assert!(![0, 7].contains(&first_bytes(&mut disk.cut(&[Fate::Torn]))[1]));
        assert_eq!(disk.carry_out(BlockRequest::Flush), BlockOutcome::Done);
        assert_eq!(first_bytes(&mut disk.cut(&[])), [0, 7, 7]);
    }

    #[test]
    fn what_shall_fail_fails_and_does_half() {
        let mut disk = Disk::new(4);
        disk.fail(1, 2, BlockError::NoSpace);
        assert!(write(&mut disk, 0, 1, 1));
        assert!(!write(&mut disk, 1, 2, 2));
        let failed = BlockOutcome::Failed(BlockError::NoSpace);
        assert_eq!(disk.carry_out(BlockRequest::Flush), failed);
        assert_eq!(first_bytes(&mut disk), [1, 0, 0, 0]);
        assert!(write(&mut disk, 3, 3, 1));
        assert!(!write(&mut disk, 3, 3, 2), "beyond the end");
        disk.spoil(0);
        let read = BlockRequest::Read { sector: 0, sectors: 1 };
        assert_eq!(disk.carry_out(read), BlockOutcome::Failed(BlockError::Io));
    }

    #[test]
    fn cuts_are_all_that_few_sectors_can_suffer_and_samples_of_what_many_can() {
        assert_eq!(fates(0, 5, 1).collect::<Vec<_>>(), [vec![], vec![]]);
        let kept = |fates: Vec<Fate>| fates.iter().map(|fate| *fate == Fate::Kept).collect();
        let three = fates(3, 5, 1).map(kept).collect::<std::collections::BTreeSet<Vec<bool>>>();
        assert_eq!(three.len(), 8);
        assert_eq!(fates(11, 5, 1).count(), 12 + 4 * 11 + 5);
    }
}
