//! A world of one service: frames in by hand, replies out.

use metricsd::Metricsd;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::{Budget, Recipe};
use nexus_wire::metrics::{
    BatchAck, BatchWriter, HelloReply, Lookup, Op, Register, Reply, Request, Resume, SeriesValue,
    SeriesView, Update, WindowView, bounds_to_bytes, decode_reply, encode,
};
use nexus_wire::{
    Fields, Help, Kind, LabelBytes, LedgerRow, MetricStatus, NameBytes, Reason, SeriesId, Unit,
};

const METRICS: &str = include_str!("../../../../../recipes/observability/metrics.toml");
const DEVICE: &str = include_str!("../../../../../recipes/observability/device-2mib.toml");

/// The shipped recipe with some lines replaced: `key = value` for the first line that begins so.
pub(crate) fn recipe(changes: &[(&str, &str)]) -> Recipe {
    changed(METRICS, changes)
}

/// The small recipe with unlimited budgets.
pub(crate) fn roomy_device() -> Recipe {
    unlimited(changed(DEVICE, &[]))
}

/// Only the lines behind `[metricsd]` are looked at.
fn changed(text: &str, changes: &[(&str, &str)]) -> Recipe {
    let (before, behind) = text.split_at(text.find("\n[metricsd]").unwrap());
    let mut behind = behind.to_owned();
    for (key, value) in changes {
        let start = behind.find(&format!("\n{key} = ")).unwrap_or_else(|| panic!("no {key}")) + 1;
        let end = start + behind[start..].find('\n').unwrap();
        behind.replace_range(start..end, &format!("{key} = {value}"));
    }
    Recipe::parse(&format!("{before}{behind}")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A recipe with budgets that nothing in a test meets.
pub(crate) fn unlimited(mut recipe: Recipe) -> Recipe {
    let most = u32::MAX;
    let budget =
        Budget { events_per_s: most, events_burst: most, bytes_per_s: most, bytes_burst: most };
    recipe.metricsd.budget = budget;
    recipe.metricsd.unknown_budget = budget;
    recipe
}

/// The shipped recipe with unlimited budgets and some lines replaced.
pub(crate) fn roomy(changes: &[(&str, &str)]) -> Recipe {
    unlimited(recipe(changes))
}

pub(crate) fn sender(name: &str) -> Sender {
    Sender::stamped(ServiceId::from_name(name), 1, Incarnation::new(1), Rights::NONE)
}

pub(crate) fn life(name: &str, incarnation: u32) -> Sender {
    Sender { incarnation: Incarnation::new(incarnation), ..sender(name) }
}

pub(crate) fn reader() -> Sender {
    Sender { rights: Rights::SCRAPE, ..sender("obsctl") }
}

/// What the service did during one event.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) replies: Vec<Vec<u8>>,
    pub(crate) acknowledged: usize,
    pub(crate) printed: Vec<String>,
    /// What the port counts.
    pub(crate) totals: Vec<(String, u64)>,
}

impl World for Seen {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.replies.push(frame.to_vec());
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.acknowledged += 1;
        self.reply(token, frame);
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, line: &str) {
        self.printed.push(line.to_owned());
    }

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        self.totals.iter().for_each(|(name, total)| out(name, *total));
    }
}

/// A series as a test likes to see it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Series {
    pub(crate) service: ServiceId,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) name: String,
    pub(crate) labels: String,
    pub(crate) help: String,
    pub(crate) overflow: bool,
    pub(crate) catchup: bool,
    /// A counter's total, a gauge's value, a histogram's sum.
    pub(crate) value: i128,
    pub(crate) buckets: Vec<(Option<u64>, u64)>,
    pub(crate) short: WindowView,
    pub(crate) long: WindowView,
}

impl Series {
    fn of(view: &SeriesView<'_>) -> Self {
        let value = match view.value {
            SeriesValue::Counter(total) => total.into(),
            SeriesValue::Gauge(value) => value.into(),
            SeriesValue::Histogram { sum, .. } => sum,
        };
        Self {
            service: view.service,
            kind: view.value.kind(),
            unit: view.unit,
            name: view.name.to_owned(),
            labels: view.labels.to_owned(),
            help: view.help.to_owned(),
            overflow: view.overflow,
            catchup: view.catchup,
            value,
            buckets: view.value.buckets().collect(),
            short: view.short,
            long: view.long,
        }
    }

    /// Observations of a histogram.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

pub(crate) struct Bench {
    pub(crate) service: Metricsd,
    pub(crate) now: Mono,
    pub(crate) printed: Vec<String>,
    pub(crate) last: Seen,
}

impl Bench {
    pub(crate) fn new(recipe: &Recipe) -> Self {
        Self::of(Metricsd::new(recipe, 7, metricsd::Keep::Nothing))
    }

    pub(crate) fn of(service: Metricsd) -> Self {
        Self { service, now: Mono(1_000_000_000), printed: Vec::new(), last: Seen::default() }
    }

    pub(crate) fn event(&mut self, event: Event<'_>) {
        let mut seen = Seen { totals: std::mem::take(&mut self.last.totals), ..Seen::default() };
        let now = Now { mono: self.now, wall: None };
        self.service.handle(now, event, &mut seen);
        self.service.check_invariants();
        self.printed.append(&mut seen.printed);
        self.last = seen;
    }

    /// The reply to a frame; every request has exactly one.
    pub(crate) fn raw(&mut self, from: Sender, frame: &[u8]) -> Vec<u8> {
        self.event(Event::Request { from, token: Token::from_raw(1), frame });
        assert_eq!(self.last.replies.len(), 1, "one reply to each request");
        self.last.replies.pop().unwrap()
    }

    pub(crate) fn ask(&mut self, from: Sender, request: &Request<'_>) -> (MetricStatus, Vec<u8>) {
        let mut buffer = [0; 4096];
        let frame = encode(request, 9, &mut buffer).unwrap();
        let reply = self.raw(from, frame);
        let (status, _) = decode_reply(request.op(), 9, &reply).unwrap();
        (status, reply)
    }

    pub(crate) fn status_of(&mut self, from: Sender, request: &Request<'_>) -> MetricStatus {
        self.ask(from, request).0
    }

    pub(crate) fn inc(
        &mut self,
        from: Sender,
        name: &str,
        labels: &str,
        value: u64,
    ) -> MetricStatus {
        let update = Update { name: name_of(name), labels: labels_of(labels), value };
        self.status_of(from, &Request::CounterInc(update))
    }

    pub(crate) fn set(
        &mut self,
        from: Sender,
        name: &str,
        labels: &str,
        value: i64,
    ) -> MetricStatus {
        let update = Update { name: name_of(name), labels: labels_of(labels), value };
        self.status_of(from, &Request::GaugeSet(update))
    }

    pub(crate) fn observe(
        &mut self,
        from: Sender,
        name: &str,
        labels: &str,
        value: u64,
    ) -> MetricStatus {
        let update = Update { name: name_of(name), labels: labels_of(labels), value };
        self.status_of(from, &Request::HistObserve(update))
    }

    /// A registration without unit, bounds and help.
    pub(crate) fn register(
        &mut self,
        from: Sender,
        kind: Kind,
        name: &str,
        labels: &str,
    ) -> SeriesId {
        self.try_register(from, kind, name, labels).1.unwrap()
    }

    pub(crate) fn try_register(
        &mut self,
        from: Sender,
        kind: Kind,
        name: &str,
        labels: &str,
    ) -> (MetricStatus, Option<SeriesId>) {
        self.register_with(from, kind, name, labels, Unit::None, &[], "")
    }

    #[expect(clippy::too_many_arguments, reason = "a registration has so many parts")]
    pub(crate) fn register_with(
        &mut self,
        from: Sender,
        kind: Kind,
        name: &str,
        labels: &str,
        unit: Unit,
        bounds: &[u64],
        help: &str,
    ) -> (MetricStatus, Option<SeriesId>) {
        let mut words = [0; 192];
        let words = bounds_to_bytes(bounds, &mut words).unwrap();
        let register =
            Register::new(kind, unit, name_of(name), labels_of(labels), Help::new(help).unwrap());
        let register = register.with_bounds(words).unwrap();
        let (_, reply) = self.ask(from, &Request::Register(register));
        registered(Op::Register, &reply)
    }

    pub(crate) fn lookup(
        &mut self,
        from: Sender,
        kind: Kind,
        name: &str,
        labels: &str,
    ) -> (MetricStatus, Option<SeriesId>) {
        let lookup = Lookup { kind, name: name_of(name), labels: labels_of(labels) };
        let (_, reply) = self.ask(from, &Request::Lookup(lookup));
        registered(Op::Lookup, &reply)
    }

    pub(crate) fn update(&mut self, from: Sender, series: SeriesId, value: u64) -> MetricStatus {
        self.status_of(from, &Request::Update { series, value })
    }

    pub(crate) fn hello(&mut self, from: Sender, resume: Option<Resume>) -> HelloReply {
        let (_, reply) = self.ask(from, &Request::Hello(resume));
        match decode_reply(Op::Hello, 9, &reply) {
            Some((_, Reply::Hello(hello))) => hello,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn batch(
        &mut self,
        from: Sender,
        seq: u32,
        fill: impl FnOnce(&mut BatchWriter<'_>),
    ) -> (MetricStatus, BatchAck) {
        let mut buffer = [0; 4096];
        let mut writer = BatchWriter::new(seq, 9, &mut buffer);
        fill(&mut writer);
        let reply = self.raw(from, writer.finish().unwrap());
        assert_eq!(self.last.acknowledged, 1);
        match decode_reply(Op::Batch, 9, &reply) {
            Some((status, Reply::Batch(ack))) => (status, ack),
            other => panic!("{other:?}"),
        }
    }

    /// A BATCH of values.
    pub(crate) fn values(
        &mut self,
        from: Sender,
        seq: u32,
        values: &[(SeriesId, u64)],
    ) -> (MetricStatus, BatchAck) {
        self.batch(from, seq, |batch| {
            for (series, value) in values {
                assert!(batch.value(*series, *value));
            }
        })
    }

    pub(crate) fn gone(&mut self, who: Sender, reason: ExitReason) {
        let Sender { id, incarnation, .. } = who;
        self.event(Event::PeerGone { id, incarnation, reason });
    }

    pub(crate) fn pause(&mut self, ns: u64) {
        self.now = Mono(self.now.0 + ns);
    }

    pub(crate) fn wake(&mut self) {
        self.event(Event::Wake);
    }

    /// All series, of everybody.
    pub(crate) fn scrape_all(&mut self) -> Vec<Series> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            let request = Request::Scrape { cursor, with_help: true };
            let (status, reply) = self.ask(reader(), &request);
            assert_eq!(status, MetricStatus::Ok);
            let Some((_, Reply::Scrape(scrape))) = decode_reply(Op::Scrape, 9, &reply) else {
                panic!("no SCRAPE reply");
            };
            all.extend(scrape.series().map(|view| Series::of(&view)));
            cursor = scrape.next_cursor;
            if cursor == 0 {
                return all;
            }
        }
    }

    /// The series of one sender.
    pub(crate) fn scrape(&mut self, of: Sender) -> Vec<Series> {
        self.scrape_all().into_iter().filter(|series| series.service == of.service()).collect()
    }

    pub(crate) fn one(&mut self, of: Sender, name: &str, labels: &str) -> Series {
        let all = self.scrape(of);
        let mut found = all.iter().filter(|series| series.name == name && series.labels == labels);
        let first = found.next().unwrap_or_else(|| panic!("no {name} {labels} in {all:?}"));
        first.clone()
    }

    pub(crate) fn ledger(&mut self, of: Sender) -> LedgerRow {
        let mut cursor = 0;
        loop {
            let (_, reply) = self.ask(reader(), &Request::Audit { cursor });
            let Some((_, Reply::Audit(audit))) = decode_reply(Op::Audit, 9, &reply) else {
                panic!("no AUDIT reply");
            };
            for row in audit.rows() {
                assert!(row.balances(), "{row:?}");
                if row.service == of.service().raw() {
                    return row;
                }
            }
            cursor = audit.next_cursor;
            assert!(cursor != 0, "no ledger row of {of:?}");
        }
    }

    pub(crate) fn refusals(&mut self, of: Sender, reason: Reason) -> u64 {
        self.ledger(of).refused[reason.index()]
    }

    /// A field of STATUS.
    pub(crate) fn state(&mut self, key: &str) -> String {
        self.try_state(key).unwrap_or_else(|| panic!("no {key}"))
    }

    pub(crate) fn try_state(&mut self, key: &str) -> Option<String> {
        let (_, reply) = self.ask(reader(), &Request::Status);
        let Some((_, Reply::Status(fields))) = decode_reply(Op::Status, 9, &reply) else {
            panic!("no STATUS reply");
        };
        let fields: Fields<'_> = fields;
        fields.get(key).map(str::to_owned)
    }
}

fn registered(op: Op, reply: &[u8]) -> (MetricStatus, Option<SeriesId>) {
    match decode_reply(op, 9, reply) {
        Some((status, Reply::Registered(registered))) => (status, Some(registered.series)),
        Some((status, _)) => (status, None),
        None => panic!("no reply to {op:?}"),
    }
}

pub(crate) fn name_of(name: &str) -> NameBytes<'_> {
    NameBytes::new(name.as_bytes()).unwrap()
}

pub(crate) fn labels_of(labels: &str) -> LabelBytes<'_> {
    LabelBytes::new(labels.as_bytes()).unwrap()
}

/// Nanoseconds of seconds.
pub(crate) const fn secs(n: u64) -> u64 {
    n * 1_000_000_000
}
