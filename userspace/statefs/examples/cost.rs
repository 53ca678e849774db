//! What statefs costs: bytes that the device writes for each byte that is handed over, and the
//! memory of a store.
//!
//! The load is a log that grows by some bytes a second and is synced each second, as a
//! write-ahead log is, and begun anew every 64 KiB; once alone, once with a file of 64 KiB written
//! whole each time the log is begun, as segments are sealed, of which the 12 newest stay.
//! Everything is counted: sectors of files, both copies of the journal, its snapshots.
use std::error::Error;

use simkit::Disk;
use statefs::{Format, Limits, Store, blocking};

const SECONDS: u32 = 3600;
const SEGMENT_BYTES: u32 = 64 << 10;
const KEPT: u32 = 12;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    cost()?;
    sizes()
}

/// What a run has handed over, and its disk.
struct Run {
    disk: Disk,
    store: Store,
    logical: u64,
    segments: u32,
}

impl Run {
    fn new(limits: Limits) -> Result<Self> {
        let mut disk = Disk::new(limits.sectors);
        let store = blocking::format(&mut disk, limits, &[])?;
        Ok(Self { disk, store, logical: 0, segments: 0 })
    }

    fn second(&mut self, bytes: &[u8], seals: bool) -> Result<()> {
        let log = match self.store.find("wal") {
            Some(log) => log,
            None => self.store.create("wal", SEGMENT_BYTES + 8192)?,
        };
        self.store.append(log, bytes)?;
        self.logical += bytes.len() as u64;
        if self.store.entry(log).is_some_and(|log| log.len >= SEGMENT_BYTES) {
            if seals {
                self.seal()?;
            }
            self.store.delete(log)?;
        }
        blocking::sync(&mut self.store, &mut self.disk)?;
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        let name = |number: u32| format!("segment/{number:08}");
        let draft = self.store.draft(&name(self.segments), SEGMENT_BYTES)?;
        for _ in 0..SEGMENT_BYTES / 4096 {
            self.store.append(draft, &[7; 4096])?;
            blocking::drive(&mut self.store, &mut self.disk)?;
        }
        self.store.finish(draft)?;
        self.logical += u64::from(SEGMENT_BYTES);
        let oldest = self.segments.checked_sub(KEPT).and_then(|old| self.store.find(&name(old)));
        if let Some(oldest) = oldest {
            self.store.delete(oldest)?;
        }
        self.segments += 1;
        Ok(())
    }
}

/// Bytes that the device writes for each byte handed over, and its flushes for each sync.
fn ratios(bytes: usize, seals: bool) -> Result<(f64, f64)> {
    let mut run = Run::new(Limits { sectors: 4 << 11, files: 64, open: 8 })?;
    let (sectors, flushes) = (run.disk.sectors_written(), run.disk.flushes());
    for _ in 0..SECONDS {
        run.second(&vec![5; bytes], seals)?;
    }
    let device = (run.disk.sectors_written() - sectors) * 512;
    let flushes = (run.disk.flushes() - flushes) as f64 / f64::from(SECONDS);
    Ok((device as f64 / run.logical as f64, flushes))
}

fn cost() -> Result<()> {
    println!("| bytes a second | log alone | log and segments | flushes a sync |");
    println!("|---|---|---|---|");
    for bytes in [256, 512, 1024, 2048, 4096, 8192] {
        let ((alone, flushes), (both, _)) = (ratios(bytes, false)?, ratios(bytes, true)?);
        println!("| {bytes} | {alone:.2} | {both:.2} | {flushes:.2} |");
    }
    Ok(())
}

fn sizes() -> Result<()> {
    println!(
        "\n| sectors | files | open | journal area, sectors | sectors for files | memory, KiB |"
    );
    println!("|---|---|---|---|---|---|");
    for (sectors, files, open) in [(2048, 32, 4), (16_384, 128, 8), (2_097_152, 4096, 16)] {
        let format = Format::new(Limits { sectors, files, open }, 1)?;
        let (area, data) = (format.area_sectors(), format.data().sectors);
        let memory = Store::memory(&format) / 1024;
        println!("| {sectors} | {files} | {open} | {area} | {data} | {memory} |");
    }
    Ok(())
}
