//! Ends a process with the one that started it, however that one ends.

use std::io;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// From now on this process gets SIGTERM when its parent `pid` ends.
///
/// # Errors
/// `NotFound` if `pid` is not our parent, or is so no longer: then nobody would ever end us.
pub fn end_with(pid: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if parent == Some(pid) {
        return Ok(());
    }
    let why = format!("--parent {pid}: that process did not start this one, or has ended");
    Err(io::Error::new(io::ErrorKind::NotFound, why))
}
