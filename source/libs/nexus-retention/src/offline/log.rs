//! The records of a write-ahead log, whoever wrote it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Files, Finding, Problem};
use crate::name::WAL;
use crate::wal::{
    Limits, PAYLOAD_BYTES, Record, Recovered, SECTOR_BYTES, SECTORS_MAX, Scan, Sector, WalError,
    own_place,
};

/// How the names of the newest generation begin: `g3/`, or nothing if there are no generations.
#[must_use]
pub fn newest_generation(files: &mut dyn Files) -> String {
    let number = |name: &str| {
        let (digits, _) = name.strip_prefix('g')?.split_once('/')?;
        digits.parse::<u32>().ok()
    };
    let newest = files.list().iter().filter_map(|(name, _)| number(name)).max();
    newest.map_or_else(String::new, |number| format!("g{number}/"))
}

/// A log whose files are named `<generation>wal.<nn>`: it lies over them, one behind another.
pub struct Log {
    /// What is to be said of it.
    name: String,
    sectors: u32,
    /// Each file, and where in the ring it begins.
    parts: BTreeMap<u32, (String, u32)>,
    /// A sector of another version.
    foreign: Option<Sector>,
}

impl Log {
    /// Looks where the files belong in the ring, by what is in them.
    #[must_use]
    pub fn open(files: &mut dyn Files, generation: &str) -> Self {
        let name = format!("{generation}{WAL}");
        let mut log =
            Self { name: name.clone(), sectors: 0, parts: BTreeMap::new(), foreign: None };
        for (file, len) in files.list() {
            let is_part = file.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.'));
            if is_part {
                log.place(files, file, len / SECTOR_BYTES as u32);
            }
        }
        log
    }

    /// A whole sector says where it lies, and so where its file begins.
    fn place(&mut self, files: &mut dyn Files, file: String, len: u32) {
        let mut sector = [0; SECTOR_BYTES];
        for at in 0..len {
            if !files.read(&file, at * SECTOR_BYTES as u32, &mut sector) {
                continue;
            }
            let start = own_place(&sector).and_then(|(index, sectors)| {
                Some((index.checked_sub(at)?, sectors)).filter(|_| sectors <= SECTORS_MAX)
            });
            if let Some((start, sectors)) = start {
                self.sectors = self.sectors.max(sectors);
                self.parts.insert(start, (file, len));
                return;
            }
            if self.foreign.is_none() && is_foreign(&sector) {
                self.foreign = Some(sector);
            }
        }
    }

    /// Where the sector at an index lies.
    fn find(&self, index: u32) -> Option<(&str, u32)> {
        let (start, (file, len)) = self.parts.range(..=index).next_back()?;
        let at = index - start;
        (at < *len).then_some((file.as_str(), at * SECTOR_BYTES as u32))
    }

    fn read(&self, files: &mut dyn Files, index: u32) -> Option<Sector> {
        let (file, offset) = self.find(index)?;
        let mut sector = [0; SECTOR_BYTES];
        files.read(file, offset, &mut sector).then_some(sector)
    }

    /// Gives all records that are whole, in order, and notes what is missing.
    pub fn records(
        &self,
        files: &mut dyn Files,
        findings: &mut Vec<Finding>,
        mut each: impl FnMut(Record<'_>),
    ) {
        let mut found = |problem| findings.push(Finding { file: self.name.clone(), problem });
        match self.recover(files, &mut each) {
            Ok(Some(recovered)) if recovered.loss.is_none() => {}
            Ok(Some(recovered)) => found(Problem::LogLoss(recovered.loss)),
            Ok(None) => {}
            Err(error) => found(Problem::Log(error)),
        }
    }

    fn recover(
        &self,
        files: &mut dyn Files,
        each: &mut impl FnMut(Record<'_>),
    ) -> Result<Option<Recovered>, WalError> {
        if let Some(sector) = &self.foreign {
            // Nothing is read from a log that may mean something else.
            scan_of(1, |_| Some(*sector)).replay(limits(1))?;
        }
        if self.sectors == 0 {
            return Ok(None);
        }
        let scan = scan_of(self.sectors, |index| self.read(files, index));
        let mut replay = scan.replay(limits(self.sectors))?;
        while let Some(index) = replay.wants() {
            let in_file = self.find(index).is_some();
            match self.read(files, index) {
                Some(sector) => replay.take(Some(&sector), &mut *each),
                // What has no file yet was never written.
                None if !in_file => replay.take(Some(&[0; SECTOR_BYTES]), &mut *each),
                None => replay.take(None, &mut *each),
            }
        }
        Ok(Some(replay.finish()))
    }
}

fn scan_of(sectors: u32, mut read: impl FnMut(u32) -> Option<Sector>) -> Scan {
    let mut scan = Scan::new(sectors);
    while let Some(index) = scan.wants() {
        scan.take(read(index).as_ref());
    }
    scan
}

fn is_foreign(sector: &Sector) -> bool {
    scan_of(1, |_| Some(*sector)).replay(limits(1)).is_err()
}

/// For any record that fits such a ring.
const fn limits(sectors: u32) -> Limits {
    let bytes = sectors as u64 * PAYLOAD_BYTES as u64;
    let record_bytes = if bytes > u32::MAX as u64 { u32::MAX } else { bytes as u32 };
    Limits { sectors, staged: 1, record_bytes }
}
