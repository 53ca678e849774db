//! Single updates, by name and by number, and starts and ends of spans.

use nexus_wire::metrics::{SpanEnd, SpanStart, Update};
use nexus_wire::{Kind, LABELS_BYTES_MAX, LabelBytes, NameBytes, Reason, SeriesId};

use crate::registry::{Key, Placed, Traits, Wanted};
use crate::service::{Asked, Metricsd, Taken};
use crate::sessions::GRACE_OVER;

impl Metricsd {
    #[inline]
    pub(crate) fn counter_inc(
        &mut self,
        asked: &Asked,
        update: &Update<'_, u64>,
    ) -> Result<Taken, Reason> {
        let key = key(asked, Kind::Counter, update.name, update.labels);
        if let Some(row) = self.registry.find(&key) {
            self.count_one(row, update.value);
            return Ok(Taken::Accepted);
        }
        self.counter_first_seen(asked, update)
    }

    #[cold]
    fn counter_first_seen(
        &mut self,
        asked: &Asked,
        update: &Update<'_, u64>,
    ) -> Result<Taken, Reason> {
        let (name, labels) = (update.name, update.labels);
        let placed = self.place(asked, Kind::Counter, name, labels, Traits::default())?;
        self.count_one(placed.row, update.value);
        Ok(placed.taken())
    }

    #[inline]
    fn count_one(&mut self, series: u32, value: u64) {
        self.own.single_updates += 1;
        self.registry.count(series, value, false);
    }

    #[inline]
    fn observe_one(&mut self, series: u32, value: u64) {
        self.own.single_updates += 1;
        self.registry.observe(series, value);
    }

    pub(crate) fn gauge_set(
        &mut self,
        asked: &Asked,
        update: &Update<'_, i64>,
    ) -> Result<Taken, Reason> {
        let placed = self.by_name(asked, Kind::Gauge, update.name, update.labels)?;
        self.registry.set(placed.row, update.value, false);
        Ok(placed.taken())
    }

    pub(crate) fn hist_observe(
        &mut self,
        asked: &Asked,
        update: &Update<'_, u64>,
    ) -> Result<Taken, Reason> {
        let placed = self.by_name(asked, Kind::Histogram, update.name, update.labels)?;
        self.observe_one(placed.row, update.value);
        Ok(placed.taken())
    }

    /// Where updates of a key go; a key that is first seen is looked at first.
    #[inline]
    fn by_name(
        &mut self,
        asked: &Asked,
        kind: Kind,
        name: NameBytes<'_>,
        labels: LabelBytes<'_>,
    ) -> Result<Placed, Reason> {
        let key = key(asked, kind, name, labels);
        match self.registry.find(&key) {
            Some(row) => Ok(Placed { row, folded: false }),
            None => self.place(asked, kind, name, labels, Traits::default()),
        }
    }

    /// Checks a key and gives it a series, or an overflow series.
    #[cold]
    pub(crate) fn place(
        &mut self,
        asked: &Asked,
        kind: Kind,
        name: NameBytes<'_>,
        labels: LabelBytes<'_>,
        traits: Traits<'_>,
    ) -> Result<Placed, Reason> {
        let mut scratch = [0; LABELS_BYTES_MAX];
        let key = self.keys.clean(&mut self.redactor, name, labels, &mut scratch)?;
        let placed = self.registry.place(&Wanted {
            owner: asked.slot,
            service: asked.sender.service(),
            kind,
            name: key.name,
            labels: key.labels,
            traits,
        })?;
        self.senders.redacted(asked.slot, u64::from(key.replaced));
        Ok(placed)
    }

    /// An update by number.
    #[inline]
    pub(crate) fn by_id(
        &mut self,
        asked: &Asked,
        id: SeriesId,
        value: u64,
    ) -> Result<Taken, Reason> {
        let found = self.sessions.registrations.find(id).ok_or(Reason::NotFound)?;
        let session = self.sessions.at(found.session);
        if session.owner != asked.slot {
            return Err(Reason::Identity);
        }
        if session.incarnation != asked.sender.incarnation {
            return Err(Reason::NotFound);
        }
        let (series, folded) = (found.series, found.folded);
        match found.kind {
            Kind::Counter => self.count_one(series, value),
            Kind::Gauge => self.registry.set(series, value.cast_signed(), false),
            Kind::Histogram if i64::try_from(value).is_ok() => self.observe_one(series, value),
            Kind::Histogram => return Err(Reason::Invalid),
        }
        Ok(if folded { Taken::Folded } else { Taken::Accepted })
    }

    /// The life that is speaking, made if need be.
    ///
    /// # Errors
    /// `NotReady`: there are too many.
    pub(crate) fn session(&mut self, asked: &Asked) -> Result<u32, Reason> {
        let incarnation = asked.sender.incarnation;
        if let Some(session) = self.sessions.find(asked.slot, incarnation) {
            return Ok(session);
        }
        if let Some(lost) = self.sessions.in_the_way(asked.slot) {
            self.end_session(lost, GRACE_OVER, asked.now);
            self.hurry();
        }
        self.sessions.open(asked.slot, incarnation)
    }

    pub(crate) fn span_start(
        &mut self,
        asked: &Asked,
        start: &SpanStart<'_>,
    ) -> Result<Taken, Reason> {
        self.session(asked)?;
        let owner = asked.span_owner();
        let accepted = self.spans.start(&owner, start, asked.now, &mut self.redactor)?;
        self.senders.redacted(asked.slot, u64::from(accepted.redacted));
        self.hurry();
        Ok(Taken::Accepted)
    }

    pub(crate) fn span_end(&mut self, asked: &Asked, end: &SpanEnd<'_>) -> Result<Taken, Reason> {
        let owner = asked.span_owner();
        let (redactor, exporter) = (&mut self.redactor, &mut self.exporter);
        let accepted = self.spans.end(&owner, end, asked.now, redactor, exporter)?;
        self.senders.redacted(asked.slot, u64::from(accepted.redacted));
        self.hurry();
        Ok(Taken::Accepted)
    }
}

impl Placed {
    pub(crate) const fn taken(self) -> Taken {
        if self.folded { Taken::Folded } else { Taken::Accepted }
    }
}

#[inline]
const fn key<'a>(
    asked: &Asked,
    kind: Kind,
    name: NameBytes<'a>,
    labels: LabelBytes<'a>,
) -> Key<'a> {
    Key { owner: asked.slot, kind, name: name.as_bytes(), labels: labels.as_bytes() }
}
