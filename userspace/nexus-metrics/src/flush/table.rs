//! What metricsd knows of our series, and what it is told next.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use nexus_wire::metrics::{
    HistogramItem, Item, Recorded, Register, SparseBuckets, bounds_to_bytes,
};
use nexus_wire::{BOUNDS_MAX, Help, Kind, LabelBytes, LossReason, NameBytes, SeriesId};

use super::draft::Draft;
use crate::client::Client;
use crate::loss;
use crate::registry::Series;

/// Words of a value at most: the buckets and the sum of a histogram.
const WORDS_MAX: usize = BOUNDS_MAX + 2;

pub(super) struct Table {
    entries: Vec<Entry>,
    losses: [Told; loss::REASONS],
    /// What was told last of all series together, in this life.
    recorded: Recorded,
    /// Where a new process begins to count; not 0 in a forked child.
    counts_from_here: bool,
}

/// A total as it is told: what is told is `now - base`.
#[derive(Clone, Copy, Default)]
struct Told {
    /// Total at which this process began to count.
    origin: u64,
    /// Total at which this life of ours began to count, as far as metricsd goes.
    base: u64,
    /// Total that was last put into a BATCH.
    queued: u64,
    /// Total that was put into a BATCH in an earlier epoch.
    earlier: u64,
}

struct Entry {
    series: Arc<Series>,
    registration: Registration,
    words: Box<[Told]>,
    /// A gauge's value is told once even if it is 0.
    told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Registration {
    /// To be asked for; `Some`: it had this id until items were refused.
    Wanted(Option<SeriesId>),
    Asked(Option<SeriesId>),
    Known(SeriesId),
    /// As `Known`, but counted in an overflow series: asking again would take another place there.
    Folded(SeriesId),
    /// metricsd does not want it.
    Refused,
}

impl Table {
    /// A table for what `client` records; if `counts_from_here`, without what it has recorded.
    pub(super) fn new(client: &Client, counts_from_here: bool) -> Self {
        let losses = [Told::default(); loss::REASONS];
        let mut table =
            Self { entries: Vec::new(), losses, recorded: Recorded::default(), counts_from_here };
        table.discover(client);
        table.counts_from_here = false;
        if counts_from_here {
            for (told, reason) in table.losses.iter_mut().zip(LossReason::ALL) {
                told.begin_at(client.losses().read(*reason));
            }
        }
        table
    }

    /// Takes over series that were made meanwhile.
    pub(super) fn discover(&mut self, client: &Client) {
        while let Some(series) = client.registry().get(self.entries.len()) {
            let mut words = vec![Told::default(); series.place.words()].into_boxed_slice();
            if self.counts_from_here && series.kind != Kind::Gauge {
                let mut now = [0; WORDS_MAX];
                client.read(&series, front(&mut now, words.len()));
                words.iter_mut().zip(now).for_each(|(told, now)| told.begin_at(now));
            }
            let registration = Registration::Wanted(None);
            self.entries.push(Entry { series, registration, words, told: false });
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether everything has an id, or will never have one.
    pub(super) fn is_registered(&self) -> bool {
        let done = |entry: &Entry| {
            !matches!(entry.registration, Registration::Wanted(_) | Registration::Asked(_))
        };
        self.entries.iter().all(done)
    }

    /// The first series that wants to be registered.
    pub(super) fn wanted(&self) -> Option<usize> {
        let wanted = |entry: &Entry| matches!(entry.registration, Registration::Wanted(_));
        self.entries.iter().position(wanted)
    }

    /// Lets `send` send the REGISTER of a series; it was asked for if that returns `true`.
    pub(super) fn register(&mut self, at: usize, send: impl FnOnce(&Register<'_>) -> bool) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return false };
        let Registration::Wanted(before) = entry.registration else { return false };
        let mut bounds = [0; BOUNDS_MAX * 8];
        let Some(register) = entry.series.as_register(&mut bounds) else {
            entry.registration = Registration::Refused;
            return true;
        };
        let sent = send(&register);
        if sent {
            entry.registration = Registration::Asked(before);
        }
        sent
    }

    /// The answer to a REGISTER. `false` if the buckets are not ours, and so of no use.
    pub(super) fn registered(
        &mut self,
        at: usize,
        id: SeriesId,
        folded: bool,
        bounds: impl Iterator<Item = u64>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return true };
        if entry.series.bounds().is_some_and(|ours| !ours.iter().eq(bounds)) {
            entry.registration = Registration::Refused;
            return false;
        }
        if let Registration::Asked(Some(before)) = entry.registration
            && before != id
        {
            // What was refused under the old id is lost and metricsd has counted it; the rest it
            // has, so the new one begins here.
            entry.begin_again(Since::Queued);
        }
        entry.registration =
            if folded { Registration::Folded(id) } else { Registration::Known(id) };
        true
    }

    /// metricsd will never register this series.
    pub(super) fn refuse(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.registration = Registration::Refused;
        }
    }

    /// Replies that were waited for will not come.
    pub(super) fn forget_asked(&mut self) {
        for entry in &mut self.entries {
            if let Registration::Asked(before) = entry.registration {
                entry.registration = Registration::Wanted(before);
            }
        }
    }

    /// metricsd will answer this one later.
    pub(super) fn ask_again(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at)
            && let Registration::Asked(before) = entry.registration
        {
            entry.registration = Registration::Wanted(before);
        }
    }

    /// Ids may be stale: all are asked for again.
    pub(super) fn doubt_ids(&mut self) {
        for entry in &mut self.entries {
            if let Registration::Known(id) = entry.registration {
                entry.registration = Registration::Wanted(Some(id));
            }
        }
    }

    /// A new life without ids. Either metricsd knows nothing of before, or it has everything that
    /// was put into BATCHes.
    pub(super) fn begin_life(&mut self, since: Since) {
        for entry in &mut self.entries {
            entry.registration = Registration::Wanted(None);
            entry.begin_again(since);
        }
        self.losses.iter_mut().for_each(|told| told.begin_again(since));
        self.recorded = Recorded::default();
    }

    /// What all counters and histograms come to by now in this life, read from their cells and not
    /// from what was told of them: so whatever gets lost on the way is missing at the other end.
    /// Those that metricsd refused are none of its business.
    pub(super) fn recorded(&self, client: &Client) -> Recorded {
        let entries = self.entries.iter();
        let entries = entries.filter(|entry| entry.registration != Registration::Refused);
        entries.map(|entry| entry.recorded(client)).fold(Recorded::default(), Recorded::plus)
    }

    /// Puts what was recorded in all into the draft if it is news; `false` if that is full. It was
    /// read before the totals that are in the drafts up to this one.
    pub(super) fn tell_recorded(&mut self, recorded: Recorded, draft: &mut Draft<'_>) -> bool {
        let done = recorded == self.recorded || draft.item(&Item::Recorded(recorded));
        if done {
            self.recorded = recorded;
        }
        done
    }

    /// Puts what has changed of series `at` into the draft; `false` if that is full. Values go
    /// before histograms: ask for either.
    pub(super) fn tell(
        &mut self,
        at: usize,
        histograms: bool,
        client: &Client,
        draft: &mut Draft<'_>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return true };
        let Some(id) = entry.id() else { return true };
        if histograms != (entry.series.kind == Kind::Histogram) {
            return true;
        }
        let mut now = [0; WORDS_MAX];
        let now = front(&mut now, entry.words.len());
        if !client.read(&entry.series, now) || !entry.has_changed(now) {
            return true;
        }
        let told = entry.put(id, now, draft);
        if told {
            entry.note_queued(now);
        }
        told
    }

    /// Whether an earlier epoch was told of a series of which this one is told nothing yet.
    pub(super) fn has_earlier(&self) -> bool {
        self.entries.iter().any(|entry| entry.id().is_some() && entry.has_earlier())
    }

    /// Puts into the draft what an earlier epoch was told, as much as fits: first values.
    pub(super) fn tell_earlier(&mut self, draft: &mut Draft<'_>) {
        for histograms in [false, true] {
            for entry in &mut self.entries {
                let is_wanted = histograms == (entry.series.kind == Kind::Histogram);
                let Some(id) = entry.id().filter(|_| is_wanted && entry.has_earlier()) else {
                    continue;
                };
                let mut earlier = [0; WORDS_MAX];
                let earlier = front(&mut earlier, entry.words.len());
                earlier.iter_mut().zip(&entry.words).for_each(|(word, told)| *word = told.earlier);
                if !entry.put(id, earlier, draft) {
                    return;
                }
                entry.note_queued(earlier);
            }
        }
    }

    /// Puts what was lost since the last time into the draft; `false` if that is full.
    pub(super) fn tell_losses(&mut self, client: &Client, draft: &mut Draft<'_>) -> bool {
        self.losses.iter_mut().zip(LossReason::ALL).all(|(told, reason)| {
            let now = client.losses().read(*reason);
            let count = told.difference(now);
            let done = now == told.queued || draft.item(&Item::Lost { reason: *reason, count });
            if done {
                told.queued = now;
            }
            done
        })
    }
}

/// From where a new life counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Since {
    /// From the beginning of the process.
    Origin,
    /// From what was last put into a BATCH.
    Queued,
}

/// Room for as many words as a series has.
fn front(words: &mut [u64; WORDS_MAX], count: usize) -> &mut [u64] {
    assert!(count <= WORDS_MAX, "a histogram has the most words");
    words.get_mut(..count).unwrap_or_default()
}

impl Told {
    const fn begin_at(&mut self, origin: u64) {
        *self = Self { origin, base: origin, queued: origin, earlier: origin };
    }

    const fn begin_again(&mut self, since: Since) {
        match since {
            Since::Origin => {
                let is_told = self.queued != self.origin;
                let earlier = if is_told { self.queued } else { self.earlier };
                self.begin_at(self.origin);
                self.earlier = earlier;
            }
            Since::Queued => self.base = self.queued,
        }
    }

    /// Whether metricsd is to hear first what an earlier epoch was told.
    const fn has_earlier(&self) -> bool {
        self.queued == self.origin && self.earlier != self.origin
    }

    const fn difference(&self, now: u64) -> u64 {
        now.wrapping_sub(self.base)
    }
}

impl Entry {
    fn begin_again(&mut self, since: Since) {
        if self.series.kind == Kind::Gauge {
            self.told = false;
        } else {
            self.words.iter_mut().for_each(|told| told.begin_again(since));
        }
    }

    const fn id(&self) -> Option<SeriesId> {
        match self.registration {
            Registration::Known(id) | Registration::Folded(id) => Some(id),
            _ => None,
        }
    }

    fn has_earlier(&self) -> bool {
        self.series.kind != Kind::Gauge && self.words.iter().any(Told::has_earlier)
    }

    fn has_changed(&self, now: &[u64]) -> bool {
        let first_gauge = self.series.kind == Kind::Gauge && !self.told;
        first_gauge || self.words.iter().zip(now).any(|(told, now)| told.queued != *now)
    }

    fn put(&self, id: SeriesId, now: &[u64], draft: &mut Draft<'_>) -> bool {
        match self.series.kind {
            Kind::Histogram => self.put_histogram(id, now, draft),
            Kind::Counter | Kind::Gauge => {
                let values = self.words.iter().zip(now);
                values.into_iter().all(|(told, now)| draft.value(id, told.difference(*now)))
            }
        }
    }

    fn put_histogram(&self, id: SeriesId, now: &[u64], draft: &mut Draft<'_>) -> bool {
        let totals = || self.words.iter().zip(now);
        let sum = totals().next_back().map_or(0, |(told, now)| told.difference(*now));
        let buckets = totals().take(self.words.len() - 1).enumerate();
        let changed = buckets.filter(|(_, (told, now))| told.queued != **now);
        let changed = changed.map(|(at, (told, now))| (at as u8, told.difference(*now)));
        let mut buffer = [0; (BOUNDS_MAX + 1) * 9];
        // There are never more buckets than fit.
        SparseBuckets::encode(changed, &mut buffer).is_none_or(|buckets| {
            draft.item(&Item::Histogram(HistogramItem { series: id, sum, buckets }))
        })
    }

    fn recorded(&self, client: &Client) -> Recorded {
        let mut now = [0; WORDS_MAX];
        let now = front(&mut now, self.words.len());
        if !client.read(&self.series, now) {
            return Recorded::default();
        }
        let mut totals = self.words.iter().zip(now).map(|(told, now)| told.difference(*now));
        match self.series.kind {
            Kind::Counter => {
                Recorded { counted: totals.fold(0, u64::wrapping_add), ..Recorded::default() }
            }
            Kind::Gauge => Recorded::default(),
            Kind::Histogram => {
                let sum = totals.next_back().unwrap_or(0);
                Recorded { counted: 0, observed: totals.fold(0, u64::wrapping_add), sum }
            }
        }
    }

    fn note_queued(&mut self, now: &[u64]) {
        self.words.iter_mut().zip(now).for_each(|(told, now)| told.queued = *now);
        self.told = true;
    }
}

impl Series {
    fn as_register<'a>(&'a self, bounds: &'a mut [u8]) -> Option<Register<'a>> {
        let name = NameBytes::new(self.name.as_bytes())?;
        let labels = LabelBytes::new(self.labels.as_bytes())?;
        let register = Register::new(self.kind, self.unit, name, labels, Help::new(&self.help)?);
        let Some(ours) = self.bounds() else { return Some(register) };
        let mut words = [0; BOUNDS_MAX];
        words.iter_mut().zip(ours.iter()).for_each(|(word, bound)| *word = bound);
        register.with_bounds(bounds_to_bytes(words.get(..ours.count())?, bounds)?)
    }
}
