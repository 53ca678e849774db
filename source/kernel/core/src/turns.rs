use nexus_abi::kernel::PROCESSES_MAX;

use crate::{ProcessId, Set};

/// Who waits for whose turn: first come, first served, and nobody stands in it twice. So whoever
/// has much to say takes its place at the end again after each turn.
#[derive(Debug)]
pub struct Turns {
    waiting: Set,
    order: [ProcessId; PROCESSES_MAX],
    first: usize,
    len: usize,
}

impl Turns {
    /// Nobody waits.
    pub const EMPTY: Self =
        Self { waiting: Set::EMPTY, order: [ProcessId::FIRST; PROCESSES_MAX], first: 0, len: 0 };

    const fn place(&self, nth: usize) -> usize {
        (self.first + nth) % PROCESSES_MAX
    }

    /// `id` takes its place at the end, unless it waits already.
    #[inline]
    pub const fn join(&mut self, id: ProcessId) {
        if !self.waiting.has(id) {
            self.waiting.insert(id);
            self.order[self.place(self.len)] = id;
            self.len += 1;
        }
    }

    /// Whose turn it is, who waits no more.
    #[inline(always)]
    pub const fn next(&mut self) -> Option<ProcessId> {
        if self.len == 0 {
            return None;
        }
        let id = self.order[self.place(0)];
        self.first = self.place(1);
        self.len -= 1;
        self.waiting.remove(id);
        Some(id)
    }

    /// `id` goes, wherever it stands; the others keep their order.
    pub fn leave(&mut self, id: ProcessId) {
        if self.waiting.has(id) {
            for _ in 0..self.len {
                match self.next() {
                    Some(other) if other != id => self.join(other),
                    _ => {}
                }
            }
        }
    }

    /// Everybody goes.
    pub const fn clear(&mut self) {
        self.waiting = Set::EMPTY;
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Join(ProcessId),
        Next,
        Leave(ProcessId),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let id = (0..PROCESSES_MAX).prop_map(|raw| ProcessId::new(raw).unwrap());
        prop_oneof![
            12 => id.clone().prop_map(Step::Join),
            6 => Just(Step::Next),
            2 => id.prop_map(Step::Leave),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn turns_are_a_queue_in_which_nobody_stands_twice(
            steps in prop::collection::vec(step(), 0..600),
        ) {
            let (mut turns, mut model) = (Turns::EMPTY, VecDeque::new());
            for step in steps {
                match step {
                    Step::Join(id) if !model.contains(&id) => {
                        model.push_back(id);
                        turns.join(id);
                    }
                    Step::Join(id) => turns.join(id),
                    Step::Next => prop_assert_eq!(turns.next(), model.pop_front()),
                    Step::Leave(id) => {
                        model.retain(|other| *other != id);
                        turns.leave(id);
                    }
                    Step::Clear => {
                        model.clear();
                        turns.clear();
                    }
                }
            }
            while let Some(id) = model.pop_front() {
                prop_assert_eq!(turns.next(), Some(id));
            }
            prop_assert_eq!(turns.next(), None);
        }
    }
}
