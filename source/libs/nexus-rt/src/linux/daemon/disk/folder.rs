//! The folder of state, and its files: who may enter, whose lock it is, which start this is.
//!
//! ```text
//! DIR                   0700, our own
//! DIR/<daemon>.img      the image, locked while the daemon runs
//! DIR/<daemon>.boot     the number of the last start that has written to it
//! ```

use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat};
use rustix::io::Errno;

use super::super::boot;
use super::holder;

/// What a daemon holds of its folder of state.
pub(super) struct Folder {
    pub(super) dir: OwnedFd,
    pub(super) image: OwnedFd,
    /// The image as it was opened: which file it is.
    pub(super) stat: Stat,
    /// Nothing can be written there.
    pub(super) is_read_only: bool,
    /// Where the image lies.
    pub(super) path: PathBuf,
    /// The number of the last start that is known there, 0 if there was none.
    pub(super) last_start: u32,
}

fn at(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Folder {
    /// Makes `dir` if it is missing, opens the image of `daemon` in it, and locks it.
    ///
    /// # Errors
    /// What is wrong with the folder or the image, and what to do.
    pub(super) fn claim(dir: &Path, daemon: &str) -> io::Result<Self> {
        own_folder(dir)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(dir, flags, Mode::empty()).map_err(|error| at(dir, error))?;
        let path = dir.join(format!("{daemon}.img"));
        let (image, is_read_only) = image(&opened, &path)?;
        let stat = fstat(&image).map_err(|error| at(&path, error))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(at(&path, "is not a file; move it away"));
        }
        lock(&image, &stat, &path)?;
        let last_start = boot::last_start(&dir.join(format!("{daemon}.boot")))?;
        Ok(Self { dir: opened, image, stat, is_read_only, path, last_start })
    }
}

/// Sees to it that nobody else can enter the folder.
fn own_folder(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        // The umask may have taken bits away.
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o700)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|error| at(dir, error))?;
    let found = fs::metadata(dir).map_err(|error| at(dir, error))?;
    if !found.is_dir() {
        return Err(at(dir, "is not a folder; move it away or choose another --state-dir"));
    }
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own {
        let owner = found.uid();
        return Err(at(
            dir,
            format_args!("belongs to user {owner}; give it to user {own} (chown)"),
        ));
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format_args!(
            "others may enter it (mode {mode:04o}), and what is kept there is not for them; \
             chmod 0700 it or choose another --state-dir"
        );
        return Err(at(dir, why));
    }
    Ok(())
}

/// Opens the image, and makes it if there is none. On a file system that takes no writes it is
/// opened to be read.
fn image(dir: &OwnedFd, path: &Path) -> io::Result<(OwnedFd, bool)> {
    let name = c_name(path)?;
    let common = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::RUSR | Mode::WUSR;
    let opened = match openat(dir, &name, common | OFlags::RDWR | OFlags::CREATE, mode) {
        Ok(image) => Ok((image, false)),
        Err(Errno::ROFS) => {
            openat(dir, &name, common | OFlags::RDONLY, Mode::empty()).map(|image| (image, true))
        }
        Err(error) => Err(error),
    };
    opened.map_err(|error| match error {
        Errno::NOENT => at(path, "there is no image, and the file system takes no writes"),
        Errno::LOOP => at(path, "is a link; move it away"),
        error => at(path, error),
    })
}

fn lock(image: &OwnedFd, stat: &Stat, path: &Path) -> io::Result<()> {
    match flock(image, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => {
            let holder = holder::of(stat).map(|process| format!(" (process {process})"));
            let holder = holder.unwrap_or_default();
            let why = format_args!(
                "another process{holder} writes to it; stop that one or choose another --state-dir"
            );
            Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{}: {why}", path.display())))
        }
        Err(error) => Err(at(path, format_args!("cannot be locked: {error}"))),
    }
}

/// The last part of a path, for calls relative to an opened folder.
pub(super) fn c_name(path: &Path) -> io::Result<CString> {
    let name = path.file_name().unwrap_or_default();
    CString::new(name.as_bytes()).map_err(|error| at(path, error))
}

/// A whole path, for calls that must not take memory.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| at(path, error))
}

/// Whether the file of that `stat` still lies at `path`.
pub(super) fn is_still_at(stat: &Stat, path: &CStr) -> bool {
    rustix::fs::stat(path).is_ok_and(|now| now.st_ino == stat.st_ino && now.st_dev == stat.st_dev)
}
