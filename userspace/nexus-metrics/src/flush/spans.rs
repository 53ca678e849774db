//! Spans on their way to metricsd.

use alloc::vec::Vec;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_wire::metrics::{Item, SpanEnd, SpanStart, WholeSpan};
use nexus_wire::{AttrBytes, NameBytes, SpanId, TraceId};

use super::draft::Draft;
use crate::attrs;
use crate::client::Client;
use crate::limits::OPEN_SPANS_MAX;
use crate::record::{AttrText, Record};

/// Which open spans metricsd has been told of, by lane and slot; 0: none.
pub(super) struct Spans {
    announced: Vec<[u32; OPEN_SPANS_MAX]>,
}

/// What turns this process's numbers into those of frames.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) service: ServiceId,
    /// To be added to the times of records.
    pub(super) offset: u64,
    pub(super) now: Mono,
    /// Spans that are open for longer than this are announced.
    pub(super) open_after: Nanos,
}

impl Spans {
    pub(super) const fn new() -> Self {
        Self { announced: Vec::new() }
    }

    /// metricsd knows of no open span any more.
    pub(super) fn forget_announced(&mut self) {
        self.announced.clear();
    }

    /// Forgets what is in the rings: it belongs to the process that this one was forked from.
    pub(super) fn discard(client: &Client) {
        for lane in client.lanes() {
            while let Some(record) = lane.ring.peek() {
                lane.ring.pop(&record);
            }
        }
    }

    /// Puts the finished spans of a lane into the draft, then the open ones that are to be
    /// announced. `None`: there is no lane from here on; `Some(false)`: the draft is full.
    pub(super) fn tell(
        &mut self,
        at: usize,
        client: &Client,
        frame: Frame,
        draft: &mut Draft<'_>,
    ) -> Option<bool> {
        if at >= client.lane_count() {
            return None;
        }
        let Some(lane) = client.lane(at) else { return Some(true) };
        if self.announced.len() <= at {
            self.announced.resize(at + 1, [0; OPEN_SPANS_MAX]);
        }
        let announced = self.announced.get_mut(at)?;
        while let Some(record) = lane.ring.peek() {
            if !tell_finished(&record, announced, client, frame, draft) {
                return Some(false);
            }
            lane.ring.pop(&record);
        }
        let told = lane.open_spans().all(|(slot, record)| match announced.get_mut(slot) {
            Some(known) if *known != record.head.span && frame.is_old(&record) => {
                let told = with_start(&record, record.shape.start_attrs, client, frame, |start| {
                    draft.item(&Item::Open(start))
                });
                if told {
                    *known = record.head.span;
                }
                told
            }
            _ => true,
        });
        Some(told)
    }
}

impl Frame {
    const fn absolute(&self, time: u64) -> u64 {
        time.saturating_add(self.offset)
    }

    fn is_old(&self, record: &Record) -> bool {
        self.now.since(Mono(self.absolute(record.head.start))) >= self.open_after
    }
}

/// Whole, or only its end if its start was announced.
fn tell_finished(
    record: &Record,
    announced: &mut [u32; OPEN_SPANS_MAX],
    client: &Client,
    frame: Frame,
    draft: &mut Draft<'_>,
) -> bool {
    let end_ns = frame.absolute(record.end);
    let known = announced
        .get_mut(usize::from(record.shape.slot))
        .filter(|known| **known == record.head.span);
    let Some(known) = known else {
        return with_start(record, record.shape.attrs, client, frame, |start| {
            draft.item(&Item::Span(WholeSpan { start, end_ns, status: record.shape.status }))
        });
    };
    let mut sorted = AttrText::EMPTY;
    let later =
        record.attrs.as_str().get(usize::from(record.shape.start_attrs)..).unwrap_or_default();
    let Some(attrs) = AttrBytes::new(attrs::sorted(later, &mut sorted)) else { return true };
    let span = SpanId::new(frame.service, record.head.span);
    let told =
        draft.item(&Item::Close(SpanEnd { span, end_ns, status: record.shape.status, attrs }));
    if told {
        *known = 0;
    }
    told
}

/// Lets `tell` tell the start of a span with the first `attrs` bytes of its attributes. A name
/// that there is none of cannot be told: `true`.
fn with_start(
    record: &Record,
    attrs: u16,
    client: &Client,
    frame: Frame,
    tell: impl FnOnce(SpanStart<'_>) -> bool,
) -> bool {
    let Some(name) = client.span_names().get(record.head.name) else { return true };
    let Some(name) = NameBytes::new(name.as_bytes()) else { return true };
    let mut sorted = AttrText::EMPTY;
    let lines = record.attrs.as_str().get(..usize::from(attrs)).unwrap_or_default();
    let Some(attrs) = AttrBytes::new(attrs::sorted(lines, &mut sorted)) else { return true };
    let parent = match record.head.parent {
        0 => SpanId::NONE,
        parent => SpanId::new(frame.service, parent),
    };
    tell(SpanStart {
        span: SpanId::new(frame.service, record.head.span),
        trace: TraceId::new(frame.service, record.head.trace),
        parent,
        start_ns: frame.absolute(record.head.start),
        name,
        attrs,
    })
}
