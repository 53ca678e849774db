use std::collections::VecDeque;

use nexus_abi::ExitReason;
use nexus_port::Token;

use crate::fabric::LifeId;

/// What a life of a sender has sent.
#[derive(Debug)]
pub(crate) enum Letter {
    Request {
        token: Token,
        frame: Vec<u8>,
    },
    /// Nothing more will come.
    Gone(ExitReason),
}

/// Letters that wait for a process: in order for each life, one turn for each life in all.
#[derive(Default)]
pub(crate) struct Inbox {
    /// By the number of the life.
    queues: Vec<VecDeque<Letter>>,
    /// Lives whose queues are not empty, next turn first.
    turns: VecDeque<LifeId>,
}

impl Inbox {
    pub(crate) fn push(&mut self, from: LifeId, letter: Letter) {
        if self.queues.len() <= from.0 {
            self.queues.resize_with(from.0 + 1, VecDeque::new);
        }
        let queue = &mut self.queues[from.0];
        if queue.is_empty() {
            self.turns.push_back(from);
        }
        queue.push_back(letter);
    }

    pub(crate) fn pop(&mut self) -> Option<(LifeId, Letter)> {
        let from = self.turns.pop_front()?;
        let queue = &mut self.queues[from.0];
        let letter = queue.pop_front()?;
        if !queue.is_empty() {
            self.turns.push_back(from);
        }
        Some((from, letter))
    }

    /// Takes all that waits from one life.
    pub(crate) fn remove(&mut self, from: LifeId) -> VecDeque<Letter> {
        self.turns.retain(|turn| *turn != from);
        self.queues.get_mut(from.0).map(core::mem::take).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64) -> Letter {
        Letter::Request { token: Token::from_raw(number), frame: Vec::new() }
    }

    fn order(inbox: &mut Inbox) -> Vec<u64> {
        std::iter::from_fn(|| inbox.pop())
            .map(|(_, letter)| match letter {
                Letter::Request { token, .. } => token.raw(),
                Letter::Gone(_) => u64::MAX,
            })
            .collect()
    }

    #[test]
    fn a_flood_waits_for_a_modest_sender_and_each_keeps_its_order() {
        let mut inbox = Inbox::default();
        for number in 0..4 {
            inbox.push(LifeId(0), request(number));
        }
        inbox.push(LifeId(3), request(10));
        inbox.push(LifeId(3), request(11));
        assert_eq!(order(&mut inbox), [0, 10, 1, 11, 2, 3]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_is_removed_has_no_turn_left() {
        let mut inbox = Inbox::default();
        inbox.push(LifeId(0), request(1));
        inbox.push(LifeId(1), request(2));
        assert_eq!(inbox.remove(LifeId(0)).len(), 1);
        assert_eq!(order(&mut inbox), [2]);
    }
}
