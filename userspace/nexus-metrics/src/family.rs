use alloc::boxed::Box;
use core::marker::PhantomData;

use spin::Once;

use crate::OFF;
use crate::handles::{Counter, Gauge, Handle, Histogram};
use crate::limits::{FAMILY_SLOTS, VALUE_BYTES_MAX};
use crate::names::StaticKey;
use crate::registry::Spec;
use crate::sites;

/// Counters of one name whose labels' values are known only at run time.
pub type CounterFamily<const K: usize> = Family<Counter, K>;
/// Gauges of one name whose labels' values are known only at run time.
pub type GaugeFamily<const K: usize> = Family<Gauge, K>;
/// Histograms of one name whose labels' values are known only at run time.
pub type HistogramFamily<const K: usize> = Family<Histogram, K>;

/// Series of one metric, told apart by the values of `K` labels. Made by
/// [`crate::counter_family!`] and its like.
///
/// It remembers 64 sets of values; a known set is found without a lock and without allocation.
/// What comes beyond shares one series whose labels all have the value `_overflow`.
pub struct Family<H, const K: usize> {
    spec: Spec,
    keys: [StaticKey; K],
    slots: [Once<Slot<H, K>>; FAMILY_SLOTS],
    overflow: Once<H>,
    of: PhantomData<H>,
}

struct Slot<H, const K: usize> {
    values: [Box<str>; K],
    /// `None`: there is no series for these values, and asking again would be in vain.
    handle: Option<H>,
}

impl<H: Handle, const K: usize> Family<H, K> {
    /// A family of this metric with these labels.
    ///
    /// # Panics
    /// If a label comes twice. In a `static` that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn new(spec: Spec, keys: [StaticKey; K]) -> Self {
        crate::names::distinct(&keys);
        let slots = [const { Once::new() }; FAMILY_SLOTS];
        Self { spec, keys, slots, overflow: Once::new(), of: PhantomData }
    }

    /// The handle for these values, in the order of the labels. Values that cannot be labels
    /// (control characters, too long) are counted in the overflow series too.
    pub fn with(&self, values: [&str; K]) -> H {
        if OFF {
            return H::OVERFLOW;
        }
        self.find(&values).unwrap_or_else(|| self.overflow())
    }

    fn find(&self, values: &[&str; K]) -> Option<H> {
        let start = hash(values);
        for probe in 0..FAMILY_SLOTS {
            let slot = self.slot(start.wrapping_add(probe));
            let slot = match slot.get() {
                Some(slot) => slot,
                None => self.fill(slot, values)?,
            };
            if slot.values.iter().zip(values).all(|(known, value)| **known == **value) {
                return slot.handle;
            }
        }
        None
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the slots")]
    fn slot(&self, number: usize) -> &Once<Slot<H, K>> {
        &self.slots[number % FAMILY_SLOTS]
    }

    /// Fills an empty slot, unless somebody else was faster: then it is his. `None`: the values
    /// are too long to be kept.
    #[cold]
    fn fill<'a>(
        &'a self,
        slot: &'a Once<Slot<H, K>>,
        values: &[&str; K],
    ) -> Option<&'a Slot<H, K>> {
        if values.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
            return None;
        }
        Some(slot.call_once(|| {
            let handle = sites::try_resolve(&self.spec, &self.labels(values));
            Slot { values: values.map(Box::from), handle }
        }))
    }

    fn labels<'a>(&self, values: &[&'a str; K]) -> [(&'static str, &'a str); K] {
        let mut values = values.iter();
        self.keys.map(|key| (key.as_str(), values.next().copied().unwrap_or_default()))
    }

    #[cold]
    fn overflow(&self) -> H {
        sites::count_overflow();
        let make = || {
            let labels = self.labels(&["_overflow"; K]);
            sites::try_resolve(&self.spec, &labels).unwrap_or_else(sites::overflow)
        };
        *self.overflow.call_once(make)
    }
}

/// Spreads label sets over slots; nothing but speed depends on it.
#[inline]
fn hash(values: &[&str]) -> usize {
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = values.iter().fold(0, |hash, value| {
        let (chunks, rest) = value.as_bytes().as_chunks::<8>();
        let words = chunks.iter().map(|chunk| u64::from_ne_bytes(*chunk));
        let rest = rest.iter().fold(value.len() as u64, |word, byte| word << 8 | u64::from(*byte));
        mix(words.fold(hash, mix), rest)
    });
    (mixed >> 32) as usize
}
