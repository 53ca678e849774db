//! What a flusher does over a connection: it registers, collects what has changed, and sends it.

use core::ops::Deref;

use nexus_bounded::Mono;
use nexus_port::{SendError, Transport};
use nexus_wire::metrics::{Recorded, Request, encode};

use super::draft::Draft;
use super::pending::Asked;
use super::spans::{Frame, Spans};
use super::table::Table;
use super::{FIRST_STEP, Flush, Flusher, Link, Step};
use crate::client::Client;

impl<C: Deref<Target = Client>> Flusher<C> {
    /// Registers, collects and sends. `false`: the transport is full.
    pub(super) fn work(&mut self, now: Mono, transport: &mut impl Transport) -> bool {
        self.table.discover(&self.client);
        if now < self.paused_until {
            return true;
        }
        let sent =
            self.register(now, transport).and_then(|()| self.collect_and_send(now, transport));
        if sent == Err(SendError::Closed) {
            self.disconnect(now, transport);
        }
        sent != Err(SendError::Full)
    }

    fn register(&mut self, now: Mono, transport: &mut impl Transport) -> Result<(), SendError> {
        while self.pending.has_room()
            && let Some(at) = self.table.wanted()
        {
            let nonce = self.pending.nonce();
            let mut result = Ok(());
            let asked = self.table.register(at, |register| {
                let frame = encode(&Request::Register(*register), nonce, &mut self.frame);
                result = frame.map_or(Ok(()), |frame| transport.send(frame));
                result.is_ok()
            });
            result?;
            if asked {
                self.pending.push(nonce, now, Asked::Register(at));
            }
        }
        Ok(())
    }

    fn collect_and_send(
        &mut self,
        now: Mono,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        self.collect(now);
        while self.send_unsent(now, transport)? {
            self.collect(now);
        }
        Ok(())
    }

    /// Fills the outbox with what a flush that is due, or under way, has to tell. It waits for the
    /// answers to REGISTER, but not for ever: then it tells what it can and stays due.
    fn collect(&mut self, now: Mono) {
        if let Flush::Waiting { next_at } = self.flush
            && next_at <= now
        {
            let interval = self.pace.interval;
            let complete = self.table.is_registered();
            self.recorded = complete.then(|| self.table.recorded(&self.client));
            if complete {
                self.flush = Flush::Running { next: FIRST_STEP, then: now.after(interval) };
            } else if next_at.after(interval) <= now {
                self.flush = Flush::Running { next: FIRST_STEP, then: next_at };
            }
        }
        let (Link::Up { items_per_batch }, Some(life)) = (self.link, self.life) else { return };
        let offset = self.offset.unwrap_or(0);
        let open_after = self.pace.open_after;
        let frame = Frame { service: life.service, offset, now, open_after };
        let recorded = self.recorded;
        while let Flush::Running { next, then } = self.flush
            && self.outbox.has_room()
        {
            let (seq, nonce) = (self.outbox.next_seq(), self.pending.nonce());
            let mut rest = Some(next);
            let (table, spans, client) = (&mut self.table, &mut self.spans, &*self.client);
            // What a former epoch was told has BATCHes of its own, which take an item to say so.
            let is_earlier = items_per_batch > 1 && table.has_earlier();
            self.outbox.add(nonce, |out| {
                if is_earlier {
                    let mut draft = Draft::earlier(seq, nonce, items_per_batch, out);
                    table.tell_earlier(&mut draft);
                    return draft.finish();
                }
                let mut draft = Draft::new(seq, nonce, items_per_batch, out);
                rest = tell(next, table, spans, client, (frame, recorded), &mut draft);
                draft.finish()
            });
            self.flush = match rest {
                Some(next) => Flush::Running { next, then },
                None => Flush::Waiting { next_at: then },
            };
        }
    }

    /// Sends the next BATCH, if there is one and its turn has come.
    fn send_unsent(
        &mut self,
        now: Mono,
        transport: &mut impl Transport,
    ) -> Result<bool, SendError> {
        if !self.pending.has_room() {
            return Ok(false);
        }
        let Some(frame) = self.outbox.unsent() else { return Ok(false) };
        transport.send(frame.bytes)?;
        self.pending.push(frame.nonce, now, Asked::Batch { pass: self.pass });
        self.outbox.note_sent();
        Ok(true)
    }
}

/// Puts as much as fits into the draft, from `next` on; returns where to go on, `None` at the end.
fn tell(
    next: Step,
    table: &mut Table,
    spans: &mut Spans,
    client: &Client,
    (frame, recorded): (Frame, Option<Recorded>),
    draft: &mut Draft<'_>,
) -> Option<Step> {
    let mut next = next;
    loop {
        let (told, following) = match next {
            Step::Values(at) if at < table.len() => {
                (table.tell(at, false, client, draft), Step::Values(at + 1))
            }
            Step::Values(_) => (true, Step::Histograms(0)),
            Step::Histograms(at) if at < table.len() => {
                (table.tell(at, true, client, draft), Step::Histograms(at + 1))
            }
            Step::Histograms(_) => (true, Step::Recorded),
            Step::Recorded => {
                (recorded.is_none_or(|all| table.tell_recorded(all, draft)), Step::Losses)
            }
            Step::Losses => (table.tell_losses(client, draft), Step::Spans(0)),
            Step::Spans(at) => (spans.tell(at, client, frame, draft)?, Step::Spans(at + 1)),
        };
        if !told {
            return Some(next);
        }
        next = following;
    }
}
