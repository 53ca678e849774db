//! The run directory: lock, sockets and their modes.
//!
//! ```text
//! DIR/<daemon>.lock             held while the daemon runs
//! DIR/<daemon>.sock             0666: any user may speak, as the service of its user
//! DIR/svc/<name>/<daemon>.sock  whoever may enter the folder (0700 if we make it) speaks as <name>
//! ```

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nexus_abi::ServiceId;
use rustix::fs::{FlockOperation, flock};

use crate::linux::socket;

/// Connections that may wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// A socket that we listen on. Its path goes when it is dropped.
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    /// The service whose own socket this is; `None` for the main one.
    pub(super) served: Option<ServiceId>,
    path: PathBuf,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Nothing to be done if somebody took it away before us.
        drop(fs::remove_file(&self.path));
    }
}

/// A run directory that is ours alone, as far as this daemon's name goes.
pub(super) struct RunDir {
    dir: PathBuf,
    daemon: String,
    _lock: File,
}

/// `error` with what was being done.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl RunDir {
    /// Makes `dir` if need be and takes the lock of `daemon` in it.
    ///
    /// # Errors
    /// `AddrInUse` if another process holds the lock; else what the file system says.
    pub(super) fn claim(dir: &Path, daemon: &str) -> io::Result<Self> {
        make_dir(dir, 0o755)?;
        let path = dir.join(format!("{daemon}.lock"));
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| at(&path, &error))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(in_use(&path, daemon));
        }
        Ok(Self { dir: dir.to_owned(), daemon: daemon.to_owned(), _lock: lock })
    }

    /// The daemon's name.
    pub(super) fn daemon(&self) -> &str {
        &self.daemon
    }

    /// The path of `name` in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Listens on the main socket.
    pub(super) fn listen(&self) -> io::Result<Listener> {
        self.listen_in(&self.dir, None)
    }

    /// Listens on the own socket of the service `name`, whose processes run as `owner` if that is
    /// known. Only root can give the folder away; other daemons keep it to their own user.
    pub(super) fn listen_for(&self, name: &str, owner: Option<u32>) -> io::Result<Listener> {
        let all = self.dir.join("svc");
        make_dir(&all, 0o755)?;
        let dir = all.join(name);
        let made = make_dir(&dir, 0o700)?;
        if let Some(owner) = owner.filter(|_| made && rustix::process::geteuid().is_root()) {
            std::os::unix::fs::chown(&dir, Some(owner), None).map_err(|error| at(&dir, &error))?;
        }
        self.listen_in(&dir, Some(ServiceId::from_name(name)))
    }

    /// The path appears only when connections can wait there: whoever sees it may connect.
    fn listen_in(&self, dir: &Path, served: Option<ServiceId>) -> io::Result<Listener> {
        let path = dir.join(format!("{}.sock", self.daemon));
        self.clear(&path)?;
        // Clients must be able to name it, although it is born under a shorter name.
        socket::address(&path)?;
        let fresh = dir.join(format!("{}.new", self.daemon));
        self.clear(&fresh)?;
        let socket =
            socket::bound(&socket::address(&fresh)?).map_err(|error| at(&fresh, &error))?;
        let mut listener = Listener { socket, served, path: fresh };
        fs::set_permissions(&listener.path, Permissions::from_mode(0o666))
            .map_err(|error| at(&listener.path, &error))?;
        rustix::net::listen(&listener.socket, BACKLOG)?;
        fs::rename(&listener.path, &path).map_err(|error| at(&path, &error))?;
        listener.path = path;
        Ok(listener)
    }

    /// Removes a socket that a dead daemon left behind, and nothing else.
    fn clear(&self, path: &Path) -> io::Result<()> {
        let kind = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at(path, &error)),
            Ok(found) => found.file_type(),
        };
        if !kind.is_socket() {
            let why = format!("{}: is not a socket; move it away", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        match socket::connect(&socket::address(path)?) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(|error| at(path, &error))
            }
            _ => Err(in_use(path, &self.daemon)),
        }
    }
}

fn in_use(path: &Path, daemon: &str) -> io::Error {
    let why = format!(
        "{}: another {daemon} serves here; stop it or choose another --run-dir",
        path.display()
    );
    io::Error::new(io::ErrorKind::AddrInUse, why)
}

/// Makes the folder `path` if it is missing, and says whether it did. One that everybody may write
/// to is refused: anybody could put a socket in the place of ours.
fn make_dir(path: &Path, mode: u32) -> io::Result<bool> {
    let made = match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(at(path, &error)),
    };
    if made {
        // The umask may have taken bits away.
        let permissions = Permissions::from_mode(mode);
        fs::set_permissions(path, permissions).map_err(|error| at(path, &error))?;
    }
    let found = fs::metadata(path).map_err(|error| at(path, &error))?;
    if !found.is_dir() || found.mode() & 0o002 != 0 {
        let why = format!("{}: must be a folder that not everybody may write to", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(made)
}

/// The number of the group `name` in `/etc/group`, or `name` itself if it is a number. Name
/// services beyond that file are not asked, because they may use the network.
///
/// # Errors
/// No such group.
pub(super) fn group(name: &str) -> io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string("/etc/group")?;
    group_in(&groups, name).ok_or_else(|| {
        let why = format!("port.readers_group: there is no group \"{name}\" in /etc/group");
        io::Error::new(io::ErrorKind::NotFound, why)
    })
}

fn group_in(groups: &str, name: &str) -> Option<u32> {
    let mut fields = groups.lines().map(|line| line.split(':'));
    fields.find_map(|mut field| (field.next()? == name).then(|| field.nth(1)?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nnexus-read:x:123:ann,bob\nbroken\n";
        assert_eq!(group_in(groups, "nexus-read"), Some(123));
        assert_eq!(group_in(groups, "nexus"), None);
        assert_eq!(group_in(groups, "broken"), None);
    }
}
