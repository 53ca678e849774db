use nexus_abi::Incarnation;
use nexus_abi::kernel::{CALLS_MAX, KernelError};

use crate::ProcessId;

/// Memory of a process as the machine reaches it: a frame at most, so two pages at most. Made once,
/// when the process names it; nothing that is mapped is ever unmapped while its process lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Where it begins.
    pub first: u64,
    /// Where its second page begins, if it has one.
    pub second: u64,
    /// How long it is.
    pub bytes: usize,
}

const PAGE: usize = nexus_abi::kernel::PAGE_BYTES;

impl Span {
    /// Where byte `offset` lies, and how many bytes follow it without a gap.
    #[inline]
    fn piece(&self, offset: usize) -> (u64, usize) {
        let in_first = self.bytes.min(PAGE - self.first as usize % PAGE);
        if offset < in_first {
            (self.first + offset as u64, in_first - offset)
        } else {
            (self.second + (offset - in_first) as u64, self.bytes - offset)
        }
    }

    /// Hands the first `bytes` of both to `copy`, in pieces without gaps: from, to, length.
    /// Neither span is shorter.
    #[inline]
    pub fn pieces(&self, to: &Self, bytes: usize, mut copy: impl FnMut(u64, u64, usize)) {
        debug_assert!(bytes <= self.bytes && bytes <= to.bytes, "both have that many");
        let mut done = 0;
        while done < bytes {
            let ((source, left), (target, room)) = (self.piece(done), to.piece(done));
            let length = left.min(room).min(bytes - done);
            copy(source, target, length);
            done += length;
        }
    }
}

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The slot is free.
    Free,
    /// The callee has not received it.
    Submitted,
    /// The callee has received it and owes an answer.
    Taken,
    /// It has ended, and its caller has not received that.
    Done,
}

/// A slot for a call under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) stage: Stage,
    pub(crate) callee: ProcessId,
    /// Counts the uses of the slot over all lives, so that no token is ever right again.
    generation: u32,
    /// When it came to its stage, among the calls of its process.
    pub(crate) order: u32,
    pub(crate) tag: u64,
    pub(crate) request: Span,
    pub(crate) answer: Span,
    pub(crate) result: Result<usize, KernelError>,
    pub(crate) incarnation: Incarnation,
}

/// What a process asks of a callee.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submission {
    pub(crate) callee: ProcessId,
    pub(crate) tag: u64,
    pub(crate) request: Span,
    pub(crate) answer: Span,
}

impl Call {
    pub(crate) const FREE: Self = Self {
        stage: Stage::Free,
        callee: ProcessId::FIRST,
        generation: 0,
        order: 0,
        tag: 0,
        request: Span { first: 0, second: 0, bytes: 0 },
        answer: Span { first: 0, second: 0, bytes: 0 },
        result: Ok(0),
        incarnation: Incarnation::new(0),
    };

    #[inline]
    pub(crate) fn submit(&mut self, what: &Submission, order: u32) {
        self.stage = Stage::Submitted;
        self.callee = what.callee;
        self.generation = self.generation.wrapping_add(1);
        self.order = order;
        self.tag = what.tag;
        self.request = what.request;
        self.answer = what.answer;
        self.incarnation = Incarnation::new(0);
    }

    #[inline]
    pub(crate) fn end(&mut self, result: Result<usize, KernelError>, order: u32) {
        self.stage = Stage::Done;
        self.result = result;
        self.order = order;
    }

    /// Whether `callee` has to do with it still.
    pub(crate) fn is_open_at(&self, callee: ProcessId) -> bool {
        self.callee == callee && matches!(self.stage, Stage::Submitted | Stage::Taken)
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

    /// Whether it names `call`, and `callee` owes its answer.
    #[inline]
    pub(crate) fn is_owed_by(self, callee: ProcessId, call: &Call) -> bool {
        call.stage == Stage::Taken && call.callee == callee && call.generation == self.generation
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// A span that begins `at` bytes into a page; its second page lies far from its first.
    fn span(page: u64, at: usize, bytes: usize) -> Span {
        Span { first: page + at as u64, second: page + 0x10_0000, bytes }
    }

    /// The address of byte `offset`, found the slow way.
    fn address(span: &Span, offset: usize) -> u64 {
        let at = span.first as usize % PAGE + offset;
        if at < PAGE { span.first + offset as u64 } else { span.second + (at - PAGE) as u64 }
    }

    proptest! {
        #[test]
        fn the_pieces_are_all_bytes_in_order(
            from_at in 0..PAGE, to_at in 0..PAGE, from_bytes in 0..=PAGE, to_bytes in 0..=PAGE,
        ) {
            let (from, to) = (span(0x1000, from_at, from_bytes), span(0x9000, to_at, to_bytes));
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
            request: Span::default(),
            answer: Span::default(),
        };
        let mut call = Call::FREE;
        call.submit(&what, 1);
        call.stage = Stage::Taken;
        let token = Token::of(ProcessId::FIRST, 3, &call).raw();
        assert!(Token::from_raw(token).unwrap().is_owed_by(ProcessId::FIRST, &call));
        call.submit(&what, 2);
        call.stage = Stage::Taken;
        assert!(!Token::from_raw(token).unwrap().is_owed_by(ProcessId::FIRST, &call));
        assert!(Token::from_raw(token | 0xffff).is_none());
        assert!(Token::from_raw(token | 0xffff << 16).is_none());
    }
}
