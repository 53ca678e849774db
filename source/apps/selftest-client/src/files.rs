//! statefsd keeps what it must, and refuses what it must: what is malformed, too long, beyond the
//! share, of others, or beyond the budget. What was kept before is there behind all of it.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_wire::files::{
    Append, FileName, FilePrefix, HelloReply, List, NewFile, Read, Replace, Reply, Request, Target,
    decode_reply, encode,
};
use nexus_wire::{FILE_BYTES_MAX, FILE_NAME_BYTES_MAX, FileStatus};

use crate::Why;
use crate::talk::Talk;

pub(crate) const STATEFSD: ServiceId = ServiceId::from_name("statefsd");

/// A file that is there whatever is refused.
pub(crate) const KEPT: &str = "kept";
/// What it holds.
const TEXT: &[u8] = b"what was kept";

/// Files that may grow, of all that our share lets us have, by `state.toml`.
const GROWING: usize = 3;
const FILES: usize = 8;

const NAMES: [&str; FILES] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Files of others, whatever we call them.
const OF_OTHERS: [&str; 3] = ["logd/a", "metricsd/a", "bundlemgrd/a"];

/// Where a request has the length of its name, and READ its name.
const NAME_LENGTH: usize = 8;
const NAME: usize = 16;
/// Where REPLACE has the length of its bytes.
const BYTES_LENGTH: usize = 9;

const NO_FRAME: Why = "no such frame";

/// Frames that are none: how long READ of a file of ours is made, where it is changed, and to what.
const MALFORMED: [(usize, (usize, u8)); 8] = [
    (0, (0, b'S')),
    (GOOD_BYTES - 1, (0, b'S')),
    (FRAME_BYTES_MAX, (0, b'S')),
    (GOOD_BYTES, (0, b'X')),
    (GOOD_BYTES, (2, 2)),
    (GOOD_BYTES, (3, 99)),
    (GOOD_BYTES, (NAME, b'/')),
    (GOOD_BYTES, (NAME, b'K')),
];
const GOOD_BYTES: usize = NAME + KEPT.len();
/// Where the status stands in an answer.
const STATUS: usize = 4;

pub(crate) fn rejects(talk: &mut Talk<'_>) -> Result<(), Why> {
    talk.until("statefsd does not serve", |talk| {
        Ok((ask(talk, &Request::Hello)? == FileStatus::Ok).then_some(()))
    })?;
    keep(talk)?;
    what_is_no_request(talk)?;
    what_is_too_long(talk)?;
    what_is_of_others(talk)?;
    what_is_beyond_the_share(talk)?;
    a_flood(talk)?;
    talk.until("no budget to see what is kept", |talk| {
        let is_paid = ask(talk, &Request::Hello)? != FileStatus::RateLimited;
        Ok(is_paid.then_some(()))
    })?;
    is_kept(talk)?;
    forget(talk)
}

fn name(text: &str) -> Result<FileName<'_>, Why> {
    FileName::new(text).ok_or(NO_FRAME)
}

fn target(text: &str) -> Result<Target<'_>, Why> {
    Ok(Target { name: name(text)?, draft: false })
}

/// Asks once, and shows the answer to `look`.
fn look<T>(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    look: impl FnOnce(FileStatus, Reply<'_>) -> T,
) -> Result<T, Why> {
    let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
    let frame = encode(request, nonce, &mut frame).map_err(|_| NO_FRAME)?;
    let answer = talk.send(STATEFSD, frame)?;
    let reply = decode_reply(request.op(), nonce, answer);
    let (status, reply) = reply.ok_or("statefsd's answer is none to the request")?;
    Ok(look(status, reply))
}

fn ask(talk: &mut Talk<'_>, request: &Request<'_>) -> Result<FileStatus, Why> {
    look(talk, request, |status, _| status)
}

/// What is answered must be this, once the disk has taken what is on its way to it.
fn must(
    talk: &mut Talk<'_>,
    request: &Request<'_>,
    wanted: FileStatus,
    or: Why,
) -> Result<(), Why> {
    talk.until("statefsd is busy for too long", |talk| match ask(talk, request)? {
        FileStatus::Busy if wanted != FileStatus::Busy => Ok(None),
        status if status == wanted => Ok(Some(())),
        _ => Err(or),
    })
}

fn hello(talk: &mut Talk<'_>) -> Result<HelloReply, Why> {
    look(talk, &Request::Hello, |_, reply| match reply {
        Reply::Hello(hello) => Some(hello),
        _ => None,
    })?
    .ok_or("statefsd does not say how much is ours")
}

/// Writes the file, and makes it durable.
pub(crate) fn keep(talk: &mut Talk<'_>) -> Result<(), Why> {
    let replace = Request::Replace(Replace { name: name(KEPT)?, bytes: TEXT });
    must(talk, &replace, FileStatus::Ok, "a good file was refused")?;
    let epoch = hello(talk)?.epoch;
    must(talk, &Request::Sync { epoch }, FileStatus::Ok, "a sync was refused")
}

/// It holds what it held, and there is no other.
pub(crate) fn is_kept(talk: &mut Talk<'_>) -> Result<(), Why> {
    let read = Read { name: name(KEPT)?, draft: false, at: 0, max: FILE_BYTES_MAX as u16 };
    let is_same = look(talk, &Request::Read(read), |_, reply| match reply {
        Reply::Read(read) => read.bytes == TEXT && read.len as usize == TEXT.len(),
        _ => false,
    })?;
    let all = FilePrefix::new("").ok_or(NO_FRAME)?;
    let is_alone = look(talk, &Request::List(List { prefix: all, after: all }), |_, reply| {
        matches!(reply, Reply::List(list)
            if !list.more && list.files().map(|file| file.name.as_str()).eq([KEPT]))
    })?;
    if is_same && is_alone { Ok(()) } else { Err("a file is not as it was kept") }
}

pub(crate) fn forget(talk: &mut Talk<'_>) -> Result<(), Why> {
    must(talk, &Request::Delete(target(KEPT)?), FileStatus::Ok, "a file cannot be deleted")
}

fn what_is_no_request(talk: &mut Talk<'_>) -> Result<(), Why> {
    let read = Request::Read(Read { name: name(KEPT)?, draft: false, at: 0, max: 9 });
    for (length, (at, byte)) in MALFORMED {
        let mut frame = [0; FRAME_BYTES_MAX];
        encode(&read, 1, &mut frame).map_err(|_| NO_FRAME)?;
        frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        let frame = frame.get(..length).unwrap_or_default();
        refuses(talk, frame, FileStatus::InvalidArgs)?;
    }
    Ok(())
}

fn refuses(talk: &mut Talk<'_>, frame: &[u8], wanted: FileStatus) -> Result<(), Why> {
    if status_of(talk, frame)? == wanted {
        Ok(())
    } else {
        Err("a frame that must be refused is not, or for another reason")
    }
}

fn status_of(talk: &mut Talk<'_>, frame: &[u8]) -> Result<FileStatus, Why> {
    let status = talk.send(STATEFSD, frame)?.get(STATUS).copied();
    status.and_then(FileStatus::from_raw).ok_or("statefsd's answer has no status")
}

/// A name, and bytes, of one more than there may be.
fn what_is_too_long(talk: &mut Talk<'_>) -> Result<(), Why> {
    let replace = Request::Replace(Replace { name: name(KEPT)?, bytes: b"spoiled" });
    let too_many = FILE_BYTES_MAX + 1;
    let [low, high] = [(too_many & 0xff) as u8, (too_many >> 8) as u8];
    let too_long = FILE_NAME_BYTES_MAX as u8 + 1;
    for places in [[(NAME_LENGTH, too_long); 2], [(BYTES_LENGTH, low), (BYTES_LENGTH + 1, high)]] {
        let mut frame = [0; FRAME_BYTES_MAX];
        encode(&replace, 1, &mut frame).map_err(|_| NO_FRAME)?;
        for (at, byte) in places {
            frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        }
        refuses(talk, &frame, FileStatus::OverLimit)?;
    }
    Ok(())
}

/// Whatever others have, by no name of ours is it to be had.
fn what_is_of_others(talk: &mut Talk<'_>) -> Result<(), Why> {
    for other in OF_OTHERS {
        let (name, target) = (name(other)?, target(other)?);
        let append = Append { to: target, at: 0, bytes: b"spoiled" };
        for request in [
            Request::Stat(target),
            Request::Read(Read { name, draft: false, at: 0, max: 9 }),
            Request::Append(append),
            Request::Delete(target),
        ] {
            must(talk, &request, FileStatus::NotFound, "a file of another is told or touched")?;
        }
    }
    Ok(())
}

/// Bytes, files that grow, and files: one more of each than is ours.
fn what_is_beyond_the_share(talk: &mut Talk<'_>) -> Result<(), Why> {
    use FileStatus::{Ok as Done, OverQuota};
    let beyond = "a share has no end";
    let create = |file, capacity| Ok(Request::Create(NewFile { name: name(file)?, capacity }));
    let quota = hello(talk)?.quota;
    let all = u32::try_from(quota).map_err(|_| "a share is too large")?;
    must(talk, &create("a", all + 1)?, OverQuota, beyond)?;
    let (growing, whole) = NAMES.split_at(GROWING);
    for file in growing {
        must(talk, &create(file, 1)?, Done, "a file within the share was refused")?;
    }
    must(talk, &create("z", 1)?, OverQuota, beyond)?;
    // The one that is kept is a file too.
    let (last, others) = whole.split_last().ok_or(NO_FRAME)?;
    for file in others {
        must(talk, &replace(file)?, Done, "a file within the share was refused")?;
    }
    must(talk, &replace(last)?, OverQuota, beyond)?;
    for file in growing.iter().chain(others) {
        must(talk, &Request::Delete(target(file)?), Done, "a file cannot be deleted")?;
    }
    Ok(())
}

fn replace(file: &str) -> Result<Request<'_>, Why> {
    Ok(Request::Replace(Replace { name: name(file)?, bytes: file.as_bytes() }))
}

/// A good frame and zeros behind it, as large as frames can be.
fn a_flood(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut frame = [0; FRAME_BYTES_MAX];
    encode(&Request::Hello, 1, &mut frame).map_err(|_| NO_FRAME)?;
    talk.flood(&frame, [FileStatus::InvalidArgs, FileStatus::RateLimited], status_of)
}
