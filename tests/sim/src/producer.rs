use std::collections::VecDeque;
use std::rc::Rc;

use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_metrics::{
    Bounds, Client, Counter, Flusher, Gauge, Histogram, MetricName, Pace, SpanContext, SpanName,
    SpanStatus,
};
use nexus_port::{Closed, SendError, Transport};
use nexus_wire::metrics::{Op, Request, decode};
use simkit::Link;

use crate::bed::Bed;

/// A program that records by the client library, and what it believes to have recorded.
pub struct Producer {
    /// Who it is.
    pub service: ServiceId,
    /// What it records with.
    pub client: Rc<Client>,
    /// Counted with the counters.
    pub counted: u64,
    /// Observations of the histogram.
    pub observations: u64,
    /// Their sum.
    pub observed: i128,
    /// The gauge's value.
    pub level: Option<i64>,
    /// Spans ended.
    pub spans: u64,
    /// Its connection.
    pub link: Tap,
    flusher: Flusher<Rc<Client>>,
    counters: Vec<Counter>,
    histogram: Histogram,
    gauge: Gauge,
    due: Mono,
}

const COUNTERS: usize = 4;

impl Producer {
    /// A program called `name`, flushing every `interval`.
    pub fn new(bed: &mut Bed, name: &str, interval: Nanos) -> Self {
        let client = Rc::new(Client::new());
        let metric = |name| MetricName::new(name).expect("a legal name");
        let counter = |at: usize| {
            let labels = [("part", ["a", "b", "c", "d"][at % COUNTERS])];
            client.counter(metric("app_done_total"), &labels).expect("room for a counter")
        };
        let bounds = Bounds::powers_of_two(10, 20);
        let histogram = client.histogram(metric("app_size_bytes"), &[], bounds);
        let gauge = client.gauge(metric("app_level"), &[]).expect("room for a gauge");
        let pace = Pace { interval, ..Pace::DEFAULT };
        Self {
            service: ServiceId::from_name(name),
            counted: 0,
            observations: 0,
            observed: 0,
            level: None,
            spans: 0,
            link: Tap::new(bed.world.link(name, Rights::NONE, "metricsd")),
            flusher: Flusher::new(Rc::clone(&client), pace),
            counters: (0..COUNTERS).map(counter).collect(),
            histogram: histogram.expect("room for a histogram"),
            gauge,
            due: Mono(0),
            client,
        }
    }

    /// Counts `count` on a counter.
    pub fn count(&mut self, at: usize, count: u64) {
        self.client.add(self.counters[at % COUNTERS], count);
        self.counted += count;
    }

    /// Observes a size.
    pub fn observe(&mut self, value: u64) {
        self.client.observe(self.histogram, value);
        self.observations += 1;
        self.observed += i128::from(value);
    }

    /// Sets the level.
    pub fn set(&mut self, level: i64) {
        self.client.set(self.gauge, level);
        self.level = Some(level);
    }

    /// A span from `start` for `length`, with a part of its own in it.
    pub fn span(&mut self, start: Mono, length: Nanos) {
        let begun = self.begin("app.work", None, start);
        let part = self.begin("app.part", Some(begun.context()), start);
        self.client.end_span(part, start.after(length), SpanStatus::Ok);
        self.client.end_span(begun, start.after(length), SpanStatus::Error);
        self.spans += 2;
    }

    /// Begins a span by the client library.
    pub fn begin(
        &self,
        name: &str,
        parent: Option<SpanContext>,
        start: Mono,
    ) -> nexus_metrics::OpenSpan {
        let name = SpanName::new(name).expect("a legal name");
        self.client.begin_span(name, parent, start).expect("room for a span")
    }

    /// Asks for a flush at once.
    pub fn flush(&mut self, now: Mono) {
        self.flusher.request_flush(now);
        self.due = now;
    }

    /// Ends its connection as a crash does; it must not be asked to go on afterwards.
    pub fn hang_up(&mut self) {
        self.link.close();
    }

    /// Whether all it has recorded is acknowledged.
    #[must_use]
    pub fn is_settled(&self, now: Mono) -> bool {
        self.flusher.is_settled(now)
    }

    fn poll(&mut self, now: Mono) {
        self.due = self.flusher.poll(now, &mut self.link);
    }
}

/// Lets the world and the programs in it go on for `length`.
pub fn run(bed: &mut Bed, producers: &mut [Producer], length: Nanos) {
    let end = bed.world.now().mono.after(length);
    let tick = bed.config.resolution.0.max(1000);
    loop {
        bed.world.settle();
        let now = bed.world.now().mono;
        let ready = |producer: &&mut Producer| producer.due <= now || producer.link.has_news();
        producers.iter_mut().filter(ready).for_each(|producer| producer.poll(now));
        bed.world.settle();
        if producers.iter().any(|producer| producer.link.has_news()) {
            continue;
        }
        if now >= end {
            return;
        }
        let next = producers.iter().map(|producer| producer.due).fold(end, Mono::min);
        let wanted = next.since(now).0.max(tick);
        // Answers that travel are looked for every millisecond.
        let waits = producers.iter().any(|producer| producer.link.waits());
        let step = if waits { wanted.min(tick.max(1_000_000)) } else { wanted };
        bed.world.run_for(Nanos(step));
    }
}

/// A link that notes what goes over it.
pub struct Tap {
    link: Link,
    connected: bool,
    /// Requests without an answer, acknowledgements left out as the link leaves them out.
    open: u64,
    /// Items of BATCHes sent.
    pub items: u64,
    /// Of them, in BATCHes that were refused as a whole, and sent again: for worlds in which no
    /// acknowledgement is left out.
    pub refused: u64,
    /// Items of the BATCHes without an answer, in order.
    sent: VecDeque<u64>,
    /// Frames sent.
    pub frames: u64,
    /// BATCHes sent, if they are kept.
    pub kept: Option<Vec<Vec<u8>>>,
}

impl Tap {
    const fn new(link: Link) -> Self {
        Self {
            link,
            connected: false,
            open: 0,
            items: 0,
            refused: 0,
            sent: VecDeque::new(),
            frames: 0,
            kept: None,
        }
    }

    /// Sends a frame past the client library, which must not be asked to go on afterwards.
    pub fn say_again(&mut self, frame: &[u8]) -> bool {
        self.link.send(frame).is_ok()
    }

    fn has_news(&self) -> bool {
        self.connected && self.link.has_news()
    }

    const fn waits(&self) -> bool {
        self.connected && self.open > 0
    }
}

impl Transport for Tap {
    fn connect(&mut self) -> Result<(), Closed> {
        self.open = 0;
        self.sent.clear();
        let connected = self.link.connect();
        self.connected = connected.is_ok();
        connected
    }

    fn close(&mut self) {
        self.connected = false;
        self.link.close();
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.link.send(frame)?;
        self.frames += 1;
        self.open += 1;
        if let Ok(decoded) = decode(frame)
            && let Request::Batch(batch) = decoded.request
        {
            self.items += u64::from(batch.len());
            self.sent.push_back(u64::from(batch.len()));
            if let Some(kept) = &mut self.kept {
                kept.push(frame.to_vec());
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Closed> {
        let received = self.link.receive(into);
        match received {
            Ok(Some(_)) => {
                // An acknowledgement stands for all earlier ones.
                let ack = into.get(3) == Some(&(Op::Batch.raw() | 0x80));
                if ack {
                    let items = self.sent.pop_front().unwrap_or(0);
                    self.refused += if into.get(4) == Some(&0) { 0 } else { items };
                }
                self.open = if ack { 0 } else { self.open.saturating_sub(1) };
            }
            Ok(None) => {}
            Err(Closed) => self.connected = false,
        }
        received
    }
}
