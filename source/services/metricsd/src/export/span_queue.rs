//! Ended spans that wait for logd.

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{ExitReason, Incarnation, ServiceId};
use nexus_bounded::ByteQueue;
use nexus_gate::SenderSlot;
use nexus_wire::{LABELS_BYTES_MAX, NAME_BYTES_MAX, SpanId, SpanStatus, TraceId, WideTraceId};

use crate::spans::{EndReason, EndedSpan};

/// Bytes of an entry before its texts.
const HEAD: usize = 2 + 8 + 4 + 16 + 4 * 8 + 3 + 4;
/// What the queue adds to each entry.
const QUEUE_HEAD: usize = 4;
/// Bytes of an entry, at most.
pub(super) const ENTRY_MAX: usize = HEAD + NAME_BYTES_MAX + LABELS_BYTES_MAX;

/// A bounded queue in which everybody finds room: nobody may fill it with more than it leaves free,
/// so one flooding sender takes half of it, two take a third each (dynamic thresholds, Choudhury
/// and Hahne 1998).
pub(super) struct SpanQueue {
    entries: ByteQueue,
    capacity: usize,
    /// Bytes queued under each seat.
    used: Box<[usize]>,
}

impl SpanQueue {
    pub(super) fn new(capacity: u32, senders: u32) -> Self {
        let capacity = capacity as usize;
        let used = vec![0; senders as usize + 1].into_boxed_slice();
        Self { entries: ByteQueue::new(capacity), capacity, used }
    }

    pub(super) const fn bytes(capacity: u32, senders: u32) -> usize {
        capacity as usize + (senders as usize + 1) * size_of::<usize>()
    }

    /// Queues a span, or says `false` when its sender has no more room.
    pub(super) fn push(&mut self, slot: SenderSlot, span: &EndedSpan<'_>) -> bool {
        let mut entry = [0; ENTRY_MAX];
        let Some(entry) = encode(slot.index(), span, &mut entry) else { return false };
        let Some(used) = self.used.get_mut(slot.index()) else { return false };
        let before = self.entries.used_bytes();
        let cost = entry.len() + QUEUE_HEAD;
        if *used + cost > self.capacity.saturating_sub(before + cost) || !self.entries.push(entry) {
            return false;
        }
        *used += cost;
        true
    }

    /// The oldest span, taken out.
    pub(super) fn pop<'a>(&mut self, buffer: &'a mut [u8; ENTRY_MAX]) -> Option<EndedSpan<'a>> {
        let before = self.entries.used_bytes();
        let (slot, span) = decode(self.entries.peek(buffer)?)?;
        self.entries.pop();
        if let Some(used) = self.used.get_mut(slot) {
            *used -= before - self.entries.used_bytes();
        }
        Some(span)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Spans that wait.
    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn used_bytes(&self) -> usize {
        self.entries.used_bytes()
    }
}

const fn reason_to_raw(reason: Option<EndReason>) -> (u8, u32) {
    match reason {
        None => (0, 0),
        Some(EndReason::Ttl) => (1, 0),
        Some(EndReason::Evicted) => (2, 0),
        Some(EndReason::Gone(ExitReason::Disconnected)) => (3, 0),
        Some(EndReason::Gone(ExitReason::Exited(code))) => (4, code.cast_unsigned()),
        Some(EndReason::Gone(ExitReason::Killed(signal))) => (5, signal),
    }
}

const fn reason_from_raw(tag: u8, detail: u32) -> Option<EndReason> {
    match tag {
        1 => Some(EndReason::Ttl),
        2 => Some(EndReason::Evicted),
        3 => Some(EndReason::Gone(ExitReason::Disconnected)),
        4 => Some(EndReason::Gone(ExitReason::Exited(detail.cast_signed()))),
        5 => Some(EndReason::Gone(ExitReason::Killed(detail))),
        _ => None,
    }
}

fn encode<'a>(slot: usize, span: &EndedSpan<'_>, out: &'a mut [u8]) -> Option<&'a [u8]> {
    let (tag, detail) = reason_to_raw(span.reason);
    let fixed: [&[u8]; 12] = [
        &u16::try_from(slot).ok()?.to_ne_bytes(),
        &span.service.raw().to_ne_bytes(),
        &span.incarnation.raw().to_ne_bytes(),
        &span.trace.raw().to_ne_bytes(),
        &span.span.raw().to_ne_bytes(),
        &span.parent.raw().to_ne_bytes(),
        &span.start_ns.to_ne_bytes(),
        &span.end_ns.to_ne_bytes(),
        &[span.status.raw(), tag, u8::try_from(span.name.len()).ok()?],
        &detail.to_ne_bytes(),
        span.name.as_bytes(),
        span.attrs.as_bytes(),
    ];
    let mut len = 0;
    for piece in fixed {
        out.get_mut(len..len + piece.len())?.copy_from_slice(piece);
        len += piece.len();
    }
    out.get(..len)
}

/// Takes a number off the front.
fn number<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*front)
}

const fn wide(raw: u128) -> WideTraceId {
    let (boot, incarnation) = ((raw >> 96) as u32, Incarnation::new((raw >> 72) as u32));
    WideTraceId::new(boot, incarnation, (raw >> 64) as u8, TraceId::from_raw(raw as u64))
}

fn decode(mut entry: &[u8]) -> Option<(usize, EndedSpan<'_>)> {
    let from = &mut entry;
    let slot = usize::from(u16::from_ne_bytes(number(from)?));
    let service = ServiceId::from_raw(u64::from_ne_bytes(number(from)?));
    let incarnation = Incarnation::new(u32::from_ne_bytes(number(from)?));
    let trace = wide(u128::from_ne_bytes(number(from)?));
    let span = SpanId::from_raw(u64::from_ne_bytes(number(from)?));
    let parent = SpanId::from_raw(u64::from_ne_bytes(number(from)?));
    let start_ns = u64::from_ne_bytes(number(from)?);
    let end_ns = u64::from_ne_bytes(number(from)?);
    let [status, tag, name_len] = number(from)?;
    let status = SpanStatus::from_raw(status)?;
    let reason = reason_from_raw(tag, u32::from_ne_bytes(number(from)?));
    let (name, attrs) =
        core::str::from_utf8(entry).ok()?.split_at_checked(usize::from(name_len))?;
    let span = EndedSpan {
        service,
        incarnation,
        trace,
        span,
        parent,
        start_ns,
        end_ns,
        status,
        reason,
        name,
        attrs,
    };
    Some((slot, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(name: &str, reason: Option<EndReason>) -> EndedSpan<'_> {
        let service = ServiceId::from_name("execd");
        let incarnation = Incarnation::new(0x00ff_ffff);
        EndedSpan {
            service,
            incarnation,
            trace: WideTraceId::new(9, incarnation, 255, TraceId::new(service, 3)),
            span: SpanId::new(service, 4),
            parent: SpanId::NONE,
            start_ns: u64::MAX,
            end_ns: 1,
            status: SpanStatus::Abandoned,
            reason,
            name,
            attrs: "k=v\n",
        }
    }

    fn seats(count: u32) -> Vec<SenderSlot> {
        crate::export::tests::seats(count)
    }

    #[test]
    fn a_queued_span_comes_out_as_it_went_in() {
        let mut queue = SpanQueue::new(4096, 2);
        let reasons = [
            None,
            Some(EndReason::Ttl),
            Some(EndReason::Evicted),
            Some(EndReason::Gone(ExitReason::Disconnected)),
            Some(EndReason::Gone(ExitReason::Exited(-7))),
            Some(EndReason::Gone(ExitReason::Killed(9))),
        ];
        let slot = seats(1)[0];
        for reason in reasons {
            assert!(queue.push(slot, &span("exec.path", reason)));
        }
        let mut buffer = [0; ENTRY_MAX];
        for reason in reasons {
            assert_eq!(queue.pop(&mut buffer), Some(span("exec.path", reason)));
        }
        assert_eq!(queue.pop(&mut buffer), None);
        assert!(queue.used.iter().all(|used| *used == 0));
    }

    #[test]
    fn one_sender_cannot_fill_the_queue_for_the_others() {
        let mut queue = SpanQueue::new(4096, 2);
        let [greedy, modest] = *seats(2) else { panic!("two seats") };
        while queue.push(greedy, &span("flood", None)) {}
        assert!(queue.used_bytes() <= 2048);
        for _ in 0..8 {
            assert!(queue.push(modest, &span("once", None)));
        }
        let taken = queue.used_bytes();
        assert!(!queue.push(greedy, &span("flood", None)), "there is less room than it has");
        assert_eq!(queue.used_bytes(), taken);
    }
}
