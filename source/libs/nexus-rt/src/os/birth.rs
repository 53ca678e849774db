//! What a service is told when it is made: which boot this is, and what it keeps.
//!
//! Where the image lets a process call statefsd there is a disk for it. Then boots are counted by
//! the disk, and what former lives have kept is read again, unless our parent has asked for it to
//! be set aside.

use nexus_abi::kernel::{CapabilityKind, Received, Signals};
use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_retention::Keep;
use nexus_wire::FileStatus;
use nexus_wire::files::{Op, Reply, Request, decode_reply, encode};

use super::calls::{self, Slot};
use super::{Clock, SET_ASIDE};

/// How long the disk may take to be mounted before a service begins without its count.
const PATIENCE_MILLIS: u64 = 2000;
/// Between two questions.
const PAUSE_MILLIS: u64 = 10;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The lower half of statefsd's epoch, 0 if it does not tell. Without statefsd which life this
    /// is, from 1.
    pub boot: u32,
    /// Whether there is statefsd, and whether what it has is to be set aside.
    pub keep: Keep,
}

impl Start {
    /// Finds out. `raised` are the signals so far; those that come meanwhile are added.
    pub(super) fn find(raised: &mut Signals) -> Self {
        let Ok(disk) = calls::find(CapabilityKind::Call, ServiceId::from_name("statefsd")) else {
            return Self { boot: calls::info().incarnation.raw(), keep: Keep::Nothing };
        };
        let boot = epoch(disk, raised).map_or(0, |epoch| epoch as u32);
        let is_aside = raised.has(SET_ASIDE);
        Self { boot, keep: if is_aside { Keep::FilesAside } else { Keep::Files } }
    }
}

/// Asks until there is an answer, for as long as our patience lasts.
fn epoch(disk: Slot, raised: &mut Signals) -> Option<u64> {
    let clock = Clock::new();
    let until = clock.in_millis(PATIENCE_MILLIS);
    loop {
        let epoch = hello(disk, until);
        if epoch.is_some() || clock.ticks() >= until {
            return epoch;
        }
        if let Ok(Received::Signals(more)) = calls::wait(clock.in_millis(PAUSE_MILLIS)) {
            *raised = raised.with(more);
        }
    }
}

fn hello(disk: Slot, until: u64) -> Option<u64> {
    let (mut out, mut answer) = ([0; FRAME_BYTES_MAX], [0; FRAME_BYTES_MAX]);
    let frame = encode(&Request::Hello, 1, &mut out).ok()?;
    let length = calls::call(disk, frame, &mut answer, until).ok()?;
    match decode_reply(Op::Hello, 1, answer.get(..length)?)? {
        (FileStatus::Ok, Reply::Hello(hello)) => Some(hello.epoch),
        _ => None,
    }
}
