//! Services that break their contracts, and the panic each of them gets.

use crate::services::{spawn_script, spawn_unsound};
use nexus_abi::{ExitReason, Rights};
use nexus_bounded::Nanos;
use nexus_port::Event;
use simkit::World;

/// One request to the service `name`.
fn ask(mut world: World, name: &str) {
    let client = world.client("client", Rights::NONE);
    world.post(client, name, b"?").unwrap();
    world.settle();
}

#[test]
#[should_panic(expected = "answered already")]
fn a_second_answer_to_a_token() {
    let mut world = World::new(1);
    spawn_script(&mut world, "twice", None, |_, event, effects| {
        if let Event::Request { token, .. } = event {
            effects.reply(token, b"1");
            effects.acknowledge(token, b"2");
        }
    });
    ask(world, "twice");
}

#[test]
#[should_panic(expected = "answered already")]
fn a_token_of_a_former_life() {
    let mut world = World::new(1);
    let mut held = None;
    spawn_script(&mut world, "late", None, move |_, event, effects| {
        if let Event::Request { token, .. } = event {
            match held {
                None => held = Some(token),
                Some(former) => effects.reply(former, b"late"),
            }
        }
    });
    let client = world.client("client", Rights::NONE);
    world.post(client, "late", b"1").unwrap();
    world.settle();
    world.kill("late", ExitReason::Killed(9));
    world.restart("late");
    ask(world, "late");
}

#[test]
#[should_panic(expected = "another service's")]
fn a_token_of_another_service() {
    let mut world = World::new(1);
    let stolen = std::rc::Rc::new(std::cell::Cell::new(None));
    let seen = std::rc::Rc::clone(&stolen);
    spawn_script(&mut world, "owner", None, move |_, event, _| {
        if let Event::Request { token, .. } = event {
            seen.set(Some(token));
        }
    });
    spawn_script(&mut world, "thief", None, move |_, _, effects| {
        effects.reply(stolen.get().unwrap(), b"mine");
    });
    let client = world.client("client", Rights::NONE);
    world.post(client, "owner", b"?").unwrap();
    world.settle();
    ask(world, "thief");
}

#[test]
#[should_panic(expected = "never sleeps")]
fn a_deadline_that_is_always_due() {
    let mut world = World::new(1);
    spawn_script(&mut world, "busy", Some(Nanos(0)), |_, _, _| {});
    world.run_for(Nanos::from_secs(1));
}

#[test]
#[should_panic(expected = "4097 bytes")]
fn an_answer_that_is_too_long() {
    let mut world = World::new(1);
    spawn_script(&mut world, "long", None, |_, event, effects| {
        if let Event::Request { token, .. } = event {
            effects.reply(token, &[0; 4097]);
        }
    });
    ask(world, "long");
}

#[test]
#[should_panic(expected = "4097 bytes")]
fn a_request_that_is_too_long() {
    let mut world = World::new(1);
    spawn_script(&mut world, "long", Some(Nanos::from_secs(1)), |_, _, effects| {
        effects.submit("long", 0, &[0; 4097]).unwrap();
    });
    world.settle();
}

#[test]
#[should_panic(expected = "unsound after 3 requests")]
fn a_service_that_is_unsound_between_two_events() {
    let mut world = World::new(1);
    spawn_unsound(&mut world, "unsound");
    let client = world.client("client", Rights::NONE);
    for _ in 0..3 {
        world.post(client, "unsound", b"?").unwrap();
    }
    world.settle();
}
