use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_recipe::OnSecret;
use nexus_wire::metrics::SpanStart;
use nexus_wire::{NameBytes, Reason, SpanId, TraceId};

use super::{bench, device, exported, live_of};
use crate::export::tests::{end, recipe, sender, start, whole};

#[test]
fn attributes_that_become_too_many_are_refused_and_the_span_lives_on() {
    let mut bench = device();
    let who = sender(1);
    let long = format!("a={}\n", "x".repeat(120));
    bench.start(who, &start(who, 1, "exec", &long)).unwrap();
    let more = format!("b={}\n", "x".repeat(120));
    assert_eq!(bench.end(who, &end(who, 1, 110, &more)), Err(Reason::OverLimit));
    let pairs = |keys: std::ops::RangeInclusive<char>| {
        keys.map(|key| format!("{key}=\n")).collect::<String>()
    };
    assert_eq!(bench.end(who, &end(who, 1, 110, &pairs('b'..='q'))), Err(Reason::OverLimit));
    assert_eq!(bench.spans.len(), 1);
    bench.end(who, &end(who, 1, 110, &pairs('b'..='p'))).unwrap();
    assert_eq!(exported(&mut bench).len(), 1);
}

#[test]
fn test_reject_foreign_and_impossible_span_ids() {
    let mut bench = device();
    let (who, other) = (sender(1), sender(2));
    let own = start(who, 1, "exec", "");
    let foreign = start(other, 1, "exec", "");
    let refused = [
        (SpanStart { span: foreign.span, ..own }, Reason::Identity),
        (SpanStart { trace: foreign.trace, ..own }, Reason::Identity),
        (SpanStart { trace: TraceId::from_raw(0), ..own }, Reason::Identity),
        (SpanStart { trace: TraceId::from_raw(own.span.raw()), ..own }, Reason::Identity),
        (SpanStart { parent: foreign.span, ..own }, Reason::Identity),
        (SpanStart { span: SpanId::NONE, ..own }, Reason::Invalid),
        (SpanStart { parent: own.span, ..own }, Reason::Invalid),
        (SpanStart { name: NameBytes::new(b"a\nb").unwrap(), ..own }, Reason::Invalid),
        (SpanStart { name: NameBytes::new(b"\xff").unwrap(), ..own }, Reason::Invalid),
    ];
    for (start, reason) in refused {
        assert_eq!(bench.start(who, &start), Err(reason), "{start:?}");
        let whole = nexus_wire::metrics::WholeSpan { start, ..whole(who, 1, "exec") };
        assert_eq!(bench.whole(who, &whole), Err(reason), "{start:?}");
    }
    assert_eq!(bench.end(who, &end(other, 1, 1, "")), Err(Reason::Identity));
    let none = nexus_wire::metrics::SpanEnd { span: SpanId::NONE, ..end(who, 1, 1, "") };
    assert_eq!(bench.end(who, &none), Err(Reason::Invalid));
    let slot = bench.owner(who).slot;
    let row = bench.senders.row(slot, 0, bench.now);
    assert_eq!(
        (row.refused[Reason::Identity.index()], row.refused[Reason::Invalid.index()]),
        (11, 9)
    );
    assert_eq!((bench.spans.len(), exported(&mut bench).len()), (0, 0));
}

#[test]
fn test_reject_attributes_that_are_not_canonical_or_claim_an_identity() {
    let mut bench = device();
    let who = sender(1);
    bench.start(who, &start(who, 9, "exec", "")).unwrap();
    let long_key = format!("{}=v\n", "k".repeat(33));
    let long_value = format!("k={}\n", "v".repeat(129));
    let many = ('a'..='q').map(|key| format!("{key}=\n")).collect::<String>();
    let refused = [
        ("s", Reason::Invalid),
        ("k=v", Reason::Invalid),
        ("b=1\na=1\n", Reason::Invalid),
        ("a=1\na=1\n", Reason::Invalid),
        ("A=1\n", Reason::Invalid),
        ("sender_service_id=7\n", Reason::Identity),
        ("service=root\n", Reason::Identity),
        (long_key.as_str(), Reason::OverLimit),
        (long_value.as_str(), Reason::OverLimit),
        (many.as_str(), Reason::OverLimit),
    ];
    for (attrs, reason) in refused {
        assert_eq!(bench.start(who, &start(who, 1, "exec", attrs)), Err(reason), "{attrs}");
        assert_eq!(bench.end(who, &end(who, 9, 1, attrs)), Err(reason), "{attrs}");
    }
    assert_eq!(bench.spans.len(), 1);
}

#[test]
fn a_live_span_cannot_begin_again_and_a_dead_one_cannot_end() {
    let mut bench = device();
    let who = sender(1);
    assert_eq!(bench.end(who, &end(who, 1, 1, "")), Err(Reason::NotFound));
    bench.start(who, &start(who, 1, "exec", "")).unwrap();
    assert_eq!(bench.start(who, &start(who, 1, "exec", "")), Err(Reason::Invalid));
    assert_eq!(bench.whole(who, &whole(who, 1, "exec")), Err(Reason::Invalid));
    bench.end(who, &end(who, 1, 110, "")).unwrap();
    assert_eq!(bench.end(who, &end(who, 1, 110, "")), Err(Reason::NotFound));
    assert_eq!(exported(&mut bench).len(), 1);
}

#[test]
fn test_reject_live_spans_beyond_the_cap_of_a_sender() {
    let recipe = recipe();
    let limits = &recipe.metricsd;
    let mut bench = bench(&recipe);
    let (greedy, modest) = (sender(1), sender(2));
    bench.start(modest, &start(modest, 1, "kept", "")).unwrap();
    for local in 1..=limits.spans_per_sender {
        bench.start(greedy, &start(greedy, local, "live", "")).unwrap();
    }
    let beyond = start(greedy, 1000, "beyond", "");
    assert_eq!(bench.start(greedy, &beyond), Err(Reason::OverLimit));
    assert_eq!(live_of(&bench, greedy), limits.spans_per_sender as usize);
    assert_eq!(live_of(&bench, modest), 1);
    let slot = bench.owner(greedy).slot;
    let row = bench.senders.row(slot, 0, bench.now);
    assert_eq!(row.refused[Reason::OverLimit.index()], 1);
    assert_eq!((row.accepted, row.balances()), (u64::from(limits.spans_per_sender), true));
    assert_eq!(bench.end(greedy, &end(greedy, 1000, 1, "")), Err(Reason::NotFound));
    bench.end(greedy, &end(greedy, 1, 110, "")).unwrap();
    bench.start(greedy, &beyond).unwrap();
    bench.end(modest, &end(modest, 1, 110, "")).unwrap();
}

#[test]
fn floors_are_kept_for_those_who_come_last_with_the_longest_texts() {
    let recipe = recipe();
    let limits = &recipe.metricsd;
    let mut bench = bench(&recipe);
    let (name, attrs) = ("n".repeat(48), format!("k={}\nl={}\n", "v".repeat(127), "v".repeat(58)));
    assert_eq!(attrs.len(), 191);
    let greedy = u64::from(limits.senders / 2);
    for id in 1..=greedy {
        let who = sender(id);
        for local in 1..=limits.spans_per_sender {
            let _refused_at_some_cap = bench.start(who, &start(who, local, &name, &attrs));
        }
    }
    for id in greedy + 1..=u64::from(limits.senders) {
        let who = sender(id);
        for local in 1..=limits.spans_floor {
            bench.start(who, &start(who, local, &name, &attrs)).unwrap();
        }
        assert_eq!(bench.start(who, &start(who, 99, &name, &attrs)), Err(Reason::OverLimit));
    }
}

#[test]
fn secrets_in_names_and_attributes_are_replaced_or_refused() {
    let who = sender(1);
    for on_secret in [OnSecret::Replace, OnSecret::Refuse] {
        let mut recipe = recipe();
        recipe.redaction.on_secret = on_secret;
        let mut bench = bench(&recipe);
        let canary = "eyJhbGciOiJIUzI1NiJ9";
        let attrs = format!("jwt={canary}\nk=v\n");
        let taken = bench.start(who, &start(who, 1, canary, &attrs));
        bench.start(who, &start(who, 2, "exec", "")).unwrap();
        let ended = bench.end(who, &end(who, 2, 110, "password=hunter2\n"));
        let records = exported(&mut bench);
        if on_secret == OnSecret::Refuse {
            assert_eq!((taken, ended), (Err(Reason::Secret), Err(Reason::Secret)));
            assert!(records.is_empty());
            continue;
        }
        assert_eq!(taken, Ok(2));
        assert_eq!(ended, Ok(1));
        assert_eq!(records[0].get("attr.password"), Some("[redacted]"));
        bench.end(who, &end(who, 1, 110, "")).unwrap();
        let records = exported(&mut bench);
        assert_eq!(records[1].message, "[redacted]");
        assert_eq!(records[1].get("attr.jwt"), Some("[redacted]"));
        assert!(!format!("{:?}", bench.journal.records).contains(canary));
    }
}

#[test]
fn what_is_exported_passes_the_journals_own_redaction() {
    let recipe = recipe();
    let mut redactor = nexus_gate::Redactor::new(&recipe.redaction);
    let mut bench = bench(&recipe);
    let who = Sender::stamped(ServiceId::from_name("execd"), 1, Incarnation::MAX, Rights::NONE);
    bench.whole(who, &whole(who, u32::MAX, "exec.path")).unwrap();
    bench.series.add(3, u64::MAX);
    bench.run_for(recipe.metricsd.export.interval);
    for kept in &bench.journal.records {
        let mut out = [0; 512];
        let fields = nexus_wire::Fields::parse(kept.fields.as_bytes()).unwrap();
        let looked = redactor.fields(fields, &mut out);
        assert_eq!(looked, nexus_gate::Redacted::Clean, "{}", kept.fields);
    }
    assert_eq!((bench.records("spans").len(), bench.records("metrics").len()), (1, 1));
}
