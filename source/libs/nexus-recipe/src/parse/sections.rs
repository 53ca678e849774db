//! The tables of a recipe and the range of each key. What one key alone can be wrong about stands
//! here; what two keys say against each other stands in `contradictions`.

use core::ops::RangeInclusive;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Nanos;
use toml::de::DeValue;

use super::table::Table;
use super::units::Unit;
use crate::{
    BucketRule, Budget, ExportLimits, LogRetention, LogdLimits, MetricsRetention, MetricsdLimits,
    OnSecret, PortLimits, Recipe, Redaction, SenderRule, TierLimits,
};

/// Bounds of one histogram at most.
const BOUNDS_MAX: usize = 24;
/// Bytes of a metric's name at most, on the wire.
const NAME_BYTES_MAX: usize = 48;
/// Bytes of a service's name at most: it is a folder and part of a socket's path.
const SERVICE_BYTES_MAX: usize = 32;
/// Windows of a segment at most: 63 full groups of 64.
const SEGMENT_WINDOWS_MAX: u32 = 63 * 64;
/// The largest legal frame; a budget or a queue below it would refuse it for ever.
const FRAME: u32 = FRAME_BYTES_MAX as u32;

const GIB: u32 = 1 << 30;
const THINGS: RangeInclusive<u32> = 1..=1 << 20;
const SENDERS: RangeInclusive<u32> = 1..=4096;
const PER_SECOND: RangeInclusive<u32> = 1..=10_000_000;
const BYTES: RangeInclusive<u32> = FRAME..=GIB;
const KEY_BYTES: RangeInclusive<u32> = 1..=64;
const PAIRS: RangeInclusive<u32> = 1..=64;
const IDLE: RangeInclusive<Nanos> = Nanos::from_secs(1)..=Nanos::from_secs(366 * 86_400);
const WINDOW: RangeInclusive<Nanos> = Nanos::from_millis(10)..=Nanos::from_secs(86_400);
const PAUSE: RangeInclusive<Nanos> = Nanos::from_millis(1)..=Nanos::from_secs(3600);

pub(super) fn recipe(t: &mut Table<'_, '_>) -> Recipe {
    Recipe {
        logd: t.table("logd", logd),
        metricsd: t.table("metricsd", metricsd),
        redaction: t.table("redaction", redaction),
        port: t.table("port", port),
        senders: t.tables("senders", sender).into(),
    }
}

pub(super) fn budget(t: &mut Table<'_, '_>) -> Budget {
    Budget {
        events_per_s: t.count("events_per_s", PER_SECOND),
        events_burst: t.count("events_burst", PER_SECOND),
        bytes_per_s: t.size("bytes_per_s", 1..=GIB),
        bytes_burst: t.size("bytes_burst", BYTES),
    }
}

/// The least of each is what metricsd's own records need.
fn logd(t: &mut Table<'_, '_>) -> LogdLimits {
    LogdLimits {
        journal_records: t.count("journal_records", 1..=1 << 24),
        journal_bytes: t.size("journal_bytes", BYTES),
        share_records: t.count("share_records", 1..=1 << 24),
        share_bytes: t.size("share_bytes", 1..=GIB),
        senders: t.count("senders", SENDERS),
        scope_bytes: t.size("scope_bytes", 8..=64),
        message_bytes: t.size("message_bytes", 48..=256),
        fields_bytes: t.size("fields_bytes", 256..=512),
        fields_count: t.count("fields_count", 8..=128),
        key_bytes: t.size("key_bytes", 16..=512),
        value_bytes: t.size("value_bytes", 48..=512),
        query_scan_records: t.count("query_scan_records", 16..=1 << 24),
        anchors: t.count("anchors", 2..=150),
        anchor_drift: t.duration("anchor_drift", PAUSE),
        sender_idle: t.duration("sender_idle", IDLE),
        budget: t.table("budget", budget),
        unknown_budget: t.table("unknown_budget", budget),
        retention: t.table("retention", log_retention),
    }
}

fn log_retention(t: &mut Table<'_, '_>) -> LogRetention {
    LogRetention {
        bytes: t.size("bytes", BYTES),
        log_bytes: t.size("log_bytes", BYTES),
        log_files: t.count("log_files", 3..=99),
        sync_interval: t.duration("sync_interval", WINDOW),
        error_sync_interval: t.duration("error_sync_interval", WINDOW),
        wait_bytes: t.size("wait_bytes", BYTES),
        recovered_records: t.count("recovered_records", 1..=1 << 24),
        retry_min: t.duration("retry_min", PAUSE),
        retry_max: t.duration("retry_max", PAUSE),
    }
}

fn metricsd(t: &mut Table<'_, '_>) -> MetricsdLimits {
    MetricsdLimits {
        senders: t.count("senders", SENDERS),
        sessions: t.count("sessions", THINGS),
        session_grace: t.duration("session_grace", IDLE),
        sender_idle: t.duration("sender_idle", IDLE),
        series: t.count("series", THINGS),
        series_per_sender: t.count("series_per_sender", THINGS),
        series_floor: t.count("series_floor", 3..=1 << 20),
        series_per_metric: t.count("series_per_metric", THINGS),
        metrics_per_sender: t.count("metrics_per_sender", THINGS),
        histograms: t.count("histograms", THINGS),
        histograms_floor: t.count("histograms_floor", 2..=1 << 20),
        registrations: t.count("registrations", THINGS),
        text_bytes: t.size("text_bytes", BYTES),
        labels_count: t.count("labels_count", PAIRS),
        key_bytes: t.size("key_bytes", KEY_BYTES),
        value_bytes: t.size("value_bytes", 1..=189),
        attrs_count: t.count("attrs_count", PAIRS),
        series_idle: t.duration("series_idle", IDLE),
        quarantine: t.duration("quarantine", IDLE),
        spans: t.count("spans", THINGS),
        spans_per_sender: t.count("spans_per_sender", THINGS),
        spans_floor: t.count("spans_floor", THINGS),
        span_ttl: t.duration("span_ttl", IDLE),
        window_short: t.duration("window_short", WINDOW),
        window_long: t.duration("window_long", WINDOW),
        buckets: t.tables("buckets", bucket_rule).into(),
        budget: t.table("budget", budget),
        unknown_budget: t.table("unknown_budget", budget),
        export: t.table("export", export),
        retention: t.table("retention", retention),
    }
}

fn export(t: &mut Table<'_, '_>) -> ExportLimits {
    ExportLimits {
        interval: t.duration("interval", WINDOW),
        full_every: t.count("full_every", 1..=100_000),
        records_per_s: t.count("records_per_s", PER_SECOND),
        bytes_per_s: t.size("bytes_per_s", BYTES),
        queue_bytes: t.size("queue_bytes", BYTES),
        in_flight: t.count("in_flight", 1..=16),
        retry_min: t.duration("retry_min", PAUSE),
        retry_max: t.duration("retry_max", PAUSE),
    }
}

fn retention(t: &mut Table<'_, '_>) -> MetricsRetention {
    MetricsRetention {
        raw_interval: t.duration("raw_interval", WINDOW),
        sync_interval: t.duration("sync_interval", WINDOW),
        bytes: t.size("bytes", BYTES),
        log_bytes: t.size("log_bytes", BYTES),
        log_files: t.count("log_files", 3..=64),
        wait_bytes: t.size("wait_bytes", BYTES),
        buffer_bytes: t.size("buffer_bytes", BYTES),
        segment_windows: t.count("segment_windows", 360..=SEGMENT_WINDOWS_MAX),
        segment_bytes: t.size("segment_bytes", BYTES),
        retry_min: t.duration("retry_min", PAUSE),
        retry_max: t.duration("retry_max", PAUSE),
        raw: t.table("raw", tier),
        short: t.table("short", tier),
        long: t.table("long", tier),
    }
}

fn tier(t: &mut Table<'_, '_>) -> TierLimits {
    TierLimits {
        ttl: t.duration("ttl", Nanos::from_secs(1)..=Nanos::from_secs(3660 * 86_400)),
        bytes: t.size("bytes", BYTES),
        segments: t.count("segments", 2..=4096),
    }
}

fn bucket_rule(t: &mut Table<'_, '_>) -> BucketRule {
    BucketRule { prefix: t.text("prefix", metric_prefix), bounds: bounds(t) }
}

fn bounds(t: &mut Table<'_, '_>) -> Box<[u64]> {
    let bounds = t.integers("bounds");
    for pair in bounds.windows(2) {
        if let [(lower, _), (upper, at)] = *pair
            && upper <= lower
        {
            t.error(at, "bounds", format!("{upper} after {lower}; bounds must ascend"));
        }
    }
    if let Some((_, at)) = bounds.get(BOUNDS_MAX) {
        let what = format!("{} bounds; a histogram has at most {BOUNDS_MAX}", bounds.len());
        t.error(*at, "bounds", what);
    }
    bounds.into_iter().map(|(bound, _)| bound).collect()
}

fn metric_prefix(text: &str) -> Result<(), String> {
    if text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("no metric's name begins so: write at most {NAME_BYTES_MAX} printable bytes"))
}

fn redaction(t: &mut Table<'_, '_>) -> Redaction {
    Redaction {
        on_secret: on_secret(t),
        deny_keys: t.texts("deny_keys", secret_key),
        allow_keys: t.texts("allow_keys", field_key),
        deny_prefixes: t.texts("deny_prefixes", secret_prefix),
        hex_run: run(t, "hex_run"),
        base64_run: run(t, "base64_run"),
    }
}

fn on_secret(t: &mut Table<'_, '_>) -> OnSecret {
    let word = t.text("on_secret", |word| match word {
        "refuse" | "replace" => Ok(()),
        _ => Err("write \"refuse\" or \"replace\"".to_owned()),
    });
    if word == "refuse" { OnSecret::Refuse } else { OnSecret::Replace }
}

fn field_key(key: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    if !key.is_empty() && key.len() <= 64 && key.chars().all(legal) {
        return Ok(());
    }
    Err(format!("`{key}` is no key: write 1 to 64 of a-z, 0-9, `_`, `.`, `-`"))
}

fn secret_key(key: &str) -> Result<(), String> {
    field_key(key)?;
    if key.chars().filter(char::is_ascii_lowercase).count() >= 3 {
        return Ok(());
    }
    Err(format!("`{key}` would hit ordinary words: write at least 3 letters"))
}

fn secret_prefix(prefix: &str) -> Result<(), String> {
    let word = prefix.trim_end();
    let is_printable = prefix.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if word.len() >= 3 && prefix.len() <= 32 && is_printable {
        return Ok(());
    }
    Err(format!(
        "`{prefix}` would hit ordinary words, or never: write 3 to 32 printable ASCII characters"
    ))
}

/// Length from which a word counts as a secret; shorter than 16 hits ordinary words and numbers.
fn run(t: &mut Table<'_, '_>, key: &str) -> u32 {
    let run = t.count(key, 0..=512);
    if (1..16).contains(&run) {
        let what = format!("{run} hits ordinary words; choose 16 to 512, or 0 for no such rule");
        t.report.error_at(&t.path_of(key), what);
    }
    run
}

fn port(t: &mut Table<'_, '_>) -> PortLimits {
    PortLimits {
        connections: t.count("connections", 1..=1 << 16),
        connections_per_sender: t.count("connections_per_sender", 1..=1 << 16),
        frames_per_turn: t.count("frames_per_turn", 1..=16),
        pending_replies: t.count("pending_replies", 2..=1 << 16),
        slow_reader: t.duration("slow_reader", PAUSE),
        drain_interval: t.duration("drain_interval", Nanos(0)..=Nanos::from_secs(1)),
        readers_group: readers_group(t),
    }
}

fn readers_group(t: &mut Table<'_, '_>) -> Option<String> {
    let group = t.text("readers_group", |group| {
        let illegal = |c: char| c.is_whitespace() || c.is_control() || ":,/".contains(c);
        if group.len() <= 64 && !group.contains(illegal) {
            return Ok(());
        }
        Err("no group is called so; write a group's name, or \"\" for none".to_owned())
    });
    (!group.is_empty()).then_some(group)
}

fn sender(t: &mut Table<'_, '_>) -> SenderRule {
    SenderRule {
        name: t.text("name", service_name),
        uid: uid(t),
        logd_budget: budget_or_common(t, "logd_budget"),
        metricsd_budget: budget_or_common(t, "metricsd_budget"),
    }
}

pub(super) fn service_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || !name.chars().all(legal) || name.len() > SERVICE_BYTES_MAX {
        let bytes = SERVICE_BYTES_MAX;
        return Err(format!(
            "`{name}` is no service name: write a-z, then a-z, 0-9, `_`, `.`, `-`, {bytes} at most"
        ));
    }
    if name.starts_with("uid.") {
        return Err("names with `uid.` belong to users without a rule; choose another".to_owned());
    }
    Ok(())
}

fn uid(t: &mut Table<'_, '_>) -> Option<u32> {
    let value = t.take("uid")?;
    if matches!(value.get_ref(), DeValue::String(word) if word == "none") {
        return None;
    }
    // The largest number means "no user" to the system.
    let number = Unit::Count.read(value.get_ref()).ok().and_then(|uid| u32::try_from(uid).ok());
    let uid = number.filter(|uid| *uid < u32::MAX);
    if uid.is_none() {
        let what = "write a user's number, or \"none\" for a service with only its own socket";
        t.error(value.span().start, "uid", what);
    }
    uid
}

fn budget_or_common(t: &mut Table<'_, '_>, key: &str) -> Option<Budget> {
    let value = t.take(key)?;
    let at = value.span().start;
    match value.into_inner() {
        DeValue::String(word) if word == "common" => None,
        DeValue::Table(table) => Some(t.table_in(key, at, Some(DeValue::Table(table)), budget)),
        _ => {
            t.error(at, key, "write \"common\", or a budget with its four keys in braces");
            Some(t.table_in(key, at, None, budget))
        }
    }
}
