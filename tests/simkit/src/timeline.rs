use std::cmp::Ordering;
use std::collections::BinaryHeap;

use nexus_bounded::Mono;
use nexus_port::CallError;

use crate::fabric::LifeId;
use crate::inbox::Letter;
use crate::requests::Request;

/// Something that is on its way.
pub(crate) enum Parcel {
    /// A letter to the process with this number.
    Letter { to: usize, from: LifeId, letter: Letter },
    /// An answer.
    Answer(Answer),
}

/// The end of a request.
pub(crate) struct Answer {
    pub(crate) request: Request,
    pub(crate) result: Result<Vec<u8>, CallError>,
    /// Whether it speaks for the earlier ones too.
    pub(crate) cumulative: bool,
}

/// Parcels by the time they arrive; of the same time, those sent first.
#[derive(Default)]
pub(crate) struct Timeline {
    heap: BinaryHeap<Due>,
    sent: u64,
}

struct Due {
    at: Mono,
    number: u64,
    parcel: Parcel,
}

impl Timeline {
    pub(crate) fn push(&mut self, at: Mono, parcel: Parcel) {
        self.sent += 1;
        self.heap.push(Due { at, number: self.sent, parcel });
    }

    /// When the next parcel arrives.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.heap.peek().map(|due| due.at)
    }

    /// The next parcel that has arrived by `now`.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<Parcel> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|due| due.parcel)
    }
}

impl Ord for Due {
    /// The heap gives its largest first: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
