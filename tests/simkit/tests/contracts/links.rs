//! What the simulated world promises to client libraries.

use crate::services::{spawn_echo, spawn_notes, spawn_script, take};
use nexus_abi::{ExitReason, Rights};
use nexus_port::{Event, SendError, Transport};
use simkit::{Config, World};

#[test]
fn answers_come_in_the_order_of_the_requests_also_when_they_were_given_in_another() {
    let mut world = World::new(1);
    let mut held = Vec::new();
    spawn_script(&mut world, "newest first", None, move |_, event, effects| {
        if let Event::Request { token, frame, .. } = event {
            held.push((token, frame.to_vec()));
            if held.len() == 3 {
                held.drain(..).rev().for_each(|(token, frame)| effects.reply(token, &frame));
            }
        }
    });
    let mut link = world.link("client", Rights::NONE, "newest first");
    link.connect().unwrap();
    let mut into = [0; 8];
    for number in 0..3 {
        assert_eq!(link.receive(&mut into), Ok(None));
        link.send(&[number]).unwrap();
        world.settle();
    }
    for number in 0..3 {
        assert_eq!(link.receive(&mut into), Ok(Some(1)));
        assert_eq!(into[0], number);
    }
}

#[test]
fn each_connection_is_a_life_and_a_dead_service_breaks_it() {
    let mut world = World::new(1);
    let notes = spawn_notes(&mut world, "notes", true);
    let mut link = world.link("client", Rights::NONE, "notes");
    let mut into = [0; 8];
    assert_eq!(link.send(b"x"), Err(SendError::Closed));
    link.connect().unwrap();
    link.send(b"a").unwrap();
    world.settle();
    link.close();
    assert!(link.receive(&mut into).is_err(), "what was under way is given up");
    link.connect().unwrap();
    link.send(b"b").unwrap();
    world.settle();
    assert_eq!(take(&notes), ["1:a", "1 gone Disconnected", "2:b"]);
    world.kill("notes", ExitReason::Killed(9));
    assert_eq!(link.receive(&mut into), Ok(Some(1)), "what had come is still there");
    assert!(link.receive(&mut into).is_err());
    assert!(link.connect().is_err());
    world.restart("notes");
    link.connect().unwrap();
    link.send(b"c").unwrap();
    world.settle();
    assert_eq!(take(&notes), ["3:c"]);
}

#[test]
fn answers_of_a_former_connection_never_come_on_the_next_one() {
    for seed in 0..50 {
        let mut world = World::with(Config::unkind(seed));
        spawn_echo(&mut world, "echo");
        let mut link = world.link("client", Rights::NONE, "echo");
        let mut into = [0; 8];
        for connection in 0..20_u8 {
            link.connect().unwrap();
            link.send(&[connection]).unwrap();
            world.run_for(nexus_bounded::Nanos::from_millis(u64::from(connection % 7)));
            while let Ok(Some(length)) = link.receive(&mut into) {
                assert_eq!(into[length - 1], connection);
            }
        }
    }
}

#[test]
fn a_link_is_full_when_its_service_does_not_answer() {
    let mut world = World::with(Config { client_slots: 2, ..Config::kind(1) });
    spawn_echo(&mut world, "echo");
    let mut link = world.link("client", Rights::NONE, "echo");
    link.connect().unwrap();
    world.pause("echo");
    link.send(b"1").unwrap();
    world.settle();
    link.send(b"2").unwrap();
    assert_eq!(link.send(b"3"), Err(SendError::Full));
    world.resume("echo");
    world.settle();
    link.send(b"3").unwrap();
}

#[test]
fn an_answer_that_does_not_fit_breaks_the_connection() {
    let mut world = World::new(1);
    spawn_echo(&mut world, "echo");
    let mut link = world.link("client", Rights::NONE, "echo");
    link.connect().unwrap();
    link.send(b"12345").unwrap();
    world.settle();
    assert!(link.receive(&mut [0; 8]).is_err());
    assert_eq!(link.send(b"1"), Err(SendError::Closed));
}

#[test]
fn acknowledgements_may_be_folded_on_links_and_never_on_calls() {
    let mut world = World::with(Config { fold_acknowledgements: true, ..Config::kind(1) });
    spawn_script(&mut world, "acks", None, |_, event, effects| {
        if let Event::Request { token, frame, .. } = event {
            effects.acknowledge(token, frame);
        }
    });
    let client = world.client("client", Rights::NONE);
    let mut link = world.link("client", Rights::NONE, "acks");
    link.connect().unwrap();
    for number in 0..5 {
        link.send(&[number]).unwrap();
        world.send(client, "acks", &[number]).unwrap();
    }
    world.settle();
    let mut into = [0; 8];
    assert_eq!((link.receive(&mut into), into[0]), (Ok(Some(1)), 4));
    assert_eq!(link.receive(&mut into), Ok(None));
    assert_eq!(world.replies(client).len(), 5);
}
