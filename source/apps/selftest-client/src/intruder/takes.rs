//! What it tries of those who have something of the selftest's, by its number or by its name.

use nexus_wire::bundles::{self, BundleStatus};
use nexus_wire::exec::{self, ExecStatus};
use nexus_wire::sessions::{self, EndpointName, SessionId, SessionStatus};
use nexus_wire::timers::{self, TimerId, TimerStatus};

use super::{HEAD, Intruder, NO_FRAME, TRY_BYTES_MAX, digits, front};
use crate::Why;
use crate::bundles::{BROUGHT, BUNDLEMGRD, name};
use crate::entropy::get;
use crate::exec::{EXECD, WAIT};
use crate::others::UPLOAD;
use crate::sessions::{DSOFTBUSD, PEER};
use crate::timers::TIMED;

/// Numbers of timers, of processes and of sessions that are tried, from 1 on.
pub(crate) const TIMERS: u32 = 128;
pub(crate) const PIDS: u32 = 64;
pub(crate) const SESSIONS: u32 = 32;

pub(super) fn timers(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    let refused = (&[TimerStatus::NotFound.raw()][..], HEAD);
    for timer in (1..=TIMERS).map(TimerId) {
        let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
        let request = timers::Request::Cancel { timer };
        let frame = front(timers::encode(&timers::Frame { nonce, request }, &mut out))?;
        it.refuses(TIMED, frame, refused, "timed took a timer of another back")?;
    }
    Ok(())
}

/// The upload of another is nobody else's to go on with or to see, and no bundle may be changed.
pub(super) fn bundles(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    use BundleStatus::{Busy, Denied, NotFound, OutOfOrder};
    use bundles::Request;
    let (begun, brought) = (name(UPLOAD)?, name(BROUGHT)?);
    let carried = name("demo.hello")?;
    for (request, status) in [
        (Request::Query { name: begun }, NotFound),
        (Request::Fetch { name: begun, at: 0, max: u16::MAX }, NotFound),
        (Request::Bring { at: 0, bytes: b"spoiled" }, OutOfOrder),
        (Request::Bring { at: 512, bytes: b"spoiled" }, OutOfOrder),
        (Request::Commit, OutOfOrder),
        (Request::GiveUp, OutOfOrder),
        (Request::Begin { name: begun, size: 100 }, Busy),
        (Request::Remove { name: brought }, Denied),
        (Request::Remove { name: carried }, Denied),
    ] {
        let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
        let frame = front(bundles::encode(&request, nonce, &mut out))?;
        let refused = (&[status.raw()][..], HEAD);
        it.refuses(BUNDLEMGRD, frame, refused, "bundlemgrd let somebody at bundles of another")?;
    }
    Ok(())
}

/// What runs everybody is told; who ends it and what else starts not everybody decides.
pub(super) fn programs(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    let or = "execd has ended or started what it may not";
    let denied = exec::Request::Start { name: name(WAIT)? };
    refuses(it, &denied, ExecStatus::Denied, or)?;
    for pid in 1..=PIDS {
        refuses(it, &exec::Request::Kill { pid }, ExecStatus::NotFound, or)?;
    }
    Ok(())
}

fn refuses(
    it: &mut Intruder<'_, '_>,
    request: &exec::Request<'_>,
    status: ExecStatus,
    or: Why,
) -> Result<(), Why> {
    let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
    let frame = front(exec::encode(request, nonce, &mut out))?;
    it.refuses(EXECD, frame, (&[status.raw()][..], HEAD), or)
}

pub(super) fn sessions(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    use sessions::Request::{Ask, Close, Open};
    let peer = EndpointName::new(PEER).ok_or(NO_FRAME)?;
    let open = [(Open { peer }, SessionStatus::Denied)];
    let others = (1..=SESSIONS).map(SessionId).flat_map(|session| {
        [Ask { session, bytes: b"hello" }, Close { session }]
            .map(|request| (request, SessionStatus::NotFound))
    });
    for (request, status) in open.into_iter().chain(others) {
        let (mut out, nonce) = ([0; TRY_BYTES_MAX], it.talk.next_nonce());
        let frame = front(sessions::encode(&request, nonce, &mut out))?;
        let refused = (&[status.raw()][..], HEAD);
        it.refuses(DSOFTBUSD, frame, refused, "dsoftbusd let somebody at a session of another")?;
    }
    Ok(())
}

/// That it is given may be; what nobody else is given stands in its record.
pub(super) fn entropy(it: &mut Intruder<'_, '_>) -> Result<(), Why> {
    it.given = digits(&get(it.talk)?);
    Ok(())
}
