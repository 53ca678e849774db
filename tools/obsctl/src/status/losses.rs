//! What was lost, in words.
//!
//! A refused read is no loss: whoever asked asks again. What producers offered and nobody kept is.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_wire::logs::Search;
use nexus_wire::state::{logd, metricsd};
use nexus_wire::{Fields, LedgerRow, REASONS, Reason, RecordId};

use crate::daemons::{Entry, Journal, METRICSD};
use crate::names::Names;
use crate::render::visible;

/// Totals that are 0 while nothing is lost.
const TOTALS: [&str; 13] = [
    logd::ANCHORS_LOST,
    logd::DROPPED,
    metricsd::EXPORT_REFUSED,
    metricsd::EXPORT_SPANS_DROPPED,
    metricsd::HELPS_LEFT_OUT,
    "port_crowded_cut",
    "port_disk_died",
    "port_evicted",
    "port_refused",
    "port_slow_cut",
    metricsd::SATURATIONS,
    metricsd::SENDERS_DISPLACED_ACTIVE,
    metricsd::SERIES_DISPLACED,
];

/// What the totals say.
pub(super) fn of_state(state: &[(String, String)]) -> Vec<String> {
    let number = |wanted: &str| {
        let found = state.iter().find(|(key, _)| key == wanted);
        found.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(0)
    };
    let totals = TOTALS.iter().map(|key| (key, number(key))).filter(|(_, count)| *count > 0);
    let mut losses: Vec<_> = totals.map(|(key, count)| format!("{key} {count}")).collect();
    let restarts = number(metricsd::EXPORT_LOGD_RESTARTS);
    if restarts > 0 {
        let (lost, times) = (number(metricsd::EXPORT_LOST), plural(restarts, "time"));
        losses.push(format!(
            "logd began anew {times}: {} of metricsd, and whatever others had there, are gone",
            plural(lost, "record")
        ));
    }
    losses
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What became of what senders offered.
pub(super) fn of_rows(rows: &[LedgerRow], names: &Names) -> Vec<String> {
    rows.iter().filter_map(|row| of_row(row, names)).collect()
}

fn of_row(row: &LedgerRow, names: &Names) -> Option<String> {
    let refused = REASONS.iter().zip(row.refused);
    let refused = refused.filter(|((reason, _), count)| *count > 0 && *reason != Reason::Denied);
    let refused: Vec<_> = refused.map(|((_, name), count)| (*name, count)).collect();
    let mut parts = Vec::new();
    if !refused.is_empty() {
        let total: u64 = refused.iter().map(|(_, count)| count).sum();
        let reasons: Vec<_> = refused.iter().map(|(name, n)| format!("{name} {n}")).collect();
        parts.push(format!("refused {total} ({})", reasons.join(", ")));
    }
    for (what, count) in [
        ("folded into overflow", row.folded),
        ("dropped", row.dropped),
        ("lost by the sender itself", row.lost_by_client),
    ] {
        if count > 0 {
            parts.push(format!("{what} {count}"));
        }
    }
    (!parts.is_empty()).then(|| format!("{}: {}", visible(&names.of_row(row)), parts.join(", ")))
}

/// Metrics that take no new series now: whose, which, why, until when.
pub(super) fn quarantines(
    state: &[(String, String)],
    names: &Names,
    until: &dyn Fn(u64) -> String,
) -> Vec<String> {
    let named = state.iter().filter(|(key, _)| key.starts_with("quarantine."));
    let mut losses: Vec<_> = named
        .map(|(_, value)| quarantine(value, names, until).unwrap_or_else(|| value.clone()))
        .collect();
    let all = state.iter().find(|(key, _)| key == metricsd::QUARANTINED);
    let all = all.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0);
    if all > losses.len() {
        losses.push(format!("{} more metrics take no new series now", all - losses.len()));
    }
    losses
}

/// `OWNER KIND NAME label=KEY folds=N until_ns=T`, of which the name may contain anything.
fn quarantine(value: &str, names: &Names, until: &dyn Fn(u64) -> String) -> Option<String> {
    let (owner, rest) = value.split_once(' ')?;
    let (kind, rest) = rest.split_once(' ')?;
    let (rest, until_ns) = rest.rsplit_once(" until_ns=")?;
    let (rest, folds) = rest.rsplit_once(" folds=")?;
    let (name, label) = rest.rsplit_once(" label=")?;
    let owner = ServiceId::from_raw(u64::from_str_radix(owner, 16).ok()?);
    let (who, name) = (names.of_service(owner), visible(name));
    let label = match visible(label) {
        none if none.is_empty() => String::new(),
        label => format!(", most by label {label}"),
    };
    let until = until(until_ns.parse().ok()?);
    let who = visible(&who).into_owned();
    Some(format!(
        "{who}: {kind} {name} in quarantine until {until}, no new series; {folds} folded{label}"
    ))
}

/// What a sender says of its own records that did not reach logd.
pub(super) struct OwnGaps {
    service: ServiceId,
    lost: u64,
    /// Of these it does not know.
    unconfirmed: u64,
}

impl OwnGaps {
    pub(super) fn text(&self, names: &Names) -> String {
        let who = names.of_service(self.service);
        let unknown = match self.unconfirmed {
            0 => String::new(),
            count => format!(", and {count} may not have"),
        };
        format!(
            "{}: says {} of its own did not reach logd{unknown}",
            visible(&who),
            plural(self.lost, "record")
        )
    }
}

/// Reads what senders say. metricsd's gaps stand in its own state.
pub(super) fn own_gaps(logd: &mut Journal) -> anyhow::Result<Vec<OwnGaps>> {
    let pair = Fields::parse(b"event=gap.v1\n").unwrap_or(Fields::EMPTY);
    let mut search = Search { pair, ..Search::ALL };
    // A repeat of a gap has its number.
    let mut told: BTreeMap<(ServiceId, String, String), (u64, u64)> = BTreeMap::new();
    loop {
        let page = logd.search(&search)?;
        for entry in page.entries.iter().filter(|entry| entry.service != METRICSD) {
            let field = |key| entry.field(key).unwrap_or_default().to_owned();
            let key = (entry.service, field("from_ns"), field("gap"));
            told.insert(key, (number(entry, "count"), number(entry, "unconfirmed")));
        }
        (search.boot, search.id) = (page.boot, page.next_id);
        if !page.more || page.next_id == RecordId(0) {
            break;
        }
    }
    let mut sums: BTreeMap<ServiceId, (u64, u64)> = BTreeMap::new();
    for ((service, ..), (lost, unconfirmed)) in told {
        let sum = sums.entry(service).or_default();
        *sum = (sum.0.saturating_add(lost), sum.1.saturating_add(unconfirmed));
    }
    let gaps = sums.into_iter().filter(|(_, sums)| *sums != (0, 0));
    Ok(gaps.map(|(service, (lost, unconfirmed))| OwnGaps { service, lost, unconfirmed }).collect())
}

fn number(entry: &Entry, key: &str) -> u64 {
    entry.field(key).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn refused_reads_are_no_losses_and_refused_items_are() {
        let mut row = LedgerRow { service: 1, offered: 9, ..LedgerRow::default() };
        row.refused[Reason::Denied.index()] = 5;
        assert_eq!(of_rows(&[row], &Names::none()), [""; 0]);
        row.refused[Reason::RateLimited.index()] = 3;
        let losses = of_rows(&[row], &Names::none());
        assert_eq!(losses, ["0000000000000001: refused 3 (rate_limited 3)"]);
    }

    #[test]
    fn a_journal_that_went_with_its_logd_is_a_loss() {
        let losses = of_state(&state(&[("export_logd_restarts", "2"), ("export_lost", "1")]));
        let text = "logd began anew 2 times: 1 record of metricsd, and whatever others had there, \
                    are gone";
        assert_eq!(losses, [text]);
        assert_eq!(of_state(&state(&[("export_logd_restarts", "0")])), [""; 0]);
    }

    #[test]
    fn a_quarantine_names_whose_metric_which_label_and_until_when() {
        let owner = ServiceId::from_raw(7);
        let value = format!("{owner} counter a b label=path folds=12 until_ns=5");
        let state = state(&[("quarantine.0", &value), ("quarantined", "3")]);
        let losses = quarantines(&state, &Names::none(), &|ns| format!("T{ns}"));
        let first = format!(
            "{owner}: counter a b in quarantine until T5, no new series; 12 folded, most by label \
             path"
        );
        assert_eq!(losses, [first.as_str(), "2 more metrics take no new series now"]);
    }
}
