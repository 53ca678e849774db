//! Frames that nobody should send: each is answered once, refused and counted, and changes nothing.

use nexus_abi::{Rights, ServiceId};
use nexus_bounded::Nanos;
use nexus_wire::logs::{self, AppendBatchWriter, Head, NewRecord, Search, Version};
use nexus_wire::metrics::{self, BatchWriter, Item, Register, SpanEnd, SpanStart};
use nexus_wire::{
    AttrBytes, Help, Kind, LabelBytes, LedgerRow, Level, NameBytes, Reason, SeriesId, SpanId,
    SpanStatus, TraceId, Unit, markers,
};
use sim::{Bed, Series, app, append, ledger, machine, update};
use simkit::{Client, Config, Rng};

/// Both daemons, and somebody without rights at each.
struct Siege {
    bed: Bed,
    besieger: Client,
}

impl Siege {
    fn new(seed: u64) -> Self {
        let config = Config { client_slots: 4096, ..Config::kind(seed) };
        let mut bed = Bed::new(config, &machine(2));
        let besieger = bed.world.client(&app(0), Rights::NONE);
        let mut siege = Self { bed, besieger };
        siege.bed.world.run_for(Nanos::from_secs(20));
        siege
    }

    /// Sends frames to a daemon, as many a second as any budget allows; the status of each.
    fn send(&mut self, daemon: &str, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut replies = Vec::new();
        for some in frames.chunks(100) {
            for frame in some {
                self.bed.world.send(self.besieger, daemon, frame).unwrap();
            }
            self.bed.world.run_for(Nanos::from_secs(1));
            let came = self.bed.world.replies(self.besieger);
            replies.extend(came.into_iter().map(|reply| reply.result.unwrap()));
        }
        assert_eq!(replies.len(), frames.len(), "every frame is answered once");
        assert_eq!(self.bed.world.unanswered(daemon), 0);
        replies
    }

    fn row(&mut self, daemon: &str) -> LedgerRow {
        self.bed.row(daemon, &app(0))
    }

    /// What others see of the besieger.
    fn traces(&mut self) -> (Vec<Series>, usize, Vec<String>) {
        let service = ServiceId::from_name(&app(0));
        let series = self.bed.scrape().into_iter().filter(|series| series.service == service);
        let search = Search { service: Some(service), ..Search::ALL };
        let series = series.map(Series::timeless).collect();
        (series, self.bed.search(search).len(), self.bed.live_spans())
    }

    /// All `frames` are refused for `reason`, counted so, and leave nothing behind.
    fn all_refused(&mut self, daemon: &str, frames: &[Vec<u8>], reason: Option<Reason>) {
        let (before, traces) = (self.row(daemon), self.traces());
        let replies = self.send(daemon, frames);
        for (frame, reply) in frames.iter().zip(&replies) {
            // Nothing here meets a cap of series: no `over_limit` means that something was counted.
            assert!(reply[4] != 0, "{frame:02x?} got {reply:02x?}");
        }
        let after = self.row(daemon);
        let count = frames.len() as u64;
        assert_eq!(after.offered - before.offered, count, "every frame is offered");
        assert_eq!(after.refused_total() - before.refused_total(), count, "and counted");
        if let Some(reason) = reason {
            let place = reason.index();
            assert_eq!(after.refused[place] - before.refused[place], count, "as {reason:?}");
        }
        assert_eq!(self.traces(), traces, "nothing is left behind");
        ledger::check(&mut self.bed);
    }
}

fn metric_frame(request: &metrics::Request<'_>) -> Vec<u8> {
    metrics::encode(request, 5, &mut [0; 4096]).unwrap().to_vec()
}

fn log_frame(request: &logs::Request<'_>) -> Vec<u8> {
    let head = Head { version: Version::V2, nonce: 5 };
    logs::encode(request, head, &mut [0; 4096]).unwrap().to_vec()
}

fn name(text: &str) -> NameBytes<'_> {
    NameBytes::new(text.as_bytes()).unwrap()
}

fn attrs(text: &str) -> AttrBytes<'_> {
    AttrBytes::new(text.as_bytes()).unwrap()
}

fn span_start(service: ServiceId, attributes: &str) -> Vec<u8> {
    metric_frame(&metrics::Request::SpanStart(SpanStart {
        span: SpanId::new(service, 1),
        trace: TraceId::new(service, 1),
        parent: SpanId::NONE,
        start_ns: 1,
        name: name("s"),
        attrs: attrs(attributes),
    }))
}

fn register(labels: &str) -> Vec<u8> {
    let (labels, help) = (LabelBytes::new(labels.as_bytes()).unwrap(), Help::new("h").unwrap());
    let register = Register::new(Kind::Counter, Unit::None, name("r"), labels, help);
    metric_frame(&metrics::Request::Register(register))
}

/// One good frame of every kind that metricsd takes from anybody.
fn metric_frames() -> Vec<Vec<u8>> {
    let me = ServiceId::from_name(&app(0));
    let mut buffer = [0; 4096];
    let mut batch = BatchWriter::new(1, 5, &mut buffer);
    assert!(batch.value(SeriesId::from_raw(1 << 32).unwrap(), 4));
    let span = Item::plain_span(SpanId::new(me, 9), TraceId::new(me, 9), name("b"), 1, 2);
    assert!(batch.item(&span.unwrap()));
    let end =
        SpanEnd { span: SpanId::new(me, 1), end_ns: 2, status: SpanStatus::Ok, attrs: attrs("") };
    vec![
        update(Kind::Counter, "c", "a=1\n", 1),
        update(Kind::Gauge, "g", "a=1\n", -1),
        update(Kind::Histogram, "h", "a=1\n", 1),
        span_start(me, "a=1\n"),
        metric_frame(&metrics::Request::SpanEnd(end)),
        metric_frame(&metrics::Request::Ping),
        metric_frame(&metrics::Request::Hello(None)),
        register("a=1\n"),
        batch.finish().unwrap().to_vec(),
        metric_frame(&metrics::Request::Scrape { cursor: 0, with_help: true }),
        metric_frame(&metrics::Request::Status),
    ]
}

fn log_frames() -> Vec<Vec<u8>> {
    let record = NewRecord { level: Level::Info, scope: "s", message: "m", fields: b"a=1\n" };
    let mut buffer = [0; 4096];
    let mut batch = AppendBatchWriter::new(5, &mut buffer);
    assert!(batch.record(&record) && batch.record(&record));
    vec![
        append("s", "m", "a=1\n"),
        batch.finish().unwrap().to_vec(),
        log_frame(&logs::Request::Query { since_ns: 0, max: 3 }),
        log_frame(&logs::Request::Stats),
        log_frame(&logs::Request::Hello),
        log_frame(&logs::Request::Search(Search::ALL)),
        log_frame(&logs::Request::Audit { cursor: 0 }),
    ]
}

/// Every beginning of every frame, the frames themselves left out.
fn cut(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let cuts =
        |frame: &Vec<u8>| (0..frame.len()).map(|len| frame[..len].to_vec()).collect::<Vec<_>>();
    frames.iter().flat_map(cuts).collect()
}

#[test]
fn frames_cut_anywhere_are_refused_counted_and_leave_nothing() {
    let mut siege = Siege::new(1);
    siege.all_refused("metricsd", &cut(&metric_frames()), None);
    siege.all_refused("logd", &cut(&log_frames()), None);
}

#[test]
fn frames_with_something_behind_their_end_are_refused_and_counted() {
    let mut siege = Siege::new(2);
    let longer = |frames: Vec<Vec<u8>>| {
        frames.into_iter().map(|frame| [frame, vec![0]].concat()).collect::<Vec<_>>()
    };
    siege.all_refused("metricsd", &longer(metric_frames()), None);
    siege.all_refused("logd", &longer(log_frames()), None);
}

#[test]
fn claims_to_be_somebody_are_refused_as_such() {
    let mut siege = Siege::new(3);
    let me = ServiceId::from_name(&app(0));
    let other = ServiceId::from_name(&app(1));
    // A series and a live span of the other.
    let victim = siege.bed.world.client(&app(1), Rights::NONE);
    let reply = siege.bed.world.call(victim, "metricsd", &register("a=1\n")).unwrap();
    let stolen = match metrics::decode_reply(metrics::Op::Register, 5, &reply) {
        Some((_, metrics::Reply::Registered(registered))) => registered.series,
        other => panic!("{other:?}"),
    };
    siege.bed.world.call(victim, "metricsd", &span_start(other, "")).unwrap();
    let foreign_end = SpanEnd {
        span: SpanId::new(other, 1),
        end_ns: 9,
        status: SpanStatus::Ok,
        attrs: attrs(""),
    };
    let mut claims = vec![
        span_start(other, ""),
        metric_frame(&metrics::Request::SpanEnd(foreign_end)),
        metric_frame(&metrics::Request::Update { series: stolen, value: 4 }),
    ];
    for key in ["sender_service_id", "service_id", "requester_id", "service"] {
        let claim = format!("{key}=logd\n");
        claims.push(update(Kind::Counter, "c", &claim, 1));
        claims.push(update(Kind::Gauge, "g", &claim, 1));
        claims.push(update(Kind::Histogram, "h", &claim, 1));
        claims.push(register(&claim));
        claims.push(span_start(me, &claim));
    }
    siege.all_refused("metricsd", &claims, Some(Reason::Identity));
    let claims: Vec<_> = ["sender_service_id", "service_id", "requester_id", "service"]
        .map(|key| append("s", "m", &format!("{key}=metricsd\n")))
        .into();
    siege.all_refused("logd", &claims, Some(Reason::Identity));
}

#[test]
fn a_batch_with_the_numbers_of_another_changes_nothing_of_the_other() {
    let mut siege = Siege::new(4);
    let victim = siege.bed.world.client(&app(1), Rights::NONE);
    let reply = siege.bed.world.call(victim, "metricsd", &register("")).unwrap();
    let Some((_, metrics::Reply::Registered(registered))) =
        metrics::decode_reply(metrics::Op::Register, 5, &reply)
    else {
        panic!("{reply:?}")
    };
    let mut buffer = [0; 4096];
    let mut batch = BatchWriter::new(1, 5, &mut buffer);
    (0..100).for_each(|_| assert!(batch.value(registered.series, 4)));
    let frame = batch.finish().unwrap().to_vec();
    let before = siege.bed.scrape().into_iter().map(Series::timeless);
    let of_victim = |series: &Series| series.service == ServiceId::from_name(&app(1));
    let before: Vec<_> = before.filter(of_victim).collect();
    siege.send("metricsd", &[frame]);
    let row = siege.row("metricsd");
    assert_eq!(row.refused[Reason::Identity.index()], 100);
    let after = siege.bed.scrape().into_iter().map(Series::timeless);
    assert_eq!(after.filter(of_victim).collect::<Vec<_>>(), before);
}

#[test]
fn lengths_beyond_their_bounds_are_over_limit() {
    let mut siege = Siege::new(5);
    let head = |op: u8| [b'M', b'T', 1, op, 5, 0, 0, 0].to_vec();
    let update = |op: u8, name: u8, labels: u16| {
        let lengths = [&[name][..], &labels.to_le_bytes(), &[0; 8]].concat();
        [head(op), lengths, vec![b'a'; usize::from(name) + usize::from(labels)]].concat()
    };
    let mut frames = Vec::new();
    for op in 1..=3 {
        frames.extend([update(op, 0, 0), update(op, 49, 0), update(op, 255, 9)]);
        frames.extend([update(op, 1, 193), update(op, 1, 3800)]);
    }
    siege.all_refused("metricsd", &frames, Some(Reason::OverLimit));
    let append = |scope: u8, message: u16, fields: u16| {
        let lengths = [&[2, scope][..], &message.to_le_bytes(), &fields.to_le_bytes()].concat();
        let text = usize::from(scope) + usize::from(message) + usize::from(fields);
        [b"LO\x01\x01".to_vec(), lengths, vec![b'a'; text]].concat()
    };
    let frames = [append(65, 0, 0), append(1, 257, 0), append(1, 1, 513), append(9, 3000, 900)];
    siege.all_refused("logd", &frames, Some(Reason::OverLimit));
    let lines: Vec<_> = siege.bed.world.console().iter().map(|line| line.text.clone()).collect();
    for marker in [markers::METRICSD_REJECT_OVER_LIMIT, markers::LOGD_REJECT_OVER_LIMIT] {
        assert_eq!(lines.iter().filter(|line| *line == marker).count(), 1, "once, however many");
    }
}

#[test]
fn random_frames_are_answered_once_each_and_the_ledger_counts_every_refusal() {
    let mut siege = Siege::new(6);
    let mut rng = Rng::new(6);
    let no_batch = |frame: &Vec<u8>| frame[3] != metrics::Op::Batch.raw();
    let metric_frames = metric_frames().into_iter().filter(no_batch).collect();
    for (daemon, good) in [("metricsd", metric_frames), ("logd", log_frames())] {
        let mut frames = Vec::new();
        for number in 0..3000 {
            // Noise, noise behind a head, and good frames with a few bytes changed.
            let mut frame = match number % 3 {
                0 => vec![0; rng.up_to(300) as usize],
                _ => good[rng.up_to(good.len() as u64 - 1) as usize].clone(),
            };
            match number % 3 {
                0 => rng.fill(&mut frame),
                1 => rng.fill(&mut frame[4..]),
                _ => {
                    for _ in 0..=rng.up_to(3) {
                        let at = rng.up_to(frame.len() as u64 - 1) as usize;
                        frame[at] = rng.any() as u8;
                    }
                }
            }
            frames.push(frame);
        }
        let before = siege.row(daemon);
        let replies = siege.send(daemon, &frames);
        let refused: u64 = frames
            .iter()
            .zip(&replies)
            .map(|(frame, reply)| refused_items(daemon, frame, reply))
            .sum();
        let after = siege.row(daemon);
        assert_eq!(after.refused_total() - before.refused_total(), refused, "{daemon}");
        assert!(refused > 2000, "{refused}");
        ledger::check(&mut siege.bed);
    }
}

/// How many items a frame was refused for, by what its sender was told.
fn refused_items(daemon: &str, frame: &[u8], reply: &[u8]) -> u64 {
    if daemon == "logd" {
        return match logs::decode(frame) {
            Ok(frame) => match logs::decode_reply(frame.request.op(), frame.head, reply) {
                Some((_, logs::Reply::Batch(batch))) => u64::from(batch.refused),
                _ => u64::from(reply[4] != 0),
            },
            Err(_) => 1,
        };
    }
    match metrics::decode(frame) {
        // All of a BATCH here are numbers that were never given and a span that was.
        Ok(metrics::Frame { request: metrics::Request::Batch(_), .. }) => {
            panic!("{frame:02x?} got {reply:02x?}: what it did is for another test")
        }
        Ok(_) => u64::from(reply[4] != 0),
        Err(_) => 1,
    }
}

#[test]
#[should_panic(expected = "got")]
fn a_frame_that_is_taken_is_not_called_refused() {
    let mut siege = Siege::new(7);
    siege.all_refused("metricsd", &[update(Kind::Counter, "c", "a=1\n", 1)], None);
}
