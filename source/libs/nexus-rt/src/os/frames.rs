//! Calls under way: what the kernel reads from and writes to while it has them.
#![expect(unsafe_code, reason = "memory that the kernel uses while we go on")]

extern crate alloc;

use alloc::boxed::Box;
use core::ptr::NonNull;

use nexus_abi::kernel::{CALLS_MAX, KernelError};
use nexus_port::{CallId, SubmitError};

use super::calls::{self, Buffer, Slot};

/// A buffer that lies in one page: such frames are copied fastest.
#[repr(align(4096))]
pub(super) struct Frame(pub(super) Buffer);

impl Frame {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self([0; size_of::<Buffer>()]))
    }
}

/// A buffer for the life of the process. A pointer, not a reference: the kernel may be at it.
pub(super) type Place = NonNull<Buffer>;

pub(super) fn place() -> Place {
    NonNull::from(&mut Box::leak(Frame::new()).0)
}

struct Call {
    /// The service's name for it, while it is under way.
    under_way: Option<CallId>,
    request: Place,
    answer: Place,
}

/// As many calls as the kernel carries, and a spare place, so that an answer can be lent while the
/// call that brought it is made anew.
pub(super) struct Calls {
    calls: [Call; CALLS_MAX],
    spare: Place,
}

/// Why the kernel has not taken a frame of ours.
pub(super) fn refused(error: KernelError) -> SubmitError {
    match error {
        KernelError::Busy => SubmitError::Busy,
        error => {
            assert!(error == KernelError::NotReady, "calls are made with frames");
            SubmitError::NotReady
        }
    }
}

/// The end of a call.
pub(super) struct Ended {
    pub(super) call: CallId,
    answer: Place,
}

impl Calls {
    pub(super) fn new() -> Self {
        let call = || Call { under_way: None, request: place(), answer: place() };
        Self { calls: core::array::from_fn(|_| call()), spare: place() }
    }

    /// Hands a copy of `frame` to the kernel.
    pub(super) fn submit(&mut self, to: Slot, id: CallId, frame: &[u8]) -> Result<(), KernelError> {
        let free = self.calls.iter_mut().enumerate().find(|(_, call)| call.under_way.is_none());
        let (tag, call) = free.ok_or(KernelError::Busy)?;
        // SAFETY: the call is not under way, so that nobody else is at its places.
        let request = unsafe { call.request.as_mut() };
        let request = request.get_mut(..frame.len()).ok_or(KernelError::TooLong)?;
        request.copy_from_slice(frame);
        // SAFETY: both places stay for ever, and nobody touches them before `ended`.
        unsafe { calls::submit(to, request, call.answer.as_ptr(), tag as u64) }?;
        call.under_way = Some(id);
        Ok(())
    }

    /// Takes back the places of a call that has ended; they are free from now on.
    pub(super) fn ended(&mut self, tag: u64) -> Option<Ended> {
        let call = self.calls.get_mut(usize::try_from(tag).ok()?)?;
        let id = call.under_way.take()?;
        core::mem::swap(&mut call.answer, &mut self.spare);
        Some(Ended { call: id, answer: self.spare })
    }
}

impl Ended {
    /// The answer; it stays until this is dropped, which is before the next call is received.
    pub(super) fn answer(&self, bytes: usize) -> &[u8] {
        // SAFETY: it is the spare place, which no call has before another one has ended.
        let whole = unsafe { self.answer.as_ref() };
        whole.get(..bytes).unwrap_or_default()
    }
}
