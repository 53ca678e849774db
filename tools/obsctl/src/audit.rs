//! `obsctl audit`: does everything add up?
//!
//! Three laws. In each row of both daemons, what was offered is what was accepted, folded, refused
//! and dropped: the daemons count what comes apart from what becomes of it, so a row that does not
//! add up is an item they have lost sight of. What metricsd counted is what its series hold. What
//! metricsd says logd took is what logd says it took from metricsd.

use nexus_abi::ServiceId;
use nexus_wire::{LedgerRow, REASONS};
use serde_json::json;

use crate::Verdict;
use crate::cli::{Output, Place};
use crate::daemons::{Journal, Metrics, Value};
use crate::names::Names;
use crate::render::{self, BAD, BOLD, GOOD, Screen};

/// A law and whether it holds.
struct Finding {
    law: String,
    holds: bool,
}

pub(crate) fn run(place: &Place, output: Output) -> anyhow::Result<Verdict> {
    let names = Names::of(place)?;
    let mut metrics = Metrics::open(&place.dir())?;
    let mut journal = Journal::open(&place.dir())?;
    let ledgers = [("metricsd", metrics.audit()?), ("logd", journal.audit()?)];
    let mut findings = balances(&ledgers, &names);
    findings.push(conservation(&mut metrics)?);
    findings.extend(export(&mut metrics, &mut journal)?);
    let mut screen = Screen::new();
    match output {
        Output::Text => show(&mut screen, &names, &ledgers, &findings)?,
        Output::Json => show_json(&mut screen, &names, &ledgers, &findings)?,
    }
    let sound = findings.iter().all(|finding| finding.holds);
    Ok(if sound { Verdict::Fine } else { Verdict::Wrong })
}

fn balances(ledgers: &[(&str, Vec<LedgerRow>)], names: &Names) -> Vec<Finding> {
    let rows = ledgers.iter().flat_map(|(daemon, rows)| rows.iter().map(move |row| (daemon, row)));
    let broken = rows.filter(|(_, row)| !row.balances());
    let broken: Vec<_> = broken
        .map(|(daemon, row)| format!("{daemon}: {}: {}", names.of_row(row), difference(row)))
        .collect();
    let law = "offered = accepted + folded + refused + dropped, in every row";
    let holds = broken.is_empty();
    let law = if holds { law.to_owned() } else { format!("{law} (not: {})", broken.join(", ")) };
    vec![Finding { law, holds }]
}

/// By how much a row does not add up, in words.
fn difference(row: &LedgerRow) -> String {
    match missing_and_surplus(row) {
        (missing, 0) => format!("{missing} of {} offered without an outcome", row.offered),
        (_, surplus) => format!("{surplus} outcomes more than {} offered", row.offered),
    }
}

/// Items without an outcome, and outcomes without an item.
fn missing_and_surplus(row: &LedgerRow) -> (u128, u128) {
    let difference = row.uncounted();
    if difference > 0 { (difference.unsigned_abs(), 0) } else { (0, difference.unsigned_abs()) }
}

/// Counters' increments ever taken against what the series hold. Both are read while updates come
/// in, so the sum of the series must lie between two readings of the total.
fn conservation(metrics: &mut Metrics) -> anyhow::Result<Finding> {
    let before = status_number(metrics.status()?, "counted_total");
    let series = metrics.scrape(false)?.series;
    let after = status_number(metrics.status()?, "counted_total");
    let held: u128 = series
        .iter()
        .filter_map(|series| match series.value {
            Value::Counter(total) => Some(u128::from(total)),
            Value::Gauge(_) | Value::Histogram { .. } => None,
        })
        .sum();
    let (Some(before), Some(after)) = (before, after) else {
        anyhow::bail!("metricsd does not tell what it counted");
    };
    Ok(Finding {
        law: format!("counted = registry + overflow: {before} <= {held} <= {after}"),
        holds: (before..=after).contains(&held),
    })
}

/// Records that metricsd knows to be at logd against logd's row of metricsd. logd may know of a
/// few more: those whose acknowledgement is under way.
fn export(metrics: &mut Metrics, journal: &mut Journal) -> anyhow::Result<Option<Finding>> {
    let status = metrics.status()?;
    let same_boot =
        status_number(status.clone(), "logd_boot") == status_number(journal.status()?, "boot");
    let Some(acknowledged) = status_number(status, "logd_acknowledged") else { return Ok(None) };
    let metricsd = ServiceId::from_name("metricsd").raw();
    let rows = journal.audit()?;
    let taken = rows.iter().find(|row| row.service == metricsd).map_or(0, |row| row.accepted);
    Ok(same_boot.then(|| Finding {
        law: format!("records acknowledged by logd {acknowledged} <= taken by logd {taken}"),
        holds: acknowledged <= u128::from(taken),
    }))
}

fn status_number(status: Vec<(String, String)>, key: &str) -> Option<u128> {
    status.into_iter().find(|(name, _)| name == key)?.1.parse().ok()
}

fn show(
    screen: &mut Screen,
    names: &Names,
    ledgers: &[(&str, Vec<LedgerRow>)],
    findings: &[Finding],
) -> anyhow::Result<()> {
    for (daemon, rows) in ledgers {
        screen.line(&screen.paint(BOLD, daemon))?;
        for line in render::table(1, &ledger_table(names, rows)) {
            screen.line(&format!("  {line}"))?;
        }
    }
    for finding in findings {
        let (style, mark) = if finding.holds { (GOOD, "holds") } else { (BAD, "BROKEN") };
        screen.line(&format!("{}  {}", screen.paint(style, mark), finding.law))?;
    }
    Ok(())
}

fn ledger_table(names: &Names, rows: &[LedgerRow]) -> Vec<Vec<String>> {
    let head = [
        "SENDER",
        "OFFERED",
        "ACCEPTED",
        "FOLDED",
        "REFUSED",
        "DROPPED",
        "REPEATED",
        "REDACTED",
        "CLIENT LOST",
        "KEPT",
        "WHY REFUSED",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let mut cells = vec![names.of_row(row)];
        let counts = [
            row.offered,
            row.accepted,
            row.folded,
            row.refused_total(),
            row.dropped,
            row.repeated,
            row.redacted,
            row.lost_by_client,
            row.kept,
        ];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(reasons_text(row));
        cells
    }));
    table
}

/// The reasons of refusals and how often each.
pub(crate) fn reasons_text(row: &LedgerRow) -> String {
    let counts = REASONS.iter().zip(row.refused).filter(|(_, count)| *count > 0);
    counts.map(|((_, name), count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn show_json(
    screen: &mut Screen,
    names: &Names,
    ledgers: &[(&str, Vec<LedgerRow>)],
    findings: &[Finding],
) -> anyhow::Result<()> {
    for (daemon, rows) in ledgers {
        for row in rows {
            screen.json(&row_json(daemon, names, row))?;
        }
    }
    for finding in findings {
        screen.json(&json!({ "kind": "law", "law": finding.law, "holds": finding.holds }))?;
    }
    Ok(())
}

fn row_json(daemon: &str, names: &Names, row: &LedgerRow) -> serde_json::Value {
    let refused = REASONS.iter().zip(row.refused);
    let refused = refused.map(|((_, name), count)| ((*name).to_owned(), json!(count)));
    let (missing, surplus) = missing_and_surplus(row);
    let number = |count: u128| u64::try_from(count).unwrap_or(u64::MAX);
    json!({
        "kind": "row",
        "daemon": daemon,
        "sender": names.of_row(row),
        "offered": row.offered,
        "accepted": row.accepted,
        "folded": row.folded,
        "refused": serde_json::Map::from_iter(refused),
        "dropped": row.dropped,
        "repeated": row.repeated,
        "redacted": row.redacted,
        "lost_by_client": row.lost_by_client,
        "kept": row.kept,
        "events_left": row.events_left,
        "bytes_left": row.bytes_left,
        "balances": row.balances(),
        "missing": number(missing),
        "surplus": number(surplus),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: LedgerRow = LedgerRow {
        service: LedgerRow::EVICTED,
        offered: 10,
        accepted: 4,
        folded: 2,
        refused: [1, 0, 0, 2, 0, 0, 0, 0, 0],
        dropped: 1,
        repeated: 7,
        redacted: 2,
        lost_by_client: 9,
        kept: 3,
        events_left: 0,
        bytes_left: 0,
    };

    fn finding(rows: Vec<LedgerRow>) -> Finding {
        let names = Names::from_names(["timed".to_owned()]);
        balances(&[("metricsd", vec![SOUND]), ("logd", rows)], &names).remove(0)
    }

    fn of_timed(row: LedgerRow) -> LedgerRow {
        LedgerRow { service: ServiceId::from_name("timed").raw(), ..row }
    }

    #[test]
    fn rows_that_add_up_are_sound() {
        let finding = finding(vec![SOUND, of_timed(SOUND)]);
        assert!(finding.holds && !finding.law.contains("not:"), "{}", finding.law);
    }

    #[test]
    fn a_row_that_does_not_add_up_is_named_with_what_is_missing_or_too_much() {
        let lost = of_timed(LedgerRow { accepted: 1, ..SOUND });
        let invented = LedgerRow { folded: 6, ..SOUND };
        let finding = finding(vec![SOUND, lost, invented]);
        assert!(!finding.holds);
        let words = "(not: logd: timed: 3 of 10 offered without an outcome, \
                     logd: (evicted): 4 outcomes more than 10 offered)";
        assert!(finding.law.ends_with(words), "{}", finding.law);
    }

    #[test]
    fn a_row_of_a_daemon_that_lies_without_bound_is_read_all_the_same() {
        let row = LedgerRow { offered: 0, refused: [u64::MAX; REASONS.len()], ..SOUND };
        let names = Names::from_names([]);
        let object = row_json("logd", &names, &row);
        assert_eq!((&object["missing"], &object["surplus"]), (&json!(0), &json!(u64::MAX)));
        assert!(!finding(vec![row]).holds);
    }
}
