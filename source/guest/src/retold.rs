//! A metricsd whose export is altered on its way, in one field.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::logs::{self, AppendBatch, AppendBatchWriter, Frame, NewRecord, Request};
use nexus_wire::{FIELDS_BYTES_MAX, Fields, FieldsWriter};

/// What becomes of one field.
#[derive(Clone, Copy, Debug)]
pub struct Alteration {
    /// The message of the records that are altered.
    pub of: &'static str,
    /// Which field.
    pub key: &'static str,
    /// Only where this is its value; `None`: everywhere.
    pub honest: Option<&'static str>,
    /// What it is then; `None`: it is left out.
    pub told: Option<&'static str>,
}

/// A service behind an alteration.
pub struct Retold<S> {
    /// The service.
    pub service: S,
    /// What becomes of what it exports.
    pub alteration: Alteration,
}

impl Alteration {
    fn is_about(&self, record: &NewRecord<'_>) -> bool {
        let value = Fields::parse(record.fields).ok().and_then(|fields| fields.get(self.key));
        record.message == self.of && (self.honest.is_none() || value == self.honest)
    }

    /// The fields as they are told.
    fn fields<'b>(&self, honest: &[u8], out: &'b mut [u8]) -> Fields<'b> {
        let honest = Fields::parse(honest).unwrap_or(Fields::EMPTY);
        let mut to = FieldsWriter::new(out);
        let all = honest.iter().filter(|(key, _)| *key < self.key).all(|(k, v)| to.field(k, v))
            && self.told.is_none_or(|told| to.field(self.key, told))
            && honest.iter().filter(|(key, _)| *key > self.key).all(|(k, v)| to.field(k, v));
        assert!(all, "a lie has room where the truth had");
        to.finish().unwrap_or(Fields::EMPTY)
    }

    /// The frame as it is told, at the front of `out`.
    fn frame<'b>(&self, nonce: u64, batch: AppendBatch<'_>, out: &'b mut [u8]) -> &'b [u8] {
        let mut writer = AppendBatchWriter::new(nonce, out);
        for record in batch.records().map(|record| record.as_new()) {
            let mut text = [0; FIELDS_BYTES_MAX];
            let written = if self.is_about(&record) {
                let fields = self.fields(record.fields, &mut text).as_bytes();
                writer.record(&NewRecord { fields, ..record })
            } else {
                writer.record(&record)
            };
            assert!(written, "a lie has room where the truth had");
        }
        writer.finish().unwrap_or_default()
    }
}

/// A request that brings records, several at once.
fn batch(frame: &[u8]) -> Option<(u64, AppendBatch<'_>)> {
    match logs::decode(frame) {
        Ok(Frame { head, request: Request::AppendBatch(batch) }) => Some((head.nonce, batch)),
        _ => None,
    }
}

struct Retelling<'w, W> {
    world: &'w mut W,
    alteration: Alteration,
}

impl<W: World> World for Retelling<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.world.reply(token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let mut told = [0; FRAME_BYTES_MAX];
        match batch(frame) {
            Some((nonce, batch)) => {
                self.world.submit(to, call, self.alteration.frame(nonce, batch, &mut told))
            }
            None => self.world.submit(to, call, frame),
        }
    }

    fn print(&mut self, line: &str) {
        self.world.print(line);
    }
}

impl<S: Service> Service for Retold<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let world = &mut Retelling { world, alteration: self.alteration };
        self.service.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
