//! A service may be handed from thread to thread between any two events: nothing of it belongs to
//! the thread that made it.

use std::thread;

use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::logs::{self, Head, Search, Version};
use nexus_wire::{Kind, metrics};
use sim::{app, append, machine, update};

/// What happens, in memory of its own.
#[derive(Clone)]
enum Happens {
    Frame(Sender, Vec<u8>),
    Gone(Sender),
    Wake,
    Stop,
}

/// All that a service asked of the world.
#[derive(Default, PartialEq, Eq, Debug)]
struct Told {
    effects: Vec<Effect>,
    /// Calls that wait for their end.
    calls: Vec<CallId>,
}

#[derive(PartialEq, Eq, Debug)]
enum Effect {
    Reply(Token, Vec<u8>),
    Submit(CallId, Vec<u8>),
    Print(String),
}

impl World for Told {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.effects.push(Effect::Reply(token, frame.to_vec()));
    }

    fn submit(&mut self, _: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.effects.push(Effect::Submit(call, frame.to_vec()));
        self.calls.push(call);
        Ok(())
    }

    fn print(&mut self, line: &str) {
        self.effects.push(Effect::Print(line.to_owned()));
    }
}

/// A service, its world, and what time it is there.
struct Life<S> {
    service: S,
    told: Told,
    step: u64,
}

impl<S: Service> Life<S> {
    fn new(service: S) -> Self {
        Self { service, told: Told::default(), step: 0 }
    }

    /// Lets something happen, three seconds after what was before; calls of the service fail.
    fn then(mut self, what: &Happens) -> Self {
        self.step += 1;
        let now = Now { mono: Mono(self.step * 3_000_000_000), wall: None };
        let event = match what {
            Happens::Frame(from, frame) => {
                Event::Request { from: *from, token: Token::from_raw(self.step), frame }
            }
            Happens::Gone(who) => Event::PeerGone {
                id: who.id,
                incarnation: who.incarnation,
                reason: ExitReason::Exited(1),
            },
            Happens::Wake => Event::Wake,
            Happens::Stop => Event::Stop,
        };
        self.service.handle(now, event, &mut self.told);
        for call in std::mem::take(&mut self.told.calls) {
            let result = Err(CallError::PeerDied);
            self.service.handle(now, Event::Completion { call, result }, &mut self.told);
        }
        self.service.check_invariants();
        self
    }
}

/// Runs a script in this thread, and again with each event in a thread of its own.
fn at_home_and_abroad<S: Service + Send + 'static>(make: fn() -> S, script: &[Happens]) {
    let home = script.iter().fold(Life::new(make()), |life, what| life.then(what)).told;
    let abroad = script.iter().cloned().fold(Life::new(make()), |life, what| {
        thread::spawn(move || life.then(&what)).join().unwrap()
    });
    let replies = home.effects.iter().filter(|effect| matches!(effect, Effect::Reply(..)));
    let frames = script.iter().filter(|what| matches!(what, Happens::Frame(..)));
    assert_eq!(replies.count(), frames.count(), "every frame is answered");
    assert_eq!(home, abroad.told);
}

fn who(number: usize) -> Sender {
    Sender::stamped(ServiceId::from_name(&app(number)), 9, Incarnation::new(1), Rights::NONE)
}

fn reader() -> Sender {
    let rights = Rights::QUERY.with(Rights::SCRAPE);
    Sender {
        rights,
        ..Sender::stamped(ServiceId::from_name("obsctl"), 8, Incarnation::new(1), rights)
    }
}

#[test]
fn logd_goes_on_in_any_thread_with_the_same_answers() {
    let ask = |request: logs::Request<'_>| {
        let mut frame = [0; 1024];
        let head = Head { version: Version::V2, nonce: 5 };
        Happens::Frame(reader(), logs::encode(&request, head, &mut frame).unwrap().to_vec())
    };
    let mut script = vec![Happens::Wake];
    for number in 0..20 {
        let frame = append("app", &format!("record {number}"), "a=1\n");
        script.push(Happens::Frame(who(number % 2), frame));
    }
    script.push(Happens::Gone(who(0)));
    script.push(ask(logs::Request::Search(Search::ALL)));
    script.push(ask(logs::Request::Audit { cursor: 0 }));
    script.push(Happens::Stop);
    at_home_and_abroad(|| Logd::new(&machine(2), 7, Keep::Nothing), &script);
}

#[test]
fn metricsd_goes_on_in_any_thread_with_the_same_answers_and_exports() {
    let ask = |from, request: metrics::Request<'_>| {
        let mut frame = [0; 1024];
        Happens::Frame(from, metrics::encode(&request, 5, &mut frame).unwrap().to_vec())
    };
    let mut script = vec![Happens::Wake];
    for number in 0..20 {
        let kind = [Kind::Counter, Kind::Gauge, Kind::Histogram][number % 3];
        let frame = update(kind, &format!("m{number}"), "a=1\n", 4);
        script.push(Happens::Frame(who(number % 2), frame));
    }
    script.push(ask(who(1), metrics::Request::Hello(None)));
    script.push(Happens::Gone(who(0)));
    script.push(Happens::Wake);
    script.push(ask(reader(), metrics::Request::Scrape { cursor: 0, with_help: true }));
    script.push(ask(reader(), metrics::Request::Status));
    script.push(Happens::Stop);
    at_home_and_abroad(|| Metricsd::new(&machine(2), 7, Keep::Nothing), &script);
}
