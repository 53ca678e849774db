//! A value that gets lost between a client and the registry, and what `obsctl audit` says of it.

use std::process::{Command, Stdio};

use nexus_wire::Kind;
use nexus_wire::metrics::Op;

use crate::relay::{Middle, relay};
use crate::support::{Daemon, Folder, eventually, obsctl, programs, text};

/// Takes 1 away from one counter of whoever passes, for ever.
#[derive(Default)]
struct Thief {
    counters: Vec<[u8; 8]>,
    victim: Option<[u8; 8]>,
}

/// Where the values of a BATCH begin, and bytes of each: a series and a value.
const VALUES_AT: usize = 16;
const VALUE_BYTES: usize = 16;

fn is(frame: &[u8], op: Op) -> bool {
    frame[3] == op.raw()
}

impl Middle for Thief {
    fn request(&mut self, frame: &mut [u8]) {
        if !is(frame, Op::Batch) {
            return;
        }
        let count = usize::from(u16::from_le_bytes([frame[12], frame[13]]));
        for value in frame[VALUES_AT..].chunks_exact_mut(VALUE_BYTES).take(count) {
            let (series, total) = value.split_first_chunk_mut::<8>().unwrap();
            let total: &mut [u8; 8] = total.try_into().unwrap();
            let counted = u64::from_le_bytes(*total);
            let mut is_victim = || self.victim.get_or_insert(*series) == series;
            if counted > 0 && self.counters.contains(series) && is_victim() {
                *total = (counted - 1).to_le_bytes();
            }
        }
    }

    fn reply(&mut self, request: &[u8], reply: &mut Vec<u8>) {
        let is_counter = || request[8] == Kind::Counter.raw();
        if is(request, Op::Register) && is_counter() {
            self.counters.extend(reply.get(9..17).map(|id| <[u8; 8]>::try_from(id).unwrap()));
        }
    }
}

/// Takes nothing.
struct Honest;

impl Middle for Honest {}

/// Runs hostprobe with `middle` between it and metricsd until `holds` of what `obsctl audit`, asked
/// without anybody between, says with its exit code; then once more, when hostprobe has ended.
fn audits(middle: impl Middle, holds: fn(Option<i32>, &str) -> bool) -> [(Option<i32>, String); 2] {
    let (folder, relayed) = (Folder::new("audited"), Folder::new("relayed"));
    let _logd = Daemon::start(&folder, "logd", &["--serve", "metricsd", "--serve", "hostprobe"]);
    let _metricsd = Daemon::start(&folder, "metricsd", &["--serve", "hostprobe"]);
    let own = folder.0.join("svc/hostprobe");
    std::os::unix::fs::symlink(own.join("logd.sock"), relayed.0.join("logd.sock")).unwrap();
    relay(&relayed.0, own, middle);
    let mut probe = Command::new(programs().join("hostprobe"));
    probe.arg("--run-dir").arg(&relayed.0).stdin(Stdio::null());
    let probe = Daemon(probe.spawn().unwrap());
    let audit = || {
        let output = obsctl(&folder, &["audit"]);
        (output.status.code(), text(&output.stdout))
    };
    let mut during = audit();
    eventually("audit says it", || {
        during = audit();
        holds(during.0, &during.1)
    });
    probe.kill();
    [during, audit()]
}

#[test]
fn a_value_lost_on_its_way_is_found_and_its_sender_named_with_the_difference() {
    for (code, said) in audits(Thief::default(), |code, _| code == Some(1)) {
        assert_eq!(code, Some(1), "{said}");
        let broken = said.lines().filter(|line| line.contains("BROKEN")).collect::<Vec<_>>();
        let law = "what clients recorded = what has arrived";
        let missing = "(not: hostprobe: missing counted 1, observed 0, sum 0)";
        assert_eq!(broken, [format!("BROKEN  {law} {missing}")], "{said}");
    }
}

#[test]
fn values_that_arrive_are_not_missed() {
    let told = |_: Option<i32>, said: &str| said.contains("what has arrived, of 1 that say so");
    for (code, said) in audits(Honest, told) {
        assert_eq!(code, Some(0), "{said}");
    }
}
