//! Each kind of error: what is said, and the line it is said about. Each case is the shipped recipe
//! with one thing changed; the recipe as it is shipped is the good twin of them all.
#![cfg(feature = "parse")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_recipe::{Recipe, RecipeErrors};

const GOOD: &str = include_str!("../../../../recipes/observability/metrics.toml");

/// The good recipe with the first `from` after the header `table` changed to `to`.
fn changed(table: &str, from: &str, to: &str) -> String {
    let start = GOOD.find(&format!("\n{table}\n")).unwrap();
    let at = start + GOOD[start..].find(from).unwrap_or_else(|| panic!("{table} has no {from}"));
    format!("{}{to}{}", &GOOD[..at], &GOOD[at + from.len()..])
}

fn errors(text: &str) -> RecipeErrors {
    Recipe::parse(text).unwrap_err()
}

/// Line of the last byte of the first `needle` in `text`, from 1.
fn line_of(text: &str, needle: &str) -> u32 {
    let end = text.find(needle).unwrap() + needle.len();
    u32::try_from(text[..end].matches('\n').count() + 1).unwrap()
}

/// The table, what to change in it, what to, the key of the error and a part of what it says.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Each change makes exactly one error, in the changed line.
#[track_caller]
fn one_error_each(cases: &[Case]) {
    for (table, from, to, key, what) in cases {
        let text = changed(table, from, to);
        let errors = errors(&text);
        let [error] = errors.as_slice() else { panic!("{to}: {}", errors.in_file("several")) };
        assert_eq!(error.key, *key, "{error}");
        assert!(error.what.contains(what), "{error}");
        let same = text.bytes().zip(GOOD.bytes()).take_while(|(new, old)| new == old).count();
        let end = same + text[same..].find('\n').unwrap();
        assert_eq!(error.line, line_of(&text, &text[..end]), "{error}");
    }
}

#[test]
#[rustfmt::skip]
fn an_unknown_key_is_an_error() {
    one_error_each(&[
        ("[port]", "connections = 512", "connections = 512\nbacklog = 5", "port.backlog", "unknown"),
    ]);
}

#[test]
fn an_unknown_table_is_an_error() {
    let text = format!("{GOOD}\n[retention]\nraw = 1\n");
    let errors = errors(&text);
    assert_eq!(errors.as_slice()[0].key, "retention");
    assert_eq!(errors.as_slice()[0].line, line_of(&text, "[retention]"));
}

#[test]
fn a_missing_key_is_an_error_at_its_table() {
    let text = changed("[logd.budget]", "events_burst = 1000\n", "");
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "logd.budget.events_burst");
    assert!(error.what.contains("missing"));
    assert_eq!(error.line, line_of(&text, "[logd.budget]"));
}

#[test]
fn a_missing_table_is_one_error_not_one_for_each_of_its_keys() {
    let start = GOOD.find("[port]").unwrap();
    let end = start + GOOD[start..].find("# Services known").unwrap();
    let errors = errors(&format!("{}{}", &GOOD[..start], &GOOD[end..]));
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!((&*error.key, error.line), ("port", 1));
}

#[test]
#[rustfmt::skip]
fn a_value_of_the_wrong_type_is_an_error() {
    one_error_each(&[
        ("[logd]", "journal_records = 16384", "journal_records = \"16384\"", "logd.journal_records", "integer"),
        ("[logd]", "journal_bytes = \"4 MiB\"", "journal_bytes = 4194304", "logd.journal_bytes", "unit"),
        ("[logd]", "\"500 ms\"", "500", "logd.anchor_drift", "250 ms"),
        ("[redaction]", "\"replace\"\n", "true\n", "redaction.on_secret", "string"),
        ("[redaction]", "[\"session_count\", \"token_count\", \"trace\"]", "\"x\"", "redaction.allow_keys", "array"),
        ("[redaction]", "[\"session_count\", \"token_count\", \"trace\"]", "[1]", "redaction.allow_keys", "string"),
        ("[[metricsd.buckets]]", "bounds = [", "bounds = [ \"1\",", "metricsd.buckets[0].bounds", "integer"),
        ("[port]", "readers_group = \"\"", "readers_group = 4", "port.readers_group", "string"),
    ]);
}

#[test]
fn a_table_that_is_no_table_is_an_error() {
    let text = format!("port = 5\n{}", changed("[port]", "[port]", "[port2]"));
    assert!(errors(&text).as_slice().iter().any(|error| error.key == "port" && error.line == 1));
}

#[test]
#[rustfmt::skip]
fn an_impossible_value_is_an_error() {
    one_error_each(&[
        ("[logd.budget]", "events_per_s = 200", "events_per_s = 0", "logd.budget.events_per_s", "0 is impossible"),
        ("[logd]", "\"64 B\"", "\"65 B\"", "logd.scope_bytes", "choose 8 B to 64 B"),
        ("[logd]", "\"256 B\"", "\"257 B\"", "logd.message_bytes", "choose 48 B to 256 B"),
        ("[logd]", "\"512 B\"", "\"513 B\"", "logd.fields_bytes", "to 512 B"),
        ("[logd]", "journal_records = 16384", "journal_records = -1", "logd.journal_records", "integer"),
        ("[logd]", "4 MiB", "4 TiB", "logd.journal_bytes", "KiB"),
        ("[metricsd]", "session_grace = \"5 s\"", "session_grace = \"0 s\"", "metricsd.session_grace", "choose 1 s"),
        ("[port]", "frames_per_turn = 16", "frames_per_turn = 17", "port.frames_per_turn", "1 to 16"),
        ("[redaction]", "\"replace\"\n", "\"drop\"\n", "redaction.on_secret", "\"refuse\" or"),
        ("[redaction]", "hex_run = 32", "hex_run = 4", "redaction.hex_run", "0 for no such rule"),
        ("[redaction]", "\"passwd\"", "\"Passwd\"", "redaction.deny_keys", "is no key"),
        ("[redaction]", "\"passwd\"", "\"pw\"", "redaction.deny_keys", "at least 3 letters"),
        ("[redaction]", "\"Bearer \"", "\"Schl\u{fc}ssel \"", "redaction.deny_prefixes", "ASCII"),
        ("[redaction]", "\"Bearer \"", "\"a \"", "redaction.deny_prefixes", "ordinary words"),
        ("[port]", "readers_group = \"\"", "readers_group = \"a b\"", "port.readers_group", "group"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_burst_below_the_largest_frame_would_refuse_it_for_ever() {
    one_error_each(&[
        ("[logd.unknown_budget]", "bytes_burst = \"64 KiB\"", "bytes_burst = \"4095 B\"", "logd.unknown_budget.bytes_burst", "choose 4 KiB"),
    ]);
}

#[test]
#[rustfmt::skip]
fn bounds_that_do_not_ascend_are_an_error() {
    one_error_each(&[
        ("[[metricsd.buckets]]", "\n  1024, 2048,", "\n  2048, 1024,", "metricsd.buckets[0].bounds", "1024 after 2048"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_25th_bound_is_an_error() {
    one_error_each(&[
        ("[[metricsd.buckets]]", "8589934592,", "8589934592, 17179869184,", "metricsd.buckets[0].bounds", "25 bounds"),
    ]);
}

#[test]
fn histograms_of_other_names_need_a_rule_and_no_prefix_has_two() {
    let text = changed("[[metricsd.buckets]]", "prefix = \"\"", "prefix = \"timed_coalesce\"");
    let errors = errors(&text);
    let keys = errors.as_slice().iter().map(|error| &*error.key).collect::<Vec<_>>();
    assert_eq!(keys, ["metricsd.buckets", "metricsd.buckets[1].prefix"], "{errors}");
}

#[test]
#[rustfmt::skip]
fn a_long_window_is_a_multiple_of_the_short_one() {
    one_error_each(&[
        ("[metricsd]", "window_long = \"60 s\"", "window_long = \"65 s\"", "metricsd.window_long", "multiple"),
        ("[metricsd]", "window_long = \"60 s\"", "window_long = \"10 s\"", "metricsd.window_long", "multiple"),
    ]);
}

#[test]
#[rustfmt::skip]
fn guarantees_to_all_senders_must_not_exceed_what_there_is() {
    one_error_each(&[
        ("[logd]", "share_records = 64", "share_records = 257", "logd.share_records", "257 x 64"),
        ("[logd]", "share_bytes = \"16 KiB\"", "share_bytes = \"65 KiB\"", "logd.share_bytes", "4160 KiB"),
        ("[metricsd]", "histograms_floor = 4", "histograms_floor = 9", "metricsd.histograms_floor", "576"),
        ("[metricsd]", "spans_floor = 4", "spans_floor = 17", "metricsd.spans_floor", "1088"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_part_does_not_exceed_its_whole() {
    one_error_each(&[
        ("[metricsd]", "histograms = 512", "histograms = 4097", "metricsd.histograms", "exceeds metricsd.series = 4096"),
        ("[metricsd]", "series_per_sender = 1024", "series_per_sender = 4097", "metricsd.series_per_sender", "exceeds"),
        ("[metricsd]", "series_per_metric = 256", "series_per_metric = 1025", "metricsd.series_per_metric", "exceeds"),
        ("[metricsd]", "metrics_per_sender = 256", "metrics_per_sender = 1025", "metricsd.metrics_per_sender", "exceeds"),
        ("[metricsd]", "spans_per_sender = 128", "spans_per_sender = 1025", "metricsd.spans_per_sender", "exceeds"),
        ("[metricsd.export]", "retry_min = \"100 ms\"", "retry_min = \"6 s\"", "metricsd.export.retry_min", "5 s"),
        ("[logd]", "query_scan_records = 1024", "query_scan_records = 16385", "logd.query_scan_records", "exceeds"),
        ("[logd]", "key_bytes = \"64 B\"", "key_bytes = \"513 B\"", "logd.key_bytes", "impossible"),
    ]);
}

#[test]
fn a_part_is_told_where_the_part_stands_not_the_whole() {
    let text = changed("[metricsd]", "sessions = 128", "sessions = 63");
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "metricsd.senders");
    assert!(error.what.contains("raise metricsd.sessions"), "{error}");
}

#[test]
#[rustfmt::skip]
fn the_log_of_records_holds_what_waits_for_it() {
    one_error_each(&[
        ("[logd.retention]", "wait_bytes = \"64 KiB\"", "wait_bytes = \"1 KiB\"", "logd.retention.wait_bytes", "choose 4 KiB"),
        ("[logd.retention]", "wait_bytes = \"64 KiB\"", "wait_bytes = \"1 MiB\"", "logd.retention.wait_bytes", "must hold more"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_share_holds_the_largest_record() {
    one_error_each(&[
        ("[logd]", "share_bytes = \"16 KiB\"", "share_bytes = \"883 B\"", "logd.share_bytes", "884 B"),
    ]);
}

#[test]
#[rustfmt::skip]
fn text_bytes_hold_the_texts_of_all_floors() {
    one_error_each(&[
        ("[metricsd]", "text_bytes = \"1 MiB\"", "text_bytes = \"500 KiB\"", "metricsd.text_bytes", "516096 B"),
    ]);
}

#[test]
#[rustfmt::skip]
fn what_metricsd_takes_logd_takes_on_export() {
    one_error_each(&[
        ("[metricsd]", "key_bytes = \"32 B\"", "key_bytes = \"59 B\"", "metricsd.key_bytes", "65 B"),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_export_fits_what_logd_grants_metricsd() {
    one_error_each(&[
        ("[metricsd.export]", "records_per_s = 200", "records_per_s = 401", "metricsd.export.records_per_s", "senders[1].logd_budget.events_per_s = 400"),
        ("[metricsd.export]", "bytes_per_s = \"128 KiB\"", "bytes_per_s = \"257 KiB\"", "metricsd.export.bytes_per_s", "logd would refuse"),
    ]);
}

#[test]
fn without_a_rule_of_its_own_metricsd_has_the_common_budget() {
    let start = GOOD.find("logd_budget = { ").unwrap();
    let end = start + GOOD[start..].find('\n').unwrap();
    let text = format!("{}logd_budget = \"common\"{}", &GOOD[..start], &GOOD[end..]);
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "metricsd.export.bytes_per_s");
    assert!(error.what.contains("exceeds logd.budget.bytes_per_s = 64 KiB"), "{error}");
}

#[test]
#[rustfmt::skip]
fn one_sender_must_not_take_all_replies() {
    one_error_each(&[
        ("[port]", "pending_replies = 64", "pending_replies = 32", "port.pending_replies", "raise it above"),
    ]);
}

#[test]
#[rustfmt::skip]
fn services_need_names_users_and_budgets_of_the_right_form() {
    one_error_each(&[
        ("[[senders]]", "\"statefsd\"", "\"State\"", "senders[2].name", "is no service name"),
        ("[[senders]]", "\"statefsd\"", "\"../x\"", "senders[2].name", "is no service name"),
        ("[[senders]]", "\"statefsd\"", "\"uid.5\"", "senders[2].name", "users without a rule"),
        ("[[senders]]", "uid = \"none\"", "uid = \"root\"", "senders[0].uid", "a user's number"),
        ("[[senders]]", "uid = \"none\"", "uid = 4294967295", "senders[0].uid", "a user's number"),
        ("[[senders]]", "logd_budget = \"common\"", "logd_budget = \"big\"", "senders[0].logd_budget", "four keys"),
        ("[[senders]]", "{ events_per_s = 400,", "{", "senders[1].logd_budget.events_per_s", "missing"),
    ]);
}

#[test]
#[rustfmt::skip]
fn two_rules_for_one_service_are_an_error() {
    one_error_each(&[
        ("[[senders]]", "\"statefsd\"", "\"logd\"", "senders[2].name", "already"),
    ]);
}

#[test]
fn two_rules_for_one_user_are_an_error() {
    let text = GOOD.replace("uid = \"none\"", "uid = 7");
    let errors = errors(&text);
    assert_eq!(errors.as_slice().len(), 10, "all but the first: {errors}");
    assert_eq!(errors.as_slice()[0].key, "senders[1].uid");
}

#[test]
fn names_whose_identities_end_alike_are_an_error() {
    let mut prefixes = BTreeMap::new();
    let (first, second) = (0u32..)
        .map(|number| format!("s{number}"))
        .find_map(|name| {
            let id = ServiceId::from_name(&name);
            let first = prefixes.insert(id.span_prefix(), name.clone())?;
            Some((first, name))
        })
        .unwrap();
    let text = GOOD.replace("\"statefsd\"", &format!("\"{first}\""));
    let text = text.replace("\"policyd\"", &format!("\"{second}\""));
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "senders[3].name");
    assert!(error.what.contains("32 bits"), "{error}");
}

#[test]
fn more_services_than_places_are_an_error() {
    let rules = (0..54).map(|n| {
        format!(
            "[[senders]]\nname = \"more{n}\"\nuid = \"none\"\nlogd_budget = \"common\"\n\
             metricsd_budget = \"common\"\n"
        )
    });
    let errors = errors(&format!("{GOOD}\n{}", rules.collect::<String>()));
    let keys = errors.as_slice().iter().map(|error| &*error.key).collect::<Vec<_>>();
    assert_eq!(keys, ["logd.senders", "metricsd.senders"], "{errors}");
}

#[test]
#[rustfmt::skip]
fn a_key_is_not_both_denied_and_allowed() {
    one_error_each(&[
        ("[redaction]", "\"session_count\"", "\"session_id\"", "redaction.allow_keys[0]", "deny_keys"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_word_that_stands_twice_in_a_list_is_an_error() {
    one_error_each(&[
        ("[redaction]", "\"passwd\"", "\"password\"", "redaction.deny_keys", "twice"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_key_that_stands_twice_is_an_error() {
    one_error_each(&[
        ("[logd]", "senders = 64", "senders = 64\nsenders = 64", "", "no TOML here"),
    ]);
}

#[test]
fn text_that_is_no_toml_is_an_error_and_hides_no_impossible_value_above_it() {
    let text = changed("[metricsd]", "senders = 64", "senders 64");
    let text = text.replace("scope_bytes = \"64 B\"", "scope_bytes = \"65 B\"");
    let text = text.replace("hex_run = 32", "hex_run = = 32");
    let errors = errors(&text);
    let found = errors.as_slice().iter().map(|error| (&*error.key, error.line));
    let expected = [
        ("logd.scope_bytes", line_of(&text, "\"65 B\"")),
        ("", line_of(&text, "senders 64")),
        ("", line_of(&text, "hex_run = = 32")),
    ];
    assert!(found.eq(expected), "{errors}");
}

#[test]
fn floors_of_series_exceed_series_registrations_and_texts_at_once() {
    let errors = errors(&changed("[metricsd]", "series_floor = 16", "series_floor = 65"));
    let whats = errors.as_slice().iter().map(|error| &*error.what).collect::<Vec<_>>();
    let parts = ["metricsd.registrations", "metricsd.series = 4096", "65 series and 4 spans"];
    assert_eq!(whats.len(), parts.len(), "{errors}");
    assert!(whats.iter().zip(parts).all(|(what, part)| what.contains(part)), "{errors}");
}

#[test]
fn records_that_hold_no_exported_label_are_an_error_where_the_label_is_allowed() {
    let text = changed("[logd]", "fields_bytes = \"512 B\"", "fields_bytes = \"391 B\"");
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "metricsd.key_bytes");
    assert!(error.what.contains("makes 392 B"), "{error}");
}

#[test]
fn a_label_that_logd_would_refuse_is_an_error_where_the_label_is_allowed() {
    let text = changed("[logd]", "value_bytes = \"256 B\"", "value_bytes = \"127 B\"");
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "metricsd.value_bytes");
    assert!(error.what.contains("raise logd.value_bytes"), "{error}");
}

#[test]
fn all_errors_are_told_in_the_order_of_their_lines() {
    let text = GOOD
        .replace("journal_records = 16384", "journal_records = 0")
        .replace("window_short = \"10 s\"", "window_short = 10")
        .replace("hex_run = 32", "hex_runs = 32")
        .replace("name = \"obsctl\"", "name = \"logd\"");
    let errors = errors(&text);
    let keys = errors.as_slice().iter().map(|error| &*error.key).collect::<Vec<_>>();
    assert_eq!(
        keys,
        [
            "logd.journal_records",
            "metricsd.window_short",
            "redaction.hex_run",
            "redaction.hex_runs",
            "senders[10].name"
        ]
    );
}

#[test]
fn errors_are_printed_with_file_line_and_column() {
    let text = changed("[logd]", "\"64 B\"", "\"65 B\"");
    let line = line_of(&text, "\"65 B\"");
    assert_eq!(
        errors(&text).in_file("metrics.toml").to_string(),
        format!("metrics.toml:{line}:15: logd.scope_bytes: 65 B is impossible; choose 8 B to 64 B")
    );
}

#[test]
#[rustfmt::skip]
fn what_is_kept_fits_what_it_may_take() {
    one_error_each(&[
        ("[metricsd.retention]", "bytes = \"64 MiB\"", "bytes = \"61 MiB\"", "metricsd.retention.bytes", "the manifest twice"),
        ("[metricsd.retention.raw]", "bytes = \"26 MiB\"", "bytes = \"23 MiB\"", "metricsd.retention.raw.bytes", "12 segments"),
        ("[metricsd.retention.short]", "bytes = \"17 MiB\"", "bytes = \"15 MiB\"", "metricsd.retention.short.bytes", "8 segments"),
        ("[metricsd.retention.long]", "bytes = \"14 MiB\"", "bytes = \"3 MiB\"", "metricsd.retention.long.bytes", "2 segments"),
        ("[metricsd.retention.raw]", "segments = 512", "segments = 11", "metricsd.retention.raw.segments", "12 that are needed"),
    ]);
}

#[test]
#[rustfmt::skip]
fn segments_end_where_longer_windows_do() {
    one_error_each(&[
        ("[metricsd.retention]", "raw_interval = \"1 s\"", "raw_interval = \"800 ms\"", "metricsd.retention.raw_interval", "no multiple"),
        ("[metricsd.retention]", "segment_windows = 360", "segment_windows = 361", "metricsd.retention.segment_windows", "do not end"),
        ("[metricsd.retention]", "segment_windows = 360", "segment_windows = 60", "metricsd.retention.segment_windows", "choose 360"),
        ("[metricsd.retention]", "segment_windows = 360", "segment_windows = 720", "metricsd.retention.segment_windows", "a group has 64"),
        ("[metricsd.retention]", "retry_min = \"1 s\"", "retry_min = \"2 min\"", "metricsd.retention.retry_min", "where pauses begin"),
    ]);
}

#[test]
fn a_window_is_whole_before_it_has_to_be_durable() {
    let text =
        changed("[metricsd.retention]", "sync_interval = \"10 s\"", "sync_interval = \"1999 ms\"");
    let errors = errors(&text);
    let [error] = errors.as_slice() else { panic!("{errors}") };
    assert_eq!(error.key, "metricsd.retention.raw_interval");
    assert!(
        error.what.contains("1 s is more than half of metricsd.retention.sync_interval"),
        "{error}"
    );
    let text =
        changed("[metricsd.retention]", "sync_interval = \"10 s\"", "sync_interval = \"2 s\"");
    assert!(Recipe::parse(&text).is_ok(), "a second window's time is for the disk");
}

#[test]
#[rustfmt::skip]
fn what_waits_for_the_disk_finds_room_there() {
    one_error_each(&[
        ("[metricsd.retention]", "wait_bytes = \"512 KiB\"", "wait_bytes = \"3 MiB\"", "metricsd.retention.wait_bytes", "all files of the log but two"),
        ("[metricsd.retention]", "wait_bytes = \"512 KiB\"", "wait_bytes = \"64 KiB\"", "metricsd.retention.wait_bytes", "two windows take"),
        ("[metricsd.retention]", "buffer_bytes = \"512 KiB\"", "buffer_bytes = \"16 KiB\"", "metricsd.retention.buffer_bytes", "no window"),
        ("[metricsd.retention]", "segment_bytes = \"2 MiB\"", "segment_bytes = \"256 KiB\"", "metricsd.retention.segment_bytes", "holds no group"),
        ("[metricsd.retention]", "log_files = 8", "log_files = 2", "metricsd.retention.log_files", "choose 3"),
    ]);
}
