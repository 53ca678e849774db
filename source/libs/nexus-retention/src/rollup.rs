//! Longer windows out of shorter ones.
//!
//! Everything that is kept can be joined without loss: counts and sums are added, the smallest
//! of the smallest is the smallest. So 60 s out of 1 s and 60 s out of 10 s are the same.

use alloc::vec::Vec;

use crate::bytes::{Buffer, Put};
use crate::segment::{DEFINITION_BYTES_MAX, Form, Kind, LocalId, Samples, Shape, Windows};

/// The windows, each of `ratio` shorter ones, that some shorter ones lie in.
pub(crate) struct Coarse {
    ratio: u64,
    windows: Windows,
    open: Option<(u64, bool)>,
}

impl Coarse {
    /// None yet. `ratio` is not zero.
    #[must_use]
    pub(crate) fn new(ratio: u64) -> Self {
        assert!(ratio > 0, "a window is made of some");
        Self { ratio, windows: Windows::new(), open: None }
    }

    /// Adds shorter windows behind the others; `None` if the longer ones are more than a group has.
    #[must_use]
    pub(crate) fn push(&mut self, fine: &Windows) -> Option<()> {
        for (number, row) in fine.numbers().iter().zip(0..) {
            let (number, is_catchup) = (number / self.ratio, fine.is_catchup(row));
            match &mut self.open {
                Some((open, caught)) if *open == number => *caught |= is_catchup,
                _ => {
                    self.close()?;
                    self.open = Some((number, is_catchup));
                }
            }
        }
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let Some((number, is_catchup)) = self.open.take() else { return Some(()) };
        self.windows.push(number, is_catchup).then_some(())
    }

    /// The longer windows. One is catchup if one of its shorter ones is.
    #[must_use]
    pub(crate) fn finish(mut self) -> Option<Windows> {
        self.close()?;
        Some(self.windows)
    }
}

/// Adds what a series did in shorter windows to what it did in longer ones, in order of time.
/// `into` has the shape of the series as a rollup.
pub(crate) fn fold(fine: (&Windows, &Samples), ratio: u64, into: (&Windows, &mut Samples)) {
    let (fine_windows, fine) = fine;
    let (windows, coarse) = into;
    let kind = fine.shape().kind;
    assert!(coarse.shape() == Shape { kind, is_rollup: true }, "longer windows of the same series");
    for (number, from) in fine_windows.numbers().iter().zip(0..) {
        if let Some(to) = windows.row(number / ratio).filter(|_| fine.has(from)) {
            join(fine, from, coarse, to);
        }
    }
}

fn join(fine: &Samples, from: usize, coarse: &mut Samples, to: usize) {
    match fine.shape().kind {
        Kind::Counter => {
            let sum = coarse.counter(to).unwrap_or(0);
            coarse.put_counter(to, sum.saturating_add(fine.counter(from).unwrap_or(0)));
        }
        Kind::Gauge => {
            if let Some(later) = fine.summary(from) {
                let summary = coarse.summary(to).map_or(later, |earlier| earlier.then(later));
                coarse.put_summary(to, summary);
            }
        }
        Kind::Histogram { .. } => join_buckets(fine, from, coarse, to),
    }
}

fn join_buckets(fine: &Samples, from: usize, coarse: &mut Samples, to: usize) {
    let Some((added, sum)) = fine.histogram(from) else { return };
    let mut counts = [0; crate::segment::BUCKETS_MAX];
    let (counts, _) = counts.split_at_mut(added.len());
    let mut sum_before = 0;
    if let Some((before, sum)) = coarse.histogram(to) {
        counts.iter_mut().zip(before).for_each(|(place, count)| *place = count);
        sum_before = sum;
    }
    let total = counts.iter().zip(added).map(|(before, more)| before.saturating_add(more));
    coarse.put_histogram(to, total, sum.saturating_add(sum_before));
}

/// Which series there are: form and key of each, in order.
pub(crate) struct Keys {
    bytes: Buffer,
    key_bytes: usize,
    /// Beginning and end of each, by id.
    places: Vec<(u32, u32)>,
    /// Ids in the order of forms and keys.
    order: Vec<u32>,
    /// The one that was looked for last.
    wanted: Buffer,
}

impl Keys {
    pub(crate) fn new(series: u32, key_bytes: u32) -> Self {
        Self {
            bytes: Buffer::new(key_bytes as usize),
            key_bytes: key_bytes as usize,
            places: Vec::with_capacity(series as usize),
            order: Vec::with_capacity(series as usize),
            wanted: Buffer::new(DEFINITION_BYTES_MAX),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.order.clear();
    }

    fn of(&self, id: u32) -> &[u8] {
        let (start, end) = self.places.get(id as usize).copied().unwrap_or_default();
        self.bytes.as_slice().get(start as usize..end as usize).unwrap_or_default()
    }

    /// The id of a series, or where in the order it belongs.
    pub(crate) fn find(&mut self, key: &[u8], form: &Form<'_>) -> Result<LocalId, usize> {
        self.wanted.clear();
        form.write(&mut self.wanted);
        self.wanted.bytes(key);
        let wanted = self.wanted.as_slice();
        let at = self.order.binary_search_by(|id| self.of(*id).cmp(wanted))?;
        self.order.get(at).map(|id| LocalId(*id)).ok_or(at)
    }

    /// Bytes of memory.
    pub(crate) const fn memory(series: u32, key_bytes: u32) -> usize {
        key_bytes as usize + series as usize * 12 + DEFINITION_BYTES_MAX
    }

    /// Takes the series that was looked for last, with the next id; `None` if there is no room.
    pub(crate) fn insert(&mut self, at: usize) -> Option<()> {
        let (start, end) = (self.bytes.len(), self.bytes.len() + self.wanted.len());
        let has_room = end <= self.key_bytes && self.places.len() < self.places.capacity();
        has_room.then_some(())?;
        self.bytes.bytes(self.wanted.as_slice());
        self.order.insert(at, self.places.len() as u32);
        self.places.push((start as u32, end as u32));
        Some(())
    }
}
