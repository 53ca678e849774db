//! Questions and answers: frames encoded, answers decoded and held to their requests.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::logs::{self, Head, NewRecord, Version};
use nexus_wire::metrics;
use nexus_wire::{LogStatus, MetricStatus};

use crate::{Client, Why};

pub(crate) const LOGD: ServiceId = ServiceId::from_name("logd");
pub(crate) const METRICSD: ServiceId = ServiceId::from_name("metricsd");

/// How long something may take that is sure to come.
pub(crate) const PATIENCE: Nanos = Nanos::from_secs(5);
/// Between two looks.
const PAUSE: Nanos = Nanos::from_millis(20);
/// Frames of a flood; more than any budget has.
const FLOOD_MAX: u32 = 4096;

/// A conversation with the services.
pub(crate) struct Talk<'c> {
    pub(crate) client: &'c mut dyn Client,
    /// Of the last request; they are the same in every run.
    nonce: u32,
    /// Rounds of the export that were waited for.
    rounds: u32,
    answer: [u8; FRAME_BYTES_MAX],
}

impl<'c> Talk<'c> {
    pub(crate) fn new(client: &'c mut dyn Client) -> Self {
        Self { client, nonce: 0, rounds: 0, answer: [0; FRAME_BYTES_MAX] }
    }

    pub(crate) fn me(&self) -> ServiceId {
        self.client.id()
    }

    pub(crate) fn now(&mut self) -> Mono {
        self.client.now()
    }

    /// A time later than all that has happened.
    pub(crate) fn fresh_time(&mut self) -> Mono {
        self.client.pause(Nanos(1));
        self.now()
    }

    /// A number that no other request of this case has.
    pub(crate) fn next_nonce(&mut self) -> u32 {
        self.nonce += 1;
        self.nonce
    }

    /// A number for the next round of the export.
    pub(crate) fn next_round(&mut self) -> u32 {
        self.rounds += 1;
        self.rounds
    }

    /// Tries until something has come, for as long as our patience lasts.
    pub(crate) fn until<T>(
        &mut self,
        late: Why,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Why>,
    ) -> Result<T, Why> {
        let until = self.now().after(PATIENCE);
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if self.now() >= until {
                return Err(late);
            }
            self.client.pause(PAUSE);
        }
    }

    /// Hands over any bytes at all.
    pub(crate) fn send(&mut self, to: ServiceId, frame: &[u8]) -> Result<&[u8], Why> {
        let length = self.client.call(to, frame, &mut self.answer).ok_or("no answer")?;
        self.answer.get(..length).ok_or("an answer is longer than a frame")
    }

    /// A request to logd, at the front of `out`: its length.
    pub(crate) fn logd_frame(
        &mut self,
        request: &logs::Request<'_>,
        out: &mut [u8],
    ) -> Result<(Head, usize), Why> {
        self.nonce += 1;
        let head = Head { version: Version::V2, nonce: u64::from(self.nonce) };
        let frame = logs::encode(request, head, out).map_err(|_| "no such frame")?;
        Ok((head, frame.len()))
    }

    /// Asks logd once.
    pub(crate) fn ask_logd(
        &mut self,
        request: &logs::Request<'_>,
    ) -> Result<(LogStatus, logs::Reply<'_>), Why> {
        let mut frame = [0; FRAME_BYTES_MAX];
        let (head, length) = self.logd_frame(request, &mut frame)?;
        let answer = self.send(LOGD, frame.get(..length).unwrap_or_default())?;
        logs::decode_reply(request.op(), head, answer).ok_or("logd's answer is none to the request")
    }

    /// What logd answers to a record.
    pub(crate) fn append(&mut self, record: NewRecord<'_>) -> Result<(LogStatus, u64), Why> {
        let mut text = [0; size_of::<logs::RecordText>()];
        let record = record.join(&mut text).map_err(|_| "no such record")?;
        match self.ask_logd(&logs::Request::Append(record))? {
            (status, logs::Reply::Append(appended)) => Ok((status, appended.id.0)),
            (status, _) => Ok((status, 0)),
        }
    }

    /// Appends a record that must be taken, as soon as our budget lets us: its number.
    pub(crate) fn append_good(&mut self, record: NewRecord<'_>) -> Result<u64, Why> {
        self.until("no budget for a good record", |talk| match talk.append(record)? {
            (LogStatus::Ok, id) => Ok(Some(id)),
            (LogStatus::RateLimited, _) => Ok(None),
            _ => Err("a good record was refused"),
        })
    }

    /// What logd answers to bytes that are no frame of ours.
    pub(crate) fn logd_status_of(&mut self, frame: &[u8]) -> Result<LogStatus, Why> {
        let answer = self.send(LOGD, frame)?;
        let status = answer.get(4).copied().and_then(LogStatus::from_raw);
        status.ok_or("logd's answer has no status")
    }

    /// A request to metricsd, at the front of `out`: its nonce and length.
    pub(crate) fn metricsd_frame(
        &mut self,
        request: &metrics::Request<'_>,
        out: &mut [u8],
    ) -> Result<(u32, usize), Why> {
        self.nonce += 1;
        let frame = metrics::encode(request, self.nonce, out).map_err(|_| "no such frame")?;
        Ok((self.nonce, frame.len()))
    }

    /// Asks metricsd once.
    pub(crate) fn ask_metricsd(
        &mut self,
        request: &metrics::Request<'_>,
    ) -> Result<(MetricStatus, metrics::Reply<'_>), Why> {
        let mut frame = [0; FRAME_BYTES_MAX];
        let (nonce, length) = self.metricsd_frame(request, &mut frame)?;
        let answer = self.send(METRICSD, frame.get(..length).unwrap_or_default())?;
        let reply = metrics::decode_reply(request.op(), nonce, answer);
        reply.ok_or("metricsd's answer is none to the request")
    }

    /// Tells metricsd something that must be taken, as soon as our budget lets us.
    pub(crate) fn tell(&mut self, request: &metrics::Request<'_>) -> Result<(), Why> {
        self.until("no budget for a good update", |talk| match talk.ask_metricsd(request)?.0 {
            MetricStatus::Ok => Ok(Some(())),
            MetricStatus::RateLimited => Ok(None),
            _ => Err("a good update was refused"),
        })
    }

    /// What metricsd answers to bytes that are no frame of ours.
    pub(crate) fn metricsd_status_of(&mut self, frame: &[u8]) -> Result<MetricStatus, Why> {
        let answer = self.send(METRICSD, frame)?;
        let status = answer.get(4).copied().and_then(MetricStatus::from_raw);
        status.ok_or("metricsd's answer has no status")
    }

    /// Sends a malformed frame until `status_of` it says that the budget is used up. Until then it
    /// must be refused as what it is.
    pub(crate) fn flood<S: PartialEq>(
        &mut self,
        frame: &[u8],
        [malformed, limited]: [S; 2],
        status_of: fn(&mut Self, &[u8]) -> Result<S, Why>,
    ) -> Result<(), Why> {
        for _ in 0..FLOOD_MAX {
            match status_of(self, frame)? {
                status if status == limited => return Ok(()),
                status if status == malformed => {}
                _ => return Err("a malformed frame was not refused as one"),
            }
        }
        Err("a flood met no budget")
    }
}
