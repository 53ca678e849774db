//! The image as a block device: sectors of a file, by calls that wait.

use std::ffi::CString;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nexus_port::{
    BLOCK_SECTORS_MAX, BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES,
};
use rustix::fs::{
    Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate, fdatasync, fstat, fsync, ftruncate,
    openat, renameat,
};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};

use super::folder::{Folder, c_name, c_path, is_still_at};

/// Bytes of the longest request.
pub(super) const REQUEST_BYTES: usize = BLOCK_SECTORS_MAX as usize * SECTOR_BYTES;

/// The image of a state disk, which this process alone writes to.
///
/// An image that was never written to is empty and reads as zeros. With the first request the
/// number of this start is made durable beside it. No write goes before that has been done, and
/// before the place for all of the image is reserved; where the file system cannot reserve, it is
/// sparse.
pub struct Image {
    folder: Folder,
    path: CString,
    sectors: u32,
    start: Start,
    /// Whether the place was reserved in this life.
    is_reserved: bool,
    /// It was taken away, or another file put into its place.
    is_gone: bool,
    /// What is said then.
    farewell: String,
    read: Box<[u8]>,
}

/// The number of this start and where it is noted.
struct Start {
    text: String,
    name: CString,
    fresh: CString,
    noted: Noted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    NotYet,
    Durably,
    /// It will be tried again.
    Failed,
}

impl Image {
    /// Opens the image of `daemon` in `dir`, of which `bytes` are used.
    pub(crate) fn open(dir: &Path, daemon: &str, bytes: u32) -> io::Result<Self> {
        let folder = Folder::claim(dir, daemon)?;
        let farewell = format!(
            "{daemon}: {}: was taken away; nothing is kept until {daemon} is started again\n",
            folder.path.display()
        );
        Ok(Self {
            path: c_path(&folder.path)?,
            sectors: bytes / SECTOR_BYTES as u32,
            start: Start {
                text: String::new(),
                name: c_name(Path::new(&format!("{daemon}.boot")))?,
                fresh: c_name(Path::new(&format!("{daemon}.boot.new")))?,
                noted: Noted::NotYet,
            },
            folder,
            is_reserved: false,
            is_gone: false,
            farewell,
            read: vec![0; REQUEST_BYTES].into_boxed_slice(),
        })
    }

    /// The number of the last start that is known in the folder; 0 if there was none.
    pub(crate) const fn last_start(&self) -> u32 {
        self.folder.last_start
    }

    /// This start has the number `boot`.
    pub(crate) fn count_start(&mut self, boot: u32) {
        self.start.text = format!("{boot}\n");
    }

    fn read(&mut self, sector: u32, sectors: u32) -> Result<&[u8], BlockError> {
        self.within(sector, sectors)?;
        let read = self.read.get_mut(..sectors as usize * SECTOR_BYTES);
        let read = read.ok_or(BlockError::OutOfRange)?;
        let len = read_at(&self.folder.image, read, offset(sector)).map_err(block_error)?;
        if len < read.len() {
            // Only what was never written to may be read beyond its end.
            let stat = fstat(&self.folder.image).map_err(block_error)?;
            if stat.st_size != 0 {
                return Err(BlockError::OutOfRange);
            }
            read.fill(0);
        }
        Ok(read)
    }

    fn write(&mut self, sector: u32, bytes: &[u8]) -> Result<(), BlockError> {
        self.within(sector, (bytes.len() / SECTOR_BYTES) as u32)?;
        self.prepare()?;
        write_at(&self.folder.image, bytes, offset(sector)).map_err(block_error)
    }

    fn flush(&mut self) -> Result<(), BlockError> {
        if !is_still_at(&self.folder.stat, &self.path) {
            self.is_gone = true;
            drop(io::stderr().write_all(self.farewell.as_bytes()));
            return Err(BlockError::Io);
        }
        retry_on_intr(|| fdatasync(&self.folder.image)).map_err(block_error)
    }

    fn within(&self, sector: u32, sectors: u32) -> Result<(), BlockError> {
        let end = sector.checked_add(sectors);
        let is_within = end.is_some_and(|end| end <= self.sectors) && !self.is_gone;
        match is_within {
            true => Ok(()),
            false if self.is_gone => Err(BlockError::Io),
            false => Err(BlockError::OutOfRange),
        }
    }

    /// Sees to what must be true before anything is written in this life.
    fn prepare(&mut self) -> Result<(), BlockError> {
        match self.start.noted {
            Noted::Durably if self.is_reserved => return Ok(()),
            Noted::Durably => {}
            Noted::NotYet | Noted::Failed => self.note_start()?,
        }
        self.reserve().map_err(block_error)?;
        self.is_reserved = true;
        Ok(())
    }

    fn note_start(&mut self) -> Result<(), BlockError> {
        let noted = match self.folder.is_read_only {
            true => Err(BlockError::ReadOnly),
            false => self.start.note(&self.folder.dir).map_err(block_error),
        };
        self.start.noted = if noted.is_ok() { Noted::Durably } else { Noted::Failed };
        noted
    }

    /// Reserves the place for all of the image. Its length is changed last and at once, so that an
    /// image is empty or whole, and one that is neither was cut short.
    fn reserve(&self) -> rustix::io::Result<()> {
        let (image, len) = (&self.folder.image, u64::from(self.sectors) * SECTOR_BYTES as u64);
        match retry_on_intr(|| fallocate(image, FallocateFlags::KEEP_SIZE, 0, len)) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error),
        }
        if fstat(image)?.st_size == 0 {
            retry_on_intr(|| ftruncate(image, len))?;
        }
        Ok(())
    }

    /// After a failure the system's cache may hold what never reached the disk and pass it off as
    /// written: whatever is read from now on shall come from the disk.
    fn distrust_cache(&self) {
        // Where it cannot be dropped there is none.
        fadvise(&self.folder.image, 0, None, Advice::DontNeed).unwrap_or(());
    }
}

impl Start {
    /// Makes the number of this start durable. The file is replaced as a whole.
    fn note(&self, dir: &OwnedFd) -> rustix::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = openat(dir, &self.fresh, flags | OFlags::NOFOLLOW, Mode::RUSR | Mode::WUSR)?;
        write_at(&file, self.text.as_bytes(), 0)?;
        fsync(&file)?;
        renameat(dir, &self.fresh, dir, &self.name)?;
        fsync(dir)
    }
}

impl BlockDevice for Image {
    fn sectors(&self) -> u32 {
        self.sectors
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        if self.start.noted == Noted::NotYet {
            // Where it fails now, the first write tries again and tells.
            let _is_noted = self.note_start().is_ok();
        }
        let done = match request {
            BlockRequest::Read { sector, sectors } => {
                return match self.read(sector, sectors) {
                    Ok(bytes) => BlockOutcome::Read(bytes),
                    Err(error) => BlockOutcome::Failed(error),
                };
            }
            BlockRequest::Write { sector, bytes } => self.write(sector, bytes),
            BlockRequest::Flush => self.flush(),
        };
        match done {
            Ok(()) => BlockOutcome::Done,
            Err(error) => {
                self.distrust_cache();
                BlockOutcome::Failed(error)
            }
        }
    }
}

fn offset(sector: u32) -> u64 {
    u64::from(sector) * SECTOR_BYTES as u64
}

/// What an error of the system means to who asked.
const fn block_error(error: Errno) -> BlockError {
    match error {
        // A limit on the size of files is a disk that is full for us.
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => BlockError::NoSpace,
        Errno::ROFS => BlockError::ReadOnly,
        _ => BlockError::Io,
    }
}

/// Reads as much as there is; gives its length.
fn read_at(file: &OwnedFd, into: &mut [u8], offset: u64) -> rustix::io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = into.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| pread(file, &mut *rest, offset + len as u64))? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}

/// Writes all of `bytes`.
fn write_at(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let len = retry_on_intr(|| pwrite(file, bytes, offset))?;
        // A file that takes nothing and names no reason would be tried for ever.
        let rest = bytes.get(len..).filter(|_| len > 0);
        bytes = rest.ok_or(Errno::IO)?;
        offset += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u32 = 64 * 1024;

    fn opened(dir: &Path) -> Image {
        let mut image = Image::open(dir, "logd", BYTES).unwrap();
        image.count_start(image.last_start() + 1);
        image
    }

    fn dir() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        dir
    }

    fn read(image: &mut Image, sector: u32, sectors: u32) -> Result<Vec<u8>, BlockError> {
        match image.carry_out(BlockRequest::Read { sector, sectors }) {
            BlockOutcome::Read(bytes) => Ok(bytes.to_vec()),
            BlockOutcome::Failed(error) => Err(error),
            BlockOutcome::Done => Ok(Vec::new()),
        }
    }

    fn write(image: &mut Image, sector: u32, byte: u8) -> Result<(), BlockError> {
        match image.carry_out(BlockRequest::Write { sector, bytes: &[byte; 1024] }) {
            BlockOutcome::Failed(error) => Err(error),
            _ => Ok(()),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_the_start_is_counted_before() {
        let dir = dir();
        let mut image = opened(dir.path());
        assert!(!dir.path().join("logd.boot").exists(), "the daemon does not wait for that");
        assert_eq!(read(&mut image, 126, 2), Ok(vec![0; 1024]), "it was never written to");
        assert!(dir.path().join("logd.boot").exists());
        assert_eq!(write(&mut image, 3, 7), Ok(()));
        assert_eq!(image.carry_out(BlockRequest::Flush), BlockOutcome::Done);
        drop(image);
        assert_eq!(std::fs::read_to_string(dir.path().join("logd.boot")).unwrap(), "1\n");
        let mut image = opened(dir.path());
        assert_eq!((image.last_start(), image.sectors()), (1, 128));
        assert_eq!(read(&mut image, 3, 2), Ok(vec![7; 1024]));
        let len = std::fs::metadata(dir.path().join("logd.img")).unwrap().len();
        assert_eq!(len, u64::from(BYTES));
    }

    #[test]
    fn what_lies_beyond_the_end_is_out_of_range_and_so_is_what_was_cut_off() {
        let dir = dir();
        let mut image = opened(dir.path());
        assert_eq!(read(&mut image, 127, 2), Err(BlockError::OutOfRange));
        assert_eq!(read(&mut image, u32::MAX, 2), Err(BlockError::OutOfRange));
        assert_eq!(write(&mut image, 127, 1), Err(BlockError::OutOfRange));
        assert_eq!(write(&mut image, 126, 1), Ok(()));
        drop(image);
        let file = std::fs::File::options().write(true).open(dir.path().join("logd.img")).unwrap();
        file.set_len(63 * 1024).unwrap();
        let mut image = opened(dir.path());
        assert_eq!(read(&mut image, 126, 2), Err(BlockError::OutOfRange));
        assert_eq!(read(&mut image, 124, 2), Ok(vec![0; 1024]));
    }

    #[test]
    fn an_image_that_only_can_be_read_says_so_when_it_is_written_to() {
        let dir = dir();
        assert_eq!(write(&mut opened(dir.path()), 0, 7), Ok(()));
        let mut image = opened(dir.path());
        image.folder.is_read_only = true;
        assert_eq!(image.last_start(), 1);
        assert_eq!(read(&mut image, 0, 1), Ok(vec![7; 512]));
        assert_eq!(write(&mut image, 0, 8), Err(BlockError::ReadOnly));
    }

    #[test]
    fn an_image_that_is_taken_away_or_exchanged_is_not_synced_any_more() {
        for exchange in [false, true] {
            let dir = dir();
            let mut image = opened(dir.path());
            assert_eq!(write(&mut image, 0, 7), Ok(()));
            std::fs::remove_file(dir.path().join("logd.img")).unwrap();
            if exchange {
                std::fs::write(dir.path().join("logd.img"), "another").unwrap();
            }
            let failed = BlockOutcome::Failed(BlockError::Io);
            assert_eq!(image.carry_out(BlockRequest::Flush), failed);
            assert_eq!(read(&mut image, 0, 1), Err(BlockError::Io));
        }
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        assert_eq!(block_error(Errno::NOSPC), BlockError::NoSpace);
        assert_eq!(block_error(Errno::FBIG), BlockError::NoSpace);
        assert_eq!(block_error(Errno::ROFS), BlockError::ReadOnly);
        assert_eq!(block_error(Errno::IO), BlockError::Io);
    }
}
