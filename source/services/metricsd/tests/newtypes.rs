//! Raw numbers and strings do not pass for what has been authenticated or numbered, and the state
//! machines may move to another thread whole.

use std::thread;

use metricsd::Metricsd;
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;

const RECIPE: &str = include_str!("../../../../recipes/observability/metrics.toml");

#[test]
fn raw_values_do_not_pass_for_the_newtypes() {
    trybuild::TestCases::new().compile_fail("tests/newtypes/*.rs");
}

/// Takes whatever it is told.
struct Deaf;

impl World for Deaf {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, _: nexus_abi::ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}
}

fn is_send_and_sync<T: Send + Sync>(_: &T) {}

#[test]
fn a_service_may_be_made_in_one_thread_and_run_in_another() {
    let mut service = Metricsd::new(&Recipe::parse(RECIPE).unwrap(), 1);
    is_send_and_sync(&service);
    let deadline = thread::spawn(move || {
        let now = Now { mono: Mono(1), wall: None };
        service.handle(now, Event::Wake, &mut Deaf);
        service.deadline()
    });
    assert!(deadline.join().unwrap().is_some_and(|deadline| deadline > Mono(1)));
}
