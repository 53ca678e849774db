//! A parent that ends, and whose next lives are told how its child ended until one acknowledges
//! that.

use nexus_abi::kernel::{CapabilityKind, Change, Received};
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_rt::os::calls::{self, Slot};

use crate::guests;
use crate::role::{self, slot};

/// Has one child, and does in each of its lives what is next.
pub(crate) const GUARDIAN: &str = "guardian";
/// Its child, which ends as soon as it begins.
pub(crate) const WARD: &str = "ward";

/// What the guardian does in its lives, in their order.
const LIVES: [fn(Slot) -> i32; 5] =
    [hears_an_end, is_told_again, starts_over_and_leaves, knows_of_both, is_told_nothing];

/// One life of the guardian: what it comes to, 0 if all was as promised.
pub(crate) fn guardian() -> i32 {
    let life = calls::info().incarnation.raw() as usize;
    let act = LIVES.get(life.wrapping_sub(1));
    act.map_or(-1, |act| act(slot(CapabilityKind::Child, WARD)))
}

/// Whether each life of the guardian sees what it has to.
pub(crate) fn ends_are_told_until_they_are_acknowledged() -> bool {
    LIVES.iter().all(|_| {
        let guardian = slot(CapabilityKind::Child, GUARDIAN);
        let begun = calls::spawn(guardian, Rights::NONE).is_ok();
        begun && guests::end_of(ServiceId::from_name(GUARDIAN)) == ExitReason::Exited(0)
    })
}

/// Whether the next thing, if there is one at all, is that end of the child.
fn hears(deadline: u64) -> bool {
    let service = ServiceId::from_name(WARD);
    let end = Received::Child { service, change: Change::Ended(ExitReason::Exited(0)) };
    calls::wait(deadline) == Ok(end)
}

/// How many ends are not acknowledged, and of which life the last one is.
fn ends(child: Slot) -> Option<(u32, u32)> {
    calls::child(child).ok().map(|now| (now.ends, now.incarnation.raw()))
}

fn starts(child: Slot) -> bool {
    calls::spawn(child, Rights::NONE).is_ok()
}

const SURE_TO_COME: u64 = nexus_abi::kernel::NEVER;
const AT_ONCE: u64 = 0;

fn hears_an_end(child: Slot) -> i32 {
    role::all([starts(child), hears(SURE_TO_COME), ends(child) == Some((1, 1)), !hears(AT_ONCE)])
}

/// And acknowledges it: no more than there is.
fn is_told_again(child: Slot) -> i32 {
    let is_told = [hears(AT_ONCE), ends(child) == Some((1, 1)), !hears(AT_ONCE)];
    let acknowledged = calls::acknowledge(child, u32::MAX).is_ok();
    role::all(is_told.into_iter().chain([acknowledged, ends(child) == Some((0, 1))]))
}

/// Ends twice with its child: the first of both ends is a number then.
fn starts_over_and_leaves(child: Slot) -> i32 {
    let nothing = !hears(AT_ONCE);
    let ended = [starts(child), hears(SURE_TO_COME), starts(child), hears(SURE_TO_COME)];
    role::all([nothing].into_iter().chain(ended))
}

fn knows_of_both(child: Slot) -> i32 {
    let known = [ends(child) == Some((2, 3)), hears(AT_ONCE), !hears(AT_ONCE)];
    let one = [calls::acknowledge(child, 1).is_ok(), ends(child) == Some((1, 3))];
    let both = [calls::acknowledge(child, 1).is_ok(), ends(child) == Some((0, 3))];
    role::all(known.into_iter().chain(one).chain(both))
}

fn is_told_nothing(child: Slot) -> i32 {
    role::all([!hears(AT_ONCE), ends(child) == Some((0, 3))])
}
