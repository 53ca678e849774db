//! Tables of the page against the code's lists.

use nexus_wire::bundles::{self, BundleStatus, Origin};
use nexus_wire::entropy::{self, EntropyStatus};
use nexus_wire::exec::{self, ExecStatus};
use nexus_wire::logs::{self, ClockAnchor};
use nexus_wire::policy::{self, Action, Decision, PolicyStatus};
use nexus_wire::sessions::{self, SessionStatus, line};
use nexus_wire::timers::{self, Qos, TimerStatus};
use nexus_wire::{AuditReply, FileKind, FileStatus, HistoryLoss, Kind, Level, LogStatus};
use nexus_wire::{LossReason, MetricStatus, REASONS, SpanStatus, Tier, Unit, files, metrics};

use crate::page::{Page, same};

/// Names and numbers of the code.
type List = Vec<(String, usize)>;

macro_rules! named {
    ($list:expr) => {
        $list.iter().map(|it| (it.name().to_owned(), usize::from(it.raw()))).collect()
    };
}

macro_rules! limits {
    ($($constant:ident = $value:expr,)*) => {
        vec![$((stringify!($constant).to_owned(), $value)),*]
    };
}

fn limits() -> List {
    limits! {
        FRAME_BYTES_MAX = nexus_abi::FRAME_BYTES_MAX,
        REQUEST_HEAD_BYTES = metrics::REQUEST_HEAD_BYTES,
        REPLY_HEAD_BYTES = metrics::REPLY_HEAD_BYTES,
        NAME_BYTES_MAX = nexus_wire::NAME_BYTES_MAX,
        LABELS_BYTES_MAX = nexus_wire::LABELS_BYTES_MAX,
        HELP_BYTES_MAX = nexus_wire::HELP_BYTES_MAX,
        BOUNDS_MAX = nexus_wire::BOUNDS_MAX,
        SCOPE_BYTES_MAX = nexus_wire::SCOPE_BYTES_MAX,
        MESSAGE_BYTES_MAX = nexus_wire::MESSAGE_BYTES_MAX,
        FIELDS_BYTES_MAX = nexus_wire::FIELDS_BYTES_MAX,
        FILE_NAME_BYTES_MAX = nexus_wire::FILE_NAME_BYTES_MAX,
        FILE_BYTES_MAX = nexus_wire::FILE_BYTES_MAX,
        OBJECT_BYTES_MAX = nexus_wire::OBJECT_BYTES_MAX,
        BUNDLE_NAME_BYTES_MAX = bundles::BUNDLE_NAME_BYTES_MAX,
        BUNDLE_VERSION_BYTES_MAX = bundles::BUNDLE_VERSION_BYTES_MAX,
        BUNDLE_PIECE_BYTES_MAX = bundles::BUNDLE_PIECE_BYTES_MAX,
        SESSION_BYTES_MAX = sessions::SESSION_BYTES_MAX,
        HELLO_BYTES = line::HELLO_BYTES,
        WELCOME_BYTES = line::WELCOME_BYTES,
        SEALED_BYTES_MAX = line::SEALED_BYTES_MAX,
        ENTROPY_BYTES_MAX = entropy::ENTROPY_BYTES_MAX,
        QUERY_REPLY_BYTES_MAX = nexus_wire::QUERY_REPLY_BYTES_MAX,
        QUERY_RECORDS_MAX = nexus_wire::QUERY_RECORDS_MAX,
        ROWS_MAX = AuditReply::ROWS_MAX,
        ROW_BYTES = AuditReply::ROW_BYTES,
        REPLY_MAX = ClockAnchor::REPLY_MAX,
        INCARNATION_MAX = nexus_abi::Incarnation::MAX.raw() as usize,
    }
}

pub(crate) fn mistakes(page: &Page) -> Vec<String> {
    let metricsd = metrics::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let logd = logs::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let statefsd = files::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let timed = timers::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let policyd = policy::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let bundlemgrd = bundles::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let execd = exec::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let dsoftbusd = sessions::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let lines = line::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let kinds = line::Kind::ALL.iter().map(|kind| (format!("{kind:?}"), usize::from(kind.raw())));
    let entropyd = entropy::Op::ALL.iter().map(|op| (format!("{op:?}"), usize::from(op.raw())));
    let reasons = REASONS.map(|(reason, name)| (name.to_owned(), reason.index()));
    let lists: [(&str, List); 33] = [
        ("metricsd operations", metricsd.collect()),
        ("logd operations", logd.collect()),
        ("timed operations", timed.collect()),
        ("timed statuses", named!(TimerStatus::ALL)),
        ("timer classes", named!(Qos::ALL)),
        ("policyd operations", policyd.collect()),
        ("policyd statuses", named!(PolicyStatus::ALL)),
        ("policy actions", named!(Action::ALL)),
        ("policy decisions", named!(Decision::ALL)),
        ("bundlemgrd operations", bundlemgrd.collect()),
        ("bundlemgrd statuses", named!(BundleStatus::ALL)),
        ("bundle origins", named!(Origin::ALL)),
        ("execd operations", execd.collect()),
        ("execd statuses", named!(ExecStatus::ALL)),
        ("dsoftbusd operations", dsoftbusd.collect()),
        ("dsoftbusd statuses", named!(SessionStatus::ALL)),
        ("line operations", lines.collect()),
        ("line kinds", kinds.collect()),
        ("entropyd operations", entropyd.collect()),
        ("entropyd statuses", named!(EntropyStatus::ALL)),
        ("metricsd statuses", named!(MetricStatus::ALL)),
        ("logd statuses", named!(LogStatus::ALL)),
        ("statefsd operations", statefsd.collect()),
        ("statefsd statuses", named!(FileStatus::ALL)),
        ("file kinds", named!(FileKind::ALL)),
        ("kinds", named!(Kind::ALL)),
        ("units", named!(Unit::ALL)),
        ("levels", named!(Level::ALL)),
        ("span statuses", named!(SpanStatus::ALL)),
        ("tiers", named!(Tier::ALL)),
        ("history losses", named!(HistoryLoss::ALL)),
        ("loss reasons", named!(LossReason::ALL)),
        ("ledger reasons", reasons.to_vec()),
    ];
    let mut mistakes: Vec<String> =
        lists.iter().flat_map(|(table, list)| compare(page, table, list, 1, 0)).collect();
    mistakes.extend(compare(page, "limits", &limits(), 2, 1));
    let known = lists.len() + 1;
    if page.tables.len() != known {
        mistakes.push(format!("{} tables on the page, {known} known", page.tables.len()));
    }
    mistakes
}

/// Row by row, in order: cell `name` is the name, cell `number` the number.
fn compare(page: &Page, table: &str, list: &List, name: usize, number: usize) -> Vec<String> {
    let Some(rows) = page.tables.get(table) else { return vec![format!("no table {table}")] };
    let mut mistakes = Vec::new();
    if rows.len() != list.len() {
        mistakes.push(format!("{table}: {} rows for {} entries", rows.len(), list.len()));
    }
    for (row, (in_code, value)) in rows.iter().zip(list) {
        let agrees = row.get(name).is_some_and(|cell| same(cell, &in_code.replace('_', "")))
            && row.get(number).and_then(|cell| cell.parse().ok()) == Some(*value);
        if !agrees {
            mistakes.push(format!("{table}: {row:?} for {in_code} = {value}"));
        }
    }
    mistakes
}
