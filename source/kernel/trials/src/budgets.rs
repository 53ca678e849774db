//! Processes that ask for more memory than is left of their budgets: a refusal costs nothing.

use nexus_abi::kernel::{
    ADDRESS_RESOURCES, CapabilityKind, GROW_PAGES_MAX, KernelError, SystemCall,
};
use nexus_rt::os::calls;

use crate::hostile::ask;
use crate::role::{self, Case, slot};

pub(crate) const CASES: &[Case] = &[
    Case::exits("grows_by_what_it_cannot_pay", grows_by_what_it_cannot_pay),
    Case::exits("maps_what_it_cannot_pay", maps_what_it_cannot_pay),
];

fn left() -> usize {
    calls::info().pages_left
}

/// The heap has no page table yet, so as many pages as are left are one too many.
fn grows_by_what_it_cannot_pay() -> i32 {
    let before = left();
    let refused = [(); 2].map(|()| calls::grow(before) == Err(KernelError::NoMemory));
    let kept = left() == before;
    let fits = calls::grow(before - 1).is_ok();
    role::all([before <= GROW_PAGES_MAX, refused == [true; 2], kept, fits, left() == 0])
}

/// One page is left, and the region needs two page tables.
fn maps_what_it_cannot_pay() -> i32 {
    let region = slot(CapabilityKind::Shared, "wide");
    while left() > 1 && calls::grow(1).is_ok() {}
    let refused = [(); 2].map(|()| calls::map(region).err() == Some(KernelError::NoMemory));
    let place = ADDRESS_RESOURCES as u64;
    let is_nothing =
        ask(SystemCall::Receive, [place, 0, 0, 0, 0, 0]) == Err(KernelError::BadAddress);
    role::all([region.0 == 0, refused == [true; 2], is_nothing, left() == 1])
}
