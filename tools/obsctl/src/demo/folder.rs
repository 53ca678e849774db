//! The folder of a demo: it goes with the demo, or, if that is killed, with a later one.
//!
//! A lock in it says that it is in use. The demo takes the lock and its parts inherit it, so the
//! kernel gives it back when the last of them has ended, however that came about.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::{FdFlags, fcntl_setfd};

const PREFIX: &str = "obsctl-demo.";
const LOCK: &str = "demo.lock";

/// A temporary folder that goes with this value.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl Folder {
    pub(super) fn new() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        remove_left_behind(&parent);
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        // Not created with its parents and not if it is there: nobody can have prepared it.
        DirBuilder::new().mode(0o755).create(&path).with_context(|| path.display().to_string())?;
        let _lock = lock(&path)?;
        Ok(Self { path, _lock })
    }
}

/// A lock that processes started from now on hold, too.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let lock = File::create_new(folder.join(LOCK))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fcntl_setfd(&lock, FdFlags::empty())?;
    Ok(lock)
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("obsctl: {} is left: {error}", self.path.display());
        }
    }
}

/// Removes the folders of demos that were killed. What cannot be looked at is not ours to remove.
fn remove_left_behind(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_left_behind(&path) && fs::remove_dir_all(&path).is_ok() {
            eprintln!("obsctl: removed {}, which a killed demo had left", path.display());
        }
    }
}

/// Whether this is a demo's folder, made by this user, and nobody of that demo lives.
fn is_left_behind(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let process = name.and_then(|name| name.strip_prefix(PREFIX));
    let own = fs::symlink_metadata(path)
        .is_ok_and(|it| it.is_dir() && it.uid() == rustix::process::geteuid().as_raw());
    own && process.is_some_and(|process| process.parse::<u32>().is_ok()) && !in_use(path)
}

/// Also a folder without a lock is in use: its demo may be about to make it.
fn in_use(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let lock = rustix::fs::open(path.join(LOCK), flags, Mode::empty());
    lock.map_or(true, |lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_folder_is_in_use_until_the_last_part_has_ended() {
        let path = std::env::temp_dir().join(format!("obsctl-lock.{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let lock = lock(&path).unwrap();
        let mut part = Command::new("sleep").arg("100").spawn().unwrap();
        drop(lock);
        let while_it_lives = in_use(&path);
        part.kill().unwrap();
        part.wait().unwrap();
        let afterwards = in_use(&path);
        fs::remove_dir_all(&path).unwrap();
        assert_eq!((while_it_lives, afterwards), (true, false));
    }

    #[test]
    fn only_folders_of_demos_that_have_ended_are_removed() {
        let parent = std::env::temp_dir().join(format!("obsctl-folders.{}", std::process::id()));
        let make = |name: &str, lock: bool| {
            let path = parent.join(name);
            fs::create_dir_all(&path).unwrap();
            lock.then(|| File::create(path.join(LOCK)).unwrap())
        };
        make("obsctl-demo.11", true);
        make("obsctl-demo.12", false);
        make("obsctl-demo.next", true);
        make("another.13", true);
        let held = make("obsctl-demo.14", true).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        symlink(parent.join("another.13"), parent.join("obsctl-demo.15")).unwrap();
        make("obsctl-demo.16", false);
        symlink(parent.join("another.13").join(LOCK), parent.join("obsctl-demo.16").join(LOCK))
            .unwrap();

        remove_left_behind(&parent);
        let left = |name: &&str| parent.join(name).exists();
        let names = ["11", "12", "next", "14", "15", "16"].map(|end| format!("{PREFIX}{end}"));
        let names = names.iter().map(String::as_str).chain(["another.13/demo.lock"]);
        let left = names.filter(left).collect::<Vec<_>>();
        fs::remove_dir_all(&parent).unwrap();
        let expected = ["12", "next", "14", "15", "16"].map(|end| format!("{PREFIX}{end}"));
        assert_eq!(left, [&expected[..], &["another.13/demo.lock".to_owned()]].concat());
    }
}
