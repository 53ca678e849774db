//! logd refuses what it must before it stores anything.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::logs::{NewRecord, RecordText, Request};
use nexus_wire::{Level, LogStatus};

use crate::Why;
use crate::talk::Talk;

const SCOPE: &str = "selftest";

const GOOD: NewRecord<'static> =
    NewRecord { level: Level::Info, scope: SCOPE, message: "good", fields: b"case=hardening\n" };

/// Fields that are refused, for their form, and for what they claim.
const INVALID: &[&str] = &[
    "b=1\na=2\n",
    "a=1\na=2\n",
    "a=1",
    "a\n",
    "=1\n",
    "A=1\n",
    "a b=1\n",
    "service_id=1\n",
    "sender_service_id=1\n",
    "requester_id=1\n",
    "service=execd\n",
];

/// A key of 65 bytes: no recipe allows it.
const LONG_KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk=1\n";

/// Where a request of version 2 has its record's level, and the length of its scope.
const LEVEL_AT: usize = 12;
const SCOPE_LENGTH_AT: usize = 13;

pub(crate) fn rejects(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    fields(talk)?;
    shapes(talk)?;
    flood(talk)?;

    let id = talk.append_good(GOOD)?;
    let (me, mut stored) = (talk.me(), 0);
    talk.each_record(since, |record| {
        if record.service != me {
            return Ok(());
        }
        stored += 1;
        let is_it = record.id.0 == id && record.as_new() == GOOD;
        if is_it { Ok(()) } else { Err("something is stored that was refused") }
    })?;
    if stored == 1 { Ok(()) } else { Err("the good record is not there once") }
}

fn fields(talk: &mut Talk<'_>) -> Result<(), Why> {
    for fields in INVALID {
        let refused = talk.append(NewRecord { fields: fields.as_bytes(), ..GOOD })?;
        if refused != (LogStatus::InvalidArgs, 0) {
            return Err("fields that are not canonical, or claim an identity, were taken");
        }
    }
    let refused = talk.append(NewRecord { fields: LONG_KEY.as_bytes(), ..GOOD })?;
    if refused == (LogStatus::OverLimit, 0) { Ok(()) } else { Err("a long key was taken") }
}

/// Writes a good frame to `out`; gives its length.
fn good_frame(talk: &mut Talk<'_>, out: &mut [u8]) -> Result<usize, Why> {
    let mut text = [0; size_of::<RecordText>()];
    let record = GOOD.join(&mut text).map_err(|_| "no such record")?;
    talk.logd_frame(&Request::Append(record), out).map(|(_, length)| length)
}

/// A good frame, but for its length or for one byte.
fn shapes(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut good = [0; FRAME_BYTES_MAX];
    let length = good_frame(talk, &mut good)?;
    for (length, (at, byte), expected) in [
        (length - 1, (LEVEL_AT, GOOD.level.raw()), LogStatus::InvalidArgs),
        (length + 1, (LEVEL_AT, GOOD.level.raw()), LogStatus::InvalidArgs),
        (length, (LEVEL_AT, 9), LogStatus::InvalidArgs),
        (length, (SCOPE_LENGTH_AT, 65), LogStatus::OverLimit),
    ] {
        let mut frame = good;
        frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        if talk.logd_status_of(frame.get(..length).unwrap_or_default())? != expected {
            return Err("a frame was taken whose shape is wrong");
        }
    }
    Ok(())
}

/// A good frame and zeros behind it, as large as frames can be.
fn flood(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut frame = [0; FRAME_BYTES_MAX];
    good_frame(talk, &mut frame)?;
    let statuses = [LogStatus::InvalidArgs, LogStatus::RateLimited];
    talk.flood(&frame, statuses, Talk::logd_status_of)
}
