use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::World;
use nexus_wire::logs::{self, Head, NewRecord, Op, RecordText, Reply, Request, Version};
use nexus_wire::{EncodeError, Fields, FieldsWriter, Level, LogStatus, markers};

use crate::Logd;
use crate::service::Phase;

const NAME: &str = "logd";
const MESSAGE: &str = "ready";
const RETENTION: &str = "retention";
/// Bytes of `boot=` with a number of 10 digits.
const FIELDS_ROOM: usize = 24;
/// Bytes of the two request frames of the proof.
const FRAME_ROOM: usize = 128;

impl Logd {
    /// Appends a record through the way that every frame takes, reads it back by a QUERY that takes
    /// it too, and only then says that logd is ready.
    #[cold]
    pub(crate) fn prove(&mut self, now: Mono, world: &mut impl World) {
        let proven = self.append_and_read_back(now, world) == Ok(true);
        self.phase = match proven {
            true => Phase::Proven { since: now },
            false => Phase::Failed { since: now },
        };
        if proven {
            world.print(markers::LOGD_READY);
        }
    }

    fn append_and_read_back(
        &mut self,
        now: Mono,
        world: &mut impl World,
    ) -> Result<bool, EncodeError> {
        let me = Sender::stamped(ServiceId::from_name(NAME), 0, Incarnation::new(1), Rights::QUERY);
        let mut fields = [0; FIELDS_ROOM];
        let fields = ready_fields(self.boot, &mut fields)?;
        let mut frame = [0; FRAME_ROOM];
        let mut text = [0; size_of::<RecordText>()];

        let head = Head { version: Version::V2, nonce: 1 };
        let ready = NewRecord {
            level: Level::Info,
            scope: NAME,
            message: MESSAGE,
            fields: fields.as_str().as_bytes(),
        };
        let request = logs::encode(&Request::Append(ready.join(&mut text)?), head, &mut frame)?;
        let mut appended = None;
        self.ask(now, me, request, world, &mut |reply| {
            if let Some((LogStatus::Ok, Reply::Append(reply))) =
                logs::decode_reply(Op::Append, head, reply)
            {
                appended = Some(reply.id);
            }
        });

        let head = Head { version: Version::V2, nonce: 2 };
        let query = Request::Query { since_ns: now.0, max: 1 };
        let request = logs::encode(&query, head, &mut frame)?;
        let mut is_read_back = false;
        self.ask(now, me, request, world, &mut |reply| {
            if let Some((LogStatus::Ok, Reply::Query(found))) =
                logs::decode_reply(Op::Query, head, reply)
            {
                is_read_back = found.iter().any(|record| {
                    Some(record.id) == appended
                        && record.service == me.service()
                        && record.as_new() == ready
                });
            }
        });
        Ok(is_read_back)
    }

    #[inline(never)]
    fn ask(
        &mut self,
        now: Mono,
        from: Sender,
        frame: &[u8],
        world: &mut impl World,
        look: &mut dyn FnMut(&[u8]),
    ) {
        self.answer(now, from, frame, world, |_, reply| look(reply));
    }
}

impl Logd {
    /// Tells of a change: what is kept has met with trouble, or does so no more.
    #[cold]
    pub(crate) fn tell_of_retention(
        &mut self,
        word: &'static str,
        now: Mono,
        world: &mut impl World,
    ) {
        let me = Sender::stamped(ServiceId::from_name(NAME), 0, Incarnation::new(1), Rights::NONE);
        let (mut fields, mut frame) = ([0; FIELDS_ROOM], [0; FRAME_ROOM]);
        let mut text = [0; size_of::<RecordText>()];
        let mut fields = FieldsWriter::new(&mut fields);
        let is_written = fields.field("state", word);
        let fields = fields.finish().map_or("", |fields| fields.as_str());
        let level = if word == "ok" { Level::Info } else { Level::Warn };
        let record =
            NewRecord { level, scope: NAME, message: RETENTION, fields: fields.as_bytes() };
        let head = Head { version: Version::V2, nonce: 3 };
        let joined = record.join(&mut text);
        let request = joined.and_then(|it| logs::encode(&Request::Append(it), head, &mut frame));
        assert!(is_written && request.is_ok(), "a word is a record");
        self.ask(now, me, request.unwrap_or_default(), world, &mut |_| {});
    }
}

fn ready_fields(boot: u32, buffer: &mut [u8]) -> Result<Fields<'_>, EncodeError> {
    let mut fields = FieldsWriter::new(buffer);
    if fields.field("boot", boot) { fields.finish() } else { Err(EncodeError) }
}
