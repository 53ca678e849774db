//! Senders that mean ill, or whose memory is broken: whatever comes, every item that was offered
//! has one outcome. The bench checks the law of the ledger after every event.

use nexus_abi::{ExitReason, Rights, Sender};
use nexus_wire::metrics::{
    BatchWriter, Item, Lookup, Register, Request, Resume, SpanEnd, SpanStart, Update, encode,
};
use nexus_wire::{
    AttrBytes, Help, Kind, LossReason, MetricStatus, Reason, SeriesId, SpanId, SpanStatus, TraceId,
    Unit,
};
use proptest::prelude::*;

use crate::common::{Bench, labels_of, life, name_of, recipe, roomy, secs, sender};

/// So many senders come; there are seats for fewer.
const NAMES: u32 = 12;

fn name_of_sender(number: u32) -> String {
    format!("hostile{}", number % NAMES)
}

fn encoded(request: &Request<'_>) -> Vec<u8> {
    encode(request, 9, &mut [0; 4096]).unwrap().to_vec()
}

fn span(who: &str, local: u32) -> SpanStart<'static> {
    let service = sender(who).service();
    SpanStart {
        span: SpanId::new(service, local),
        trace: TraceId::new(service, local),
        parent: SpanId::NONE,
        start_ns: 1,
        name: name_of("s"),
        attrs: AttrBytes::new(b"password=x\n").unwrap(),
    }
}

fn end(start: &SpanStart<'_>) -> SpanEnd<'static> {
    let attrs = AttrBytes::new(b"").unwrap();
    SpanEnd { span: start.span, end_ns: 2, status: SpanStatus::Ok, attrs }
}

/// A number that may have been given out, and to whomever.
fn series(number: u32) -> SeriesId {
    SeriesId::from_raw(1 << 32 | u64::from(number % 6)).unwrap()
}

/// A BATCH of all kinds of items, as many of them as `number` says; it may be empty.
fn batch(who: &str, seq: u32, number: u32) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let mut writer = BatchWriter::new(seq, 9, &mut buffer);
    let start = span(who, number % 5 + 1);
    let open = Item::Open(start);
    let close = Item::Close(end(&start));
    let whole = Item::plain_span(start.span, start.trace, start.name, 1, 2).unwrap();
    let lost = Item::Lost { reason: LossReason::ALL[0], count: u64::from(number) << 40 };
    for place in 0..number % 4 {
        assert!(writer.value(series(number.wrapping_add(place)), u64::from(number)));
    }
    let items = [open, close, whole, lost];
    for item in items.iter().cycle().skip(number as usize % 4).take(number as usize / 4 % 4) {
        assert!(writer.item(item));
    }
    writer.finish().unwrap().to_vec()
}

/// A good frame of any kind.
fn good(which: u32, who: &str, number: u32) -> Vec<u8> {
    let value = u64::from(number);
    let (name, labels) = (name_of("n"), format!("k={}\n", number % 9));
    let update = Update { name, labels: labels_of(&labels), value };
    let kind = Kind::ALL[number as usize % Kind::ALL.len()];
    let start = span(who, number % 5 + 1);
    encoded(&match which {
        0 => Request::CounterInc(update),
        1 => Request::GaugeSet(Update { name, labels: update.labels, value: -5 }),
        2 => Request::HistObserve(update),
        3 => Request::SpanStart(start),
        4 => Request::SpanEnd(end(&start)),
        5 => Request::Ping,
        6 => {
            let (epoch, incarnation) = (number % 9 + 1, life(who, number % 3 + 1).incarnation);
            Request::Hello(number.is_multiple_of(2).then_some(Resume { epoch, incarnation }))
        }
        7 => {
            let help = Help::new("password=hunter2").unwrap();
            Request::Register(Register::new(kind, Unit::None, name, update.labels, help))
        }
        8 => Request::Lookup(Lookup { kind, name, labels: update.labels }),
        9 => Request::Update { series: series(number), value },
        10 => Request::Scrape { cursor: number, with_help: true },
        11 => Request::Spans { cursor: number },
        12 => Request::Audit { cursor: number % 40 },
        13 => Request::Status,
        _ => return batch(who, number % 7, number),
    })
}

/// Frames that are good, nearly good, or random.
fn frame() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let ours = (0..NAMES, 0u32..20, any::<u32>())
        .prop_map(|(who, which, number)| (who, good(which, &name_of_sender(who), number)));
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let changed = (ours.clone(), changes).prop_map(|((who, mut frame), changes)| {
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        (who, frame)
    });
    let cut = (ours.clone(), any::<prop::sample::Index>()).prop_map(|((who, mut frame), cut)| {
        frame.truncate(cut.index(frame.len()));
        (who, frame)
    });
    prop_oneof![
        6 => ours,
        2 => changed,
        1 => cut,
        1 => (0..NAMES, prop::collection::vec(any::<u8>(), 0..80)),
    ]
}

/// What happens besides a frame.
#[derive(Clone, Copy, Debug)]
enum Aside {
    Nothing,
    Wake,
    Gone(ExitReason),
}

fn aside() -> impl Strategy<Value = Aside> {
    prop_oneof![
        5 => Just(Aside::Nothing),
        1 => Just(Aside::Wake),
        1 => Just(Aside::Gone(ExitReason::Disconnected)),
        1 => Just(Aside::Gone(ExitReason::Killed(9))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_frame_gets_one_reply_and_after_each_the_ledger_adds_up(
        steps in prop::collection::vec((frame(), 1u32..3, any::<bool>(), aside(), 0..3u64), 1..120),
    ) {
        // Fewer seats than senders, one life for each, caps that are met, and budgets that end.
        let limits =
            [("series_per_metric", "4"), ("events_per_s", "20"), ("events_burst", "30")];
        let mut recipe = recipe(&limits);
        (recipe.metricsd.senders, recipe.metricsd.sessions) = (9, 9);
        let mut bench = Bench::new(&recipe);
        for ((who, frame), incarnation, may_read, aside, pause) in steps {
            let rights = if may_read { Rights::SCRAPE } else { Rights::NONE };
            let from = Sender { rights, ..life(&name_of_sender(who), incarnation) };
            bench.pause(secs(pause) / 4);
            let reply = bench.raw(from, &frame);
            prop_assert!(reply.starts_with(b"MT") && reply.len() <= 4096);
            match aside {
                Aside::Nothing => {}
                Aside::Wake => bench.wake(),
                Aside::Gone(reason) => bench.gone(from, reason),
            }
        }
    }
}

/// Whoever offers nothing by what it asks has nothing on its account for it.
#[test]
fn a_question_offers_nothing_unless_it_is_refused() {
    let mut bench = Bench::new(&roomy(&[]));
    let who = Sender { rights: Rights::SCRAPE, ..sender("execd") };
    let questions = [
        Request::Ping,
        Request::Hello(None),
        Request::Register(Register::new(
            Kind::Counter,
            Unit::None,
            name_of("n"),
            labels_of(""),
            Help::new("").unwrap(),
        )),
        Request::Lookup(Lookup { kind: Kind::Counter, name: name_of("n"), labels: labels_of("") }),
        Request::Scrape { cursor: 0, with_help: false },
        Request::Spans { cursor: 0 },
        Request::Audit { cursor: 0 },
        Request::Status,
    ];
    for question in &questions {
        assert_eq!(bench.status_of(who, question), MetricStatus::Ok, "{question:?}");
    }
    assert_eq!(bench.batch(who, 1, |_| {}).0, MetricStatus::Ok, "an empty BATCH");
    assert_eq!(bench.batch(who, 1, |_| {}).0, MetricStatus::Ok, "and again");
    assert_eq!(bench.ledger(who).offered, 0);

    let unknown = Lookup { kind: Kind::Counter, name: name_of("unknown"), labels: labels_of("") };
    assert_eq!(bench.status_of(who, &Request::Lookup(unknown)), MetricStatus::NotFound);
    assert_eq!(bench.status_of(sender("execd"), &Request::Status), MetricStatus::Denied);
    assert_eq!(bench.batch(who, 9, |_| {}).0, MetricStatus::OutOfOrder, "an empty one too early");
    let row = bench.ledger(who);
    assert_eq!((row.offered, row.refused_total()), (3, 3));
    assert_eq!(row.refused[Reason::NotReady.index()], 1);
}

#[test]
fn every_item_of_a_batch_is_offered_once_whatever_becomes_of_it() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "1")]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "k=0\n");
    let (status, folded) = bench.try_register(who, Kind::Counter, "n", "k=1\n");
    assert_eq!(status, MetricStatus::Folded);
    let unknown = SeriesId::from_raw(u64::MAX).unwrap();
    let mut send = |seq| {
        bench.batch(who, seq, |batch| {
            for series in [counter, folded.unwrap(), unknown] {
                assert!(batch.value(series, 7));
            }
            assert!(batch.item(&Item::Lost { reason: LossReason::ALL[0], count: u64::MAX }));
        })
    };
    assert_eq!(send(1).0, MetricStatus::Ok);
    assert_eq!(send(1).0, MetricStatus::Ok, "a repeat");
    let row = bench.ledger(who);
    assert_eq!((row.accepted, row.folded, row.refused_total()), (2, 1, 1));
    assert_eq!((row.offered, row.repeated, row.lost_by_client), (4, 4, u64::MAX));
}

/// What is counted is what is there, not what a frame claims to bring.
#[test]
fn a_batch_that_claims_more_items_than_it_has_is_one_refused_item() {
    let mut bench = Bench::new(&roomy(&[]));
    let who = sender("execd");
    // Behind head and number: 16 bits of values, 16 bits of items.
    let claims = [12, 13, 14, 15];
    for at in claims {
        let mut frame = batch("execd", 1, 15);
        frame[at] = 0xff;
        let reply = bench.raw(who, &frame);
        assert_eq!(reply[4], MetricStatus::InvalidArgs.raw());
    }
    let row = bench.ledger(who);
    assert_eq!((row.offered, row.refused[Reason::Invalid.index()]), (4, 4));
}
