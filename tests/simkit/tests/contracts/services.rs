//! Services to try the world with.

use std::cell::RefCell;
use std::rc::Rc;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, Event, Now, Service, SubmitError, Token, World as Port};
use simkit::World;

/// Answers every frame with the frame, the boot number before it.
pub(crate) struct Echo {
    boot: u32,
    pub(crate) requests: u64,
}

impl Service for Echo {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl Port) {
        if let Event::Request { token, frame, .. } = event {
            self.requests += 1;
            let mut answer = self.boot.to_le_bytes().to_vec();
            answer.extend_from_slice(frame);
            answer.truncate(nexus_abi::FRAME_BYTES_MAX);
            world.reply(token, &answer);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn stopped(&self) -> bool {
        true
    }
}

pub(crate) fn spawn_echo(world: &mut World, name: &str) {
    world.spawn(name, |start| Echo { boot: start.boot, requests: 0 });
}

/// The parts of a port that scripts use, without generics.
pub(crate) trait Effects {
    fn reply(&mut self, token: Token, frame: &[u8]);
    fn acknowledge(&mut self, token: Token, frame: &[u8]);
    fn submit(&mut self, to: &str, call: u32, frame: &[u8]) -> Result<(), SubmitError>;
}

impl<P: Port> Effects for P {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        Port::reply(self, token, frame);
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        Port::acknowledge(self, token, frame);
    }

    fn submit(&mut self, to: &str, call: u32, frame: &[u8]) -> Result<(), SubmitError> {
        Port::submit(self, ServiceId::from_name(to), CallId(call), frame)
    }
}

struct Scripted<F> {
    script: Rc<RefCell<F>>,
    /// It wakes every so often.
    period: Option<Nanos>,
    next: Mono,
    stopped: bool,
}

impl<F: FnMut(Now, Event<'_>, &mut dyn Effects)> Service for Scripted<F> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl Port) {
        if let (Some(period), true) = (self.period, now.mono >= self.next) {
            self.next = now.mono.after(period);
        }
        self.stopped |= matches!(event, Event::Stop);
        (self.script.borrow_mut())(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.period.map(|_| self.next)
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}

/// Finds itself unsound after its third request.
struct Unsound {
    requests: u64,
}

impl Service for Unsound {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl Port) {
        if let Event::Request { token, frame, .. } = event {
            self.requests += 1;
            world.reply(token, frame);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn stopped(&self) -> bool {
        true
    }

    fn check_invariants(&self) {
        assert!(self.requests < 3, "unsound after {} requests", self.requests);
    }
}

pub(crate) fn spawn_unsound(world: &mut World, name: &str) {
    world.spawn(name, |_| Unsound { requests: 0 });
}

/// Starts a service that does what `script` says, in all its lives.
pub(crate) fn spawn_script(
    world: &mut World,
    name: &str,
    period: Option<Nanos>,
    script: impl FnMut(Now, Event<'_>, &mut dyn Effects) + 'static,
) {
    let script = Rc::new(RefCell::new(script));
    world.spawn(name, move |start| Scripted {
        script: Rc::clone(&script),
        period,
        next: start.now.mono,
        stopped: false,
    });
}

pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

/// Starts a service that writes down every event, and answers requests if `answers`.
pub(crate) fn spawn_notes(world: &mut World, name: &str, answers: bool) -> Notes {
    let notes = Notes::default();
    let out = Rc::clone(&notes);
    spawn_script(world, name, None, move |_, event, effects| {
        if let (Event::Request { token, frame, .. }, true) = (event, answers) {
            effects.reply(token, frame);
        }
        out.borrow_mut().push(note(event));
    });
    notes
}

fn note(event: Event<'_>) -> String {
    match event {
        Event::Request { from, frame, .. } => {
            format!("{}:{}", from.incarnation.raw(), String::from_utf8_lossy(frame))
        }
        Event::Completion { call, result: Ok(frame) } => {
            format!("{} {}", call.0, String::from_utf8_lossy(frame))
        }
        Event::Completion { call, result: Err(CallError::PeerDied) } => format!("{} died", call.0),
        Event::Block { call, outcome } => format!("{} {outcome:?}", call.0),
        Event::PeerGone { incarnation, reason, .. } => {
            format!("{} gone {reason:?}", incarnation.raw())
        }
        Event::Wake => "wake".to_owned(),
        Event::Stop => "stop".to_owned(),
    }
}

/// What was written down since the last time.
pub(crate) fn take(notes: &Notes) -> Vec<String> {
    notes.borrow_mut().drain(..).collect()
}
