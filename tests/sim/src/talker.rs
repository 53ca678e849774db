use nexus_abi::{Rights, ServiceId};
use nexus_wire::logs::{self, Head, NewRecord, Version};
use nexus_wire::metrics::{self, Update};
use nexus_wire::{Kind, LabelBytes, Level, LogStatus, MetricStatus, NameBytes};
use simkit::Client;

use crate::bed::Bed;

/// A program that speaks frames, one item each, and counts the answers.
pub struct Talker {
    /// Who it is.
    pub name: String,
    /// Its number in the world.
    pub client: Client,
    /// What metricsd answered.
    pub metricsd: Answers,
    /// What logd answered.
    pub logd: Answers,
    /// Ids of the records that logd took, not yet found to be lost, ascending.
    pub kept: std::collections::VecDeque<u64>,
}

/// Answers by what they mean.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Answers {
    /// Frames sent.
    pub sent: u64,
    /// Taken as they were.
    pub accepted: u64,
    /// Counted in an overflow series.
    pub folded: u64,
    /// Beyond the budget.
    pub rate_limited: u64,
    /// Refused for anything else.
    pub refused: u64,
}

impl Answers {
    /// All answers.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.accepted + self.folded + self.rate_limited + self.refused
    }
}

/// Frames under way at a time.
const CHUNK: usize = 512;

impl Talker {
    /// A program called `name`.
    pub fn new(bed: &mut Bed, name: &str) -> Self {
        let client = bed.world.client(name, Rights::NONE);
        let (metricsd, logd) = (Answers::default(), Answers::default());
        Self { name: name.to_owned(), client, metricsd, logd, kept: [].into() }
    }

    /// Who it is to the daemons.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        ServiceId::from_name(&self.name)
    }

    /// Sends frames of updates by name to metricsd at this moment; counts the answers and calls
    /// `look` with the place of each frame in `frames` and whether its value was counted.
    pub fn update<'f>(
        &mut self,
        bed: &mut Bed,
        frames: impl IntoIterator<Item = &'f [u8]>,
        mut look: impl FnMut(usize, bool),
    ) {
        let mut frames = frames.into_iter();
        let mut place = 0;
        loop {
            let sent = self.send_some(bed, "metricsd", &mut frames);
            if sent == 0 {
                return;
            }
            self.metricsd.sent += sent;
            let answers = &mut self.metricsd;
            bed.world.each_reply(self.client, |_, reply| {
                let counted = answers.note(reply.unwrap_or_default());
                look(place, counted);
                place += 1;
            });
        }
    }

    /// Sends frames of APPENDs to logd at this moment, counts the answers and notes the ids.
    pub fn append<'f>(&mut self, bed: &mut Bed, frames: impl IntoIterator<Item = &'f [u8]>) {
        let mut frames = frames.into_iter();
        loop {
            let sent = self.send_some(bed, "logd", &mut frames);
            if sent == 0 {
                return;
            }
            self.logd.sent += sent;
            let (answers, kept) = (&mut self.logd, &mut self.kept);
            bed.world.each_reply(self.client, |_, reply| {
                let reply = reply
                    .ok()
                    .and_then(|frame| logs::decode_reply(logs::Op::Append, APPEND_HEAD, frame));
                match reply {
                    Some((LogStatus::Ok, logs::Reply::Append(reply))) => {
                        answers.accepted += 1;
                        kept.push_back(reply.id.0);
                    }
                    Some((LogStatus::RateLimited, _)) => answers.rate_limited += 1,
                    _ => answers.refused += 1,
                }
            });
        }
    }

    fn send_some<'f>(
        &self,
        bed: &mut Bed,
        to: &str,
        frames: &mut impl Iterator<Item = &'f [u8]>,
    ) -> u64 {
        let mut sent = 0;
        for frame in frames.take(CHUNK) {
            bed.world.send(self.client, to, frame).expect("the daemon is there");
            sent += 1;
        }
        bed.world.settle();
        sent
    }
}

impl Answers {
    /// Notes the reply to an update; whether it was counted.
    pub(crate) fn note(&mut self, reply: &[u8]) -> bool {
        let status = reply.get(4).copied().and_then(MetricStatus::from_raw);
        // In version 1 a counter or histogram beyond a cap is counted all the same, a gauge is not.
        let of_gauge = reply.get(3) == Some(&(metrics::Op::GaugeSet.raw() | REPLY));
        let place = match status {
            Some(MetricStatus::Ok) => &mut self.accepted,
            Some(MetricStatus::OverLimit) if of_gauge => &mut self.refused,
            Some(MetricStatus::OverLimit | MetricStatus::Folded) => &mut self.folded,
            Some(MetricStatus::RateLimited) => &mut self.rate_limited,
            _ => &mut self.refused,
        };
        *place += 1;
        !of_gauge && matches!(status, Some(MetricStatus::OverLimit | MetricStatus::Folded))
            || status == Some(MetricStatus::Ok)
    }
}

/// What tells the operation of a reply from that of its request.
const REPLY: u8 = 0x80;

/// The frame of an update by name.
#[must_use]
pub fn update(kind: Kind, name: &str, labels: &str, value: i64) -> Vec<u8> {
    let name = NameBytes::new(name.as_bytes()).expect("a name");
    let labels = LabelBytes::new(labels.as_bytes()).expect("labels");
    let unsigned = Update { name, labels, value: value.unsigned_abs() };
    let request = match kind {
        Kind::Counter => metrics::Request::CounterInc(unsigned),
        Kind::Gauge => metrics::Request::GaugeSet(Update { name, labels, value }),
        Kind::Histogram => metrics::Request::HistObserve(unsigned),
    };
    let mut frame = [0; 512];
    metrics::encode(&request, 7, &mut frame).expect("an update fits").to_vec()
}

const APPEND_HEAD: Head = Head { version: Version::V2, nonce: 9 };

/// The frame of an APPEND.
#[must_use]
pub fn append(scope: &str, message: &str, fields: &str) -> Vec<u8> {
    let fields = fields.as_bytes();
    let record = NewRecord { level: Level::Info, scope, message, fields };
    let mut frame = [0; 1024];
    let mut text = [0; size_of::<logs::RecordText>()];
    let record = record.join(&mut text).expect("a record fits");
    let request = logs::Request::Append(record);
    logs::encode(&request, APPEND_HEAD, &mut frame).expect("a record fits").to_vec()
}
