//! Who holds a lock, as the kernel lists it.

use std::fs;

use rustix::fs::{Stat, major, minor};

/// The process that holds the lock on the file of that `stat`, if it can be known: a process of
/// another namespace has no number here, and some file systems are listed under another one.
pub(super) fn of(stat: &Stat) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let (device, inode) = (stat.st_dev, stat.st_ino);
    in_list(&locks, &format!("{:02x}:{:02x}:{inode}", major(device), minor(device)))
}

/// A line: `1: FLOCK ADVISORY WRITE <process> <file> <from> <to>`.
fn in_list(locks: &str, file: &str) -> Option<u32> {
    let mut holders = locks.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?;
        let process = words.nth(2)?;
        (kind == "FLOCK" && words.next()? == file).then_some(process)
    });
    holders.next()?.parse().ok().filter(|process| *process != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:12 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 13705 fe:00:12 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 8 fe:00:13 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 fe:00:14 0 EOF\nbroken\n";
        assert_eq!(in_list(locks, "fe:00:12"), Some(13_705));
        assert_eq!(in_list(locks, "fe:00:13"), None, "it only waits for the lock");
        assert_eq!(in_list(locks, "fe:00:14"), None, "a process that has no number here");
        assert_eq!(in_list(locks, "fe:01:12"), None);
    }
}
