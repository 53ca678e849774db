//! Lives of senders: resumed within their grace, forgotten after it, displaced by newcomers.

use crate::common::{Bench, life, name_of, recipe, roomy, secs, sender};
use nexus_abi::{ExitReason, Sender};
use nexus_wire::metrics::{Request, Resume, SpanEnd, SpanStart};
use nexus_wire::{AttrBytes, Kind, MetricStatus, SpanId, SpanStatus, TraceId};

fn start(who: Sender, local: u32) -> Request<'static> {
    Request::SpanStart(SpanStart {
        span: SpanId::new(who.service(), local),
        trace: TraceId::new(who.service(), 1),
        parent: SpanId::NONE,
        start_ns: 1,
        name: name_of("work"),
        attrs: AttrBytes::new(b"").unwrap(),
    })
}

fn end(who: Sender, local: u32) -> Request<'static> {
    let span = SpanId::new(who.service(), local);
    let attrs = AttrBytes::new(b"").unwrap();
    Request::SpanEnd(SpanEnd { span, end_ns: 2, status: SpanStatus::Ok, attrs })
}

#[test]
fn hello_tells_a_client_who_it_is_and_what_it_may() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = life("execd", 3);
    let hello = bench.hello(who, None);
    assert_eq!((hello.epoch, hello.service, hello.incarnation.raw()), (7, who.service(), 3));
    assert_eq!((hello.resumed, hello.applied_seq), (false, 0));
    assert_eq!((hello.events_per_s, hello.bytes_per_s), (10_000, 512 << 10));
    let stranger = bench.hello(sender("uid.1000"), None);
    assert_eq!((stranger.events_per_s, stranger.bytes_per_s), (200, 16 << 10));
    assert_eq!(bench.ledger(who).offered, 0);
}

#[test]
fn a_lost_life_goes_on_under_a_new_connection() {
    let mut bench = Bench::new(&recipe(&[]));
    let (old, new) = (life("execd", 1), life("execd", 2));
    let series = bench.register(old, Kind::Counter, "n", "");
    bench.values(old, 1, &[(series, 10)]);
    assert_eq!(bench.status_of(old, &start(old, 2)), MetricStatus::Ok);
    bench.gone(old, ExitReason::Disconnected);
    bench.pause(secs(4));
    let hello = bench.hello(new, Some(Resume { epoch: 7, incarnation: old.incarnation }));
    assert_eq!((hello.resumed, hello.applied_seq), (true, 1));
    bench.pause(secs(60));
    assert_eq!(bench.values(new, 2, &[(series, 15)]).1.applied_seq, 2);
    assert_eq!(bench.one(new, "n", "").value, 15);
    assert_eq!(bench.status_of(new, &end(new, 2)), MetricStatus::Ok);
    assert_eq!(bench.state("sessions"), "1");
}

#[test]
fn after_its_grace_a_life_is_over() {
    let mut bench = Bench::new(&recipe(&[]));
    let (old, new) = (life("execd", 1), life("execd", 2));
    let series = bench.register(old, Kind::Counter, "n", "");
    bench.status_of(old, &start(old, 2));
    bench.gone(old, ExitReason::Disconnected);
    assert_eq!(
        (bench.state("sessions_parted"), bench.state("spans_live")),
        ("1".into(), "1".into())
    );
    bench.pause(secs(5));
    bench.wake();
    assert_eq!((bench.state("sessions"), bench.state("spans_live")), ("0".into(), "0".into()));
    let hello = bench.hello(new, Some(Resume { epoch: 7, incarnation: old.incarnation }));
    assert_eq!((hello.resumed, hello.applied_seq), (false, 0));
    assert_eq!(bench.update(new, series, 1), MetricStatus::NotFound);
    assert_eq!(bench.state("registrations"), "0");
}

#[test]
fn a_life_that_exited_is_over_at_once() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = life("execd", 1);
    bench.status_of(who, &start(who, 2));
    bench.gone(who, ExitReason::Killed(9));
    assert_eq!((bench.state("sessions"), bench.state("spans_live")), ("0".into(), "0".into()));
}

#[test]
fn nobody_goes_on_with_the_life_of_another_sender_or_another_epoch() {
    let mut bench = Bench::new(&recipe(&[]));
    let (owner, thief) = (life("timed", 1), life("execd", 2));
    let series = bench.register(owner, Kind::Counter, "n", "");
    bench.gone(owner, ExitReason::Disconnected);
    assert!(!bench.hello(thief, Some(Resume { epoch: 7, incarnation: owner.incarnation })).resumed);
    assert_eq!(bench.update(thief, series, 1), MetricStatus::NotFound);
    let other_epoch = Resume { epoch: 6, incarnation: owner.incarnation };
    assert!(!bench.hello(life("timed", 2), Some(other_epoch)).resumed);
}

#[test]
fn what_comes_after_an_outage_is_flagged() {
    let mut bench = Bench::new(&recipe(&[]));
    bench.pause(secs(59));
    let who = life("execd", 1);
    bench.hello(who, Some(Resume { epoch: 6, incarnation: who.incarnation }));
    let series = bench.register(who, Kind::Counter, "n", "");
    bench.values(who, 1, &[(series, 1000)]);
    bench.pause(secs(10));
    assert!(bench.one(who, "n", "").catchup);
    bench.values(who, 2, &[(series, 1001)]);
    bench.pause(secs(10));
    let seen = bench.one(who, "n", "");
    assert_eq!((seen.short.sum, seen.catchup), (1, false));
    // The long window that holds it closes a minute after it began.
    bench.pause(secs(60));
    assert!(bench.one(who, "n", "").catchup);
    bench.pause(secs(60));
    assert!(!bench.one(who, "n", "").catchup);
}

#[test]
fn a_client_that_did_not_hear_that_it_was_resumed_asks_again_and_is() {
    let mut bench = Bench::new(&roomy(&[("session_grace", "\"60 s\"")]));
    let lives = [1, 2, 3, 4].map(|n| life("execd", n));
    let series = bench.register(lives[0], Kind::Counter, "n", "");
    bench.values(lives[0], 1, &[(series, 10)]);
    let first = Resume { epoch: 7, incarnation: lives[0].incarnation };
    for (before, now) in lives.iter().zip(&lives[1..]) {
        bench.gone(*before, ExitReason::Disconnected);
        let hello = bench.hello(*now, Some(first));
        assert_eq!((hello.resumed, hello.applied_seq), (true, 1));
    }
    let (status, ack) = bench.values(lives[3], 2, &[(series, 11)]);
    assert_eq!((status, ack.applied_seq, ack.refused_items), (MetricStatus::Ok, 2, 0));
    assert!(!bench.hello(life("timed", 1), Some(first)).resumed, "another sender's");
}

#[test]
fn a_gap_of_more_than_a_window_before_a_resume_is_flagged() {
    for (pause, flagged) in [(secs(3), false), (secs(11), true)] {
        let mut bench = Bench::new(&roomy(&[("session_grace", "\"60 s\"")]));
        let (old, new) = (life("execd", 1), life("execd", 2));
        let series = bench.register(old, Kind::Counter, "n", "");
        bench.values(old, 1, &[(series, 10)]);
        bench.gone(old, ExitReason::Disconnected);
        bench.pause(pause);
        bench.hello(new, Some(Resume { epoch: 7, incarnation: old.incarnation }));
        bench.values(new, 2, &[(series, 11)]);
        bench.pause(secs(10));
        assert_eq!(bench.one(new, "n", "").catchup, flagged);
    }
}

#[test]
fn a_sender_with_its_part_of_the_table_ends_its_own_lost_lives_first() {
    let limits = [("senders", "16"), ("sessions", "17"), ("session_grace", "\"60 s\"")];
    let mut bench = Bench::new(&roomy(&limits));
    let lives: Vec<Sender> = (1..=4).map(|n| life("execd", n)).collect();
    // Its own place, and the one that is free to all.
    let ids: Vec<_> =
        lives[..2].iter().map(|who| bench.register(*who, Kind::Counter, "n", "")).collect();
    assert_eq!(bench.try_register(lives[2], Kind::Counter, "n", "").0, MetricStatus::NotReady);
    bench.gone(lives[0], ExitReason::Disconnected);
    assert_eq!(bench.try_register(lives[2], Kind::Counter, "n", "").0, MetricStatus::Ok);
    assert_eq!(bench.update(lives[1], ids[1], 1), MetricStatus::Ok);
    let hello = bench.hello(lives[3], Some(Resume { epoch: 7, incarnation: lives[0].incarnation }));
    assert!(!hello.resumed);
    assert_eq!(bench.try_register(sender("timed"), Kind::Counter, "n", "").0, MetricStatus::Ok);
}

#[test]
fn a_sender_that_loses_its_seat_leaves_its_totals_to_the_evicted() {
    let mut bench = Bench::new(&roomy(&[("senders", "16"), ("sessions", "16")]));
    let victim = sender("uid.77");
    let id = bench.register(victim, Kind::Counter, "n", "");
    bench.update(victim, id, 40);
    bench.inc(victim, "m", "k=v\n", 2);
    bench.set(victim, "level", "", 9);
    bench.observe(victim, "h", "", 5);
    bench.status_of(victim, &start(victim, 2));
    let seats = 16;
    for n in 0..seats {
        bench.pause(1);
        bench.inc(sender(&format!("newcomer{n}")), "x", "", 1);
    }
    assert!(bench.scrape(victim).is_empty());
    let evicted: Vec<_> =
        bench.scrape_all().into_iter().filter(|series| series.service.raw() == 0).collect();
    let value = |kind| evicted.iter().find(|series| series.kind == kind).unwrap().value;
    assert!(value(Kind::Counter) >= 42);
    assert_eq!(value(Kind::Histogram), 5);
    assert_eq!(bench.state("spans_live"), "0");
    assert_eq!(bench.update(victim, id, 1), MetricStatus::NotFound);
}
