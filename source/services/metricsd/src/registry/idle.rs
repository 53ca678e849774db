//! Series that may be reclaimed when room is needed, in the order in which they go.
//!
//! Each sender has two lists, one of its histograms and one of its other series. A series stands in
//! one while nobody has registered it, behind all that were touched or let go before it; when that
//! was, its windows tell. So the first of a list tells whether any in it is idle, and neither
//! finding it nor keeping the order looks at more than a few rows, however many series there are.

use nexus_wire::Kind;

use super::rows::Series;
use crate::rows::{NONE, Pool, Rows};

/// The list of one sender and one sort of series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct List {
    seat: u32,
    histograms: bool,
}

impl List {
    /// Where the series of a kind of the sender in row `seat` stand.
    pub(super) fn of(seat: u32, kind: Kind) -> Self {
        Self { seat, histograms: kind == Kind::Histogram }
    }

    fn number(self) -> u32 {
        2 * self.seat + u32::from(self.histograms)
    }
}

/// What ties a series to others: its neighbours in its list, or else the first of its
/// registrations. It never has both, and a row has no room for both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ties {
    /// The series before it; [`UNLISTED`]: it stands in no list.
    before: u32,
    /// The series behind it, or a registration.
    other: u32,
}

const UNLISTED: u32 = NONE - 1;

impl Ties {
    /// In no list, and registered as number `first`, if that is not [`NONE`].
    pub(super) const fn registered(first: u32) -> Self {
        Self { before: UNLISTED, other: first }
    }

    /// The first registration.
    pub(super) const fn registrations(self) -> u32 {
        if self.before == UNLISTED { self.other } else { NONE }
    }
}

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

const EMPTY: Ends = Ends { first: NONE, last: NONE };

/// All lists.
pub(super) struct Idle {
    lists: Rows<Ends>,
}

impl Idle {
    pub(super) fn new(senders: u32) -> Self {
        Self { lists: Rows::filled(Self::lists(senders), EMPTY) }
    }

    /// Two for each sender, and for the row of the evicted.
    const fn lists(senders: u32) -> u32 {
        2 * (senders + 1)
    }

    pub(super) const fn bytes(senders: u32) -> u64 {
        Rows::<Ends>::bytes(Self::lists(senders))
    }

    /// The series that goes first.
    pub(super) fn first(&self, list: List) -> Option<u32> {
        Some(self.lists[list.number()].first).filter(|first| *first != NONE)
    }

    /// Puts a series that stands in no list, and that nobody has registered, behind all others of
    /// one.
    pub(super) fn push(&mut self, all: &mut Pool<Series>, list: List, at: u32) {
        let ends = &mut self.lists[list.number()];
        let before = ends.last;
        ends.last = at;
        if before == NONE {
            ends.first = at;
        } else {
            all[before].ties.other = at;
        }
        all[at].ties = Ties { before, other: NONE };
    }

    /// Takes a series out of the list that it stands in, if it does.
    pub(super) fn remove(&mut self, all: &mut Pool<Series>, list: List, at: u32) -> bool {
        let Ties { before, other: behind } = all[at].ties;
        if before == UNLISTED {
            return false;
        }
        let ends = &mut self.lists[list.number()];
        if before == NONE {
            ends.first = behind;
        } else {
            all[before].ties.other = behind;
        }
        if behind == NONE {
            ends.last = before;
        } else {
            all[behind].ties.before = before;
        }
        all[at].ties = Ties::registered(NONE);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const SERIES: u32 = 8;

    fn drain(idle: &mut Idle, series: &mut Pool<Series>, list: List) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some(first) = idle.first(list) {
            assert!(idle.remove(series, list, first));
            all.push(first);
        }
        all
    }

    proptest! {
        #[test]
        fn lists_keep_the_order_in_which_series_came(
            steps in prop::collection::vec((0..SERIES, any::<bool>()), 1..60),
        ) {
            let (mut idle, mut series) = (Idle::new(2), Pool::filled(SERIES, Series::FREE));
            let list_of = |at| {
                List::of(1 + at % 2, if at < 4 { Kind::Histogram } else { Kind::Gauge })
            };
            let mut model: Vec<u32> = Vec::new();
            for (at, comes) in steps {
                let stood = model.contains(&at);
                model.retain(|other| *other != at);
                prop_assert_eq!(idle.remove(&mut series, list_of(at), at), stood);
                prop_assert!(!stood || series[at].ties.registrations() == NONE);
                if comes {
                    idle.push(&mut series, list_of(at), at);
                    model.push(at);
                } else {
                    series[at].ties = Ties::registered(at);
                    prop_assert_eq!(series[at].ties.registrations(), at);
                }
            }
            for list in [1, 2].into_iter().flat_map(|seat| {
                [Kind::Histogram, Kind::Counter].map(|kind| List::of(seat, kind))
            }) {
                let of_list = model.iter().copied().filter(|at| list_of(*at) == list);
                let of_list = of_list.collect::<Vec<_>>();
                prop_assert_eq!(drain(&mut idle, &mut series, list), of_list);
            }
        }
    }
}
