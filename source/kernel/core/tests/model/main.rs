//! The kernel's decisions against a simple model of them, in histories without any pattern.
//!
//! The model ([`world`]) keeps everything in lists and looks through all of it each time. After
//! each step both must have said the same, and woken the same processes with the same words. What
//! the page on the kernel promises in a sentence is then asked of the whole history as well.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod history;
mod schedule;
mod world;

use nexus_abi::kernel::KernelError;
use proptest::prelude::*;

use history::{History, Step, steps};

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

    /// Whatever happens, capabilities stay those of the image.
    #[test]
    fn no_capability_comes_from_nothing(
        steps in steps(200), slots in prop::collection::vec(any::<u64>(), 8),
    ) {
        let mut history = History::new();
        let before = history.capabilities();
        for (step, slot) in steps.iter().zip(slots.iter().cycle()) {
            history.step(step);
            let refused = history.submit_to_slot(slot % 128 + 64);
            prop_assert_eq!(refused, Err(KernelError::NoCapability));
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
        Step::Spawn(1),
        Step::Spawn(2),
        Step::Receive { who: 1, buffer: true, deadline: None },
        Step::Submit { who: 2, to: 1, room: true },
    ]
    .iter()
    .for_each(|step| history.step(step));
    assert_eq!(history.completions_missing(), 1);
}
