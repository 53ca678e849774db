//! The field's frames: each line of `vectors/*.jsonl` is tested, and none is skipped silently.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod json;
mod logd;
mod metricsd;
mod timed;

use json::lines;
use nexus_abi::ServiceId;

#[test]
fn every_line_for_metricsd_holds() {
    let lines = lines(include_str!("metricsd.jsonl"));
    let counts = json::count(&lines, metricsd::check);
    let expected = [
        ("encode_reject", 6),
        ("ids", 2),
        ("invalid reply", 4),
        ("invalid request", 23),
        ("reply", 10),
        ("request", 14),
    ];
    assert_eq!(counts, expected);
    assert_eq!(lines.len(), 59);
}

#[test]
fn every_line_for_logd_holds() {
    let lines = lines(include_str!("logd.jsonl"));
    let counts = json::count(&lines, logd::check);
    assert_eq!(counts, [("invalid request", 9), ("reply", 2), ("request", 10)]);
    assert_eq!(lines.len(), 21);
}

#[test]
fn every_service_has_its_id() {
    let lines = lines(include_str!("service_id.jsonl"));
    let counts = json::count(&lines, |line| {
        let id = ServiceId::from_name(line.text("name"));
        assert_eq!(id.raw().to_string(), line.top("service_id"));
        assert_eq!(id.raw().to_le_bytes().to_vec(), line.frame());
        assert_eq!(format!("{:08x}", id.span_prefix()), line.top("span_prefix_hex"));
        "service id"
    });
    assert_eq!(counts, [("service id", 10)]);
    assert_eq!(lines.len(), 10);
}

#[test]
fn every_line_for_timed_holds() {
    let lines = lines(include_str!("timed.jsonl"));
    let counts = json::count(&lines, timed::check);
    assert_eq!(counts, [("deadline", 4), ("reply", 1), ("request", 1)]);
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_changed_line_fails() {
    let changed = include_str!("metricsd.jsonl").replacen("\"delta\":\"3\"", "\"delta\":\"4\"", 1);
    let lines = lines(&changed);
    let failed = std::panic::catch_unwind(|| json::count(&lines, metricsd::check));
    assert!(failed.is_err());
}
