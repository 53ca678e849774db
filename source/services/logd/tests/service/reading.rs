//! Reading: what was appended, from where on, which of it, and what is told of what was lost.

use std::collections::BTreeSet;

use nexus_abi::{Sender, ServiceId};
use nexus_bounded::Wall;
use nexus_port::{Event, Service};
use nexus_wire::logs::{ClockAnchor, NewRecord, Reply, Request, Search};
use nexus_wire::{Fields, Level, LogStatus, RecordId};
use proptest::prelude::*;

use crate::rig::*;

#[test]
fn logd_is_ready_when_its_own_record_was_read_back_and_not_before() {
    let logd = logd::Logd::new(&recipe(), 7, logd::Keep::Nothing);
    assert!(logd.deadline().is_some(), "it wants to be woken for its proof");
    let mut rig = Rig::new(&recipe());
    assert_eq!(rig.world.lines, ["logd: ready"]);
    assert_eq!(rig.logd.deadline(), None);
    let found = rig.search_all(Search::ALL);
    let [ready] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((ready.id, ready.scope.as_str(), ready.message.as_str()), (1, "logd", "ready"));
    assert_eq!(ready.service, ServiceId::from_name("logd"));
    assert_eq!(ready.fields, "boot=7\n");
}

#[test]
fn logd_is_not_ready_when_its_own_record_is_refused() {
    let mut recipe = strict_recipe();
    recipe.redaction.deny_prefixes = ["ready".to_owned()].into();
    let mut rig = Rig::new(&recipe);
    assert_eq!(rig.world.lines, ["logd: reject invalid_args"]);
    assert_eq!(rig.status_of("ready"), "0");
    assert_eq!(rig.logd.deadline(), None, "it does not try for ever");
}

#[test]
fn logd_stops_at_once_when_asked_and_answers_until_then() {
    let mut rig = Rig::new(&recipe());
    assert!(!rig.logd.stopped());
    rig.event(Event::Stop);
    assert!(rig.logd.stopped());
    rig.accept(producer(PRODUCER), record("s", "last words", ""));
}

#[test]
fn what_was_appended_is_read_whole() {
    let mut rig = Rig::new(&recipe());
    let (scope, message) = ("s".repeat(64), "m".repeat(256));
    let fields = format!("a={}\nb={}\n", "x".repeat(250), "y".repeat(256));
    assert_eq!(fields.len(), 512);
    let id = rig.accept(producer(PRODUCER), record(&scope, &message, &fields));
    let found = rig.search(Search { id: RecordId(id.0 - 1), ..Search::ALL }).found;
    let [seen] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&seen.scope, &seen.message, &seen.fields), (&scope, &message, &fields));
    assert_eq!(seen.service, ServiceId::from_name(PRODUCER));
    assert_eq!(seen.ts_ns, rig.now.0);
}

/// A rig with one record a second; the `n`-th is called `n`, the proof's is the first.
fn filled(records: u64) -> Rig {
    let mut rig = Rig::new(&recipe());
    for n in 2..=records {
        rig.wait(SECOND);
        rig.accept(producer(PRODUCER), record("s", &n.to_string(), ""));
    }
    rig
}

fn ids(found: &[Seen]) -> Vec<u64> {
    found.iter().map(|seen| seen.id).collect()
}

#[test]
fn a_query_gives_records_since_a_time_oldest_first_and_at_most_sixteen() {
    let mut rig = filled(20);
    let ids = |found: Vec<(u64, String)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(rig.query(0, u16::MAX)), (1..=16).collect::<Vec<_>>());
    assert_eq!(ids(rig.query(5 * SECOND, 3)), [5, 6, 7]);
    assert_eq!(ids(rig.query(5 * SECOND + 1, 1)), [6]);
    assert!(rig.query(0, 0).is_empty());
    assert!(rig.query(u64::MAX, 5).is_empty());
}

#[test]
fn a_query_gives_whole_records_within_its_bytes() {
    let mut rig = Rig::new(&recipe());
    for _ in 0..9 {
        rig.accept(producer(PRODUCER), record("s", &"m".repeat(256), ""));
    }
    let mut frame = [0; 64];
    let query = Request::Query { since_ns: 0, max: 16 };
    let frame = nexus_wire::logs::encode(&query, V2, &mut frame).unwrap();
    let reply = rig.raw(reader(), frame);
    assert!(reply.len() <= 2048 && reply.len() > 2048 - 300, "{}", reply.len());
    assert_eq!(rig.query(0, 16).len(), 7);
}

#[test]
fn time_in_the_journal_never_goes_back() {
    let mut rig = filled(3);
    rig.now.0 -= 2 * SECOND;
    rig.accept(producer(PRODUCER), record("s", "late", ""));
    let found = rig.search_all(Search::ALL);
    assert!(found.is_sorted_by_key(|seen| (seen.ts_ns, seen.id)), "{found:?}");
}

#[test]
fn a_search_goes_on_from_its_cursor_in_both_directions() {
    let mut rig = filled(10);
    let page = rig.search(Search { max: 4, ..Search::ALL });
    assert_eq!((ids(&page.found), page.next, page.more), (vec![1, 2, 3, 4], RecordId(4), true));
    let page = rig.search(Search { id: page.next, boot: 7, ..Search::ALL });
    assert_eq!((ids(&page.found), page.next, page.more), ((5..=10).collect(), RecordId(10), false));
    let page = rig.search(Search { id: page.next, ..Search::ALL });
    assert_eq!((ids(&page.found), page.next, page.more), (vec![], RecordId(10), false));
    rig.accept(producer(PRODUCER), record("s", "new", ""));
    let page = rig.search(Search { id: page.next, ..Search::ALL });
    assert_eq!(ids(&page.found), [11]);

    let page = rig.search(Search { max: 3, backward: true, ..Search::ALL });
    assert_eq!((ids(&page.found), page.next, page.more), (vec![11, 10, 9], RecordId(9), true));
    let rest = Search { id: page.next, backward: true, ..Search::ALL };
    assert_eq!(ids(&rig.search(rest).found), (1..=8).rev().collect::<Vec<_>>());
    let none = rig.search(Search { id: RecordId(1), backward: true, ..Search::ALL });
    assert_eq!((ids(&none.found), none.more), (vec![], false));
}

#[test]
fn a_cursor_of_another_boot_starts_over() {
    let mut rig = filled(5);
    let page = rig.search(Search { boot: 6, id: RecordId(4), ..Search::ALL });
    assert_eq!((ids(&page.found), page.boot), ((1..=5).collect(), 7));
    let page = rig.search(Search { boot: 6, id: RecordId(4), backward: true, ..Search::ALL });
    assert_eq!(ids(&page.found), [5, 4, 3, 2, 1]);
}

#[test]
fn a_search_keeps_to_its_times() {
    let mut rig = filled(10);
    let between = Search { since_ns: 4 * SECOND, until_ns: 7 * SECOND, ..Search::ALL };
    assert_eq!(ids(&rig.search(between).found), [4, 5, 6, 7]);
    let backward = Search { backward: true, ..between };
    assert_eq!(ids(&rig.search(backward).found), [7, 6, 5, 4]);
    let behind = Search { id: RecordId(5), ..between };
    assert_eq!(ids(&rig.search(behind).found), [6, 7]);
    let never = Search { since_ns: 7 * SECOND, until_ns: 4 * SECOND, ..Search::ALL };
    assert!(rig.search(never).found.is_empty());
}

#[test]
fn a_search_keeps_to_its_filters() {
    let mut rig = Rig::new(&recipe());
    let warn = NewRecord { level: Level::Warn, ..record("net.tcp", "w", "peer=a\nport=1\n") };
    rig.accept(producer(PRODUCER), warn);
    let debug = NewRecord { level: Level::Debug, ..record("net", "d", "peer=ab\n") };
    rig.accept(producer("hostprobe"), debug);
    let mut found = |search| ids(&rig.search(search).found);
    let all = Search::ALL;
    assert_eq!(found(Search { level_max: Level::Warn, ..all }), [2]);
    assert_eq!(found(Search { level_max: Level::Info, ..all }), [1, 2]);
    assert_eq!(found(Search { scope: "net", ..all }), [2, 3]);
    assert_eq!(found(Search { scope: "net.", ..all }), [2]);
    let probe = Some(ServiceId::from_name("hostprobe"));
    assert_eq!(found(Search { service: probe, ..all }), [3]);
    let pair = Fields::parse(b"peer=a\n").unwrap();
    assert_eq!(found(Search { pair, ..all }), [2]);
    let nobody = Some(ServiceId::from_name("nobody"));
    assert!(found(Search { service: nobody, ..all }).is_empty());
}

#[test]
fn a_search_looks_at_so_many_records_and_says_where_to_go_on() {
    let mut rig = filled(50);
    let nobody = Search { scope: "nothing", ..Search::ALL };
    let page = rig.search(nobody);
    assert_eq!((page.found.len(), page.next, page.more), (0, RecordId(32), true));
    let page = rig.search(Search { id: page.next, ..nobody });
    assert_eq!((page.found.len(), page.next, page.more), (0, RecordId(50), false));
}

/// One record of each of two senders, then a flood of a third that overflows the journal.
fn flooded() -> Rig {
    let mut rig = Rig::new(&recipe());
    rig.accept(producer("hostprobe"), record("s", "kept", ""));
    for n in 0..200 {
        rig.wait(SECOND);
        rig.accept(producer(PRODUCER), record("s", &n.to_string(), ""));
    }
    rig
}

#[test]
fn a_gap_stands_where_the_last_of_the_lost_was_and_tells_what_is_lost() {
    let mut rig = flooded();
    let lost = rig.stats().dropped;
    assert_eq!(lost, 202 - 64);
    let all = rig.search_all(Search { gaps: true, ..Search::ALL });
    let [ready, kept, gap, rest @ ..] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((ready.id, kept.id), (1, 2), "who is within its share loses nothing");
    assert!(gap.gap && !rest.iter().any(|seen| seen.gap));
    assert_eq!((gap.scope.as_str(), gap.message.as_str()), ("logd", "gap"));
    assert_eq!(gap.service, ServiceId::from_name(PRODUCER));
    let numbers = ["count", "first_id", "last_id", "first_ns", "last_ns"].map(|k| gap.number(k));
    assert_eq!(numbers, [lost, 3, 2 + lost, 2 * SECOND, (1 + lost) * SECOND]);
    assert_eq!((gap.id, gap.ts_ns), (2 + lost, (1 + lost) * SECOND));
    assert_eq!(ids(rest), (3 + lost..=202).collect::<Vec<_>>());

    let mut backward = rig.search_all(Search { gaps: true, backward: true, ..Search::ALL });
    backward.reverse();
    assert_eq!(backward, all);
    let without = rig.search_all(Search::ALL);
    assert_eq!(without.len(), 64);
    assert!(!without.iter().any(|seen| seen.gap));
    assert_eq!(rig.query(0, 3).len(), 3, "QUERY knows no gaps");
}

#[test]
fn gaps_are_shown_whatever_filter_may_have_matched_the_lost() {
    let mut rig = flooded();
    let gaps = |rig: &mut Rig, search: Search<'_>| {
        let all = rig.search_all(Search { gaps: true, ..search });
        all.iter().filter(|seen| seen.gap).count()
    };
    assert_eq!(gaps(&mut rig, Search { level_max: Level::Error, ..Search::ALL }), 1);
    assert_eq!(gaps(&mut rig, Search { scope: "other", ..Search::ALL }), 1);
    let of = |name| Search { service: Some(ServiceId::from_name(name)), ..Search::ALL };
    assert_eq!(gaps(&mut rig, of(PRODUCER)), 1);
    assert_eq!(gaps(&mut rig, of("hostprobe")), 0, "nothing of its own is lost");
    // Lost from 2 s to 139 s.
    let between = |since_ns: u64, until_ns: u64| Search { since_ns, until_ns, ..Search::ALL };
    assert_eq!(gaps(&mut rig, between(0, 2 * SECOND - 1)), 0);
    assert_eq!(gaps(&mut rig, between(0, 2 * SECOND)), 1, "though its last one is later");
    assert_eq!(gaps(&mut rig, between(139 * SECOND, u64::MAX)), 1);
    assert_eq!(gaps(&mut rig, between(139 * SECOND + 1, u64::MAX)), 0);
}

#[test]
fn pages_of_any_length_give_every_record_and_gap_once() {
    let mut rig = Rig::new(&recipe());
    for n in 0..300_u64 {
        let name = ["execd", "hostprobe", "timed", "policyd"][(n % 7 % 4) as usize];
        rig.wait(SECOND);
        rig.accept(producer(name), record("s", &n.to_string(), ""));
    }
    let whole = rig.search_all(Search { gaps: true, ..Search::ALL });
    assert_eq!(whole.iter().filter(|seen| seen.gap).count(), 4);
    for max in [1, 2, 3, 7, 64] {
        for backward in [false, true] {
            let mut paged = rig.search_all(Search { gaps: true, max, backward, ..Search::ALL });
            if backward {
                paged.reverse();
            }
            assert_eq!(paged, whole, "{max} {backward}");
            rig.wait(9 * SECOND);
        }
    }
}

/// Two records that stay, then more marks of dropped ones than a search may look at, then records.
fn with_many_marks() -> Rig {
    let mut recipe = recipe();
    (recipe.logd.journal_records, recipe.logd.query_scan_records) = (1024, 16);
    recipe.logd.journal_bytes = 36 * 4096;
    let mut rig = Rig::new(&recipe);
    rig.accept(producer("hostprobe"), record("s", "kept", ""));
    for _ in 0..1022 + 400 {
        rig.wait(SECOND);
        rig.accept(producer(PRODUCER), record("s", "m", ""));
    }
    rig
}

#[test]
fn marks_of_the_dropped_cost_a_reader_nothing_and_hide_nothing() {
    let mut rig = with_many_marks();
    assert_eq!(rig.stats().dropped, 400);
    let found = rig.query(0, 4).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(found, [1, 2, 403, 404]);
    let amid_the_marks = rig.query(100 * SECOND, 1);
    assert_eq!(amid_the_marks.first().map(|(id, _)| *id), Some(403));
    let page = rig.search(Search { max: 4, ..Search::ALL });
    assert_eq!((ids(&page.found), page.next), (vec![1, 2, 403, 404], RecordId(404)));
    let back = Search { id: RecordId(404), backward: true, ..Search::ALL };
    let page = rig.search(back);
    assert_eq!((ids(&page.found), page.more), (vec![403, 2, 1], false));
    let page = rig.search(Search { id: RecordId(200), backward: true, ..Search::ALL });
    assert_eq!((ids(&page.found), page.more), (vec![2, 1], false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_dropped_between_pages_nothing_is_skipped_or_found_twice(
        steps in prop::collection::vec((0usize..4, 1u64..40, 1u16..20), 1..30),
        backward in any::<bool>(),
    ) {
        let mut rig = filled(70);
        let mut search = Search { backward, ..Search::ALL };
        let begun_at = rig.stats().total;
        let (mut found, mut more) = (Vec::new(), true);
        for (who, appends, max) in steps {
            search.max = max;
            let page = rig.search(search);
            found.extend(ids(&page.found));
            (search.id, more) = (page.next, page.more);
            if !more {
                break;
            }
            for _ in 0..appends {
                rig.wait(SECOND);
                let name = [PRODUCER, "hostprobe", "timed", "policyd"][who];
                rig.accept(producer(name), record("s", "m", ""));
            }
        }
        search.max = u16::MAX;
        if more {
            found.extend(ids(&rig.search_all(search)));
        }
        let in_order = |a: &u64, b: &u64| if backward { a > b } else { a < b };
        prop_assert!(found.is_sorted_by(in_order), "{found:?}");
        let kept = ids(&rig.search_all(Search::ALL));
        let was_there = |id: &&u64| !backward || **id <= begun_at;
        let missed: Vec<_> =
            kept.iter().filter(was_there).filter(|id| !found.contains(id)).collect();
        prop_assert!(missed.is_empty(), "{missed:?} of {kept:?}, found {found:?}");
    }
}

#[test]
fn records_of_a_displaced_sender_stay_findable_and_their_loss_stays_known() {
    let mut rig = Rig::new(&recipe());
    let first = rig.accept(producer("s0"), record("s", "old", ""));
    for n in 1..40 {
        rig.wait(SECOND);
        rig.accept(producer(&format!("s{n}")), record("s", "m", ""));
    }
    let of = Search { service: Some(ServiceId::from_name("s0")), ..Search::ALL };
    assert_eq!(ids(&rig.search(of).found), [first.0]);
    let rows = rig.audit();
    assert_eq!(rows.len(), 17);
    assert_eq!(rows.iter().map(|row| row.kept).sum::<u64>(), u64::from(rig.stats().used_records));
    assert!(rows[0].kept > 20 && rows[0].service == 0, "{:?}", rows[0]);

    for n in 0..200 {
        rig.wait(SECOND);
        rig.accept(producer("s39"), record("s", &n.to_string(), ""));
    }
    assert!(rig.search(of).found.is_empty());
    let all = rig.search_all(Search { gaps: true, ..Search::ALL });
    let evicted = all.iter().find(|seen| seen.gap && seen.service.raw() == 0).unwrap();
    assert!(evicted.number("first_id") <= first.0 && first.0 <= evicted.number("last_id"));
    let ids = all.iter().map(|seen| seen.id).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn the_ledger_balances_and_keeps_what_is_kept() {
    let mut rig = flooded();
    rig.append(producer(PRODUCER), record("s", "m", "service=x\n"));
    let rows = rig.audit();
    assert!(rows.iter().all(nexus_wire::LedgerRow::balances));
    assert!(rows.iter().all(|row| row.accepted == row.kept), "what is accepted is kept");
    let row = rig.row(PRODUCER);
    assert_eq!((row.offered, row.dropped, row.kept), (201, 138, 62));
    let stats = rig.stats();
    assert_eq!(rows.iter().map(|row| row.dropped).sum::<u64>(), stats.dropped);
    assert_eq!(rows.iter().map(|row| row.accepted + row.dropped).sum::<u64>(), stats.total);
}

#[test]
fn the_ledger_comes_in_pages_when_it_does_not_fit_a_reply() {
    let mut recipe = recipe();
    (recipe.logd.senders, recipe.logd.journal_records) = (100, 400);
    recipe.logd.journal_bytes = 68 * 3200;
    let mut rig = Rig::new(&recipe);
    for n in 0..64 {
        rig.accept(producer(&format!("s{n}")), record("s", "m", ""));
    }
    let rows = rig.audit();
    let services = rows.iter().map(|row| row.service).collect::<BTreeSet<_>>();
    assert_eq!((rows.len(), services.len()), (67, 67));
    rig.ask(reader(), V2, Request::Audit { cursor: u32::MAX }, |status, reply| {
        let Reply::Audit(reply) = reply else { panic!("{reply:?}") };
        assert_eq!((status, reply.next_cursor, reply.rows().count()), (LogStatus::Ok, 0, 0));
    });
}

#[test]
fn stats_count_what_is_kept_and_what_it_takes() {
    let mut rig = Rig::new(&recipe());
    let before = rig.stats();
    assert_eq!((before.total, before.used_records, before.cap_records), (1, 1, 64));
    rig.accept(producer(PRODUCER), record("s", &"m".repeat(127), ""));
    let after = rig.stats();
    assert_eq!((after.used_records, after.used_bytes - before.used_bytes), (2, 2 * 68));
    assert_eq!(after.cap_bytes, 512 * 68);
}

#[test]
fn hello_tells_a_client_who_it_is_and_what_it_may() {
    let mut rig = Rig::new(&recipe());
    let from = Sender { rights: nexus_abi::Rights::QUERY, ..producer(PRODUCER) };
    rig.ask(from, V2, Request::Hello, |status, reply| {
        let Reply::Hello(hello) = reply else { panic!("{reply:?}") };
        assert_eq!((status, hello.boot), (LogStatus::Ok, 7));
        assert_eq!((hello.service, hello.incarnation.raw()), (from.service(), 3));
        assert_eq!(hello.rights, nexus_abi::Rights::QUERY);
        assert_eq!((hello.events_per_s, hello.bytes_per_s), (200, 64 * 1024));
        assert_eq!(hello.now_ns, SECOND);
    });
    rig.ask(producer("uid.1000"), V2, Request::Hello, |_, reply| {
        let Reply::Hello(hello) = reply else { panic!("{reply:?}") };
        assert_eq!((hello.events_per_s, hello.bytes_per_s), (20, 8 * 1024), "unknown users");
    });
}

#[test]
fn the_status_is_sorted_and_tells_of_the_port_too() {
    let mut rig = flooded();
    rig.world.totals = vec![("port_frames", 9), ("port_accepted", 4)];
    rig.append(producer(PRODUCER), record("s", "m", "service=x\n"));
    rig.accept(producer(PRODUCER), record("s", "m", "password=hunter2\n"));
    let status = rig.status();
    assert!(status.is_sorted());
    for (key, value) in [
        ("boot", "7"),
        ("records", "64"),
        ("records_max", "64"),
        ("total", "203"),
        ("dropped", "139"),
        ("port_accepted", "4"),
        ("port_frames", "9"),
        ("ready", "1"),
        ("redacted", "1"),
        ("refused_identity", "1"),
        ("refused_invalid", "0"),
        ("senders", "4"),
        ("senders_max", "16"),
        ("uptime_ns", &(200 * SECOND).to_string()),
    ] {
        assert_eq!(rig.status_of(key), value, "{key}");
    }
}

#[test]
fn clock_anchors_follow_a_wall_clock_that_jumps() {
    let mut rig = Rig::new(&recipe());
    assert_eq!(rig.anchors(), [], "nothing knows the time yet");
    let anchor = |mono_ns, wall_ns| ClockAnchor { boot: 7, mono_ns, wall_ns };
    let year = 1_700_000_000 * SECOND;
    rig.wall = Some(Wall(year));
    assert_eq!(rig.anchors(), [anchor(SECOND, year)]);
    rig.wait(SECOND);
    rig.wall = Some(Wall(year + SECOND + SECOND / 2));
    assert_eq!(rig.anchors().len(), 1, "half a second is within the recipe's drift");
    rig.wait(SECOND);
    rig.wall = Some(Wall(5));
    assert_eq!(rig.anchors(), [anchor(SECOND, year), anchor(3 * SECOND, 5)]);
    for n in 0..=900 {
        rig.wait(SECOND);
        rig.wall = Some(Wall(n * (year / 100)));
        rig.event(Event::Wake);
    }
    let anchors = rig.anchors();
    assert_eq!(anchors.len(), 64, "as many as the recipe says");
    assert_eq!(anchors[0], anchor(SECOND, year), "the first of the boot stays");
    assert_eq!(anchors[63], anchor(904 * SECOND, 9 * year));
    assert!(anchors.is_sorted_by_key(|anchor| anchor.mono_ns));
    let lost = rig.status_of("anchors_lost").parse::<u64>().unwrap();
    assert_eq!(lost, 903 - 64);
}
