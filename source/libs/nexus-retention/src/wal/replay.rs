//! Reading again: from sectors to records, and what is missing.
//!
//! Two passes, both over bytes that the caller reads: [`Scan`] takes every sector and finds the
//! newest, which says where what is needed begins; [`Replay`] takes those from there on in order.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use super::Limits;
use super::sector::{Flaw, Header, SECTOR_BYTES, Sector, VERSION};
use super::writer::{LENGTH_BYTES, Place};
use crate::bytes::Reader;

/// Why a log cannot be read at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WalError {
    /// A whole sector of a version that this code does not know.
    Unsupported {
        /// What it says.
        version: u16,
    },
    /// The log was made with another number of sectors.
    OtherSize {
        /// As many as its newest sector says.
        sectors: u32,
    },
}

impl fmt::Display for WalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { version } => write!(
                f,
                "log format version {version}, and this program knows {VERSION}: use one that is \
                 as new as whatever wrote it"
            ),
            Self::OtherSize { sectors } => {
                write!(f, "the log has {sectors} sectors: open it with as many, or set it aside")
            }
        }
    }
}

impl core::error::Error for WalError {}

/// What was not there any more. All counts are zero after an orderly end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Loss {
    /// Records that are known to have been appended and are not whole.
    pub records: u64,
    /// Sectors without which the log has a gap, all reasons together.
    pub sectors: u32,
    /// Of them, sectors that the device did not read.
    pub unreadable: u32,
    /// Of them, sectors whose checksum is wrong: torn writes, decay.
    pub damaged: u32,
    /// Of them, sectors that hold something older, or nothing: writes that never happened.
    pub missing: u32,
    /// The sector behind the last one is damaged: the writing of what was not synced was cut off.
    pub is_torn: bool,
}

impl Loss {
    /// Whether nothing is known to be lost.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes of records that the lost sectors could hold.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.sectors) * super::PAYLOAD_BYTES as u64
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost {} records in {} sectors: {} unreadable, {} damaged, {} never written",
            self.records, self.sectors, self.unreadable, self.damaged, self.missing
        )?;
        if self.is_torn {
            f.write_str("; the last write was cut off")?;
        }
        Ok(())
    }
}

/// Bytes of [`record_buffer`].
pub(crate) const fn record_buffer_bytes(limits: &Limits) -> usize {
    LENGTH_BYTES + limits.record_bytes as usize
}

/// Room for one record while it is put together.
pub(crate) fn record_buffer(limits: &Limits) -> Box<[u8]> {
    vec![0; record_buffer_bytes(limits)].into_boxed_slice()
}

/// The first pass: which sector is the newest.
#[derive(Clone, Debug)]
pub struct Scan {
    sectors: u32,
    taken: u32,
    newest: Option<Header>,
    version: Option<u16>,
}

impl Scan {
    /// Of a ring of so many sectors.
    #[must_use]
    pub const fn new(sectors: u32) -> Self {
        Self { sectors, taken: 0, newest: None, version: None }
    }

    /// The next sector to take, from 0 on.
    #[must_use]
    pub fn wants(&self) -> Option<u32> {
        (self.taken < self.sectors).then_some(self.taken)
    }

    /// Passes sectors that were never written.
    pub(crate) fn pass(&mut self, count: u32) {
        self.taken = self.taken.saturating_add(count).min(self.sectors);
    }

    /// Whether a sector was whole, of whatever version.
    pub(crate) const fn has_found(&self) -> bool {
        self.newest.is_some() || self.version.is_some()
    }

    /// Takes the sector that it wants; `None` if the device does not read it.
    pub fn take(&mut self, sector: Option<&Sector>) {
        let index = u64::from(self.taken);
        self.taken += 1;
        match sector.map(Header::open) {
            Some(Ok((header, _))) if header.position % u64::from(header.sectors) == index => {
                let age = |header: &Header| (header.epoch, header.position);
                if self.newest.is_none_or(|newest| age(&newest) < age(&header)) {
                    self.newest = Some(header);
                }
            }
            Some(Err(Flaw::Version(version))) => self.version = self.version.or(Some(version)),
            _ => {}
        }
    }

    /// The second pass.
    ///
    /// # Errors
    /// See [`WalError`]: nothing is read from a log that may mean something else.
    pub fn replay(&self, limits: Limits) -> Result<Replay, WalError> {
        self.replay_in(limits, record_buffer(&limits))
    }

    /// The second pass, in memory that is there already: of [`record_buffer`].
    pub(crate) fn replay_in(&self, limits: Limits, record: Box<[u8]>) -> Result<Replay, WalError> {
        assert!(self.wants().is_none() && limits.sectors == self.sectors, "all sectors are taken");
        if let Some(version) = self.version {
            return Err(WalError::Unsupported { version });
        }
        match self.newest {
            Some(newest) if newest.sectors != self.sectors => {
                Err(WalError::OtherSize { sectors: newest.sectors })
            }
            newest => Ok(Replay::new(limits, newest, record)),
        }
    }
}

/// A record that is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Where it begins; what may be released is told by this.
    pub place: Place,
    /// The opening of the log in which it was appended.
    pub epoch: u32,
    /// Nothing of its epoch is missing before it.
    pub is_prefix: bool,
    /// What was appended.
    pub bytes: &'a [u8],
}

/// What there was, and from where to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// What is missing.
    pub loss: Loss,
    /// The epoch of whoever goes on.
    pub epoch: u32,
    pub(super) sectors: u32,
    pub(crate) kept: Place,
    pub(crate) end: Place,
}

impl Recovered {
    /// Of a ring of so many sectors in which there is nothing.
    pub(crate) const fn nothing(sectors: u32) -> Self {
        let start = Place { sequence: 0, position: 0 };
        let loss =
            Loss { records: 0, sectors: 0, unreadable: 0, damaged: 0, missing: 0, is_torn: false };
        Self { loss, epoch: 1, sectors, kept: start, end: start }
    }
}

/// A record of which a part has been seen.
#[derive(Clone, Copy, Debug)]
struct Begun {
    place: Place,
    /// Bytes seen, the length in front among them.
    seen: usize,
}

/// The second pass: the records.
pub struct Replay {
    sectors: u32,
    epoch: u32,
    kept: Place,
    /// The next position to take, up to `end`; that one is looked at too, for a torn write.
    next: u64,
    end: u64,
    /// Number of the next record, as far as is known.
    sequence: u64,
    /// A sector before this one is lost.
    has_gap: bool,
    /// The epoch of which something is missing.
    broken: Option<u32>,
    /// The epoch of the last whole sector.
    last_epoch: u32,
    begun: Option<Begun>,
    /// Its bytes, as far as they are here, behind its length.
    record: Box<[u8]>,
    is_done: bool,
    loss: Loss,
}

impl Replay {
    fn new(limits: Limits, newest: Option<Header>, record: Box<[u8]>) -> Self {
        let end = newest.map_or(0, |newest| newest.position + 1);
        let kept = newest.map_or(Place { sequence: 0, position: 0 }, |newest| Place {
            sequence: newest.kept_sequence,
            position: newest.tail(),
        });
        Self {
            sectors: limits.sectors,
            epoch: newest.map_or(0, |newest| newest.epoch),
            kept,
            next: kept.position,
            end,
            sequence: kept.sequence,
            has_gap: false,
            broken: None,
            last_epoch: 0,
            begun: None,
            record,
            is_done: false,
            loss: Loss::default(),
        }
    }

    /// The next sector to take: where in the ring.
    #[must_use]
    pub fn wants(&self) -> Option<u32> {
        (!self.is_done).then_some((self.next % u64::from(self.sectors)) as u32)
    }

    /// Takes the sector that it wants, `None` if the device does not read it, and gives the records
    /// that end in it.
    pub fn take(&mut self, sector: Option<&Sector>, mut each: impl FnMut(Record<'_>)) {
        assert!(!self.is_done, "nothing is wanted any more");
        if self.next == self.end {
            self.is_done = true;
            self.loss.is_torn = matches!(sector.map(Header::open), Some(Err(Flaw::Damaged)));
            return;
        }
        match sector.map(Header::open) {
            None => self.miss(|loss| loss.unreadable += 1),
            Some(Ok((header, payload))) if self.belongs(&header) => {
                self.take_whole(&header, payload, &mut each);
            }
            Some(Err(Flaw::Damaged)) => self.miss(|loss| loss.damaged += 1),
            Some(_) => self.miss(|loss| loss.missing += 1),
        }
        self.next += 1;
    }

    fn belongs(&self, header: &Header) -> bool {
        header.position == self.next
            && header.sectors == self.sectors
            && header.epoch >= self.last_epoch
            && header.epoch <= self.epoch
    }

    fn miss(&mut self, count: impl FnOnce(&mut Loss)) {
        self.loss.sectors += 1;
        count(&mut self.loss);
        self.has_gap = true;
        self.begun = None;
    }

    fn take_whole(&mut self, header: &Header, payload: &[u8], each: &mut impl FnMut(Record<'_>)) {
        if self.has_gap {
            self.broken = Some(header.epoch);
            self.has_gap = false;
        }
        let is_new_life = header.epoch > self.last_epoch;
        self.last_epoch = header.epoch;
        let begins = header.begins.map_or(payload.len(), usize::from);
        let (continued, own) = payload.split_at_checked(begins).unwrap_or((payload, &[]));
        if is_new_life {
            self.begun = None;
        }
        self.go_on(continued, header.epoch, each);
        if header.begins.is_some() {
            self.begun = None;
        }
        if self.begun.is_none() {
            self.count_missing(header.sequence, header.epoch, is_new_life);
        }
        self.begin(own, header, each);
    }

    /// Counts what should have come before the record that begins here.
    fn count_missing(&mut self, sequence: u64, epoch: u32, is_new_life: bool) {
        let missing = sequence.saturating_sub(self.sequence);
        self.loss.records += missing;
        if missing > 0 && !is_new_life {
            self.broken = Some(epoch);
        }
        self.sequence = self.sequence.max(sequence);
    }

    /// The records that begin in a sector.
    fn begin(&mut self, mut rest: &[u8], header: &Header, each: &mut impl FnMut(Record<'_>)) {
        let mut sequence = header.sequence;
        while !rest.is_empty() {
            let place = Place { sequence, position: header.position };
            self.begun = Some(Begun { place, seen: 0 });
            let taken = self.go_on(rest, header.epoch, each);
            rest = rest.split_at_checked(taken).map_or(&[], |(_, rest)| rest);
            sequence += 1;
        }
    }

    /// Adds to the record that is begun; how many bytes were its own.
    fn go_on(&mut self, bytes: &[u8], epoch: u32, each: &mut impl FnMut(Record<'_>)) -> usize {
        let mut taken = 0;
        while let Some(mut begun) = self.begun {
            let wanted =
                self.length(begun.seen).map_or(LENGTH_BYTES, |length| LENGTH_BYTES + length);
            let more = bytes.get(taken..).unwrap_or_default();
            let now = (wanted - begun.seen).min(more.len());
            let place = self.record.get_mut(begun.seen..begun.seen + now);
            let (Some(place), Some(now_bytes)) = (place, more.get(..now)) else {
                // Longer than a record may be: it was written with other limits, and is lost.
                self.lose(begun);
                return bytes.len();
            };
            place.copy_from_slice(now_bytes);
            begun.seen += now;
            taken += now;
            self.begun = Some(begun);
            if self.length(begun.seen).is_some_and(|length| begun.seen == LENGTH_BYTES + length) {
                self.give(begun, epoch, each);
            } else if now == 0 || taken == bytes.len() {
                break;
            }
        }
        taken
    }

    /// The length of the record that is begun, once that is known.
    fn length(&self, seen: usize) -> Option<usize> {
        let prefix = self.record.get(..LENGTH_BYTES).filter(|_| seen >= LENGTH_BYTES)?;
        usize::try_from(Reader::new(prefix).u32()?).ok()
    }

    fn give(&mut self, begun: Begun, epoch: u32, each: &mut impl FnMut(Record<'_>)) {
        self.begun = None;
        self.sequence = self.sequence.max(begun.place.sequence + 1);
        let bytes = self.record.get(LENGTH_BYTES..begun.seen).unwrap_or_default();
        let is_prefix = self.broken != Some(epoch);
        if begun.place.sequence >= self.kept.sequence {
            each(Record { place: begun.place, epoch, is_prefix, bytes });
        }
    }

    /// A record that ends nowhere had its number.
    fn lose(&mut self, begun: Begun) {
        self.begun = None;
        self.loss.records += 1;
        self.sequence = self.sequence.max(begun.place.sequence + 1);
    }

    /// What there was, and from where to go on.
    #[must_use]
    pub fn finish(self) -> Recovered {
        self.finish_giving().0
    }

    /// The same, and the memory of [`Scan::replay_in`].
    pub(crate) fn finish_giving(mut self) -> (Recovered, Box<[u8]>) {
        assert!(self.is_done, "all that is wanted has been taken");
        if let Some(begun) = self.begun {
            self.lose(begun);
        }
        let recovered = Recovered {
            loss: self.loss,
            epoch: self.epoch.saturating_add(1),
            sectors: self.sectors,
            kept: self.kept,
            end: Place { sequence: self.sequence.max(self.kept.sequence), position: self.end },
        };
        (recovered, self.record)
    }
}

/// Both passes over a ring that can be read at once.
///
/// # Errors
/// See [`WalError`].
pub fn recover(
    limits: Limits,
    mut read: impl FnMut(u32, &mut Sector) -> bool,
    mut each: impl FnMut(Record<'_>),
) -> Result<Recovered, WalError> {
    let mut sector = [0; SECTOR_BYTES];
    let mut scan = Scan::new(limits.sectors);
    while let Some(index) = scan.wants() {
        let is_read = read(index, &mut sector);
        scan.take(is_read.then_some(&sector));
    }
    let mut replay = scan.replay(limits)?;
    while let Some(index) = replay.wants() {
        let is_read = read(index, &mut sector);
        replay.take(is_read.then_some(&sector), &mut each);
    }
    Ok(replay.finish())
}
