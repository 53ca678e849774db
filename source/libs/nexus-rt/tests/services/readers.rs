//! Reading is for root, the daemon's own user and one group; to everybody else the real daemons say
//! that it is denied, and take what they send all the same.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::thread;

use nexus_rt::linux::client::Connection;
use nexus_wire::logs::{self, Head, NewRecord, RecordText, Search, Version};
use nexus_wire::metrics::{self, Update};
use nexus_wire::{LabelBytes, Level, LogStatus, MetricStatus, NameBytes};
use rustix::process::geteuid;

use crate::process::{READERS, become_user, daemon_of, dir};

/// A user that is neither root nor anybody else.
const DAEMONS: u32 = 4242;
const NOBODY: u32 = 65534;

/// Requests of a daemon, and what it says to those who may not.
struct Asks {
    reads: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
    denied: u8,
}

fn of_logd() -> Asks {
    use logs::Request;
    let head = Head { version: Version::V2, nonce: 1 };
    let frame = |r: &Request<'_>| logs::encode(r, head, &mut [0; 512]).unwrap().to_vec();
    let reads = [
        Request::Query { since_ns: 0, max: 1 },
        Request::Search(Search::ALL),
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Anchors,
    ];
    let record = NewRecord { level: Level::Info, scope: "s", message: "m", fields: b"" };
    let mut text = [0; size_of::<RecordText>()];
    let record = record.join(&mut text).unwrap();
    let others = [Request::Append(record), Request::Stats, Request::Hello];
    Asks {
        reads: reads.iter().map(frame).collect(),
        others: others.iter().map(frame).collect(),
        denied: LogStatus::Denied.raw(),
    }
}

fn of_metricsd() -> Asks {
    use metrics::Request;
    let frame = |r: &Request<'_>| metrics::encode(r, 1, &mut [0; 512]).unwrap().to_vec();
    let reads = [
        Request::Scrape { cursor: 0, with_help: false },
        Request::Spans { cursor: 0 },
        Request::Audit { cursor: 0 },
        Request::Status,
    ];
    let (name, labels) = (NameBytes::new(b"n_total").unwrap(), LabelBytes::new(b"").unwrap());
    let update = Update { name, labels, value: 1 };
    let others = [Request::CounterInc(update), Request::Ping, Request::Hello(None)];
    Asks {
        reads: reads.iter().map(frame).collect(),
        others: others.iter().map(frame).collect(),
        denied: MetricStatus::Denied.raw(),
    }
}

/// Asks everything. Statuses stand at the same place in the replies of both daemons.
fn assert_may(mut connection: Connection, asks: &Asks, may_read: bool) {
    let mut status = |frame: &[u8]| {
        let mut reply = [0; 4096];
        let len = connection.call(frame, &mut reply).unwrap();
        reply[..len][4]
    };
    for frame in &asks.others {
        assert_eq!(status(frame), 0, "{frame:?} is for all");
    }
    for frame in &asks.reads {
        assert_eq!(status(frame), if may_read { 0 } else { asks.denied }, "{frame:?}");
    }
}

fn assert_readers(name: &'static str, asks: &Asks) {
    let dir = dir();
    if !geteuid().is_root() {
        let _daemon = daemon_of(name, dir.path(), None);
        assert_may(Connection::open(dir.path(), name).unwrap(), asks, true);
        return eprintln!("PRECONDITION FAILED: only root can be others; shown of one's own user");
    }
    set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    chown(dir.path(), Some(DAEMONS), Some(DAEMONS)).unwrap();
    let _daemon = daemon_of(name, dir.path(), Some(DAEMONS));
    for (user, group, groups, may_read) in [
        (0, 0, &[][..], true),
        (DAEMONS, DAEMONS, &[], true),
        (NOBODY, READERS, &[], true),
        (NOBODY, NOBODY, &[1, READERS], true),
        (NOBODY, NOBODY, &[], false),
        (NOBODY, DAEMONS, &[0, READERS + 1], false),
    ] {
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                become_user(user, group, groups);
                assert_may(Connection::open(dir.path(), name).unwrap(), asks, may_read);
            });
            assert!(asking.join().is_ok(), "user {user}, group {group}, groups {groups:?}");
        });
    }
}

#[test]
fn logd_lets_root_its_user_and_one_group_read_and_everybody_write() {
    assert_readers("logd", &of_logd());
}

#[test]
fn metricsd_lets_root_its_user_and_one_group_read_and_everybody_write() {
    assert_readers("metricsd", &of_metricsd());
}
