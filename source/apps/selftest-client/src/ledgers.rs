//! What logd and metricsd have in their ledgers of the intruder: what it offered, and that it was
//! refused.

use nexus_wire::logs;
use nexus_wire::metrics;
use nexus_wire::{AuditReply, LedgerRow, LogStatus, MetricStatus, Reason};

use crate::Why;
use crate::intruder::{INTRUDER, LOGD_DENIED, LOGD_OTHERS, METRICSD_DENIED, METRICSD_OTHERS};
use crate::talk::Talk;

const LATE: Why = "no budget to read a ledger";
const REFUSED: Why = "a ledger is not shown";

/// One page from a cursor on: the next cursor, and the intruder's row if it is there; `None`: not
/// now.
type Page = Option<(u32, Option<LedgerRow>)>;

/// Nothing that it offered was taken but its one record, and each question was denied.
pub(crate) fn have_refused(talk: &mut Talk<'_>) -> Result<(), Why> {
    let logd = row(talk, of_logd)?;
    let metricsd = row(talk, of_metricsd)?;
    let is_logds = is_refused(&logd, LOGD_DENIED, LOGD_OTHERS, 1);
    let is_metricsds = is_refused(&metricsd, METRICSD_DENIED, METRICSD_OTHERS, 0);
    if is_logds && is_metricsds {
        Ok(())
    } else {
        Err("a ledger has not what was refused to others, or more")
    }
}

fn is_refused(row: &LedgerRow, denied: usize, others: usize, accepted: u64) -> bool {
    let is_denied = row.refused.get(Reason::Denied.index()) == Some(&(denied as u64));
    let is_all = row.refused_total() == (denied + others) as u64;
    is_denied && is_all && row.accepted == accepted && row.folded == 0 && row.balances()
}

fn row(
    talk: &mut Talk<'_>,
    page: fn(&mut Talk<'_>, u32) -> Result<Page, Why>,
) -> Result<LedgerRow, Why> {
    let (mut cursor, mut found) = (0, None);
    loop {
        let (next, row) = talk.until(LATE, |talk| page(talk, cursor))?;
        (cursor, found) = (next, found.or(row));
        if cursor == 0 {
            return found.ok_or("who tried something is not in a ledger");
        }
    }
}

fn of_logd(talk: &mut Talk<'_>, cursor: u32) -> Result<Page, Why> {
    match talk.ask_logd(&logs::Request::Audit { cursor })? {
        (LogStatus::Ok, logs::Reply::Audit(audit)) => Ok(Some(find(&audit))),
        (LogStatus::RateLimited, _) => Ok(None),
        _ => Err(REFUSED),
    }
}

fn of_metricsd(talk: &mut Talk<'_>, cursor: u32) -> Result<Page, Why> {
    match talk.ask_metricsd(&metrics::Request::Audit { cursor })? {
        (MetricStatus::Ok, metrics::Reply::Audit(audit)) => Ok(Some(find(&audit))),
        (MetricStatus::RateLimited, _) => Ok(None),
        _ => Err(REFUSED),
    }
}

fn find(audit: &AuditReply<'_>) -> (u32, Option<LedgerRow>) {
    (audit.next_cursor, audit.rows().find(|row| row.service_id() == Some(INTRUDER)))
}
