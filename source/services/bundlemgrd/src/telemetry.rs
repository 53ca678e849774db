//! What bundlemgrd tells metricsd and logd of its work.

use nexus_bundle::store::{Bundle, Refused};
use nexus_metrics::{Bounds, CounterFamily, counter_family, gauge, histogram};
use nexus_policy::Verdict;
use nexus_wire::bundles::{BundleStatus, Op};

static REQUESTS: CounterFamily<2> = counter_family!(
    "bundlemgrd_requests_total",
    ["op", "outcome"],
    help = "requests, by what was asked and what became of it"
);
static CORRUPT: CounterFamily<1> = counter_family!(
    "bundlemgrd_corrupt_total",
    ["defect"],
    help = "bytes that are no bundle, by what is wrong"
);
static LOOKED_AT: CounterFamily<1> = counter_family!(
    "bundlemgrd_looked_at_total",
    ["outcome"],
    help = "bundles found in the boot image and on the disk, by what they are"
);

/// From 1 KiB on, each four times the one before.
const SIZES: Bounds = Bounds::listed(&[1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20]);

pub(crate) fn note(op: u8, status: BundleStatus) {
    REQUESTS.with([op_name(op), status.name()]).inc();
}

/// What is said of something that the store has refused.
pub(crate) fn status(refused: Refused) -> BundleStatus {
    if let Some(defect) = refused.defect {
        CORRUPT.with([defect.name()]).inc();
    }
    refused.status
}

pub(crate) fn denied(verdict: Verdict) -> BundleStatus {
    let reason = verdict.reason();
    nexus_log::warn!("bundlemgrd", "no bundle was changed: {reason}";
        event = "bundle.denied.v1", reason = reason);
    BundleStatus::Denied
}

/// Something was found that may be a bundle.
pub(crate) fn looked_at(found: Result<(), Refused>) {
    let outcome = found.map_or_else(status, |()| BundleStatus::Ok).name();
    LOOKED_AT.with([outcome]).inc();
    if found.is_err() {
        nexus_log::error!("bundlemgrd", "what was found is no bundle to be used: {outcome}";
            event = "bundle.left_out.v1", reason = outcome);
    }
}

pub(crate) fn installed(bundle: &Bundle) {
    histogram!(
        "bundlemgrd_installed_bytes",
        unit = Bytes,
        bounds = SIZES,
        help = "sizes of bundles that were brought"
    )
    .observe(bundle.size().into());
    let (name, size) = (bundle.name().as_str(), bundle.size());
    nexus_log::info!("bundlemgrd", "installed {name}";
        event = "bundle.installed.v1", name = name, size = size);
}

pub(crate) fn note_state(bundles: usize, bytes: u64) {
    gauge!("bundlemgrd_bundles", help = "bundles that are known").set(bundles as i64);
    gauge!("bundlemgrd_state_bytes", unit = Bytes, help = "bytes of bundles on the state disk")
        .set(bytes.cast_signed());
}

/// The operation of a request, for what is counted by it.
const fn op_name(op: u8) -> &'static str {
    match Op::from_raw(op) {
        Some(Op::List) => "list",
        Some(Op::Query) => "query",
        Some(Op::Begin) => "begin",
        Some(Op::Bring) => "bring",
        Some(Op::Commit) => "commit",
        Some(Op::GiveUp) => "give_up",
        Some(Op::Fetch) => "fetch",
        Some(Op::Remove) => "remove",
        None => "unknown",
    }
}
