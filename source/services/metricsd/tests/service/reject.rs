//! What metricsd refuses: the status, the count, and what stays as it was.

use crate::common::{Bench, life, name_of, recipe, roomy, secs, sender};
use nexus_abi::ServiceId;
use nexus_wire::metrics::{Range, Request, SpanEnd, SpanStart, plain_reply};
use nexus_wire::{
    AttrBytes, Kind, MetricStatus, Reason, SeriesId, SpanId, SpanStatus, TraceId, markers,
};

/// A by-name frame written by hand, legal or not.
fn by_name(op: u8, value: i64, name: &[u8], labels: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'M', b'T', 1, op, 5, 0, 0, 0, name.len() as u8];
    frame.extend((labels.len() as u16).to_le_bytes());
    frame.extend(value.to_le_bytes());
    frame.extend(name);
    frame.extend(labels);
    frame
}

fn refused(bench: &mut Bench, frame: &[u8]) -> MetricStatus {
    let reply = bench.raw(sender("execd"), frame);
    let status = MetricStatus::from_raw(reply[4]).unwrap();
    assert_eq!(reply, plain_reply(frame[3], status, 5), "the nonce is echoed");
    status
}

#[test]
fn test_reject_oversized_metric_fields() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let long_key = format!("{}=v\n", "k".repeat(33));
    let long_value = format!("k={}\n", "v".repeat(129));
    let many = (0..17).map(|n| format!("k{n:02}=v\n")).collect::<String>();
    for (name, labels) in [
        (&[b'n'; 49][..], &b""[..]),
        (b"", b""),
        (b"n", &[b'l'; 193]),
        (b"n", long_key.as_bytes()),
        (b"n", long_value.as_bytes()),
        (b"n", many.as_bytes()),
    ] {
        for op in 1..=3 {
            let frame = by_name(op, 1, name, labels);
            assert_eq!(refused(&mut bench, &frame), MetricStatus::OverLimit);
        }
    }
    assert_eq!(bench.refusals(who, Reason::OverLimit), 18);
    assert_eq!(bench.ledger(who).offered, 18);
    assert!(bench.scrape(who).is_empty());
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_OVER_LIMIT]);

    // One byte less, each of them, is taken.
    let longest = format!("{}={}\n", "k".repeat(32), "v".repeat(128));
    assert_eq!(bench.inc(who, &"n".repeat(48), &longest, 1), MetricStatus::Ok);
    let labels = (0..16).map(|n| format!("k{n:02}=v\n")).collect::<String>();
    assert_eq!(bench.inc(who, "n", &labels, 1), MetricStatus::Ok);
    assert_eq!(bench.scrape(who).len(), 2);
}

#[test]
fn test_reject_malformed_frames_and_labels() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    for labels in ["k", "k=v", "=v\n", "K=v\n", "b=1\na=2\n", "a=1\na=2\n", "a=1\n\n", "a\u{1}=1\n"]
    {
        let frame = by_name(1, 1, b"n", labels.as_bytes());
        assert_eq!(refused(&mut bench, &frame), MetricStatus::InvalidArgs, "{labels:?}");
    }
    let mut frames =
        vec![by_name(1, -1, b"n", b""), by_name(3, -1, b"n", b""), by_name(2, 1, b"\xff", b"")];
    frames.push(by_name(1, 1, b"a\nb", b""));
    frames.push([&by_name(1, 1, b"n", b"")[..], b"x"].concat());
    frames.push(by_name(7, 1, b"n", b""));
    frames.push(vec![b'M', b'T', 1, 1, 5, 0, 0, 0]);
    for frame in &frames {
        assert_eq!(refused(&mut bench, frame), MetricStatus::InvalidArgs, "{frame:?}");
    }
    assert_eq!(bench.refusals(who, Reason::Invalid), 8 + frames.len() as u64);
    assert!(bench.scrape(who).is_empty());
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_INVALID_ARGS]);
}

#[test]
fn test_reject_series_cap_exceeded() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "4")]));
    let (attacker, victim) = (sender("execd"), sender("timed"));
    for n in 0..3 {
        assert_eq!(bench.inc(victim, "ticks", &format!("n={n}\n"), 10 + n), MetricStatus::Ok);
    }
    let before = bench.scrape(victim);
    for n in 0..4 {
        assert_eq!(bench.inc(attacker, "hits", &format!("n={n}\n"), 1), MetricStatus::Ok);
    }
    for n in 4..104u64 {
        let status = bench.inc(attacker, "hits", &format!("n={n}\n"), n);
        assert_eq!(status, MetricStatus::OverLimit);
    }
    let series = bench.scrape(attacker);
    assert_eq!(series.iter().filter(|series| !series.overflow).count(), 4);
    let overflow: Vec<_> = series.iter().filter(|series| series.overflow).collect();
    assert_eq!(overflow.len(), 1);
    assert_eq!((overflow[0].name.as_str(), overflow[0].labels.as_str()), ("hits", ""));
    assert_eq!(overflow[0].value, (4..104).sum::<i128>());
    assert_eq!(bench.scrape(victim), before);
    let row = bench.ledger(attacker);
    assert_eq!((row.accepted, row.folded, row.refused_total()), (4, 100, 0));
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_OVER_LIMIT]);
    assert_eq!(bench.state("quarantined"), "1");
    assert!(bench.state("quarantine.0").contains("counter hits label=n folds=100"));
    // What was there before the cap goes on as before.
    assert_eq!(bench.inc(attacker, "hits", "n=0\n", 5), MetricStatus::Ok);
    assert_eq!(bench.one(attacker, "hits", "n=0\n").value, 6);
}

#[test]
fn test_reject_gauges_beyond_a_cap() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "1")]));
    let who = sender("execd");
    assert_eq!(bench.set(who, "level", "n=0\n", 3), MetricStatus::Ok);
    assert_eq!(bench.set(who, "level", "n=1\n", 4), MetricStatus::OverLimit);
    assert_eq!(bench.scrape(who).len(), 1);
    assert_eq!(bench.refusals(who, Reason::OverLimit), 1);
    assert_eq!(bench.one(who, "level", "n=0\n").value, 3);
}

#[test]
fn test_reject_payload_identity_spoof() {
    let mut bench = Bench::new(&recipe(&[]));
    let (thief, owner) = (sender("execd"), sender("timed"));
    for key in ["sender_service_id", "service_id", "requester_id", "service"] {
        let labels = format!("{key}=timed\n");
        assert_eq!(bench.inc(thief, "ticks", &labels, 1), MetricStatus::InvalidArgs);
    }
    assert_eq!(bench.refusals(thief, Reason::Identity), 4);

    // Another sender's number.
    let id = bench.register(owner, Kind::Counter, "ticks", "");
    assert_eq!(bench.update(owner, id, 2), MetricStatus::Ok);
    assert_eq!(bench.update(thief, id, 40), MetricStatus::NotFound);
    let (status, ack) = bench.values(thief, 1, &[(id, 40)]);
    assert_eq!((status, ack.applied_seq, ack.refused_items), (MetricStatus::Ok, 1, 1));
    assert_eq!(bench.refusals(thief, Reason::Identity), 6);
    assert_eq!(bench.one(owner, "ticks", "").value, 2);

    // Foreign span and trace ids.
    let own = |local| SpanId::new(ServiceId::from_name("execd"), local);
    let trace = TraceId::new(ServiceId::from_name("execd"), 1);
    let foreign = SpanId::new(ServiceId::from_name("timed"), 1);
    let foreign_trace = TraceId::new(ServiceId::from_name("timed"), 1);
    let start = SpanStart {
        span: own(1),
        trace,
        parent: SpanId::NONE,
        start_ns: 1,
        name: name_of("s"),
        attrs: AttrBytes::new(b"").unwrap(),
    };
    let attrs = AttrBytes::new(b"service=timed\n").unwrap();
    for start in [
        SpanStart { span: foreign, ..start },
        SpanStart { trace: foreign_trace, ..start },
        SpanStart { parent: foreign, ..start },
        SpanStart { attrs, ..start },
    ] {
        let status = bench.status_of(thief, &Request::SpanStart(start));
        assert_eq!(status, MetricStatus::InvalidArgs);
    }
    let end = SpanEnd { span: foreign, end_ns: 2, status: SpanStatus::Ok, attrs: start.attrs };
    assert_eq!(bench.status_of(thief, &Request::SpanEnd(end)), MetricStatus::InvalidArgs);
    assert_eq!(bench.refusals(thief, Reason::Identity), 11);
    assert_eq!(bench.state("spans_live"), "0");
    assert!(bench.scrape(thief).is_empty());
    assert_eq!(bench.status_of(thief, &Request::SpanStart(start)), MetricStatus::Ok);
}

#[test]
fn test_reject_stale_series_ids() {
    let mut bench = Bench::new(&recipe(&[]));
    let (first, second) = (life("execd", 1), life("execd", 2));
    let id = bench.register(first, Kind::Counter, "ticks", "");
    assert_eq!(bench.update(second, id, 1), MetricStatus::NotFound, "another life's");
    let wrong = SeriesId::from_raw(id.raw() + (1 << 32)).unwrap();
    assert_eq!(bench.update(first, wrong, 1), MetricStatus::NotFound, "another generation");
    let beyond = SeriesId::from_raw(id.raw() | 0xffff_ffff).unwrap();
    assert_eq!(bench.update(first, beyond, 1), MetricStatus::NotFound, "no such place");
    assert_eq!(bench.refusals(first, Reason::NotFound), 3);
    bench.gone(first, nexus_abi::ExitReason::Exited(0));
    assert_eq!(bench.update(first, id, 1), MetricStatus::NotFound, "its life has ended");
    let again = bench.register(second, Kind::Counter, "ticks", "");
    assert_ne!(again, id, "a place is never given out twice under the same number");
    assert_eq!(bench.one(first, "ticks", "").value, 0);
}

#[test]
fn test_reject_rate_limit_exceeded() {
    let mut bench = Bench::new(&recipe(&[("events_per_s", "10"), ("events_burst", "20")]));
    let (who, other) = (sender("execd"), sender("timed"));
    for _ in 0..20 {
        assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::Ok);
    }
    for _ in 0..5 {
        assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::RateLimited);
    }
    assert_eq!(refused(&mut bench, &by_name(9, 1, b"", b"")), MetricStatus::RateLimited);
    assert_eq!(bench.inc(other, "n", "", 1), MetricStatus::Ok, "nobody else is slowed down");
    assert_eq!(bench.one(who, "n", "").value, 20);
    assert_eq!(bench.refusals(who, Reason::RateLimited), 6);
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_RATE_LIMITED]);
    bench.pause(secs(1));
    for _ in 0..10 {
        assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::Ok);
    }
    assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::RateLimited);
    assert_eq!(bench.one(who, "n", "").value, 30);
}

#[test]
fn test_reject_bytes_beyond_the_budget() {
    let limits = [("bytes_per_s", "\"1 KiB\""), ("bytes_burst", "\"4 KiB\"")];
    let mut bench = Bench::new(&recipe(&limits));
    let who = sender("execd");
    // 8 of the head, 11 of the body's, 45 of the name: 64 bytes each.
    let name = "n".repeat(45);
    for _ in 0..64 {
        assert_eq!(bench.inc(who, &name, "", 1), MetricStatus::Ok);
    }
    assert_eq!(bench.inc(who, &name, "", 1), MetricStatus::RateLimited);
    let id = SeriesId::from_raw(1 << 32).unwrap();
    let (status, ack) = bench.values(who, 1, &[(id, 1), (id, 2), (id, 3)]);
    assert_eq!((status, ack.applied_seq), (MetricStatus::RateLimited, 0));
    assert_eq!(bench.refusals(who, Reason::RateLimited), 4, "each item of a BATCH counts");
    assert_eq!(bench.one(who, &name, "").value, 64);
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_RATE_LIMITED]);
    bench.pause(secs(1));
    assert_eq!(bench.inc(who, &name, "", 1), MetricStatus::Ok);
}

#[test]
fn test_reject_reads_without_the_right() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let requests = [
        Request::Scrape { cursor: 0, with_help: false },
        Request::Spans { cursor: 0 },
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Range(Range::ALL),
    ];
    for request in &requests {
        let (status, reply) = bench.ask(who, request);
        assert_eq!((status, reply.len()), (MetricStatus::Denied, 9));
    }
    assert_eq!(bench.refusals(who, Reason::Denied), 5);
}

#[test]
fn test_reject_questions_beyond_the_budget_and_count_no_item_as_lost() {
    let mut bench = Bench::new(&recipe(&[("events_per_s", "10"), ("events_burst", "20")]));
    let who = sender("execd");
    for _ in 0..20 {
        assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::Ok);
    }
    for request in [Request::Ping, Request::Hello(None), Request::Status] {
        let (status, _) = bench.ask(who, &request);
        assert_eq!(status, MetricStatus::RateLimited);
    }
    assert_eq!(bench.refusals(who, Reason::Denied), 3);
    assert_eq!(bench.refusals(who, Reason::RateLimited), 0);
    assert_eq!(bench.inc(who, "n", "", 1), MetricStatus::RateLimited, "an item is an item");
    assert_eq!(bench.refusals(who, Reason::RateLimited), 1);
}

#[test]
fn test_reject_secrets_where_the_recipe_says_so() {
    let mut recipe = recipe(&[]);
    recipe.redaction.on_secret = nexus_recipe::OnSecret::Refuse;
    let mut bench = Bench::new(&recipe);
    let who = sender("execd");
    let canary = "ghp_0123456789abcdefABCDEF";
    assert_eq!(bench.inc(who, "n", "password=x\n", 1), MetricStatus::InvalidArgs);
    assert_eq!(bench.inc(who, "n", &format!("k={canary}\n"), 1), MetricStatus::InvalidArgs);
    assert_eq!(bench.inc(who, canary, "", 1), MetricStatus::InvalidArgs);
    assert_eq!(bench.refusals(who, Reason::Secret), 3);
    assert!(bench.scrape(who).is_empty());
    assert_eq!(bench.printed, [markers::METRICSD_REJECT_INVALID_ARGS]);
}
