//! A client that sends BATCHes as fast as they are taken, some ahead of the acknowledgements.

use std::time::Duration;

use anyhow::{Context as _, bail};
use nexus_rt::linux::client::Connection;
use nexus_wire::metrics::{
    self, BatchWriter, HelloReply, Op, Register, Reply, Request, bounds_to_bytes,
};
use nexus_wire::{Help, Kind, LabelBytes, MetricName, MetricStatus, SeriesId, Unit};

use crate::subject::Subject;

/// Values in one BATCH.
const VALUES: u32 = 32;
/// BATCHes sent ahead of the acknowledgements.
const AHEAD: u32 = 64;

pub(crate) struct Sender {
    connection: Connection,
    series: Vec<SeriesId>,
    next: usize,
    total: u64,
    seq: u32,
    acknowledged: u32,
    reply: Box<[u8; 4096]>,
}

impl Sender {
    pub(crate) fn connect(subject: &Subject, series: u32) -> anyhow::Result<Self> {
        let connection = Connection::open(&subject.run_dir, "metricsd")?;
        let mut sender = Self {
            connection,
            series: Vec::new(),
            next: 0,
            total: 0,
            seq: 0,
            acknowledged: 0,
            reply: Box::new([0; 4096]),
        };
        sender.series = if subject.is_metricsd {
            sender.hello()?;
            (0..series).map(|at| sender.register(at)).collect::<anyhow::Result<_>>()?
        } else {
            (1..=u64::from(series)).filter_map(SeriesId::from_raw).collect()
        };
        Ok(sender)
    }

    fn ask(&mut self, request: &Request<'_>) -> anyhow::Result<(MetricStatus, Reply<'_>)> {
        let mut frame = [0; 4096];
        let frame = metrics::encode(request, 1, &mut frame).ok().context("too long")?;
        let len = self.connection.call(frame, &mut self.reply[..])?;
        let reply = self.reply.get(..len).unwrap_or_default();
        metrics::decode_reply(request.op(), 1, reply).context("no such reply")
    }

    fn hello(&mut self) -> anyhow::Result<HelloReply> {
        match self.ask(&Request::Hello(None))? {
            (MetricStatus::Ok, Reply::Hello(hello)) => Ok(hello),
            (status, _) => bail!("HELLO: {}", status.name()),
        }
    }

    fn register(&mut self, at: u32) -> anyhow::Result<SeriesId> {
        // A name of 24 bytes and 40 bytes of labels, as programs have them.
        let name = "load_requests_seen_total".to_owned();
        let labels = format!("path=/some/longer/path/of/{at:05}\nzone=eu\n");
        let name = MetricName::new(&name).context("a name")?.as_name_bytes();
        let labels = LabelBytes::new(labels.as_bytes()).context("labels")?;
        let help = Help::new("").context("no help")?;
        let bounds = bounds_to_bytes(&[], &mut []).context("no bounds")?;
        let register = Register::new(Kind::Counter, Unit::None, name, labels, help);
        let register = register.with_bounds(bounds).context("no bounds")?;
        match self.ask(&Request::Register(register))? {
            (MetricStatus::Ok, Reply::Registered(registered)) => Ok(registered.series),
            (status, _) => bail!("REGISTER {at}: {}", status.name()),
        }
    }

    /// Sends `updates` updates, round the series, and waits until all are acknowledged.
    pub(crate) fn send(&mut self, updates: u32) -> anyhow::Result<()> {
        let last = self.seq + updates.div_ceil(VALUES);
        while self.acknowledged < last {
            while self.seq < last && self.seq - self.acknowledged < AHEAD {
                self.send_batch()?;
            }
            self.take_acknowledgement()?;
        }
        Ok(())
    }

    fn send_batch(&mut self) -> anyhow::Result<()> {
        self.seq += 1;
        let mut frame = [0; 4096];
        let mut batch = BatchWriter::new(self.seq, self.seq, &mut frame);
        for _ in 0..VALUES {
            if self.next == 0 {
                self.total += 1;
            }
            let series = self.series.get(self.next).context("no series")?;
            anyhow::ensure!(batch.value(*series, self.total), "a value does not fit");
            self.next = (self.next + 1) % self.series.len();
        }
        let frame = batch.finish().ok().context("too long")?;
        Ok(self.connection.send(frame)?)
    }

    /// Acknowledgements are cumulative, so the one for the last frame of a drain is the only one.
    fn take_acknowledgement(&mut self) -> anyhow::Result<()> {
        let len = self.connection.recv(&mut self.reply[..], Duration::from_secs(10))?;
        let reply = self.reply.get(..len).unwrap_or_default();
        let nonce = reply.get(5..9).and_then(|nonce| nonce.try_into().ok());
        let nonce = nonce.map(u32::from_le_bytes).context("a reply without nonce")?;
        match metrics::decode_reply(Op::Batch, nonce, reply).context("no acknowledgement")? {
            (MetricStatus::Ok, Reply::Batch(ack)) if ack.refused_items == 0 => {
                self.acknowledged = ack.applied_seq;
                Ok(())
            }
            (status, reply) => bail!("BATCH: {}, {reply:?}", status.name()),
        }
    }
}
