//! Who may say what: the kernel's word about users and groups, and nothing else.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use nexus_abi::ServiceId;
use nexus_rt::linux::client::Connection;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::process::{Setup, dir, start, text};

const READERS: u32 = 54321;

/// What the daemon takes a thread with these credentials for.
fn seen_as(dir: &Path, user: u32, group: u32, groups: &[u32]) -> String {
    let dir: PathBuf = dir.to_owned();
    let groups: Vec<Gid> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let other_self = thread::spawn(move || {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        set_thread_groups(&groups).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        match Connection::open(dir, "echod") {
            Ok(mut connection) => text(&mut connection, b"i"),
            Err(error) => error.kind().to_string(),
        }
    });
    other_self.join().unwrap()
}

fn as_user_name(name: &str, rest: &str) -> String {
    format!("{} {rest}", ServiceId::from_name(name))
}

#[test]
fn reading_is_for_root_the_daemons_user_and_one_group() {
    if !geteuid().is_root() {
        return eprintln!("PRECONDITION FAILED: only root can be others; nothing shown");
    }
    let dir = dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _daemon = start(dir.path(), &Setup { readers: "54321", ..Setup::default() });
    let seen = |user, group, groups: &[u32]| seen_as(dir.path(), user, group, groups);
    assert_eq!(seen(65534, 65534, &[]), as_user_name("uid.65534", "1 0"));
    assert_eq!(seen(65534, READERS, &[]), as_user_name("uid.65534", "2 3"));
    assert_eq!(seen(65534, 65534, &[1, READERS, 99999]), as_user_name("uid.65534", "3 3"));
    assert_eq!(seen(65534, 65534, &[1, READERS + 1]), as_user_name("uid.65534", "4 0"));
    assert_eq!(seen(7777, 7777, &[]), as_user_name("named", "1 0"));
}

#[test]
fn without_a_group_of_readers_no_group_reads() {
    if !geteuid().is_root() {
        return eprintln!("PRECONDITION FAILED: only root can be others; nothing shown");
    }
    let dir = dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _daemon = start(dir.path(), &Setup::default());
    let seen = seen_as(dir.path(), 65534, READERS, &[0, READERS]);
    assert_eq!(seen, as_user_name("uid.65534", "1 0"));
}

#[test]
fn a_services_own_socket_names_it_and_its_folder_guards_it() {
    let dir = dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = start(dir.path(), &Setup { serve: "timed named", ..Setup::default() });
    let folder = dir.path().join("svc/timed");
    let mut connection = Connection::open(&folder, "echod").unwrap();
    assert_eq!(text(&mut connection, b"i"), as_user_name("timed", "1 3"));
    let mode = std::fs::metadata(&folder).unwrap().mode();
    assert_eq!(mode & 0o777, 0o700);
    let main = std::fs::metadata(daemon.dir.join("echod.sock")).unwrap().mode();
    assert_eq!(main & 0o777, 0o666);
    if !geteuid().is_root() {
        return eprintln!("PRECONDITION FAILED: only root can be others; shown in part");
    }
    assert_eq!(seen_as(&folder, 65534, 65534, &[]), "permission denied");
    // The folder of a service with a user belongs to that user.
    let folder = dir.path().join("svc/named");
    assert_eq!(std::fs::metadata(&folder).unwrap().uid(), 7777);
    assert_eq!(seen_as(&folder, 7777, 7777, &[]), as_user_name("named", "1 0"));
}

#[test]
fn every_connection_is_a_life_of_its_service() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { serve: "timed", ..Setup::default() });
    let folder = dir.path().join("svc/timed");
    for life in 1..20 {
        let mut connection = Connection::open(&folder, "echod").unwrap();
        assert_eq!(text(&mut connection, b"i"), as_user_name("timed", &format!("{life:x} 3")));
    }
    drop(daemon);
}
