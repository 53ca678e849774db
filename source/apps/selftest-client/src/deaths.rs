//! Services are ended from outside while they are used: whoever waits is told, the others go on,
//! what the dead life has left open is closed as abandoned, and nothing is counted twice.
//!
//! For images whose first process does what an [`Order`] asks. What a victim asks others then they
//! do not answer in their first lives: so that it is in the middle of something when it ends.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::metrics::{Reply, Request};
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::{self, EndpointName, line};
use nexus_wire::timers::{self, Qos};
use nexus_wire::{MetricStatus, bundles, entropy, exec, files, policy};

use crate::journal::has;
use crate::metrics::{COUNTER, NO_UNIT, counter, origin};
use crate::series::{Metric, Series, told};
use crate::talk::{METRICSD, Talk};
use crate::{Absence, Order, Why};

const FIRST: ServiceId = ServiceId::from_name("init");

/// So much later somebody is ended.
const SOON: Nanos = Nanos::from_millis(100);
/// And who has to have announced to metricsd what it has begun: it does after a second.
const ONCE_ANNOUNCED: Nanos = Nanos::from_millis(1500);

/// How exports say that a parent has ended a process.
const BY_PARENT: &str = "signal:64";

const NO_FRAME: Why = "no such frame";

/// Who is ended.
pub(crate) struct Victim {
    pub(crate) name: &'static str,
    /// What it is asked until it is dead, under a nonce, at the front of a frame: its length.
    asked: fn(u32, &mut [u8]) -> Result<usize, Why>,
    /// The span that its end leaves open.
    leaves: Option<&'static str>,
    /// What we count meanwhile.
    counts: &'static str,
}

pub(crate) const POLICYD: Victim = Victim {
    name: "policyd",
    asked: |nonce, out| {
        let object = Object::new("").ok_or(NO_FRAME)?;
        let subject = ServiceId::from_name("selftest-client");
        let check = Check { subject, action: Action::ReadLogs, object };
        length(policy::encode(&policy::Frame { nonce, check }, out))
    },
    leaves: None,
    counts: "selftest_without_policyd_total",
};

pub(crate) const TIMED: Victim = Victim {
    name: "timed",
    asked: |nonce, out| {
        let deadline = Mono(u64::MAX >> 1);
        let request = timers::Request::SleepUntil { qos: Qos::Idle, deadline };
        length(timers::encode(&timers::Frame { nonce, request }, out))
    },
    leaves: None,
    counts: "selftest_without_timed_total",
};

/// It waits for bundlemgrd.
pub(crate) const EXECD: Victim = Victim {
    name: "execd",
    asked: |nonce, out| {
        let name = bundles::BundleName::new("demo.hello").ok_or(NO_FRAME)?;
        length(exec::encode(&exec::Request::Start { name }, nonce, out))
    },
    leaves: Some("exec.path"),
    counts: "selftest_without_execd_total",
};

pub(crate) const BUNDLEMGRD: Victim = Victim {
    name: "bundlemgrd",
    asked: |nonce, out| {
        let name = bundles::BundleName::new("demo.hello").ok_or(NO_FRAME)?;
        length(bundles::encode(&bundles::Request::Query { name }, nonce, out))
    },
    leaves: None,
    counts: "selftest_without_bundlemgrd_total",
};

pub(crate) const ENTROPYD: Victim = Victim {
    name: "entropyd",
    asked: |nonce, out| {
        let frame = entropy::request(nonce, 32);
        out.iter_mut().zip(frame).for_each(|(to, from)| *to = from);
        Ok(frame.len())
    },
    leaves: None,
    counts: "selftest_without_entropyd_total",
};

/// It waits for the other endpoint.
pub(crate) const DSOFTBUSD: Victim = Victim {
    name: "dsoftbusd",
    asked: |nonce, out| {
        let peer = EndpointName::new(PEER.name).ok_or(NO_FRAME)?;
        length(sessions::encode(&sessions::Request::Open { peer }, nonce, out))
    },
    leaves: Some("session.open"),
    counts: "selftest_without_dsoftbusd_total",
};

pub(crate) const PEER: Victim = Victim {
    name: "dsoftbusd-peer",
    asked: |nonce, out| {
        let hello = &[7; line::HELLO_BYTES];
        let request = line::Request::Handshake { suite: line::SUITE, hello };
        length(line::encode(&request, nonce, out))
    },
    leaves: None,
    counts: "selftest_without_peer_total",
};

/// It answers us; metricsd and logd have it keep what they have.
pub(crate) const STATEFSD: Victim = Victim {
    name: "statefsd",
    asked: |nonce, out| length(files::encode(&files::Request::Hello, nonce, out)),
    leaves: None,
    counts: "selftest_without_statefsd_total",
};

/// All of them, in the order in which they are ended.
pub(crate) const VICTIMS: [&Victim; 8] =
    [&POLICYD, &ENTROPYD, &TIMED, &EXECD, &BUNDLEMGRD, &STATEFSD, &DSOFTBUSD, &PEER];

fn length<E>(frame: Result<&[u8], E>) -> Result<usize, Why> {
    frame.map(<[u8]>::len).map_err(|_| NO_FRAME)
}

pub(crate) fn is_outlived(talk: &mut Talk<'_>, victim: &Victim) -> Result<(), Why> {
    let since = talk.fresh_time();
    talk.tell(&counter(victim.counts, "", 1)?)?;
    dies_while_it_is_asked(talk, victim)?;
    talk.tell(&counter(victim.counts, "", 2)?)?;
    let service = ServiceId::from_name(victim.name);
    talk.until("a service does not come back", |talk| {
        Ok(obeys(talk, Order::Serves { service })?.then_some(()))
    })?;
    if let Some(name) = victim.leaves {
        is_abandoned(talk, since, service, name)?;
    }
    let values = [COUNTER, NO_UNIT, ("value", "3")];
    let series = [Series { labels: &[], values: &values }];
    let counted = [Metric { name: victim.counts, series: &series }];
    told(talk, talk.me(), since, &counted, "what was counted meanwhile is not in the journal")?;
    ledger_balances(talk)
}

/// Whether what is ordered is so, or will be done.
fn obeys(talk: &mut Talk<'_>, order: Order) -> Result<bool, Why> {
    match talk.send(FIRST, &order.to_bytes())? {
        [answer] => Ok(*answer == 1),
        _ => Err("the answer to an order is none"),
    }
}

/// Whoever asks when it dies is told, not left to wait.
fn dies_while_it_is_asked(talk: &mut Talk<'_>, victim: &Victim) -> Result<(), Why> {
    let service = ServiceId::from_name(victim.name);
    let after = if victim.leaves.is_some() { ONCE_ANNOUNCED } else { SOON };
    if !obeys(talk, Order::End { service, after })? {
        return Err("a service cannot be ended by whose child it is");
    }
    talk.until("a service does not die", |talk| {
        let mut frame = [0; FRAME_BYTES_MAX];
        let length = (victim.asked)(talk.next_nonce(), &mut frame)?;
        if talk.send(service, frame.get(..length).unwrap_or_default()).is_ok() {
            return Ok(None);
        }
        match talk.client.absence() {
            Absence::Died | Absence::NotReady => Ok(Some(())),
            Absence::Silent | Absence::Unknown => Err("who asks a dead service is left to wait"),
        }
    })
}

/// The only span of that name is closed once, as abandoned because its process was ended.
fn is_abandoned(
    talk: &mut Talk<'_>,
    since: Mono,
    service: ServiceId,
    name: &'static str,
) -> Result<(), Why> {
    let origin = origin(service);
    talk.until("a span of a dead service is not closed", |talk| {
        let mut closed = 0;
        talk.each_record(since, |record| {
            let ids = [("event", "span.v1"), ("name", name), ("origin", origin.as_str())];
            if record.service != METRICSD || !has(record, &ids) {
                return Ok(());
            }
            closed += 1;
            match has(record, &[("reason", BY_PARENT), ("status", "abandoned")]) {
                true => Ok(()),
                false => Err("a span of a dead service is not closed as abandoned"),
            }
        })?;
        match closed {
            0 => Ok(None),
            1 => Ok(Some(())),
            _ => Err("a span of a dead service is closed more than once"),
        }
    })
}

/// Of everything that anybody has offered to metricsd one outcome is counted, in the rows of the
/// dead too.
fn ledger_balances(talk: &mut Talk<'_>) -> Result<(), Why> {
    let (me, mut cursor, mut ours) = (talk.me(), 0, 0);
    loop {
        cursor = talk.until("no budget to read the ledger", |talk| {
            let audit = match talk.ask_metricsd(&Request::Audit { cursor })? {
                (MetricStatus::Ok, Reply::Audit(audit)) => audit,
                (MetricStatus::RateLimited, _) => return Ok(None),
                _ => return Err("metricsd does not show its ledger"),
            };
            if !audit.rows().all(|row| row.balances()) {
                return Err("the ledger does not balance");
            }
            ours += audit.rows().filter(|row| row.service_id() == Some(me)).count();
            Ok(Some(audit.next_cursor))
        })?;
        match (cursor, ours) {
            (0, 1) => return Ok(()),
            (0, _) => return Err("we are not in the ledger, or more than once"),
            _ => {}
        }
    }
}
