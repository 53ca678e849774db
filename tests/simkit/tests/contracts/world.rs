//! What the simulated world promises, and that it notices services that break their contracts.

use std::cell::RefCell;
use std::rc::Rc;

use crate::services::{Echo, spawn_echo, spawn_notes, spawn_script, take};
use nexus_abi::{ExitReason, Incarnation, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos, Wall};
use nexus_port::{CallError, Event, Now, SubmitError};
use simkit::{Config, Letters, NoAnswer, World};

#[test]
fn a_call_is_answered_by_the_present_life_of_the_callee() {
    let mut world = World::new(1);
    spawn_echo(&mut world, "echo");
    let client = world.client("client", Rights::NONE);
    assert_eq!(world.call(client, "echo", b"hi").unwrap(), b"\x01\0\0\0hi");
    world.kill("echo", ExitReason::Killed(9));
    assert_eq!(world.call(client, "echo", b"hi"), Err(NoAnswer::NotReady));
    world.restart("echo");
    assert_eq!(world.call(client, "echo", b"hi").unwrap(), b"\x02\0\0\0hi");
    assert_eq!(world.service::<Echo>("echo").requests, 1);
    assert_eq!(world.call(client, "nobody", b"hi"), Err(NoAnswer::NotReady));
}

#[test]
fn the_stamp_is_the_worlds_and_counts_the_lives() {
    let mut world = World::new(1);
    let notes = spawn_notes(&mut world, "notes", true);
    let client = world.client("evil", Rights::QUERY);
    assert_eq!(world.sender(client).service(), ServiceId::from_name("evil"));
    assert_eq!(world.sender(client).rights, Rights::QUERY);
    world.call(client, "notes", b"a").unwrap();
    assert_eq!(world.renew(client, ExitReason::Exited(3)), Incarnation::new(2));
    world.call(client, "notes", b"b").unwrap();
    world.end_client(client, ExitReason::Disconnected);
    world.settle();
    let mut seen = take(&notes);
    seen.sort();
    assert_eq!(seen, ["1 gone Exited(3)", "1:a", "2 gone Disconnected", "2:b"]);
}

#[test]
fn a_process_is_woken_when_something_has_happened_outside() {
    let mut world = World::new(1);
    spawn_echo(&mut world, "echo");
    world.settle();
    let before = world.events();
    world.settle();
    assert_eq!(world.events(), before, "it sleeps");
    world.wake("echo");
    world.settle();
    assert_eq!(world.events(), before + 1);
}

#[test]
fn whoever_was_never_heard_is_not_missed() {
    for letters in [Letters::Vanish, Letters::Arrive] {
        let mut world = World::with(Config { letters, ..Config::kind(1) });
        let notes = spawn_notes(&mut world, "notes", true);
        let client = world.client("quiet", Rights::NONE);
        world.renew(client, ExitReason::Exited(0));
        world.settle();
        assert!(take(&notes).is_empty());
    }
}

#[test]
fn requests_of_the_dead_vanish_or_arrive_before_the_notice() {
    let run = |letters| {
        let mut world = World::with(Config { letters, ..Config::kind(1) });
        let notes = spawn_notes(&mut world, "notes", true);
        let client = world.client("client", Rights::NONE);
        world.call(client, "notes", b"first").unwrap();
        world.send(client, "notes", b"last").unwrap();
        world.renew(client, ExitReason::Killed(11));
        world.send(client, "notes", b"new").unwrap();
        world.settle();
        assert_eq!(world.unanswered("notes"), 0);
        (take(&notes), world.lost_answers())
    };
    let (notes, lost) = run(Letters::Vanish);
    assert_eq!(notes, ["1:first", "1 gone Killed(11)", "2:new"]);
    assert_eq!(lost, 0);
    let (notes, lost) = run(Letters::Arrive);
    assert_eq!(notes, ["1:first", "1:last", "2:new", "1 gone Killed(11)"]);
    assert_eq!(lost, 1);
}

#[test]
fn every_call_under_way_ends_once_when_its_callee_dies() {
    let mut world = World::with(Config { slots: 3, ..Config::kind(1) });
    spawn_notes(&mut world, "silent", false);
    let ends = Rc::new(RefCell::new([0; 3]));
    let counted = Rc::clone(&ends);
    let mut asked = false;
    spawn_script(&mut world, "caller", Some(Nanos::from_secs(1)), move |_, event, effects| {
        if let Event::Completion { call, result } = event {
            assert_eq!(result, Err(CallError::PeerDied));
            counted.borrow_mut()[call.0 as usize] += 1;
        } else if !asked {
            asked = true;
            (0..3).for_each(|call| effects.submit("silent", call, b"?").unwrap());
            assert_eq!(effects.submit("silent", 3, b"?"), Err(SubmitError::Busy));
        }
    });
    let client = world.client("client", Rights::NONE);
    let ticket = world.send(client, "silent", b"?").unwrap();
    world.run_for(Nanos::from_secs(5));
    assert_eq!(*ends.borrow(), [0; 3]);
    assert_eq!(world.unanswered("silent"), 4);
    world.kill("silent", ExitReason::Killed(9));
    world.restart("silent");
    world.run_for(Nanos::from_secs(5));
    assert_eq!(*ends.borrow(), [1; 3]);
    let replies = world.replies(client);
    assert_eq!(replies.len(), 1);
    assert_eq!((replies[0].ticket, &replies[0].result), (ticket, &Err(CallError::PeerDied)));
}

#[test]
fn a_call_to_nobody_is_refused_at_once_and_never_completed() {
    let mut world = World::new(1);
    let completions = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&completions);
    spawn_script(&mut world, "caller", Some(Nanos::from_secs(1)), move |_, event, effects| {
        *counted.borrow_mut() += i32::from(matches!(event, Event::Completion { .. }));
        assert_eq!(effects.submit("nobody", 0, b"?"), Err(SubmitError::NotReady));
    });
    world.run_for(Nanos::from_secs(9));
    assert_eq!(*completions.borrow(), 0);
}

#[test]
fn a_paused_service_keeps_calls_under_way_until_the_slots_are_used_up() {
    let mut world = World::with(Config { slots: 2, ..Config::kind(1) });
    spawn_echo(&mut world, "echo");
    let tries = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&tries);
    spawn_script(&mut world, "caller", Some(Nanos::from_secs(1)), move |_, event, effects| {
        let sent = matches!(event, Event::Wake).then(|| effects.submit("echo", 0, b"?"));
        seen.borrow_mut().push(sent);
    });
    world.pause("echo");
    world.run_for(Nanos::from_secs(3));
    let busy = Some(Err(SubmitError::Busy));
    assert_eq!(tries.borrow_mut().split_off(0), [Some(Ok(())), Some(Ok(())), busy, busy]);
    world.resume("echo");
    world.settle();
    assert_eq!(*tries.borrow(), [None, None], "two completions");
}

#[test]
fn a_paused_service_is_not_woken_and_goes_on_where_it_was() {
    let mut world = World::new(1);
    let times = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&times);
    spawn_script(&mut world, "clock", Some(Nanos::from_secs(10)), move |now, _, _| {
        seen.borrow_mut().push(now.mono.0 / 1_000_000_000);
    });
    world.run_for(Nanos::from_secs(20));
    world.pause("clock");
    world.run_for(Nanos::from_secs(95));
    world.resume("clock");
    world.run_for(Nanos::from_secs(10));
    assert_eq!(*times.borrow(), [0, 10, 20, 115, 125]);
}

#[test]
fn a_coarse_clock_wakes_late_by_a_tick_at_most_and_never_early() {
    let mut world = World::with(Config::kind(1).ticking(Nanos::from_millis(10)));
    let times = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&times);
    spawn_script(&mut world, "clock", Some(Nanos::from_millis(7)), move |now, _, _| {
        seen.borrow_mut().push(now.mono.0 / 1_000_000);
    });
    world.run_for(Nanos::from_millis(45));
    assert_eq!(*times.borrow(), [0, 10, 20, 30, 40]);
}

#[test]
fn a_calendar_clock_jumps_when_told() {
    let mut world = World::with(Config { wall: Some(Wall(500)), ..Config::kind(1) });
    world.run_for(Nanos(7));
    assert_eq!(world.now(), Now { mono: Mono(7), wall: Some(Wall(507)) });
    world.set_wall(None);
    assert_eq!(world.now().wall, None);
}

#[test]
fn a_service_that_is_asked_to_stop_ends_when_it_says_so() {
    let mut world = World::new(1);
    let notes = spawn_notes(&mut world, "notes", true);
    world.stop("notes");
    world.settle();
    assert_eq!(take(&notes), ["stop"]);
    assert!(!world.runs("notes"));
}

/// Three senders, unkind delays: every request is answered once. The hash of the run.
fn unkind_run(seed: u64) -> u64 {
    let mut world = World::with(Config::unkind(seed));
    let notes = spawn_notes(&mut world, "notes", true);
    let clients = ["a", "b", "c"].map(|name| world.client(name, Rights::NONE));
    for round in 0..50_u8 {
        for client in clients {
            world.send(client, "notes", &[round + 32]).unwrap();
        }
        world.run_for(Nanos::from_millis(u64::from(round % 4)));
    }
    world.run_for(Nanos::from_secs(1));
    assert_eq!(take(&notes).iter().filter(|note| *note != "wake").count(), 150);
    for client in clients {
        let replies = world.replies(client);
        let mut tickets = replies.into_iter().map(|reply| reply.ticket).collect::<Vec<_>>();
        tickets.sort_unstable();
        tickets.dedup();
        assert_eq!(tickets.len(), 50, "each request has one answer");
    }
    world.trace_hash()
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    assert_eq!(unkind_run(8), unkind_run(8));
    assert_ne!(unkind_run(8), unkind_run(9));
}

#[test]
fn requests_of_one_sender_never_overtake_each_other_whatever_the_delays() {
    for seed in 0..20 {
        let mut world = World::with(Config::unkind(seed));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let order = Rc::clone(&seen);
        spawn_script(&mut world, "order", None, move |_, event, effects| {
            if let Event::Request { token, frame, .. } = event {
                order.borrow_mut().push(frame[0]);
                effects.reply(token, &[]);
            }
        });
        let client = world.client("client", Rights::NONE);
        for number in 0..100 {
            world.post(client, "order", &[number]).unwrap();
        }
        world.run_for(Nanos::from_secs(1));
        assert!(seen.borrow().iter().copied().eq(0..100));
    }
}

#[test]
fn a_service_that_never_answers_costs_a_caller_its_patience_only() {
    let mut world = World::new(1);
    spawn_notes(&mut world, "silent", false);
    let client = world.client("client", Rights::NONE);
    assert_eq!(world.call(client, "silent", b"?"), Err(NoAnswer::Late));
    assert_eq!(world.unanswered("silent"), 1);
}

#[test]
fn a_flood_of_arbitrary_frames_gets_one_answer_each() {
    let mut world = World::with(Config::unkind(5));
    spawn_echo(&mut world, "echo");
    let hostile = world.client("hostile", Rights::NONE);
    let mut rng = simkit::Rng::new(77);
    let (mut sent, mut answered) = (0, 0);
    for _ in 0..2000 {
        let mut frame = vec![0; usize::try_from(rng.up_to(4096)).unwrap()];
        rng.fill(&mut frame);
        sent += usize::from(world.send(hostile, "echo", &frame).is_ok());
        if rng.one_in(16) {
            world.run_for(Nanos::from_millis(1));
            answered += world.replies(hostile).len();
        }
    }
    world.run_for(Nanos::from_secs(1));
    answered += world.replies(hostile).len();
    assert_eq!((sent, answered), (2000, 2000));
}
