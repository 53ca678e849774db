//! What may be read with the right to: series, live spans, the ledger.

use nexus_abi::{FRAME_BYTES_MAX, Rights};
use nexus_port::World;
use nexus_wire::metrics::{Moment, Range, Request, ScrapeWriter, SpansWriter};
use nexus_wire::{AuditReply, MetricStatus, Reason};

use crate::registry::ViewScratch;
use crate::service::{Asked, Metricsd, reply};

impl Metricsd {
    pub(crate) fn read(&mut self, asked: &Asked, request: &Request<'_>, world: &mut impl World) {
        if !asked.sender.rights.has(Rights::SCRAPE) {
            return self.refuse(asked, Reason::Denied, world);
        }
        // Before the answer is written: it may be the ledger.
        self.senders.answered(asked.slot);
        if let Request::Scrape { cursor: 0, .. } = request {
            self.refresh_gauges(asked.now);
        }
        let mut out = [0; FRAME_BYTES_MAX];
        let frame = match request {
            Request::Scrape { cursor, with_help } => {
                self.scrape(asked, *cursor, *with_help, &mut out)
            }
            Request::Spans { cursor } => self.live_spans(asked, *cursor, &mut out),
            Request::Audit { cursor } => self.audit(asked, *cursor, &mut out),
            Request::Status => self.status(asked, &mut out, world),
            Request::Range(range) => return self.range(asked, range, world),
            _ => None,
        };
        match frame {
            Some(frame) => world.reply(asked.token, frame),
            None => reply(asked, MetricStatus::InvalidArgs, world),
        }
    }

    fn scrape<'b>(
        &self,
        asked: &Asked,
        cursor: u32,
        with_help: bool,
        out: &'b mut [u8],
    ) -> Option<&'b [u8]> {
        let mut scratch = ViewScratch::new();
        let mut writer = ScrapeWriter::new(asked.nonce, self.boot, asked.now.0, out);
        for row in cursor..self.registry.capacity() {
            let Some(mut view) = self.registry.view(row, &mut scratch) else { continue };
            if !with_help {
                view.help = "";
            }
            if !writer.series(&view) {
                return writer.finish(row).ok();
            }
        }
        writer.finish(0).ok()
    }

    /// Answered at once or when the disk has been read.
    fn range(&mut self, asked: &Asked, range: &Range<'_>, world: &mut impl World) {
        let at = Moment { boot: self.boot, mono_ns: asked.now.0 };
        let question = (asked.token, asked.nonce);
        let refused = match &mut self.retention {
            None => Err(MetricStatus::NotFound),
            Some(retention) => retention.answer(question, range, at, world),
        };
        if let Err(status) = refused {
            reply(asked, status, world);
        }
    }

    fn live_spans<'b>(&self, asked: &Asked, cursor: u32, out: &'b mut [u8]) -> Option<&'b [u8]> {
        let mut writer = SpansWriter::new(asked.nonce, asked.now.0, out);
        let next = self.spans.live(cursor, &mut writer);
        writer.finish(next).ok()
    }

    fn audit<'b>(&mut self, asked: &Asked, cursor: u32, out: &'b mut [u8]) -> Option<&'b [u8]> {
        let Self { senders, registry, .. } = self;
        let from = usize::try_from(cursor).ok()?;
        let end = from.saturating_add(AuditReply::ROWS_MAX);
        let more = senders.slots().nth(end).is_some();
        let next = if more { u32::try_from(end).ok()? } else { 0 };
        let slots = senders.slots().skip(from).take(AuditReply::ROWS_MAX);
        let rows = slots.map(|slot| senders.row(slot, registry.kept(slot), asked.now));
        AuditReply::encode_metricsd(asked.nonce, next, rows, out).ok()
    }
}
