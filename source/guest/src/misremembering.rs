//! A metricsd that does not give back by RANGE what it has kept.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::metrics::{
    Frame, Op, RangeEntry, RangeReply, RangeSeries, RangeValue, RangeWriter, Reply, Request,
    decode, decode_reply,
};

/// What becomes of what is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misremembered {
    /// Counters rose by one more.
    Count,
    /// Gauges ended one lower.
    Level,
    /// All is a window later.
    Window,
    /// All is of the boot behind its own.
    Boot,
    /// All was caught up after an outage.
    Catchup,
    /// Nothing of counters is there.
    Lacking,
    /// All of it is somebody else's.
    Service,
}

impl Misremembered {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Count,
        Self::Level,
        Self::Window,
        Self::Boot,
        Self::Catchup,
        Self::Lacking,
        Self::Service,
    ];

    /// What is told of an entry.
    fn told(self, honest: RangeEntry<'_>) -> Option<RangeEntry<'_>> {
        Some(match honest {
            RangeEntry::Series(series) => RangeEntry::Series(self.series(series)),
            RangeEntry::Row(mut row) => {
                match (self, &mut row.value) {
                    (Self::Count, RangeValue::Counter { delta }) => *delta += 1,
                    (Self::Level, RangeValue::Gauge { last, .. }) => *last -= 1,
                    (Self::Window, _) => row.step += 1,
                    (Self::Catchup, _) => row.catchup = true,
                    (Self::Lacking, RangeValue::Counter { .. }) => return None,
                    _ => {}
                }
                RangeEntry::Row(row)
            }
            other => other,
        })
    }

    fn series(self, honest: RangeSeries<'_>) -> RangeSeries<'_> {
        match self {
            Self::Boot => RangeSeries { boot: honest.boot + 1, ..honest },
            Self::Service => RangeSeries { service: ServiceId::from_raw(0xab), ..honest },
            _ => honest,
        }
    }

    fn frame<'b>(self, nonce: u32, honest: &RangeReply<'_>, out: &'b mut [u8]) -> &'b [u8] {
        let mut writer = RangeWriter::new(nonce, &honest.head, out);
        for told in honest.entries().filter_map(|entry| self.told(entry)) {
            assert!(writer.entry(&told), "a lie has room where the truth had");
        }
        writer.finish(honest.next).unwrap_or_default()
    }
}

/// A service that remembers so, or as it should.
pub struct Misremembering<S> {
    /// The service.
    pub service: S,
    /// What becomes of what it gives back; `None`: it is told as it is.
    pub lie: Option<Misremembered>,
    /// Of the last request.
    pub nonce: u32,
}

struct Telling<'w, W> {
    world: &'w mut W,
    lie: Option<Misremembered>,
    nonce: u32,
}

/// A RANGE reply to the last request: who asks waits for it.
fn range(nonce: u32, frame: &[u8]) -> Option<RangeReply<'_>> {
    match decode_reply(Op::Range, nonce, frame)? {
        (_, Reply::Range(range)) => Some(range),
        _ => None,
    }
}

impl<W: World> World for Telling<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        let mut told = [0; FRAME_BYTES_MAX];
        match self.lie.zip(range(self.nonce, frame)) {
            Some((lie, range)) => {
                self.world.reply(token, lie.frame(self.nonce, &range, &mut told));
            }
            None => self.world.reply(token, frame),
        }
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.world.submit(to, call, frame)
    }

    fn print(&mut self, line: &str) {
        self.world.print(line);
    }
}

impl<S: Service> Service for Misremembering<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if let Event::Request { frame, .. } = event
            && let Ok(Frame { nonce, request: Request::Range(_) }) = decode(frame)
        {
            self.nonce = nonce;
        }
        let world = &mut Telling { world, lie: self.lie, nonce: self.nonce };
        self.service.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
