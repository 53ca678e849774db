//! What a client library says besides single updates: HELLO, REGISTER, LOOKUP, BATCH.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_port::World;
use nexus_wire::metrics::{
    Batch, BatchAck, HelloReply, HistogramItem, Item, Lookup, Op, Register, Registered, Resume,
    ValueItem, bounds_to_bytes,
};
use nexus_wire::{
    BOUNDS_MAX, HELP_BYTES_MAX, Kind, LABELS_BYTES_MAX, MetricStatus, Reason, SeriesId,
};

use crate::keys;
use crate::registry::{Bounds, Key, Traits};
use crate::service::{Asked, Metricsd, Taken, status_of};
use crate::sessions::{Granted, rise};

/// What is to be said of all totals of a BATCH.
#[derive(Clone, Copy)]
struct Coming {
    /// They come after an outage.
    catchup: bool,
    /// What they add was told to an earlier epoch, whose windows have it.
    is_earlier: bool,
}

/// What a BATCH did, by items.
#[derive(Default)]
struct Tally {
    accepted: u64,
    folded: u64,
    refused: u32,
}

impl Metricsd {
    pub(crate) fn hello(&mut self, asked: &Asked, resume: Option<Resume>, world: &mut impl World) {
        let resumed = resume.is_some_and(|earlier| self.resume(asked, earlier));
        let incarnation = asked.sender.incarnation;
        let session = self.sessions.find(asked.slot, incarnation);
        let budget = self.senders.budget(asked.sender.service());
        let answer = HelloReply {
            epoch: self.boot,
            service: asked.sender.service(),
            incarnation,
            rights: asked.sender.rights,
            resumed,
            applied_seq: session.map_or(0, |session| self.sessions.at(session).applied_seq),
            events_per_s: budget.events_per_s,
            bytes_per_s: budget.bytes_per_s,
            now_ns: asked.now.0,
        };
        self.senders.answered(asked.slot);
        let mut out = [0; 64];
        if let Ok(frame) = answer.encode(asked.nonce, &mut out) {
            world.reply(asked.token, frame);
        }
    }

    /// Goes on with an earlier life, if it is there; whether or not, what it brings now has been
    /// held up.
    fn resume(&mut self, asked: &Asked, earlier: Resume) -> bool {
        let incarnation = asked.sender.incarnation;
        let known = earlier.epoch == self.boot;
        let found = self.sessions.find_resumable(asked.slot, earlier.incarnation).filter(|_| known);
        let Some(session) = found else {
            if let Ok(session) = self.session(asked) {
                self.sessions.at_mut(session).catchup = true;
            }
            return false;
        };
        let before = self.sessions.at(session).incarnation;
        if before != incarnation {
            if self.sessions.find(asked.slot, incarnation).is_some() {
                return false;
            }
            self.sessions.resume(session, earlier.incarnation, incarnation);
            self.spans.resume(asked.slot, before, *asked.sender);
        }
        let was_held_up = self.was_held_up();
        let life = self.sessions.at_mut(session);
        let silent = self.registry.clock().window_passed_since(life.last_batch);
        life.catchup |= silent || was_held_up;
        true
    }

    pub(crate) fn register(
        &mut self,
        asked: &Asked,
        register: &Register<'_>,
        world: &mut impl World,
    ) {
        let bounds = Bounds::new(register.bounds());
        let mut scratch = [0; HELP_BYTES_MAX];
        let granted = self.session(asked).and_then(|session| {
            let help = keys::clean_help(&mut self.redactor, register.help, &mut scratch)?;
            self.senders.redacted(asked.slot, u64::from(help.replaced));
            let traits = Traits {
                unit: Some(register.unit),
                bounds: (register.bounds().len() > 0).then_some(&bounds),
                help: help.text,
            };
            let placed =
                self.place(asked, register.kind, register.name, register.labels, traits)?;
            let (row, folded) = (placed.row, placed.folded);
            self.sessions.register(session, row, folded, &mut self.registry)
        });
        self.answer_registered(asked, Op::Register, granted, world);
    }

    pub(crate) fn lookup(&mut self, asked: &Asked, lookup: &Lookup<'_>, world: &mut impl World) {
        let granted = self.find_clean(asked, lookup).and_then(|row| {
            let session = self.session(asked)?;
            self.sessions.register(session, row, false, &mut self.registry)
        });
        self.answer_registered(asked, Op::Lookup, granted, world);
    }

    fn find_clean(&mut self, asked: &Asked, lookup: &Lookup<'_>) -> Result<u32, Reason> {
        let mut scratch = [0; LABELS_BYTES_MAX];
        let clean =
            self.keys.clean(&mut self.redactor, lookup.name, lookup.labels, &mut scratch)?;
        let key = Key {
            owner: asked.slot,
            kind: lookup.kind,
            name: clean.name.as_str().as_bytes(),
            labels: clean.labels.fields().as_str().as_bytes(),
        };
        self.registry.find(&key).ok_or(Reason::NotFound)
    }

    fn answer_registered(
        &mut self,
        asked: &Asked,
        op: Op,
        granted: Result<Granted, Reason>,
        world: &mut impl World,
    ) {
        let granted = match granted {
            Ok(granted) => granted,
            Err(reason) => return self.refuse(asked, reason, world),
        };
        self.senders.answered(asked.slot);
        let found = self.sessions.registrations.find(granted.id);
        let bounds = found.and_then(|found| self.registry.bounds(found.series));
        let bounds = bounds.map_or(&[][..], |bounds| bounds.as_slice());
        let mut words = [0; BOUNDS_MAX * 8];
        let status = if granted.folded { MetricStatus::Folded } else { MetricStatus::Ok };
        let answer = bounds_to_bytes(bounds, &mut words)
            .and_then(|bounds| Registered::new(granted.id, bounds));
        let mut out = [0; FRAME_BYTES_MAX];
        if let Some(Ok(frame)) =
            answer.map(|answer| answer.encode(op, status, asked.nonce, &mut out))
        {
            world.reply(asked.token, frame);
        }
    }

    #[inline(never)]
    pub(crate) fn batch(&mut self, asked: &Asked, batch: &Batch<'_>, world: &mut impl World) {
        let items = u64::from(batch.len());
        let session = match self.session(asked) {
            Ok(session) => session,
            Err(reason) => {
                self.refused(asked.slot, reason, items.max(1), world);
                return self.acknowledge(asked, status_of(asked.op, reason), world);
            }
        };
        let applied = self.sessions.at(session).applied_seq;
        let is_repeat = batch.seq <= applied;
        if !is_repeat && batch.seq != applied.wrapping_add(1) {
            self.refused(asked.slot, Reason::NotReady, items.max(1), world);
            return self.acknowledge(asked, MetricStatus::OutOfOrder, world);
        }
        if items == 0 {
            self.senders.answered(asked.slot);
        }
        if is_repeat {
            self.senders.repeated(asked.slot, items);
        } else {
            self.apply(asked, session, batch, world);
        }
        self.acknowledge(asked, MetricStatus::Ok, world);
    }

    fn apply(&mut self, asked: &Asked, session: u32, batch: &Batch<'_>, world: &mut impl World) {
        let life = self.sessions.at_mut(session);
        life.applied_seq = batch.seq;
        life.last_batch = asked.now;
        let catchup = core::mem::take(&mut life.catchup);
        if catchup {
            self.registry.note_catchup();
        }
        let before = self.registry.totals().recorded();
        let coming = Coming { catchup, is_earlier: batch.is_earlier() };
        let mut tally = self.values(asked, session, batch, coming, world);
        let mut items = batch.items().peekable();
        if items.peek().is_some() {
            self.hurry();
        }
        let mut recorded = None;
        for item in items {
            if let Item::Recorded(total) = item {
                recorded = Some(total);
            }
            let taken = self.item(asked, session, &item, coming);
            self.tally(&mut tally, asked, taken, world);
        }
        self.senders.accepted(asked.slot, tally.accepted);
        if tally.folded > 0 {
            self.folded(asked.slot, tally.folded, world);
        }
        let life = self.sessions.at_mut(session);
        life.refused_items = life.refused_items.saturating_add(tally.refused);
        let arrived = self.registry.totals().recorded().missing_in(before);
        life.taken = life.taken.plus(arrived);
        if let Some(recorded) = recorded {
            self.sessions.hear_recorded(session, recorded);
        }
    }

    /// Of the values first the many that are totals of plain counters, unless what they add is to
    /// be looked at one by one.
    fn values(
        &mut self,
        asked: &Asked,
        session: u32,
        batch: &Batch<'_>,
        coming: Coming,
        world: &mut impl World,
    ) -> Tally {
        let mut tally = Tally::default();
        if coming.is_earlier {
            for item in batch.values() {
                let taken = self.value(asked, session, &item, coming);
                self.tally(&mut tally, asked, taken, world);
            }
            return tally;
        }
        let heard = self.sessions.registrations.plain_counters();
        let others = self.registry.count_all(heard, session, batch.values(), coming.catchup);
        tally.accepted = batch.values().len() as u64 - others.len();
        for item in others.pick(batch.values()) {
            let taken = self.value(asked, session, &item, coming);
            self.tally(&mut tally, asked, taken, world);
        }
        tally
    }

    fn tally(
        &mut self,
        tally: &mut Tally,
        asked: &Asked,
        taken: Result<Taken, Reason>,
        world: &mut impl World,
    ) {
        match taken {
            Ok(Taken::Accepted) => tally.accepted += 1,
            Ok(Taken::Folded) => tally.folded += 1,
            Err(reason) => {
                tally.refused += 1;
                self.refused(asked.slot, reason, 1, world);
            }
        }
    }

    /// A gauge's value, a counter's total beyond a cap, or something wrong.
    fn value(
        &mut self,
        asked: &Asked,
        session: u32,
        item: &ValueItem,
        coming: Coming,
    ) -> Result<Taken, Reason> {
        let id = item.series.ok_or(Reason::NotFound)?;
        let Some(found) = self.sessions.registrations.find_own(id, session) else {
            return Err(self.why_not_own(asked, id));
        };
        let folded = found.folded;
        match found.kind {
            Kind::Counter => {
                let delta = rise(found.heard, item.value).ok_or(Reason::Invalid)?;
                found.heard = item.value;
                if delta > 0 {
                    self.registry.count(found.series, delta.cast_unsigned(), coming.catchup);
                }
                if coming.is_earlier {
                    self.registry.pass_over_count(found.series, delta.cast_unsigned());
                }
            }
            Kind::Gauge => {
                self.registry.set(found.series, item.value.cast_signed(), coming.catchup);
            }
            Kind::Histogram => return Err(Reason::Invalid),
        }
        Ok(if folded { Taken::Folded } else { Taken::Accepted })
    }

    /// Whose number it is decides how its use is counted.
    #[cold]
    fn why_not_own(&self, asked: &Asked, id: SeriesId) -> Reason {
        let found = self.sessions.registrations.find(id);
        let owner = found.map(|found| self.sessions.at(found.session).owner);
        if owner.is_some_and(|owner| owner != asked.slot) {
            Reason::Identity
        } else {
            Reason::NotFound
        }
    }

    fn item(
        &mut self,
        asked: &Asked,
        session: u32,
        item: &Item<'_>,
        coming: Coming,
    ) -> Result<Taken, Reason> {
        match item {
            Item::Histogram(item) => self.histogram(asked, session, item, coming),
            Item::Open(start) => self.span_start(asked, start),
            Item::Close(end) => self.span_end(asked, end),
            Item::Span(whole) => {
                let owner = asked.span_owner();
                let (redactor, exporter) = (&mut self.redactor, &mut self.exporter);
                let accepted = self.spans.whole(&owner, whole, asked.now, redactor, exporter)?;
                self.senders.redacted(asked.slot, u64::from(accepted.redacted));
                Ok(Taken::Accepted)
            }
            Item::Lost { reason, count } => {
                let new = self.sessions.new_losses(session, *reason, *count);
                self.senders.lost_by_client(asked.slot, new);
                Ok(Taken::Accepted)
            }
            // Compared when the whole BATCH has been applied; known before it is.
            Item::Recorded(_) | Item::Earlier => Ok(Taken::Accepted),
        }
    }

    fn histogram(
        &mut self,
        asked: &Asked,
        session: u32,
        item: &HistogramItem<'_>,
        coming: Coming,
    ) -> Result<Taken, Reason> {
        let Some(found) = self.sessions.registrations.find_own(item.series, session) else {
            return Err(self.why_not_own(asked, item.series));
        };
        let (series, folded) = (found.series, found.folded);
        let buckets = self.registry.buckets(series);
        let increase = self.sessions.registrations.hear(item, buckets)?;
        self.registry.observe_increase(series, &increase, coming.catchup);
        if coming.is_earlier {
            self.registry.pass_over_increase(series, &increase);
        }
        Ok(if folded { Taken::Folded } else { Taken::Accepted })
    }

    /// Answers a BATCH with where its life stands.
    pub(crate) fn acknowledge(
        &mut self,
        asked: &Asked,
        status: MetricStatus,
        world: &mut impl World,
    ) {
        let session = self.sessions.find(asked.slot, asked.sender.incarnation);
        let ack = session.map_or(BatchAck { applied_seq: 0, refused_items: 0 }, |session| {
            let life = self.sessions.at(session);
            BatchAck { applied_seq: life.applied_seq, refused_items: life.refused_items }
        });
        world.acknowledge(asked.token, &ack.encode(status, asked.nonce));
    }
}
