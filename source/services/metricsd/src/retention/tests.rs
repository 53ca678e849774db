//! All samples together are what the registry has counted, whatever comes between two looks.

use std::collections::BTreeMap;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::{Budget, Recipe};
use nexus_retention::Keep;
use nexus_retention::key::SeriesKey;
use nexus_retention::name::Tier;
use nexus_retention::record::Header;
use nexus_retention::recorder::{Limits, Recorder};
use nexus_retention::segment::{
    self, Anchor, Form, Meta, Piece, ROWS, Samples, Segment, SegmentWriter,
};
use nexus_wire::metrics::{
    BatchWriter, HistogramItem, Item, Op, Register, Reply, Request, SeriesValue, SparseBuckets,
    Update, decode_reply, encode,
};
use nexus_wire::{Help, Kind, LabelBytes, NameBytes, SeriesId, Unit};
use proptest::prelude::*;

use super::{Records, Sampler};
use crate::Metricsd;
use crate::registry::{Registry, ViewScratch};

const DEVICE: &str = include_str!("../../../../../recipes/observability/device-2mib.toml");
const INTERVAL: Nanos = Nanos::from_secs(1);
const TIER: Tier = Tier::raw(INTERVAL);
const BOOT: u32 = 9;

fn limits(series: u32, window_bytes: u32) -> Limits {
    Limits {
        series,
        segment_windows: 60,
        align_windows: 10,
        group_bytes: 4 * window_bytes,
        window_bytes,
        record_bytes: Limits::RECORD_BYTES_MIN,
    }
}

/// Where nobody answers anything but requests.
#[derive(Default)]
struct Silent {
    reply: Vec<u8>,
}

impl World for Silent {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.reply = frame.to_vec();
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.reply(token, frame);
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}

    fn port_status(&self, _: &mut dyn FnMut(&str, u64)) {}
}

/// Records into segments in memory.
struct Kept {
    recorder: Recorder,
    writer: SegmentWriter,
    open: Option<u64>,
    files: Vec<Vec<u8>>,
    /// There is no room for so many windows.
    refusals: u32,
    headers: Vec<Header>,
}

impl Kept {
    fn new(limits: Limits) -> Self {
        Self {
            recorder: Recorder::new(limits),
            writer: SegmentWriter::new(segment::Limits { series: limits.series }),
            open: None,
            files: Vec::new(),
            refusals: 0,
            headers: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(group) = self.recorder.ended() {
            let first = group.segment();
            if self.open != Some(first) {
                self.finish();
                self.open = Some(first);
                self.files.push(self.writer.begin(Meta { boot: BOOT, tier: TIER }).to_vec());
            }
            let file = self.files.last_mut().unwrap();
            let done = self.recorder.drain(&mut self.writer, 100, &mut |bytes| file.extend(bytes));
            done.unwrap();
        }
    }

    fn finish(&mut self) {
        if self.open.take().is_some() {
            let end = self.writer.finish(Anchor { mono: Mono(0), wall: None }).to_vec();
            self.files.last_mut().unwrap().extend(end);
        }
    }

    fn end(mut self) -> History {
        while !self.recorder.end_segment() {
            self.drain();
        }
        self.drain();
        self.finish();
        let mut history = History { headers: self.headers, ..History::default() };
        self.files.iter().for_each(|file| history.read(file));
        history
    }
}

impl Records for Kept {
    fn open(&mut self, boot: u32, window: u64) -> Option<Header> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return None;
        }
        self.drain();
        self.recorder.open(boot, window)
    }

    fn lack_series(&mut self) {
        self.recorder.lack_series();
    }

    fn take(&mut self, record: &[u8]) {
        self.headers.push(Header::read(record).unwrap());
        assert_eq!(self.recorder.take(record), Ok(0));
    }
}

/// What files say.
#[derive(Default)]
struct History {
    headers: Vec<Header>,
    counted: u128,
    observed: u128,
    observed_sum: i128,
    counters: BTreeMap<Vec<u8>, u64>,
    gauges: BTreeMap<Vec<u8>, i64>,
    /// What each series did, by window: of histograms, how many were observed.
    samples: BTreeMap<(Vec<u8>, u64), i128>,
}

impl History {
    fn read(&mut self, file: &[u8]) {
        let mut segment = Segment::open(file).unwrap();
        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        let listed = segment.series(|id, form: &Form<'_>, key| {
            assert!(SeriesKey::read(key).is_some());
            ids.push((id, form.kind()));
            keys.push(key.to_vec());
        });
        listed.unwrap();
        let mut samples = Samples::new();
        segment.read(&ids, 0..=u64::MAX, &mut samples, |piece| {
            let Piece::Samples { id, windows, samples } = piece else { panic!("lost") };
            let at = ids.iter().position(|(known, _)| *known == id).unwrap();
            for row in (0..ROWS).filter(|row| samples.has(*row)) {
                self.add(&keys[at], windows.numbers()[row], samples, row);
            }
        });
    }

    fn add(&mut self, key: &[u8], window: u64, samples: &Samples, row: usize) {
        let value = if let Some(added) = samples.counter(row) {
            self.counted += u128::from(added);
            *self.counters.entry(key.to_vec()).or_default() += added;
            i128::from(added)
        } else if let Some(last) = samples.gauge(row) {
            self.gauges.insert(key.to_vec(), last);
            i128::from(last)
        } else if let Some((added, sum)) = samples.histogram(row) {
            let observed = added.map(u128::from).sum::<u128>();
            self.observed += observed;
            self.observed_sum += sum;
            observed.cast_signed()
        } else {
            panic!("a sample of some kind")
        };
        let before = self.samples.insert((key.to_vec(), window), value);
        assert_eq!(before, None, "one sample a window");
    }
}

impl History {
    /// What the series of a name did, by window.
    fn of(&self, name: &str) -> Vec<(u64, i128)> {
        let is_it = |key: &[u8]| SeriesKey::read(key).is_some_and(|key| key.name.as_str() == name);
        let some = self.samples.iter().filter(|((key, _), _)| is_it(key));
        some.map(|((_, window), value)| (*window, *value)).collect()
    }

    /// The windows that say catchup.
    fn catchup(&self) -> Vec<u64> {
        let some = self.headers.iter().filter(|header| header.is_catchup);
        some.map(|header| header.window).collect()
    }
}

/// metricsd, whose registry is sampled.
struct Bench {
    service: Metricsd,
    sampler: Sampler,
    kept: Kept,
    now: Mono,
}

fn sender(name: &str, life: u32) -> Sender {
    Sender::stamped(ServiceId::from_name(name), 1, Incarnation::new(life), Rights::NONE)
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let mut recipe = Recipe::parse(DEVICE).unwrap();
        let most = u32::MAX;
        let budget =
            Budget { events_per_s: most, events_burst: most, bytes_per_s: most, bytes_burst: most };
        recipe.metricsd.budget = budget;
        recipe.metricsd.unknown_budget = budget;
        let mut service = Metricsd::new(&recipe, BOOT, Keep::Nothing);
        service.registry = Registry::new(&recipe.metricsd, 1, limits.series);
        let sampler = Sampler::new(BOOT, INTERVAL, &limits);
        Self { service, sampler, kept: Kept::new(limits), now: Mono(5_000_000_000) }
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: None }
    }

    fn event(&mut self, event: Event<'_>) -> Vec<u8> {
        let mut world = Silent::default();
        self.service.handle(self.now(), event, &mut world);
        world.reply
    }

    fn poll(&mut self) {
        self.sampler.poll(self.now(), &mut self.service.registry, &mut self.kept);
    }

    /// Polls for as long as there is something to do.
    fn settle(&mut self) {
        self.poll();
        while !self.sampler.is_idle() {
            self.poll();
        }
    }

    fn pass(&mut self, ns: u64) {
        self.now = Mono(self.now.0 + ns);
        self.event(Event::Wake);
    }

    fn ask(&mut self, from: Sender, request: &Request<'_>) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let frame = encode(request, 9, &mut buffer).unwrap();
        self.event(Event::Request { from, token: Token::from_raw(1), frame })
    }

    fn update(&mut self, from: Sender, kind: Kind, name: &str, labels: &str, value: u32) {
        let name = NameBytes::new(name.as_bytes()).unwrap();
        let labels = LabelBytes::new(labels.as_bytes()).unwrap();
        match kind {
            Kind::Counter => {
                let value = value.into();
                self.ask(from, &Request::CounterInc(Update { name, labels, value }))
            }
            Kind::Gauge => {
                let value = value.into();
                self.ask(from, &Request::GaugeSet(Update { name, labels, value }))
            }
            Kind::Histogram => {
                let value = value.into();
                self.ask(from, &Request::HistObserve(Update { name, labels, value }))
            }
        };
    }

    /// Ends as a service does.
    fn end(mut self) -> (Metricsd, History) {
        self.settle();
        self.sampler.end();
        self.settle();
        // A window that had no room for all is followed by others.
        for _ in 0..400 {
            self.now = Mono(self.now.0 + INTERVAL.0);
            self.settle();
        }
        (self.service, self.kept.end())
    }
}

/// A client that tells totals, life after life.
struct Client {
    life: u32,
    seq: u32,
    totals: BTreeMap<(u8, SeriesId), u64>,
}

impl Client {
    fn who(&self) -> Sender {
        sender("client", self.life)
    }

    fn register(
        &mut self,
        bench: &mut Bench,
        kind: Kind,
        name: u8,
        unit: Unit,
    ) -> Option<SeriesId> {
        let name = format!("n{name}");
        let name = NameBytes::new(name.as_bytes()).unwrap();
        let labels = LabelBytes::new(b"").unwrap();
        let register = Register::new(kind, unit, name, labels, Help::new("").unwrap());
        let reply = bench.ask(self.who(), &Request::Register(register));
        match decode_reply(Op::Register, 9, &reply) {
            Some((_, Reply::Registered(registered))) => Some(registered.series),
            _ => None,
        }
    }

    fn count(&mut self, bench: &mut Bench, name: u8, more: u32, unit: Unit) {
        let Some(series) = self.register(bench, Kind::Counter, name, unit) else { return };
        let total = self.totals.entry((name, series)).or_default();
        *total += u64::from(more);
        let mut buffer = [0; 4096];
        let mut writer = BatchWriter::new(self.seq + 1, 9, &mut buffer);
        assert!(writer.value(series, *total));
        let frame = writer.finish().unwrap();
        let event = Event::Request { from: self.who(), token: Token::from_raw(1), frame };
        bench.event(event);
        self.seq += 1;
    }

    /// Dies and begins at nothing.
    fn restart(&mut self, bench: &mut Bench) {
        let Sender { id, incarnation, .. } = self.who();
        bench.event(Event::PeerGone { id, incarnation, reason: ExitReason::Disconnected });
        *self = Self { life: self.life + 1, seq: 0, totals: BTreeMap::new() };
    }
}

#[derive(Clone, Debug)]
enum Step {
    Update {
        who: u8,
        kind: Kind,
        name: u8,
        label: u8,
        value: u32,
    },
    Count {
        name: u8,
        more: u32,
        unit: Unit,
    },
    Restart,
    Pass(u64),
    /// The sampler looks at some series.
    Poll,
    /// There is no room for so many windows.
    Refuse(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(Kind::ALL);
    let unit = prop::sample::select(&[Unit::None, Unit::Bytes][..]);
    let label = prop_oneof![Just(0_u8), any::<u8>()];
    let pause = prop_oneof![
        8 => 0..2_000_000_000_u64,
        1 => 0..400_000_000_000_u64,
        1 => Just(1_000_000_000_u64),
    ];
    prop_oneof![
        12 => (0..24_u8, kind, 0..9_u8, label, 0..1_000_000_u32).prop_map(
            |(who, kind, name, label, value)| Step::Update { who, kind, name, label, value }),
        4 => (0..9_u8, 0..1000_u32, unit)
            .prop_map(|(name, more, unit)| Step::Count { name, more, unit }),
        1 => Just(Step::Restart),
        3 => pause.prop_map(Step::Pass),
        8 => Just(Step::Poll),
        1 => (1..4_u32).prop_map(Step::Refuse),
    ]
}

fn run(bench: &mut Bench, steps: &[Step]) {
    let mut client = Client { life: 1, seq: 0, totals: BTreeMap::new() };
    for step in steps {
        match step {
            Step::Update { who, kind, name, label, value } => {
                let labels = if *label == 0 { String::new() } else { format!("l={label}\n") };
                let who = sender(&format!("s{who}"), 1);
                bench.update(who, *kind, &format!("n{name}"), &labels, *value);
            }
            Step::Count { name, more, unit } => client.count(bench, *name, *more, *unit),
            Step::Restart => client.restart(bench),
            Step::Pass(ns) => bench.pass(*ns),
            Step::Poll => bench.poll(),
            Step::Refuse(windows) => bench.kept.refusals += windows,
        }
    }
}

/// What the registry says of all its series.
fn compare(service: &Metricsd, history: &History) {
    let registry = &service.registry;
    let totals = registry.totals();
    assert_eq!(history.counted, totals.counted);
    assert_eq!(history.observed, totals.observed);
    assert_eq!(history.observed_sum, totals.observed_sum);
    let is_whole = totals.reclaimed + totals.displaced == 0;
    for row in 0..registry.capacity() {
        let (mut first, mut second) = (ViewScratch::new(), ViewScratch::new());
        let Some(view) = registry.view(row, &mut first) else { continue };
        let mut bytes = [0; nexus_retention::key::BYTES_MAX];
        let key = registry.retained_key(row, &mut second).unwrap();
        let key = key.write(&mut bytes);
        match view.value {
            SeriesValue::Gauge(last) => assert_eq!(history.gauges.get(key), Some(&last)),
            SeriesValue::Counter(total) if is_whole && view.unit == Unit::None => {
                let sampled = history.counters.get(key).copied();
                assert_eq!(sampled.unwrap_or(0), total);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_windows_together_are_what_the_registry_has_counted(
        steps in prop::collection::vec(step(), 1..900),
        window_bytes in 1200..9000_u32, ids in prop_oneof![Just(800_u32), 20..800_u32],
    ) {
        let mut bench = Bench::new(limits(ids, window_bytes));
        run(&mut bench, &steps);
        let (service, history) = bench.end();
        // With fewer numbers than series some wait for the next segment, for ever.
        if ids == 800 {
            compare(&service, &history);
        } else {
            prop_assert!(history.counted <= service.registry.totals().counted);
        }
    }
}

/// The first window, of a second, is number 5.
fn bench() -> Bench {
    let mut bench = Bench::new(limits(800, 20_000));
    bench.poll();
    bench
}

const SECOND: u64 = 1_000_000_000;

fn app() -> Sender {
    sender("app", 1)
}

#[test]
fn an_update_is_in_the_window_that_is_sampled_when_its_series_is_looked_at_next() {
    let mut bench = bench();
    for name in ["first", "second"] {
        bench.update(app(), Kind::Counter, name, "", 1);
    }
    bench.pass(SECOND);
    bench.settle();
    // The window after that is over, but not yet looked at.
    bench.update(app(), Kind::Counter, "first", "", 10);
    bench.pass(SECOND);
    bench.update(app(), Kind::Counter, "first", "", 100);
    bench.settle();
    bench.update(app(), Kind::Counter, "first", "", 1000);
    bench.pass(SECOND);
    let (_, history) = bench.end();
    assert_eq!(history.of("first"), [(5, 1), (6, 110), (7, 1000)]);
    assert_eq!(history.of("second"), [(5, 1)]);
    assert_eq!(history.catchup(), []);
}

#[test]
fn a_gauge_is_sampled_when_it_is_set_and_a_counter_when_it_rises() {
    let mut bench = bench();
    for value in [7, 0, 0] {
        bench.update(app(), Kind::Gauge, "level", "", 7);
        bench.update(app(), Kind::Counter, "total", "", value);
        bench.update(app(), Kind::Histogram, "sizes", "", value);
        bench.pass(SECOND);
        bench.settle();
    }
    bench.pass(SECOND);
    let (_, history) = bench.end();
    assert_eq!(history.of("level"), [(5, 7), (6, 7), (7, 7)]);
    assert_eq!(history.of("total"), [(5, 7)]);
    assert_eq!(history.of("sizes"), [(5, 1), (6, 1), (7, 1)]);
}

#[test]
fn windows_that_nobody_gave_time_for_are_skipped_and_the_next_one_says_so() {
    let mut bench = bench();
    bench.update(app(), Kind::Counter, "total", "", 1);
    bench.pass(100_000 * SECOND);
    bench.settle();
    bench.update(app(), Kind::Counter, "total", "", 2);
    bench.pass(SECOND);
    let (_, history) = bench.end();
    assert_eq!(history.of("total"), [(100_004, 1), (100_005, 2)]);
    assert_eq!(history.catchup(), [100_004]);
}

#[test]
fn a_window_that_has_no_room_is_skipped_and_nothing_is_lost() {
    let mut bench = bench();
    bench.kept.refusals = 2;
    for value in [1, 10, 100, 1000] {
        bench.update(app(), Kind::Counter, "total", "", value);
        bench.pass(SECOND);
        bench.settle();
    }
    let (_, history) = bench.end();
    assert_eq!(history.of("total"), [(7, 111), (8, 1000)]);
    assert_eq!(history.catchup(), [7]);
}

#[test]
fn values_after_an_outage_mark_their_window() {
    let mut bench = bench();
    for value in [1, 2, 3] {
        bench.update(app(), Kind::Counter, "total", "", value);
        if value == 2 {
            bench.service.registry.note_catchup();
        }
        bench.pass(SECOND);
        bench.settle();
    }
    let (_, history) = bench.end();
    assert_eq!(history.catchup(), [6]);
}

#[test]
fn an_end_samples_the_window_that_is_open() {
    let mut bench = bench();
    bench.update(app(), Kind::Counter, "total", "", 3);
    bench.sampler.end();
    bench.settle();
    assert_eq!(bench.kept.headers.len(), 1);
    let (_, history) = bench.end();
    assert_eq!(history.of("total"), [(5, 3)]);
}

#[test]
fn a_sender_that_is_forgotten_takes_its_samples_with_it() {
    let mut bench = bench();
    for round in 0..40 {
        let who = sender(&format!("s{round}"), 1);
        for (name, kind) in [("total", Kind::Counter), ("sizes", Kind::Histogram)] {
            bench.update(who, kind, name, "", 5);
            bench.pass(SECOND);
            bench.settle();
            bench.update(who, kind, name, "", 7);
        }
    }
    // These leave before anybody has looked at them.
    for round in 40..80 {
        let who = sender(&format!("s{round}"), 1);
        bench.update(who, Kind::Counter, "total", "", 9);
    }
    let displaced = bench.service.registry.totals().displaced;
    assert!(displaced > 40, "{displaced}");
    bench.pass(SECOND);
    let (service, history) = bench.end();
    compare(&service, &history);
    let overflow: i128 = history.of("overflow").iter().map(|(_, value)| value).sum();
    assert!(overflow > 0 && overflow % 9 == 0, "{overflow}");
}

#[test]
fn a_window_with_more_than_it_may_have_goes_on_in_the_next() {
    let mut bench = Bench::new(limits(800, 1200));
    bench.poll();
    for label in 0..60 {
        let labels = format!("l={label}{}\n", "x".repeat(60));
        bench.update(app(), Kind::Counter, "total", &labels, 5);
    }
    for _ in 0..4 {
        bench.pass(SECOND);
        bench.settle();
    }
    let (service, history) = bench.end();
    compare(&service, &history);
    let mut windows: Vec<_> = history.headers.iter().map(|header| header.window).collect();
    let late = windows.iter().copied().filter(|window| *window > 5);
    assert_eq!(history.catchup(), late.collect::<Vec<_>>());
    windows.dedup();
    assert_eq!(windows, [5, 6, 7, 8]);
}

#[test]
fn a_unit_that_becomes_known_begins_another_series() {
    let mut bench = bench();
    bench.update(sender("client", 1), Kind::Counter, "n1", "", 3);
    bench.pass(SECOND);
    bench.settle();
    let mut client = Client { life: 1, seq: 0, totals: BTreeMap::new() };
    client.count(&mut bench, 1, 4, Unit::Bytes);
    bench.pass(SECOND);
    let (_, history) = bench.end();
    let units: Vec<_> = history.counters.iter().collect();
    let seen = units.iter().filter_map(|(key, total)| {
        let key = SeriesKey::read(key)?;
        (key.name.as_str() == "n1").then_some((key.unit, **total))
    });
    assert_eq!(seen.collect::<Vec<_>>(), [(Unit::None, 3), (Unit::Bytes, 4)]);
}

#[test]
fn one_event_looks_at_some_series_only() {
    let mut bench = bench();
    for label in 0..400 {
        let who = sender(&format!("s{}", label / 100), 1);
        bench.update(who, Kind::Counter, "total", &format!("l={label}\n"), 5);
    }
    assert_eq!(bench.sampler.deadline(), Mono(6 * SECOND));
    bench.pass(SECOND);
    let capacity = bench.service.registry.capacity();
    let polls = (1..).find(|_| {
        bench.poll();
        bench.sampler.is_idle()
    });
    assert!(polls.is_some_and(|polls| polls > capacity / 256 && polls <= capacity / 128));
    assert_eq!(bench.sampler.deadline(), Mono(7 * SECOND));
}

/// A BATCH of a client's, whose totals are what an earlier epoch was told, or newer.
fn tell(
    bench: &mut Bench,
    client: &mut Client,
    (counter, count): (SeriesId, u64),
    (series, observed): (SeriesId, u64),
    is_earlier: bool,
) {
    client.seq += 1;
    let (mut buffer, mut pairs) = ([0; 4096], [0; 64]);
    let buckets = SparseBuckets::encode([(0, observed)].into_iter(), &mut pairs).unwrap();
    let mut writer = BatchWriter::new(client.seq, 9, &mut buffer);
    assert!(writer.value(counter, count));
    assert!(writer.item(&Item::Histogram(HistogramItem { series, sum: 3 * observed, buckets })));
    assert!(!is_earlier || writer.item(&Item::Earlier));
    let frame = writer.finish().unwrap();
    bench.event(Event::Request { from: client.who(), token: Token::from_raw(1), frame });
}

#[test]
fn what_an_earlier_epoch_was_told_is_counted_and_in_no_window_of_this_one() {
    let mut bench = Bench::new(limits(64, 4000));
    let mut client = Client { life: 1, seq: 0, totals: BTreeMap::new() };
    let counter = client.register(&mut bench, Kind::Counter, 1, Unit::None).unwrap();
    let histogram = client.register(&mut bench, Kind::Histogram, 2, Unit::None).unwrap();
    bench.settle();
    tell(&mut bench, &mut client, (counter, 40), (histogram, 3), true);
    bench.pass(INTERVAL.0);
    bench.settle();
    tell(&mut bench, &mut client, (counter, 45), (histogram, 4), false);
    let (service, history) = bench.end();
    let totals = service.registry.totals();
    // metricsd counts itself, too.
    assert_eq!(totals.counted - history.counted, 40);
    let of_client: i128 = history.of("n1").iter().map(|(_, added)| *added).sum();
    assert_eq!(of_client, 5);
    assert_eq!((totals.observed, totals.observed_sum), (4, 12));
    assert_eq!((history.observed, history.observed_sum), (1, 3));
}
