//! What services do does not depend on who hears of it: each answers the same bytes in the same
//! order with metricsd and logd, without them, and with two that refuse all that they are told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use guest::{Lie, Twin};
use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_metrics::Pace;
use nexus_port::{CallError, CallId, Service, Token};
use nexus_wire::bundles::BundleName;
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::{EndpointName, SessionId};
use nexus_wire::timers::{Qos, TimerId};
use nexus_wire::{bundles, entropy, exec, policy, sessions, timers};
use simkit::{Start, World};
use timed::Timed;

mod recorded;
mod services;

use recorded::Recorded;
use services::{Host, ME, spawn_services};

const METRICSD: ServiceId = ServiceId::from_name("metricsd");
/// What is recorded is brought so often.
const TICK: Nanos = Nanos::from_millis(1);
/// Requests that come at once to who answers alone. To who asks others they come one by one: whose
/// turn it is among several processes is chance in this world, and each further process is another
/// chance.
const AT_ONCE: usize = 3;
/// Ticks between those and the next ones: longer than any of them takes.
const TICKS: u32 = 100;
/// How often a workload is done.
const ROUNDS: usize = 5;

/// Who hears what services tell of their work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Daemons {
    Present,
    Absent,
    Refusing,
}

/// To it every frame is malformed.
struct Spoiled;

impl Lie for Spoiled {
    fn request(frame: &mut [u8]) {
        frame.iter_mut().take(1).for_each(|byte| *byte = b'X');
    }
}

fn spawn_daemons(world: &mut World, daemons: Daemons) {
    let recipe = guest::recipe();
    let of_logd = recipe.clone();
    let logd = move |start: Start| Logd::new(&of_logd, start.boot, Keep::Nothing);
    let metricsd = move |start: Start| Metricsd::new(&recipe, start.boot, metricsd::Keep::Nothing);
    match daemons {
        Daemons::Present => {
            world.spawn("logd", logd);
            world.spawn("metricsd", metricsd);
        }
        Daemons::Absent => {}
        Daemons::Refusing => {
            world.spawn("logd", move |start| Twin { service: logd(start), lie: Spoiled });
            world.spawn("metricsd", move |start| Twin { service: metricsd(start), lie: Spoiled });
        }
    }
}

/// As they are.
struct Plain;

impl Host for Plain {
    fn spawn<S: Service + 'static>(
        &self,
        world: &mut World,
        name: &str,
        make: impl FnMut(Start) -> S + 'static,
    ) {
        world.spawn(name, make);
    }
}

type Frames = Vec<Vec<u8>>;

/// Each of these as `encode` writes it, and two frames that are none.
fn frames<T, E: core::fmt::Debug>(
    requests: impl IntoIterator<Item = T>,
    encode: impl Fn(T, u32, &mut [u8; FRAME_BYTES_MAX]) -> Result<usize, E>,
) -> Frames {
    let frames = requests.into_iter().zip(1..).map(|(request, nonce)| {
        let mut frame = [0; FRAME_BYTES_MAX];
        let length = encode(request, nonce, &mut frame).unwrap();
        frame[..length].to_vec()
    });
    frames.chain([vec![], b"no frame".to_vec()]).collect()
}

fn to_policyd() -> Frames {
    let subject = ServiceId::from_name(ME);
    let spawn = Object::new("demo.hello").unwrap();
    let checks = [(Action::Spawn, spawn), (Action::ReadLogs, Object::NONE)];
    let foreign = Check {
        subject: ServiceId::from_name("execd"),
        action: Action::ReadLogs,
        object: Object::NONE,
    };
    let checks = checks.map(|(action, object)| Check { subject, action, object });
    frames(checks.into_iter().chain([foreign]), |check, nonce, out| {
        policy::encode(&policy::Frame { nonce, check }, out).map(<[u8]>::len)
    })
}

fn to_timed() -> Frames {
    use timers::Request::{Cancel, Register, SleepUntil};
    let (qos, deadline) = (Qos::Idle, Mono(50_000_001));
    let requests = [
        Register { qos, deadline },
        Cancel { timer: TimerId(2) },
        SleepUntil { qos, deadline },
        Register { qos, deadline: Mono(u64::MAX) },
    ];
    frames(requests, |request, nonce, out| {
        timers::encode(&timers::Frame { nonce, request }, out).map(<[u8]>::len)
    })
}

fn to_entropyd() -> Frames {
    frames([32, 0, 16], |count, nonce, out| {
        let frame = entropy::request(nonce, count);
        out[..frame.len()].copy_from_slice(&frame);
        Ok::<_, ()>(frame.len())
    })
}

fn to_bundlemgrd() -> Frames {
    use bundles::Request::{Begin, Bring, Commit, Fetch, List, Query};
    let [name, absent] = ["demo.hello", "demo.absent"].map(|name| BundleName::new(name).unwrap());
    let brought = BundleName::new("demo.hoard").unwrap();
    let requests = [
        List { after: None },
        Query { name },
        Fetch { name, at: 0, max: 512 },
        Query { name: absent },
        Begin { name: brought, size: 4 },
        Bring { at: 0, bytes: b"none" },
        Commit,
    ];
    frames(requests, |request, nonce, out| bundles::encode(&request, nonce, out).map(<[u8]>::len))
}

fn to_execd() -> Frames {
    use exec::Request::{Kill, List, Start};
    let [name, absent] = ["demo.hello", "demo.absent"].map(|name| BundleName::new(name).unwrap());
    let requests = [Start { name }, List, Kill { pid: 77 }, Start { name: absent }];
    frames(requests, |request, nonce, out| exec::encode(&request, nonce, out).map(<[u8]>::len))
}

fn to_dsoftbusd() -> Frames {
    use sessions::Request::{Ask, Close, Open};
    let [peer, nobody] = ["dsoftbusd-peer", "nobody"].map(|name| EndpointName::new(name).unwrap());
    let session = SessionId(1);
    let requests = [
        Open { peer },
        Open { peer: nobody },
        Ask { session: SessionId(99), bytes: b"hello" },
        Ask { session, bytes: b"hello" },
        Close { session },
    ];
    frames(requests, |request, nonce, out| sessions::encode(&request, nonce, out).map(<[u8]>::len))
}

/// An answer with the number of its request, in the order in which they came.
type Answers = Vec<(u64, Result<Vec<u8>, CallError>)>;

/// What a service answers to its workload.
fn answers(
    service: &'static str,
    (frames, at_once): (&[Vec<u8>], usize),
    daemons: Daemons,
    spawn: impl FnOnce(&mut World),
) -> Answers {
    let mut world = World::new(1);
    spawn_daemons(&mut world, daemons);
    let pace = Pace { interval: TICK, ..Pace::DEFAULT };
    let mut recorded = Recorded::new(&mut world, (service, &[service]), Rights::NONE, pace);
    spawn(&mut world);
    let me = world.client(ME, Rights::NONE);
    let mut answers = Vec::new();
    for frames in (0..ROUNDS).flat_map(|_| frames.chunks(at_once)) {
        for frame in frames {
            world.send(me, service, frame).unwrap();
        }
        for _ in 0..TICKS {
            recorded.poll(world.now().mono, None);
            world.run_for(TICK);
            answers.extend(world.replies(me).into_iter().map(|reply| (reply.ticket, reply.result)));
        }
    }
    answers
}

#[test]
fn every_service_answers_the_same_with_and_without_those_who_hear_of_its_work() {
    for (service, frames, at_once) in [
        ("policyd", to_policyd(), AT_ONCE),
        ("timed", to_timed(), AT_ONCE),
        ("entropyd", to_entropyd(), AT_ONCE),
        ("bundlemgrd", to_bundlemgrd(), 1),
        ("execd", to_execd(), 1),
        ("dsoftbusd", to_dsoftbusd(), 1),
    ] {
        let told = |daemons| {
            answers(service, (&frames, at_once), daemons, |world| spawn_services(&Plain, world))
        };
        let present = told(Daemons::Present);
        assert_eq!(present.len(), ROUNDS * frames.len(), "{service} owes answers");
        let is_ok = |answer: &Result<Vec<u8>, CallError>| matches!(answer, Ok(a) if a[4] == 0);
        assert!(present.iter().any(|(_, answer)| is_ok(answer)), "{service} does nothing");
        assert!(present.iter().any(|(_, answer)| !is_ok(answer)), "{service} refuses nothing");
        for daemons in [Daemons::Absent, Daemons::Refusing] {
            assert_eq!(told(daemons), present, "{service}, {daemons:?}");
        }
    }
}

/// Asks metricsd before it answers.
struct Asking;

impl Lie for Asking {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let is_there = world.submit(METRICSD, CallId(99), b"may I?").is_ok();
        let told = if is_there { frame } else { &frame[..5] };
        world.reply(token, told);
    }
}

#[test]
fn a_service_whose_answers_need_metricsd_is_found() {
    let told = |daemons| {
        answers("timed", (&to_timed(), AT_ONCE), daemons, |world| {
            world.spawn("timed", |_| Twin { service: Timed::new(), lie: Asking });
        })
    };
    assert_ne!(told(Daemons::Absent), told(Daemons::Present));
}
