//! A client library's way to a service: calls of the kernel, one at a time.
#![expect(unsafe_code, reason = "memory that the kernel uses while we go on")]

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use nexus_abi::ServiceId;
use nexus_abi::kernel::CapabilityKind;
use nexus_port::{CallLink, Caller, SubmitError};

use super::calls::{self, Buffer};
use super::frames::{place, refused};
use crate::clients::Way;

/// A way to one service.
pub(super) type Link = CallLink<Line>;

/// A way to `service`; its calls are named by `tag`, which no other call of the process is. Takes
/// two frames of memory.
pub(super) fn link(service: &str, tag: u64) -> Link {
    let (request, answer) = (place().as_ptr().into(), place().as_ptr().into());
    CallLink::new(Line { to: ServiceId::from_name(service), tag, request, answer })
}

/// The calls of one link. Pointers, not references: the kernel may be at them. Atomic, because a
/// link is part of what a process has one of, which other worlds share among threads.
pub(super) struct Line {
    to: ServiceId,
    tag: u64,
    request: AtomicPtr<Buffer>,
    answer: AtomicPtr<Buffer>,
}

impl Caller for Line {
    fn is_known(&self) -> bool {
        calls::find(CapabilityKind::Call, self.to).is_ok()
    }

    fn submit(&mut self, frame: &[u8]) -> Result<(), SubmitError> {
        let to = calls::find(CapabilityKind::Call, self.to).map_err(|_| SubmitError::NotReady)?;
        // SAFETY: only `CallLink` has a line, and it submits when no call of it is under way: then
        // nobody else is at its places.
        let request = unsafe { &mut *self.request.load(Relaxed) };
        let request = request.get_mut(..frame.len());
        assert!(request.is_some(), "a client sends frames");
        let request = request.unwrap_or_default();
        request.copy_from_slice(frame);
        // SAFETY: both places stay for ever, and nobody touches them before the call has ended.
        unsafe { calls::submit(to, request, self.answer.load(Relaxed), self.tag) }.map_err(refused)
    }

    fn answer(&self, bytes: usize) -> &[u8] {
        // SAFETY: only `CallLink` has a line, and it asks for an answer when the call has ended and
        // before it makes another one.
        let answer = unsafe { &*self.answer.load(Relaxed) };
        answer.get(..bytes).unwrap_or_default()
    }
}

impl Way for Link {
    fn is_connected(&self) -> bool {
        CallLink::is_connected(self)
    }
}
