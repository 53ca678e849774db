//! What a service is told when it is made: which boot this is, what it keeps, and what its parent
//! has signalled before.
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
    /// The run of the disk's store, 0 if statefsd does not tell. Without statefsd which life this
    /// is, from 1.
    pub boot: u32,
    /// Whether there is statefsd, and whether what it has is to be set aside.
    pub keep: Keep,
    /// Signals so far.
    pub raised: Signals,
}

/// Signals that were raised before our first instruction: they come before all else.
pub(super) fn raised_before_us() -> Signals {
    match calls::wait(0) {
        Ok(Received::Signals(raised)) => raised,
        // How its children are, whoever has any sees for itself.
        _ => Signals::NONE,
    }
}

impl Start {
    /// Finds out. Signals that come meanwhile are added. Changes of children that come meanwhile
    /// need not be: who has any sees how they are.
    pub(super) fn find(mut raised: Signals) -> Self {
        let Ok(disk) = calls::find(CapabilityKind::Call, ServiceId::from_name("statefsd")) else {
            return Self { boot: calls::info().incarnation.raw(), keep: Keep::Nothing, raised };
        };
        let boot = run(disk, &mut raised).unwrap_or(0);
        let is_aside = raised.has(SET_ASIDE);
        Self { boot, keep: if is_aside { Keep::FilesAside } else { Keep::Files }, raised }
    }
}

/// What statefsd says of the disk.
enum Answer {
    /// The run of the store, the lower half of the epoch.
    Run(u32),
    /// It may say more in a while.
    Later,
    /// It will not.
    Never,
}

/// Asks until there is an answer, for as long as our patience lasts.
fn run(disk: Slot, raised: &mut Signals) -> Option<u32> {
    let clock = Clock::new();
    let until = clock.in_millis(PATIENCE_MILLIS);
    loop {
        match hello(disk, until) {
            Answer::Run(run) => return Some(run),
            Answer::Later if clock.ticks() < until => {}
            Answer::Later | Answer::Never => return None,
        }
        if let Ok(Received::Signals(more)) = calls::wait(clock.in_millis(PAUSE_MILLIS)) {
            *raised = raised.with(more);
        }
    }
}

fn hello(disk: Slot, until: u64) -> Answer {
    let (mut out, mut answer) = ([0; FRAME_BYTES_MAX], [0; FRAME_BYTES_MAX]);
    let Ok(frame) = encode(&Request::Hello, 1, &mut out) else { return Answer::Never };
    // Who does not serve now may have died, and lives again.
    let Ok(length) = calls::call(disk, frame, &mut answer, until) else { return Answer::Later };
    match decode_reply(Op::Hello, 1, answer.get(..length).unwrap_or_default()) {
        Some((FileStatus::Ok, Reply::Hello(hello))) => Answer::Run(hello.epoch as u32),
        Some((FileStatus::NotReady | FileStatus::Busy | FileStatus::RateLimited, _)) => {
            Answer::Later
        }
        _ => Answer::Never,
    }
}
