//! What keys say against each other. A check whose keys are not all legal is left out: what is
//! wrong with them is reported already.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;

use super::retention;
use super::table::Report;
use super::units::Unit;
use crate::{JournalBlocks, Recipe, Redaction, SenderRule, TextBlocks};

/// The product of `parts` must not exceed `whole`.
struct AtMost {
    parts: &'static [&'static str],
    whole: &'static str,
    why: &'static str,
}

const fn at_most(parts: &'static [&'static str], whole: &'static str, why: &'static str) -> AtMost {
    AtMost { parts, whole, why }
}

const SHARE: &str = "every sender is guaranteed its share";
const FLOOR: &str = "every sender is guaranteed its floor";
const NEVER_MET: &str = "a limit above it could never be met";
const PAUSES: &str = "it is where pauses begin";
const EXPORT: &str = "logd would refuse what metricsd exports";

#[rustfmt::skip]
const TABLE: &[AtMost] = &[
    at_most(&["logd.share_records", "logd.senders"], "logd.journal_records", SHARE),
    at_most(&["logd.share_bytes", "logd.senders"], "logd.journal_bytes", SHARE),
    at_most(&["logd.key_bytes"], "logd.fields_bytes", NEVER_MET),
    at_most(&["logd.value_bytes"], "logd.fields_bytes", NEVER_MET),
    at_most(&["logd.query_scan_records"], "logd.journal_records", NEVER_MET),
    at_most(&["logd.retention.recovered_records"], "logd.journal_records", NEVER_MET),
    at_most(&["logd.retention.retry_min"], "logd.retention.retry_max", PAUSES),
    at_most(&["logd.retention.error_sync_interval"], "logd.retention.sync_interval", NEVER_MET),
    at_most(&["metricsd.senders"], "metricsd.sessions", "every sender needs a life"),
    at_most(&["metricsd.series_floor", "metricsd.senders"], "metricsd.series", FLOOR),
    at_most(&["metricsd.series_floor"], "metricsd.series_per_sender", FLOOR),
    at_most(&["metricsd.series_per_sender"], "metricsd.series", NEVER_MET),
    at_most(&["metricsd.series_per_metric"], "metricsd.series_per_sender", NEVER_MET),
    at_most(&["metricsd.metrics_per_sender"], "metricsd.series_per_sender", NEVER_MET),
    at_most(&["metricsd.histograms"], "metricsd.series", "a histogram is a series"),
    at_most(&["metricsd.histograms_floor", "metricsd.senders"], "metricsd.histograms", FLOOR),
    at_most(&["metricsd.histograms_floor"], "metricsd.series_floor", "a histogram is a series"),
    at_most(&["metricsd.series_floor", "metricsd.senders"], "metricsd.registrations", FLOOR),
    at_most(&["metricsd.spans_floor", "metricsd.senders"], "metricsd.spans", FLOOR),
    at_most(&["metricsd.spans_floor"], "metricsd.spans_per_sender", FLOOR),
    at_most(&["metricsd.spans_per_sender"], "metricsd.spans", NEVER_MET),
    at_most(&["metricsd.value_bytes"], "logd.value_bytes", EXPORT),
    at_most(&["metricsd.export.retry_min"], "metricsd.export.retry_max", PAUSES),
    at_most(&["metricsd.retention.retry_min"], "metricsd.retention.retry_max", PAUSES),
    at_most(&["port.connections_per_sender"], "port.connections", NEVER_MET),
];

pub(super) fn check(report: &mut Report<'_>, recipe: &Recipe) {
    for AtMost { parts, whole, why } in TABLE {
        product(report, parts, whole, why);
    }
    share_holds_a_record(report);
    a_file_of_the_log_holds_what_waits(report);
    exported_labels_fit_a_record(report);
    text_holds_the_floors(report);
    long_windows_are_made_of_short_ones(report);
    retention::check(report);
    replies_outnumber_one_sender(report);
    rules_fit_the_tables(report, recipe);
    bucket_prefixes_differ(report, recipe);
    nothing_is_denied_and_allowed(report, recipe);
    rules_name_different_services(report, &recipe.senders);
    export_fits_its_budget(report, &recipe.senders);
}

/// Reports the first of `parts` unless their product is at most `whole`.
pub(super) fn product(report: &mut Report<'_>, parts: &[&str], whole: &str, why: &str) {
    let numbers = parts.iter().map(|key| report.number(key)).collect::<Option<Vec<_>>>();
    let (Some(numbers), Some(limit)) = (numbers, report.number(whole)) else { return };
    let needed = numbers.iter().fold(1, |product, n| u64::saturating_mul(product, n.number));
    if needed <= limit.number {
        return;
    }
    let shown = numbers.iter().map(|n| n.unit.show(n.number)).collect::<Vec<_>>().join(" x ");
    let sum = if parts.len() > 1 {
        format!(" ({}) = {}", parts.join(" x "), limit.unit.show(needed))
    } else {
        String::new()
    };
    let limit = limit.unit.show(limit.number);
    let what = format!("{shown}{sum} exceeds {whole} = {limit}: {why}; lower it or raise {whole}");
    report.error_at(parts.first().copied().unwrap_or_default(), what);
}

/// Bytes that `len` bytes take in a store of blocks.
fn stored(blocks_for: fn(usize) -> usize, bytes: fn(u32) -> usize, len: u64) -> u64 {
    let blocks = blocks_for(usize::try_from(len).unwrap_or(usize::MAX));
    u32::try_from(blocks).map_or(u64::MAX, |blocks| bytes(blocks) as u64)
}

fn in_journal(len: u64) -> u64 {
    stored(JournalBlocks::blocks_for, JournalBlocks::bytes, len)
}

fn in_texts(len: u64) -> u64 {
    stored(TextBlocks::blocks_for, TextBlocks::bytes, len)
}

fn share_holds_a_record(report: &mut Report<'_>) {
    let number = |key| report.number(key).map(|seen| seen.number);
    let (Some(share), Some(scope), Some(message), Some(fields)) = (
        number("logd.share_bytes"),
        number("logd.scope_bytes"),
        number("logd.message_bytes"),
        number("logd.fields_bytes"),
    ) else {
        return;
    };
    let needed = in_journal(scope + message + fields);
    if share < needed {
        let what = format!(
            "the largest record takes {needed} B, which no share of {} holds; \
             raise it to {needed} B",
            Unit::Size.show(share)
        );
        report.error_at("logd.share_bytes", what);
    }
}

/// Bytes of memory that hold the longest record of the log, and the sectors that it shares.
const WAIT_BYTES_MIN: u64 = 2048;

fn a_file_of_the_log_holds_what_waits(report: &mut Report<'_>) {
    const WAIT: &str = "logd.retention.wait_bytes";
    let number = |key| report.number(key).map(|seen| seen.number);
    let (Some(wait), Some(bytes), Some(files)) =
        (number(WAIT), number("logd.retention.log_bytes"), number("logd.retention.log_files"))
    else {
        return;
    };
    let show = |bytes| Unit::Size.show(bytes);
    if wait < WAIT_BYTES_MIN {
        let what = format!(
            "the longest record may not fit {}; raise it to {}",
            show(wait),
            show(WAIT_BYTES_MIN)
        );
        report.error_at(WAIT, what);
    } else if wait >= bytes / files {
        let what = format!(
            "a file of the log has {}, and must hold more than {}; lower it, or raise \
             logd.retention.log_bytes",
            show(bytes / files),
            show(wait)
        );
        report.error_at(WAIT, what);
    }
}

/// Bytes of fields that stand in each record which metricsd exports, at most.
const EXPORT_BYTES: u64 = 224;
/// Bytes before the key of a label or attribute there: `label.`.
const EXPORT_KEY_PREFIX: u64 = 6;

fn exported_labels_fit_a_record(report: &mut Report<'_>) {
    let number = |key| report.number(key).map(|seen| seen.number);
    let key = number("metricsd.key_bytes").map(|key| key + EXPORT_KEY_PREFIX);
    let pair = key.zip(number("metricsd.value_bytes")).map(|(key, value)| key + value + 2);
    let checks =
        [(key, "logd.key_bytes"), (pair.map(|pair| pair + EXPORT_BYTES), "logd.fields_bytes")];
    for (needed, whole) in checks {
        let (Some(needed), Some(limit)) = (needed, report.number(whole)) else { continue };
        if needed > limit.number {
            let [needed, limit] = [needed, limit.number].map(|n| limit.unit.show(n));
            let what = format!(
                "with what metricsd adds on export this makes {needed}, more than {whole} = \
                 {limit}; lower it or raise {whole}"
            );
            report.error_at("metricsd.key_bytes", what);
        }
    }
}

/// Name and labels of a series with its help, and name and attributes of a span, at most.
const SERIES_TEXT: u64 = 48 + 192 + 120;
const SPAN_TEXT: u64 = 48 + 192;

fn text_holds_the_floors(report: &mut Report<'_>) {
    let number = |key| report.number(key).map(|seen| seen.number);
    let (Some(text), Some(senders), Some(series), Some(spans)) = (
        number("metricsd.text_bytes"),
        number("metricsd.senders"),
        number("metricsd.series_floor"),
        number("metricsd.spans_floor"),
    ) else {
        return;
    };
    let each = series * in_texts(SERIES_TEXT) + spans * in_texts(SPAN_TEXT);
    let needed = senders.saturating_mul(each);
    if text < needed {
        let what = format!(
            "{senders} senders with texts for their floors of {series} series and {spans} spans \
             take {needed} B; raise it to that or lower metricsd.senders or the floors"
        );
        report.error_at("metricsd.text_bytes", what);
    }
}

fn long_windows_are_made_of_short_ones(report: &mut Report<'_>) {
    let (Some(long), Some(short)) =
        (report.number("metricsd.window_long"), report.number("metricsd.window_short"))
    else {
        return;
    };
    if long.number <= short.number || long.number % short.number != 0 {
        let [long, short] = [long, short].map(|n| n.unit.show(n.number));
        let what = format!(
            "{long} is no multiple of metricsd.window_short = {short}; \
             choose 2, 3, .. times {short}"
        );
        report.error_at("metricsd.window_long", what);
    }
}

fn replies_outnumber_one_sender(report: &mut Report<'_>) {
    let (Some(replies), Some(connections)) =
        (report.number("port.pending_replies"), report.number("port.connections_per_sender"))
    else {
        return;
    };
    if replies.number <= connections.number {
        let what = format!(
            "{} replies: one sender that reads none on its {} connections would take them all; \
             raise it above port.connections_per_sender",
            replies.number, connections.number
        );
        report.error_at("port.pending_replies", what);
    }
}

fn rules_fit_the_tables(report: &mut Report<'_>, recipe: &Recipe) {
    let rules = recipe.senders.len() as u64;
    // Strangers displace strangers only, so there must be a place for one.
    let needed = rules + 1;
    for key in ["logd.senders", "metricsd.senders"] {
        if let Some(places) = report.number(key)
            && places.number < needed
        {
            let what = format!(
                "{} places for {rules} services under [[senders]] and a stranger; raise it to \
                 {needed}",
                places.number
            );
            report.error_at(key, what);
        }
    }
}

fn bucket_prefixes_differ(report: &mut Report<'_>, recipe: &Recipe) {
    let rules = &recipe.metricsd.buckets;
    let prefixes = rules.iter().map(|rule| Some(format!("`{}`", rule.prefix)));
    differ(report, |index| format!("metricsd.buckets[{index}].prefix"), prefixes);
    if !report.is_wrong("metricsd.buckets") && rules.iter().all(|rule| !rule.prefix.is_empty()) {
        let what = "no rule for histograms with other names; add one with prefix = \"\"";
        report.error_at("metricsd.buckets", what);
    }
}

fn rules_name_different_services(report: &mut Report<'_>, rules: &[SenderRule]) {
    let name_key = |index| format!("senders[{index}].name");
    differ(report, name_key, rules.iter().map(|rule| Some(rule.name.clone())));
    let uids = rules.iter().map(|rule| rule.uid.map(|uid| uid.to_string()));
    differ(report, |index| format!("senders[{index}].uid"), uids);
    for (index, rule) in rules.iter().enumerate() {
        let prefix = |rule: &SenderRule| ServiceId::from_name(&rule.name).span_prefix();
        let collides =
            |other: &&SenderRule| other.name != rule.name && prefix(other) == prefix(rule);
        if let Some(other) = rules.iter().take(index).find(collides) {
            let what = format!(
                "the ids of `{}` and `{}` end in the same 32 bits, so their spans could not be \
                 told apart; rename one",
                rule.name, other.name
            );
            report.error_at(&name_key(index), what);
        }
    }
}

/// Reports each of `values` that stands a second time; `None` and what is wrong anyway do not
/// count.
fn differ(
    report: &mut Report<'_>,
    key_of: impl Fn(usize) -> String,
    values: impl Iterator<Item = Option<String>>,
) {
    let mut firsts = BTreeMap::<String, String>::new();
    for (index, value) in values.enumerate() {
        let key = key_of(index);
        let Some(value) = value.filter(|_| !report.is_wrong(&key)) else { continue };
        if let Some(first) = firsts.get(&value) {
            let line = report.line(first);
            report.error_at(&key, format!("{value} stands in line {line} already; change one"));
        } else {
            firsts.insert(value, key);
        }
    }
}

fn nothing_is_denied_and_allowed(report: &mut Report<'_>, recipe: &Recipe) {
    let Redaction { deny_keys, allow_keys, .. } = &recipe.redaction;
    for (index, key) in allow_keys.iter().enumerate() {
        if !key.is_empty() && deny_keys.contains(key) {
            let what = format!("`{key}` is in redaction.deny_keys too; remove it from one");
            report.error_at(&format!("redaction.allow_keys[{index}]"), what);
        }
    }
}

/// The export may send a second's worth at once, so it must fit both rate and burst.
fn export_fits_its_budget(report: &mut Report<'_>, rules: &[SenderRule]) {
    let own = rules.iter().position(|rule| rule.name == "metricsd" && rule.logd_budget.is_some());
    let budget = own
        .map_or_else(|| "logd.budget".to_owned(), |index| format!("senders[{index}].logd_budget"));
    for (export, budgets) in [
        ("metricsd.export.records_per_s", ["events_per_s", "events_burst"]),
        ("metricsd.export.bytes_per_s", ["bytes_per_s", "bytes_burst"]),
    ] {
        for key in budgets {
            let why = "logd would refuse the rest of metricsd's export";
            product(report, &[export], &format!("{budget}.{key}"), why);
        }
    }
}
