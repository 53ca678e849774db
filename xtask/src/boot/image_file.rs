//! The image of a disk, for the host to read, or to format.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use nexus_port::{BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};

pub(super) struct ImageFile {
    file: File,
    sectors: u32,
    is_writable: bool,
    answer: Vec<u8>,
}

impl ImageFile {
    /// Takes no writes; a flush has nothing to do.
    pub(super) fn readable(path: &Path) -> Result<Self> {
        Self::open(path, false)
    }

    pub(super) fn writable(path: &Path) -> Result<Self> {
        Self::open(path, true)
    }

    fn open(path: &Path, is_writable: bool) -> Result<Self> {
        let file = File::options().read(true).write(is_writable).open(path);
        let file = file.with_context(|| path.display().to_string())?;
        let sectors = u32::try_from(file.metadata()?.len() / SECTOR_BYTES as u64)?;
        Ok(Self { file, sectors, is_writable, answer: Vec::new() })
    }
}

fn at(sector: u32) -> u64 {
    u64::from(sector) * SECTOR_BYTES as u64
}

impl BlockDevice for ImageFile {
    fn sectors(&self) -> u32 {
        self.sectors
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        let done = match request {
            BlockRequest::Read { sector, sectors } => {
                self.answer.resize(sectors as usize * SECTOR_BYTES, 0);
                let read = self.file.read_exact_at(&mut self.answer, at(sector));
                return match read {
                    Ok(()) => BlockOutcome::Read(&self.answer),
                    Err(_) => BlockOutcome::Failed(BlockError::Io),
                };
            }
            BlockRequest::Write { .. } if !self.is_writable => {
                return BlockOutcome::Failed(BlockError::ReadOnly);
            }
            BlockRequest::Write { sector, bytes } => self.file.write_all_at(bytes, at(sector)),
            BlockRequest::Flush if self.is_writable => self.file.sync_data(),
            BlockRequest::Flush => Ok(()),
        };
        done.map_or(BlockOutcome::Failed(BlockError::Io), |()| BlockOutcome::Done)
    }
}
