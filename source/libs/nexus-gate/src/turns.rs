use alloc::collections::VecDeque;

use nexus_abi::Life;

use crate::Asker;

/// What waits for its turn: in the order in which it came, one of each sender.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: VecDeque<(Asker, T)>,
    capacity: usize,
}

impl<T> Turns<T> {
    /// Nothing waits, and never more than `capacity` will. Takes its memory now.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let capacity = capacity as usize;
        Self { waiting: VecDeque::with_capacity(capacity), capacity }
    }

    /// Lets something wait.
    ///
    /// # Errors
    /// What was to wait: there is no room, or its sender has something waiting, in this life or in
    /// another.
    pub fn add(&mut self, asker: Asker, what: T) -> Result<(), T> {
        let is_its = |(waiting, _): &(Asker, T)| waiting.from.id == asker.from.id;
        if self.waiting.len() == self.capacity || self.waiting.iter().any(is_its) {
            return Err(what);
        }
        self.waiting.push_back((asker, what));
        Ok(())
    }

    /// Takes what has waited longest.
    pub fn take(&mut self) -> Option<(Asker, T)> {
        self.waiting.pop_front()
    }

    /// A life has ended: nobody waits for what it has asked.
    pub fn forget(&mut self, life: Life) {
        self.waiting.retain(|(asker, _)| asker.life() != life);
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
    use nexus_port::Token;
    use nexus_wire::Echo;
    use proptest::prelude::*;

    use super::*;

    fn asker(service: u8, life: u32) -> Asker {
        let name = std::format!("s{service}");
        let (id, life) = (ServiceId::from_name(&name), Incarnation::new(life));
        let from = Sender::stamped(id, 7, life, Rights::NONE);
        Asker { from, token: Token::from_raw(1), echo: Echo { op: 1, nonce: 1 } }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(u8, u32),
        Take,
        Forget(u8, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let who = || (0..6u8, 1..3u32);
        prop_oneof![
            3 => who().prop_map(|(service, life)| Step::Add(service, life)),
            1 => Just(Step::Take),
            1 => who().prop_map(|(service, life)| Step::Forget(service, life)),
        ]
    }

    #[test]
    fn where_nothing_may_wait_nothing_does() {
        let mut turns = Turns::new(0);
        assert_eq!(turns.add(asker(1, 1), "what"), Err("what"));
        assert!(turns.is_empty() && turns.take().is_none());
    }

    proptest! {
        #[test]
        fn each_sender_has_one_waiting_and_they_come_in_order(
            steps in prop::collection::vec(step(), 0..60),
            capacity in 0..5u32,
        ) {
            let mut turns = Turns::new(capacity);
            let memory = turns.waiting.capacity();
            // Who waits, with what, as a list that knows no bound.
            let mut model = Vec::<(u8, u32, usize)>::new();
            for (at, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Add(service, life) => {
                        let has_one = model.iter().any(|(waiting, ..)| *waiting == service);
                        let is_full = model.len() == capacity as usize;
                        let added = turns.add(asker(service, life), at);
                        prop_assert_eq!(added, if has_one || is_full { Err(at) } else { Ok(()) });
                        if added.is_ok() {
                            model.push((service, life, at));
                        }
                    }
                    Step::Take => {
                        let first = (!model.is_empty()).then(|| model.remove(0));
                        let first = first.map(|(who, life, what)| (asker(who, life).life(), what));
                        let taken = turns.take().map(|(asker, what)| (asker.life(), what));
                        prop_assert_eq!(taken, first);
                    }
                    Step::Forget(service, life) => {
                        turns.forget(asker(service, life).life());
                        model.retain(|(who, which, _)| (*who, *which) != (service, life));
                    }
                }
                prop_assert_eq!(turns.is_empty(), model.is_empty());
                prop_assert_eq!(turns.waiting.capacity(), memory, "no memory is taken later");
            }
        }
    }
}
