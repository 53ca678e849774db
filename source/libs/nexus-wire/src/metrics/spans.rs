//! SPANS: spans that live now.
//!
//! Reply body: `next_cursor:u32 now_ns:u64 count:u16` and the spans. A span: `service:u64
//! incarnation:u32` and the body of `span_start`.

use nexus_abi::{Incarnation, ServiceId};

use crate::EncodeError;
use crate::bytes::{Reader, Writer, incarnation};
use crate::list::ListWriter;
use crate::metrics::request::{read_span_start, write_span_start};
use crate::metrics::{Op, SpanStart, begin_reply};

/// A span that has begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveSpan<'a> {
    /// Whose it is.
    pub service: ServiceId,
    /// Which life of the sender began it.
    pub incarnation: Incarnation,
    /// How it began.
    pub start: SpanStart<'a>,
}

impl<'a> LiveSpan<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            service: ServiceId::from_raw(from.u64()?),
            incarnation: incarnation(from)?,
            start: read_span_start(from).ok()?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.u64(self.service.raw());
        to.u32(self.incarnation.raw());
        write_span_start(to, &self.start);
    }
}

/// A decoded SPANS reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpansReply<'a> {
    /// Cursor of the next request; 0: that was all.
    pub next_cursor: u32,
    /// metricsd's time, monotonic ns.
    pub now_ns: u64,
    spans: &'a [u8],
}

impl<'a> SpansReply<'a> {
    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let next_cursor = from.u32()?;
        let now_ns = from.u64()?;
        let count = from.u16()?;
        let spans = from.rest();
        for _ in 0..count {
            LiveSpan::read(from)?;
        }
        Some(Self { next_cursor, now_ns, spans })
    }

    /// The spans, by place.
    pub fn spans(&self) -> impl Iterator<Item = LiveSpan<'a>> + 'a {
        let mut rest = Reader::new(self.spans);
        core::iter::from_fn(move || LiveSpan::read(&mut rest))
    }
}

/// Writes a SPANS reply.
#[derive(Debug)]
pub struct SpansWriter<'a> {
    list: ListWriter<'a>,
    cursor_at: usize,
}

impl<'a> SpansWriter<'a> {
    /// A reply at the front of `out`.
    #[must_use]
    pub fn new(nonce: u32, now_ns: u64, out: &'a mut [u8]) -> Self {
        let mut writer = begin_reply(Op::Spans, nonce, out);
        let cursor_at = writer.len();
        writer.u32(0);
        writer.u64(now_ns);
        Self { list: ListWriter::begin(writer), cursor_at }
    }

    /// Appends a span; `false` and nothing when it does not fit.
    #[must_use]
    pub fn span(&mut self, span: &LiveSpan<'_>) -> bool {
        self.list.entry(|to| span.write(to))
    }

    /// The frame; `next_cursor` 0 says that that was all.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(self, next_cursor: u32) -> Result<&'a [u8], EncodeError> {
        self.list.finish(|to| to.patch_u32(self.cursor_at, next_cursor))
    }
}
