//! Where in the log each segment begins that is not durable yet: what lies before the first of them
//! is needed no more.

use crate::wal::Place;

/// A segment by its boot and the window that its records say it begins with.
pub(super) type SegmentId = (u32, u64);

/// More than can be: one that is durable soon, one that is written, one that waits, one that fills.
const MARKS: usize = 8;

#[derive(Clone, Copy)]
struct Mark {
    segment: SegmentId,
    first: Place,
}

/// In the order of the log.
pub(super) struct Marks([Option<Mark>; MARKS]);

impl Marks {
    pub(super) const fn new() -> Self {
        Self([None; MARKS])
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// A record of a segment lies at a place, behind those of the segments before; `false`: there
    /// are too many.
    pub(super) fn note(&mut self, segment: SegmentId, place: Place) -> bool {
        if self.0.iter().flatten().any(|mark| mark.segment == segment) {
            return true;
        }
        let free = self.0.iter_mut().find(|mark| mark.is_none());
        free.map(|free| *free = Some(Mark { segment, first: place })).is_some()
    }

    /// A segment, and those before it, is durable: the place of the first record that is still
    /// needed, if there is one.
    pub(super) fn sealed(&mut self, segment: SegmentId) -> Option<Place> {
        let at = self.0.iter().flatten().position(|mark| mark.segment == segment);
        let done = at.map_or(0, |at| at + 1);
        self.0.rotate_left(done);
        self.0.iter_mut().rev().take(done).for_each(|mark| *mark = None);
        self.0.first().copied().flatten().map(|mark| mark.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_the_first_segment_that_is_not_durable_is_released() {
        let mut marks = Marks::new();
        let place = |sequence| Place { sequence, position: sequence / 2 };
        assert!(marks.note((1, 0), place(3)) && marks.note((1, 0), place(4)));
        assert!(marks.note((1, 60), place(7)) && marks.note((2, 0), place(9)));
        assert_eq!(marks.sealed((1, 60)), Some(place(9)));
        assert_eq!(
            marks.sealed((1, 0)),
            Some(place(9)),
            "of one that is not known nothing follows"
        );
        assert_eq!(marks.sealed((2, 0)), None);
        let all = (0..MARKS as u64).all(|at| marks.note((3, at), place(at)));
        assert!(all && !marks.note((4, 0), place(99)));
    }
}
