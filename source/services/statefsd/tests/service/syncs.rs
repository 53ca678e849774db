use nexus_wire::FileStatus;
use nexus_wire::files::{Op, Read, Request};

use crate::rig::{NAME, Rig, bytes, file, name};

#[test]
fn what_was_synced_survives_a_cut_of_power_and_what_was_not_need_not() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    assert_eq!(rig.replace(me, "kept", b"value"), FileStatus::Ok);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    assert_eq!(rig.replace(me, "lost", b"value"), FileStatus::Ok);
    rig.cut(&[]);
    assert_eq!(rig.list(me, ""), ["kept"]);
    assert_eq!(rig.read(me, "kept").unwrap(), b"value");
}

#[test]
fn a_sync_is_answered_when_it_is_durable_and_not_before() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let epoch = rig.hello(me).unwrap().epoch;
    for round in 0..30 {
        assert_eq!(rig.replace(me, "value", &bytes(3000, round)), FileStatus::Ok);
        assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::Ok);
        let mut after = rig.world.disk(NAME).cut(&[]);
        let store = statefs::blocking::mount(&mut after, &[]).unwrap();
        let file = store.find("metricsd/value").unwrap();
        let mut held = vec![0; 3000];
        let len = statefs::blocking::read(&store, &mut after, file, 0, &mut held).unwrap();
        assert_eq!((len, held), (3000, bytes(3000, round)));
    }
}

#[test]
fn syncs_that_wait_together_are_one() {
    let mut rig = Rig::new();
    let (one, other) = (rig.metricsd, rig.logd);
    let epoch = rig.hello(one).unwrap().epoch;
    assert_eq!(rig.create(one, "log", 10_000), FileStatus::Ok);
    let before = (rig.world.disk(NAME).flushes(), rig.service().store().synced().0);
    assert_eq!(rig.append(one, file("log"), 0, &bytes(2000, 1)), FileStatus::Ok);
    for _ in 0..3 {
        rig.send(one, &Request::Sync { epoch });
        rig.send(other, &Request::Sync { epoch });
    }
    rig.world.settle();
    for client in [one, other] {
        let answers = rig.answers(client, Op::Sync);
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|(_, status)| *status == FileStatus::Ok));
    }
    let syncs = rig.service().store().synced().0 - before.1;
    assert!((1..=2).contains(&syncs), "{syncs} syncs for 6 that were asked for");
    assert!(rig.world.disk(NAME).flushes() - before.0 <= 4);
}

#[test]
fn a_sync_with_nothing_to_do_asks_nothing_of_the_disk() {
    let mut rig = Rig::new();
    let flushes = rig.world.disk(NAME).flushes();
    assert_eq!(rig.sync(rig.metricsd), FileStatus::Ok);
    assert_eq!(rig.world.disk(NAME).flushes(), flushes);
}

#[test]
fn one_sender_has_so_many_requests_at_the_disk_and_no_more() {
    let mut rig = Rig::new();
    let (one, other) = (rig.metricsd, rig.logd);
    assert_eq!(rig.replace(one, "a", &bytes(4000, 1)), FileStatus::Ok);
    assert_eq!(rig.replace(other, "a", &bytes(4000, 1)), FileStatus::Ok);
    assert_eq!(rig.sync(one), FileStatus::Ok);
    let read = Request::Read(Read { draft: false, name: name("a"), at: 0, max: 4000 });
    rig.world.pause(NAME);
    (0..40).for_each(|_| {
        rig.send(one, &read);
    });
    (0..4).for_each(|_| {
        rig.send(other, &read);
    });
    rig.world.resume(NAME);
    rig.world.settle();
    let count = |answers: Vec<(u64, FileStatus)>, status| {
        answers.iter().filter(|answer| answer.1 == status).count()
    };
    let answers = rig.answers(one, Op::Read);
    assert_eq!(answers.len(), 40);
    assert!(count(answers.clone(), FileStatus::Ok) >= 4);
    let known = count(answers.clone(), FileStatus::Ok) + count(answers, FileStatus::Busy);
    assert_eq!(known, 40);
    assert_eq!(count(rig.answers(other, Op::Read), FileStatus::Ok), 4);
}

#[test]
fn answers_overtake_those_that_wait_for_the_disk() {
    let mut overtaken = 0;
    for seed in 1..30 {
        let mut rig =
            Rig::with(seed, crate::rig::RECIPE, Some(simkit::Disk::new(crate::rig::SECTORS)));
        let me = rig.metricsd;
        assert_eq!(rig.replace(me, "a", &bytes(4000, 1)), FileStatus::Ok);
        assert_eq!(rig.sync(me), FileStatus::Ok);
        let read =
            rig.send(me, &Request::Read(Read { draft: false, name: name("a"), at: 0, max: 4000 }));
        let hello = rig.send(me, &Request::Hello);
        rig.world.settle();
        let order = rig.world.replies(me).iter().map(|reply| reply.ticket).collect::<Vec<_>>();
        assert_eq!(order.len(), 2);
        overtaken += u32::from(order == [hello, read]);
    }
    assert!(overtaken > 0);
}
