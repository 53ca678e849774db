//! A system at work, every socket of both daemons traced: none is of a network.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{Daemon, Folder, eventually, obsctl, programs, status, text};

/// Starts `name` in `folder` under the eyes of strace, which writes to `trace`.
fn traced(folder: &Folder, name: &str, options: &[&str], trace: &Path) -> Daemon {
    // With -D the daemon is our own child and strace is the stranger.
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-e", "trace=socket,socketpair,connect,bind", "-o"]).arg(trace);
    command.arg(programs().join(name)).arg("--run-dir").arg(&folder.0).args(options);
    Daemon::spawn(folder, name, command.stderr(Stdio::null()))
}

/// Calls that make, bind or connect a socket.
fn calls(trace: &Path) -> Vec<String> {
    let trace = std::fs::read_to_string(trace).unwrap();
    let is_call = |line: &&str| {
        ["socket(", "socketpair(", "connect(", "bind("].iter().any(|call| line.contains(call))
    };
    trace.lines().filter(is_call).map(str::to_owned).collect()
}

/// Whether a traced call has to do with Unix sockets alone. A call on a socket that exists names
/// the family in the address.
fn is_local(call: &str) -> bool {
    call.contains("AF_UNIX") && !call.contains("AF_INET")
}

#[test]
fn a_system_at_work_makes_and_connects_unix_sockets_only() {
    let folder = Folder::new("traced");
    let traces = ["logd.trace", "metricsd.trace"].map(|name| folder.0.join(name));
    let logd = traced(&folder, "logd", &["--serve", "metricsd"], &traces[0]);
    let metricsd = traced(&folder, "metricsd", &[], &traces[1]);
    eventually("metricsd is ready", || status(&folder, "export_ready").as_deref() == Some("true"));
    let done = |args: &[&str]| {
        let output = obsctl(&folder, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    done(&["log", "a record"]);
    done(&["count", "n_total", "3"]);
    done(&["run", "--", "true"]);
    let exported = || done(&["logs", "--scope", "spans"]).lines().count() == 1;
    eventually("the span is in the journal", exported);
    assert!(done(&["metrics", "n_total"]).contains("n_total"));
    done(&["audit"]);
    for daemon in [metricsd, logd] {
        daemon.signal(Signal::TERM);
        assert!(daemon.ended().0.success());
    }
    for trace in &traces {
        let calls = calls(trace);
        let foreign = calls.iter().find(|call| !is_local(call));
        assert_eq!(foreign, None, "{}", trace.display());
        assert!(calls.iter().any(|call| call.contains("bind(")), "{calls:?}");
    }
    // What an idle daemon never does: the way of the exports.
    let to_logd = |call: &String| call.contains("connect(") && call.contains("/logd.sock");
    let calls = calls(&traces[1]);
    assert!(calls.iter().any(to_logd), "{calls:?}");
}

#[test]
fn a_socket_of_a_network_would_be_noticed() {
    let made = |family| format!("7 socket({family}, SOCK_SEQPACKET|SOCK_CLOEXEC, 0) = 3");
    assert!(is_local(&made("AF_UNIX")));
    assert!(!is_local(&made("AF_INET")) && !is_local(&made("AF_INET6")));
    assert!(!is_local("7 connect(3, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0"));
    assert!(!is_local("7 socket(AF_NETLINK, SOCK_RAW, 0) = 3"));
}
