use nexus_abi::kernel::{CALLS_MAX, KernelError, PAGE_BYTES, Received};
use nexus_abi::{FRAME_BYTES_MAX, Incarnation};

use crate::ProcessId;

/// Memory of a process as the machine reaches it: a frame at most, so two pages at most. Made once,
/// when the process names it; nothing that is mapped is ever unmapped while its process lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Where it begins.
    first: u64,
    /// The number of its second page, if it has one.
    second: u32,
    /// How many bytes lie in the first page.
    in_first: u16,
    bytes: u16,
}

const _: () = assert!(size_of::<Extent>() == 16, "it fits two registers");
const _: () = assert!(FRAME_BYTES_MAX <= u16::MAX as usize);

impl Extent {
    /// Nothing.
    pub const EMPTY: Self = Self { first: 0, second: 0, in_first: 0, bytes: 0 };

    /// `bytes` from `first` on, without a gap; at most a frame.
    #[must_use]
    #[inline]
    pub const fn whole(first: u64, bytes: usize) -> Self {
        Self { first, second: 0, in_first: bytes as u16, bytes: bytes as u16 }
    }

    /// `bytes`, of which `in_first` lie from `first` on and the others from the beginning of page
    /// `second` on; at most a frame.
    #[must_use]
    #[inline]
    pub const fn split(first: u64, in_first: usize, second: u32, bytes: usize) -> Self {
        Self { first, second, in_first: in_first as u16, bytes: bytes as u16 }
    }

    /// How long it is.
    #[must_use]
    #[inline]
    pub const fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Whether there is nothing in it.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Where byte `offset` lies, and how many bytes follow it without a gap.
    #[inline]
    const fn piece(&self, offset: usize) -> (u64, usize) {
        let in_first = self.in_first as usize;
        if offset < in_first {
            (self.first + offset as u64, in_first - offset)
        } else {
            let second = self.second as u64 * PAGE_BYTES as u64;
            (second + (offset - in_first) as u64, self.bytes as usize - offset)
        }
    }

    /// Hands the first `bytes` of both to `copy`, in pieces without gaps: from, to, length.
    /// Neither extent is shorter.
    #[inline(always)]
    pub fn pieces(&self, to: &Self, bytes: usize, copy: impl FnMut(u64, u64, usize)) {
        debug_assert!(bytes <= self.bytes() && bytes <= to.bytes(), "both have that many");
        if bytes <= usize::from(self.in_first.min(to.in_first)) {
            let mut copy = copy;
            copy(self.first, to.first, bytes);
        } else {
            self.split_pieces(to, bytes, copy);
        }
    }

    #[inline(never)]
    fn split_pieces(&self, to: &Self, bytes: usize, mut copy: impl FnMut(u64, u64, usize)) {
        let mut done = 0;
        while done < bytes {
            let ((source, left), (target, room)) = (self.piece(done), to.piece(done));
            let length = left.min(room).min(bytes - done);
            copy(source, target, length);
            done += length;
        }
    }
}

/// Slots for calls, as a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Slots(u8);

const _: () = assert!(CALLS_MAX <= u8::BITS as usize);

impl Slots {
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) const fn has(self, slot: usize) -> bool {
        self.0 >> (slot % CALLS_MAX) & 1 == 1
    }

    #[inline]
    pub(crate) const fn insert(&mut self, slot: usize) {
        self.0 |= 1 << (slot % CALLS_MAX);
    }

    #[inline]
    pub(crate) const fn remove(&mut self, slot: usize) {
        self.0 &= !(1 << (slot % CALLS_MAX));
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The lowest slot that is not in the set.
    #[inline]
    pub(crate) fn first_without(self) -> Option<usize> {
        (0..CALLS_MAX).find(|&slot| !self.has(slot))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..CALLS_MAX).filter(move |&slot| self.has(slot))
    }
}

/// A slot for a call under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) callee: ProcessId,
    /// Counts the uses of the slot over all lives, so that no token is ever right again.
    generation: u32,
    /// When it came to its stage, among the calls of its process.
    pub(crate) order: u32,
    pub(crate) tag: u64,
    pub(crate) request: Extent,
    pub(crate) answer: Extent,
    pub(crate) result: Result<usize, KernelError>,
    pub(crate) incarnation: Incarnation,
}

/// What a process asks of a callee.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submission {
    pub(crate) callee: ProcessId,
    pub(crate) tag: u64,
    pub(crate) request: Extent,
    pub(crate) answer: Extent,
}

impl Call {
    pub(crate) const FREE: Self = Self {
        callee: ProcessId::FIRST,
        generation: 0,
        order: 0,
        tag: 0,
        request: Extent::EMPTY,
        answer: Extent::EMPTY,
        result: Ok(0),
        incarnation: Incarnation::new(0),
    };

    #[inline]
    pub(crate) fn submit(&mut self, what: &Submission, order: u32) {
        self.callee = what.callee;
        self.generation = self.generation.wrapping_add(1);
        self.order = order;
        self.tag = what.tag;
        self.request = what.request;
        self.answer = what.answer;
        self.incarnation = Incarnation::new(0);
    }

    /// What its caller receives of its end.
    #[inline(always)]
    pub(crate) const fn completion(&self, result: Result<usize, KernelError>) -> Received {
        Received::Completion { tag: self.tag, result, incarnation: self.incarnation }
    }

    #[inline]
    pub(crate) fn end(&mut self, result: Result<usize, KernelError>, order: u32) {
        self.result = result;
        self.order = order;
    }
}

/// Names a call that a callee has received: generation, caller and slot.
#[derive(Clone, Copy)]
pub(crate) struct Token {
    pub(crate) caller: ProcessId,
    pub(crate) slot: usize,
    generation: u32,
}

impl Token {
    #[inline]
    pub(crate) const fn of(caller: ProcessId, slot: usize, call: &Call) -> Self {
        Self { caller, slot, generation: call.generation }
    }

    #[inline]
    pub(crate) const fn raw(self) -> u64 {
        (self.generation as u64) << 32 | (self.caller.index() as u64) << 16 | self.slot as u64
    }

    #[inline]
    pub(crate) const fn from_raw(raw: u64) -> Option<Self> {
        let slot = (raw & 0xffff) as usize;
        match ProcessId::new((raw >> 16 & 0xffff) as usize) {
            Some(caller) if slot < CALLS_MAX => {
                Some(Self { caller, slot, generation: (raw >> 32) as u32 })
            }
            _ => None,
        }
    }

    /// Whether it names `call`, which `callee` was asked.
    #[inline]
    pub(crate) fn names(self, call: &Call, callee: ProcessId) -> bool {
        call.callee == callee && call.generation == self.generation
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = PAGE_BYTES;

    /// An extent that begins `at` bytes into a page; its second page lies far from its first.
    fn extent(page: u64, at: usize, bytes: usize) -> Extent {
        let first = page * PAGE as u64 + at as u64;
        Extent::split(first, bytes.min(PAGE - at), page as u32 + 0x100, bytes)
    }

    /// The address of byte `offset`, found the slow way.
    fn address(extent: &Extent, offset: usize) -> u64 {
        let at = extent.first as usize % PAGE + offset;
        let second = u64::from(extent.second) * PAGE as u64;
        if at < PAGE { extent.first + offset as u64 } else { second + (at - PAGE) as u64 }
    }

    proptest! {
        #[test]
        fn the_pieces_are_all_bytes_in_order(
            from_at in 0..PAGE, to_at in 0..PAGE, from_bytes in 0..=PAGE, to_bytes in 0..=PAGE,
        ) {
            let (from, to) = (extent(1, from_at, from_bytes), extent(9, to_at, to_bytes));
            let bytes = from_bytes.min(to_bytes);
            let mut copied = Vec::new();
            let mut pieces = 0;
            from.pieces(&to, bytes, |source, target, length| {
                pieces += 1;
                copied.extend((0..length as u64).map(|n| (source + n, target + n)));
            });
            let expected = (0..bytes).map(|n| (address(&from, n), address(&to, n)));
            prop_assert_eq!(copied, expected.collect::<Vec<_>>());
            prop_assert!(pieces <= 3);
        }
    }

    #[test]
    fn a_token_is_right_for_one_use_of_one_slot() {
        let what = Submission {
            callee: ProcessId::FIRST,
            tag: 0,
            request: Extent::EMPTY,
            answer: Extent::EMPTY,
        };
        let mut call = Call::FREE;
        call.submit(&what, 1);
        let token = Token::of(ProcessId::FIRST, 3, &call).raw();
        assert!(Token::from_raw(token).unwrap().names(&call, ProcessId::FIRST));
        call.submit(&what, 2);
        assert!(!Token::from_raw(token).unwrap().names(&call, ProcessId::FIRST));
        assert!(Token::from_raw(token | 0xffff).is_none());
        assert!(Token::from_raw(token | 0xffff << 16).is_none());
    }
}
