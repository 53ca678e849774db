//! `obsctl audit`: does everything add up?
//!
//! Four laws. In each row of both daemons, what was offered is what was accepted, folded, refused
//! and dropped: the daemons count what comes apart from what becomes of it, so a row that does not
//! add up is an item they have lost sight of. What metricsd counted and observed is what its series
//! hold. What clients say they have recorded has arrived there. What metricsd says logd took is
//! what logd says it took from metricsd.

use nexus_abi::ServiceId;
use nexus_wire::state;
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
    findings.extend(conservation(&mut metrics)?);
    findings.push(arrival(&metrics.status()?, &names));
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

/// Something that must not get lost.
struct Quantity {
    what: &'static str,
    /// Its total in STATUS.
    key: &'static str,
    /// What a series holds of it.
    held: fn(&Value) -> i128,
}

const QUANTITIES: [Quantity; 3] = [
    Quantity {
        what: "counted",
        key: state::metricsd::COUNTED_TOTAL,
        held: |value| match value {
            Value::Counter(total) => i128::from(*total),
            Value::Gauge(_) | Value::Histogram { .. } => 0,
        },
    },
    Quantity {
        what: "observations",
        key: state::metricsd::OBSERVED_TOTAL,
        held: |value| match value {
            Value::Histogram { buckets, .. } => buckets.iter().map(|(_, n)| i128::from(*n)).sum(),
            Value::Counter(_) | Value::Gauge(_) => 0,
        },
    },
    Quantity {
        what: "sum of observations",
        key: state::metricsd::OBSERVED_SUM,
        held: |value| match value {
            Value::Histogram { sum, .. } => *sum,
            Value::Counter(_) | Value::Gauge(_) => 0,
        },
    },
];

/// What was ever taken against what the series hold. Both are read while updates come in, so what
/// the series hold must lie between two readings of the total.
fn conservation(metrics: &mut Metrics) -> anyhow::Result<[Finding; 3]> {
    let before = metrics.status()?;
    let series = metrics.scrape(false)?.series;
    let after = metrics.status()?;
    Ok(QUANTITIES.map(|Quantity { what, key, held }| {
        let held: i128 = series.iter().map(|series| held(&series.value)).sum();
        conserved(what, status_number(&before, key), held, status_number(&after, key))
    }))
}

/// A total that metricsd does not tell is none that could be trusted.
fn conserved(what: &str, before: Option<i128>, held: i128, after: Option<i128>) -> Finding {
    let (Some(before), Some(after)) = (before, after) else {
        return Finding {
            law: format!("{what} = registry + overflow: no total told"),
            holds: false,
        };
    };
    Finding {
        law: format!("{what} = registry + overflow: {before} <= {held} <= {after}"),
        holds: (before..=after).contains(&held),
    }
}

/// What clients say they have recorded against what their BATCHes brought to the registry. It is
/// their word: one that lies is named. Whoever updates by name or by number tells no sum, as the
/// answer to each is all there is to know: audit says how many these were.
fn arrival(status: &[(String, String)], names: &Names) -> Finding {
    let number = |key: &str| status_number(status, key);
    let missing = ["counted", "observed", "sum"];
    let missing = missing.map(|what| (what, number(&format!("clients_missing_{what}"))));
    let law = "what clients recorded = what has arrived";
    let (told, single) =
        (number(state::metricsd::CLIENTS_TOLD), number(state::metricsd::SINGLE_UPDATES));
    let (Some(told), Some(single)) = (told, single) else {
        return Finding { law: format!("{law}: nothing told"), holds: false };
    };
    let holds = missing.iter().all(|(_, missing)| *missing == Some(0));
    if holds {
        let beside = "by name or number, told by their answers alone";
        return Finding { law: format!("{law}, of {told} that say so ({single} {beside})"), holds };
    }
    let missing = missing.map(|(what, missing)| format!("{what} {}", missing.unwrap_or(-1)));
    let who = status.iter().find(|(key, _)| key == "clients_missing_who");
    let who = who.and_then(|(_, id)| u64::from_str_radix(id, 16).ok());
    let who =
        who.map_or_else(|| "(gone)".to_owned(), |id| names.of_service(ServiceId::from_raw(id)));
    Finding { law: format!("{law} (not: {who}: missing {})", missing.join(", ")), holds }
}

/// Records that metricsd knows to be at logd against logd's row of metricsd. logd may know of a
/// few more: those whose acknowledgement is under way.
fn export(metrics: &mut Metrics, journal: &mut Journal) -> anyhow::Result<Option<Finding>> {
    let status = metrics.status()?;
    let same_boot =
        status_number(&status, "logd_boot") == status_number(&journal.status()?, "boot");
    let Some(acknowledged) = status_number(&status, "logd_acknowledged") else { return Ok(None) };
    let metricsd = ServiceId::from_name("metricsd").raw();
    let rows = journal.audit()?;
    let taken = rows.iter().find(|row| row.service == metricsd).map_or(0, |row| row.accepted);
    Ok(same_boot.then(|| Finding {
        law: format!("records acknowledged by logd {acknowledged} <= taken by logd {taken}"),
        holds: acknowledged <= i128::from(taken),
    }))
}

fn status_number(status: &[(String, String)], key: &str) -> Option<i128> {
    status.iter().find(|(name, _)| name == key)?.1.parse().ok()
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

    fn status(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_series_hold_lies_between_two_totals_or_the_law_is_broken() {
        assert!(conserved("x", Some(5), 5, Some(5)).holds);
        assert!(conserved("x", Some(5), 7, Some(9)).holds);
        assert!(!conserved("x", Some(5), 4, Some(9)).holds, "an update got lost");
        assert!(!conserved("x", Some(5), 10, Some(9)).holds, "an update was applied twice");
        assert!(!conserved("x", None, 0, Some(0)).holds, "no total is no proof");
    }

    #[test]
    fn each_quantity_is_summed_over_its_own_kind() {
        let buckets = vec![(Some(1), 2), (None, 3)];
        let values = [Value::Counter(7), Value::Gauge(9), Value::Histogram { sum: 40, buckets }];
        let held = QUANTITIES.map(|quantity| values.iter().map(quantity.held).sum::<i128>());
        assert_eq!(held, [7, 5, 40]);
    }

    #[test]
    fn what_has_not_arrived_is_told_with_whose_it_is() {
        let names = Names::from_names(["timed".to_owned()]);
        let id = format!("{:016x}", ServiceId::from_name("timed").raw());
        let mut fields = vec![
            ("clients_missing_counted", "0"),
            ("clients_missing_observed", "0"),
            ("clients_missing_sum", "0"),
            ("clients_told", "3"),
            ("single_updates", "7"),
        ];
        let finding = arrival(&status(&fields), &names);
        let law = "of 3 that say so (7 by name or number, told by their answers alone)";
        assert!(finding.holds && finding.law.ends_with(law), "{}", finding.law);
        fields[1].1 = "2";
        fields.push(("clients_missing_who", &id));
        let finding = arrival(&status(&fields), &names);
        assert!(!finding.holds);
        assert!(
            finding.law.contains("timed: missing counted 0, observed 2, sum 0"),
            "{}",
            finding.law
        );
        assert!(!arrival(&[], &names).holds, "no word is no proof");
    }
}
