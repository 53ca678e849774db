//! The kernel's decisions against a simple model of them, in histories without any pattern.
//!
//! The model ([`world`]) keeps everything in lists and looks through all of it each time. After
//! each step both must have said the same, and woken the same processes with the same words. What
//! the page on the kernel promises in a sentence is then asked of the whole history as well.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod history;
mod schedule;
mod world;

use proptest::prelude::*;

use history::{History, Step, step, steps};

/// Any slot at all, often one that there is.
fn slot() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..12_u64, 2 => 0..130_u64, 1 => any::<u64>(), 1 => (0..12_u64).prop_map(high)]
}

/// A slot that is one of the first as long as nobody looks at its upper half.
fn high(slot: u64) -> u64 {
    slot | 1 << 32
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Nothing is delivered, refused, woken or copied otherwise than the model says; so no wake-up
    /// is lost and nobody is answered who did not ask.
    #[test]
    fn the_kernel_does_what_the_model_does(steps in steps(300)) {
        let mut history = History::new();
        steps.iter().for_each(|step| history.step(step));
    }

    /// Every accepted call of a life that lasts comes back once, and no other does.
    #[test]
    fn every_submit_completes_exactly_once(steps in steps(300)) {
        let mut history = History::new();
        steps.iter().for_each(|step| history.step(step));
        history.end_everybody_but_callers();
        prop_assert_eq!(history.completions_missing(), 0);
        prop_assert!(history.completed_twice().is_empty());
    }

    /// Between two turns of one sender everybody has one who waited all the while.
    #[test]
    fn a_flooding_sender_gets_one_turn_among_many(steps in steps(400)) {
        let mut history = History::new();
        steps.iter().for_each(|step| history.step(step));
        prop_assert_eq!(history.overtaken(), None);
    }

    /// Whatever happens, everybody may do by any slot what the table says, and nothing else.
    #[test]
    fn no_capability_comes_from_nothing(
        steps in prop::collection::vec((step(), slot()), 0..200),
    ) {
        let mut history = History::new();
        let before = history.capabilities();
        for (step, slot) in steps {
            history.step(&step);
            history.try_slot(slot);
        }
        prop_assert_eq!(history.capabilities(), before);
    }
}

/// A twin of the test about turns: a history in which somebody is overtaken is recognised.
#[test]
fn a_sender_that_is_overtaken_would_be_noticed() {
    let mut history = History::new();
    history.pretend_overtaking();
    assert_eq!(history.overtaken(), Some((1, 2)));
}

/// A twin of the test about completions: an answer that is lost is recognised.
#[test]
fn a_completion_that_is_lost_would_be_noticed() {
    let mut history = History::new();
    [
        Step::Spawn { who: 1, rights: 0 },
        Step::Spawn { who: 2, rights: 0 },
        Step::Receive { who: 1, buffer: true, deadline: None },
        Step::Submit { who: 2, to: 1, room: true },
    ]
    .iter()
    .for_each(|step| history.step(step));
    assert_eq!(history.completions_missing(), 1);
}

/// A child whose end its parent has received.
fn with_an_end_that_was_told() -> History {
    let mut history = History::new();
    [
        Step::Spawn { who: 0, rights: 0 },
        Step::Spawn { who: 1, rights: 0 },
        Step::End { who: 1, code: 7 },
        Step::Receive { who: 0, buffer: false, deadline: Some(0) },
    ]
    .iter()
    .for_each(|step| history.step(step));
    history
}

#[test]
fn an_end_is_told_to_each_life_of_a_parent_until_one_acknowledges_it() {
    let mut history = with_an_end_that_was_told();
    assert!(history.next_life_is_told(1), "the life that was told has ended");
    assert!(history.next_life_is_told(1), "the next one too");
    history.step(&Step::Acknowledge { who: 1, ends: 1 });
    assert!(!history.next_life_is_told(1));
}

/// A twin of the test about ends: one that is told to nobody again is recognised.
#[test]
fn an_end_that_is_lost_with_the_life_that_was_told_would_be_noticed() {
    let mut history = with_an_end_that_was_told();
    history.step(&Step::Acknowledge { who: 1, ends: u64::MAX });
    assert!(!history.next_life_is_told(1));
}
