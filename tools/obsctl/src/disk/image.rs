use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::Context as _;
use nexus_port::{BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};

/// The image of a disk in a file, or the disk itself, opened to be read and nothing else: it is not
/// even locked, so that nobody is kept from it.
pub(super) struct Image {
    file: File,
    sectors: u32,
    /// What was read last.
    read: Vec<u8>,
}

impl Image {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || -> io::Result<Self> {
            let mut file = File::open(path)?;
            // Of a disk the file system does not know how long it is.
            let bytes = io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
            let sectors = u32::try_from(bytes / SECTOR_BYTES as u64).unwrap_or(u32::MAX);
            Ok(Self { file, sectors, read: Vec::new() })
        };
        open().with_context(|| format!("{}: cannot be read", path.display()))
    }

    /// Who has locked the image to write to it, by process id; 0: one that cannot be seen.
    pub(super) fn writer(&self) -> Option<u32> {
        let inode = self.file.metadata().ok()?.ino().to_string();
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        locks.lines().find_map(|line| {
            // `1: FLOCK  ADVISORY  WRITE 123 fe:00:456 0 EOF`
            let words: Vec<_> = line.split_whitespace().collect();
            let [_, _, _, "WRITE", process, place, ..] = words.as_slice() else { return None };
            let is_it = place.rsplit(':').next() == Some(inode.as_str());
            is_it.then(|| process.parse().unwrap_or(0))
        })
    }

    fn read(&mut self, sector: u32, sectors: u32) -> Result<&[u8], BlockError> {
        let is_within = sector.checked_add(sectors).is_some_and(|end| end <= self.sectors);
        if !is_within {
            return Err(BlockError::OutOfRange);
        }
        self.read.resize(sectors as usize * SECTOR_BYTES, 0);
        let at = u64::from(sector) * SECTOR_BYTES as u64;
        self.file.read_exact_at(&mut self.read, at).map_err(|_| BlockError::Io)?;
        Ok(&self.read)
    }
}

impl BlockDevice for Image {
    fn sectors(&self) -> u32 {
        self.sectors
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        match request {
            BlockRequest::Read { sector, sectors } => match self.read(sector, sectors) {
                Ok(bytes) => BlockOutcome::Read(bytes),
                Err(error) => BlockOutcome::Failed(error),
            },
            BlockRequest::Write { .. } | BlockRequest::Flush => {
                BlockOutcome::Failed(BlockError::ReadOnly)
            }
        }
    }
}
