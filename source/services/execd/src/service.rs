use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, Sender, SenderId};
use nexus_bounded::{Mono, Nanos};
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_policy::PolicyClient;
use nexus_port::{CallError, CallId, Event, Now, Service, Token, World};
use nexus_wire::exec::{
    self, ExecStatus, Frame, Refusal, Request, Running, RunningWriter, encode_started, plain_reply,
};
use nexus_wire::{Echo, EncodeError, markers};

use crate::bundles::Bundles;
use crate::crash::{Crash, Reporter, code};
use crate::job::{Asked, Job};
use crate::processes::{Lives, Processes};
use crate::telemetry::{self, Exit};

/// Requests to start that may wait for their turn, one of each sender.
const WAITING_MAX: usize = 4;
/// How often is looked who has ended, while anything runs.
const LOOK: Nanos = Nanos::from_millis(100);

/// The service that starts programs. See the crate.
pub struct Execd<P> {
    pub(crate) processes: P,
    pub(crate) lives: Lives,
    pub(crate) policy: PolicyClient,
    pub(crate) bundles: Bundles,
    reporter: Reporter,
    /// What waits for another service.
    pub(crate) job: Option<Job>,
    waiting: VecDeque<Asked>,
    /// Where replies are written.
    pub(crate) reply: Box<[u8]>,
    rejects: RejectMarkers<2>,
    /// When is looked next who has ended.
    look: Mono,
    is_proven: bool,
    stopping: bool,
}

impl<P: Processes> Execd<P> {
    /// Nothing runs. Takes all memory that it will ever need.
    #[must_use]
    pub fn new(processes: P) -> Self {
        Self {
            processes,
            lives: Lives::new(),
            policy: PolicyClient::new(CallId(0x1_0000)),
            bundles: Bundles::new(CallId(0x2_0000)),
            reporter: Reporter::new(CallId(0x3_0000)),
            job: None,
            waiting: VecDeque::with_capacity(WAITING_MAX),
            reply: vec![0; FRAME_BYTES_MAX].into(),
            rejects: RejectMarkers::new([
                markers::EXECD_REJECT_INVALID_ARGS,
                markers::EXECD_REJECT_OVER_LIMIT,
            ]),
            look: Mono(0),
            is_proven: false,
            stopping: false,
        }
    }

    /// What starts and ends processes.
    pub fn processes(&mut self) -> &mut P {
        &mut self.processes
    }

    fn request(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        match exec::decode(frame) {
            Err(Refusal { echo, status }) => self.refuse(token, echo, status, world),
            Ok(Frame { echo, request: Request::List }) => {
                let reply = whole(self.list(echo.nonce));
                world.reply(token, self.reply.get(..reply).unwrap_or_default());
            }
            Ok(Frame { echo, request: Request::Kill { pid } }) => {
                let status = self.kill(from.id, pid);
                world.reply(token, &plain_reply(echo, status));
            }
            Ok(Frame { echo, request: Request::Start { name } }) => {
                let asked = Asked { from, token, echo, name: name.stored() };
                self.want(asked, now, world);
            }
        }
    }

    /// Begins what is asked for, or lets it wait.
    fn want(&mut self, asked: Asked, now: Mono, world: &mut impl World) {
        let is_its = |waiting: &Asked| waiting.from.id == asked.from.id;
        if self.lives.is_full() {
            self.refuse_start(&asked, ExecStatus::OverLimit, world);
        } else if self.job.is_none() {
            self.begin(asked, now, world);
        } else if self.waiting.len() < WAITING_MAX && !self.waiting.iter().any(is_its) {
            self.waiting.push_back(asked);
        } else {
            self.refuse_start(&asked, ExecStatus::Busy, world);
        }
    }

    pub(crate) fn list(&mut self, nonce: u32) -> Result<usize, EncodeError> {
        let mut writer = RunningWriter::new(nonce, &mut self.reply);
        for live in self.lives.iter() {
            let running = Running { pid: live.pid, since: live.since, name: live.name.get() };
            let fits = writer.process(&running);
            assert!(fits, "as many as may run fit a frame");
        }
        writer.finish().map(<[u8]>::len)
    }

    fn kill(&mut self, owner: SenderId, pid: u32) -> ExecStatus {
        match self.lives.find_mut(pid).filter(|live| live.owner == owner) {
            Some(live) => {
                live.is_killed = true;
                self.processes.kill(pid);
                ExecStatus::Ok
            }
            None => ExecStatus::NotFound,
        }
    }

    pub(crate) fn started(&mut self, asked: &Asked, pid: u32, world: &mut impl World) {
        telemetry::note(Ok(()));
        let reply = whole(encode_started(pid, asked.echo.nonce, &mut self.reply).map(<[u8]>::len));
        world.reply(asked.token, self.reply.get(..reply).unwrap_or_default());
        nexus_log::info!("execd", "started {}", asked.name.get().as_str();
            event = "exec.started.v1", name = asked.name.get().as_str(), pid = pid);
    }

    pub(crate) fn refuse_start(
        &mut self,
        asked: &Asked,
        status: ExecStatus,
        world: &mut impl World,
    ) {
        telemetry::note(Err(status));
        self.refuse(asked.token, asked.echo, status, world);
    }

    fn refuse(&mut self, token: Token, echo: Echo, status: ExecStatus, world: &mut impl World) {
        world.reply(token, &plain_reply(echo, status));
        match status {
            ExecStatus::InvalidArgs => self.rejects.note(RejectMarker::InvalidArgs, world),
            ExecStatus::OverLimit => self.rejects.note(RejectMarker::OverLimit, world),
            _ => {}
        }
    }

    fn completed(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
        world: &mut impl World,
    ) {
        if let Some(verdict) = self.policy.ended(call, result) {
            self.decided(verdict, now, world);
        } else if let Some(answer) = self.bundles.ended(call, result) {
            self.came(answer, now, world);
        } else {
            self.reporter.ended(call, result, world);
        }
    }

    fn expire(&mut self, now: Mono, world: &mut impl World) {
        if let Some(verdict) = self.policy.expired(now) {
            self.decided(verdict, now, world);
        }
        if self.bundles.expired(now) {
            self.came(Err(ExecStatus::FetchFailed), now, world);
        }
        self.reporter.expire(now, world);
    }

    /// Hears who has ended.
    fn look(&mut self, now: Mono, world: &mut impl World) {
        while let Some((pid, reason)) = self.processes.ended() {
            if let Some(live) = self.lives.take(pid) {
                let bad = code(reason).filter(|_| !live.is_killed);
                telemetry::note_exit(match (bad, live.is_killed) {
                    (_, true) => Exit::Killed,
                    (Some(_), _) => Exit::Crash,
                    (None, _) => Exit::Ok,
                });
                if let Some(code) = bad {
                    let (name, service, since) = (live.name, live.service, live.since);
                    let crash = Crash { pid, code, name, service, since, at: now };
                    self.reporter.add(crash, world);
                }
            }
        }
        self.look = now.after(LOOK);
    }

    fn go_on(&mut self, now: Mono, world: &mut impl World) {
        self.look(now, world);
        self.reporter.go_on(now, world);
        while self.job.is_none()
            && let Some(asked) = self.waiting.pop_front()
        {
            self.want(asked, now, world);
        }
    }
}

/// A reply of ours always fits its buffer.
fn whole(reply: Result<usize, EncodeError>) -> usize {
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.unwrap_or_default()
}

impl<P: Processes> Service for Execd<P> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
        }
        match event {
            Event::Request { from, token, frame } => self.request(from, token, frame, now, world),
            Event::Completion { call, result } => self.completed(call, result, now, world),
            Event::Stop => self.stopping = true,
            Event::PeerGone { .. } | Event::Wake | Event::Block { .. } => {}
        }
        self.expire(now, world);
        self.go_on(now, world);
        telemetry::note_live(self.lives.len());
    }

    /// At once until the proof at start is done; a world that knows of an end may wake us earlier.
    fn deadline(&self) -> Option<Mono> {
        let start = (!self.is_proven).then_some(Mono(0));
        let look = (self.lives.len() > 0).then_some(self.look);
        let calls = [
            self.policy.deadline(),
            self.bundles.deadline(),
            self.reporter.deadline(),
            look,
            start,
        ];
        calls.into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopping && self.job.is_none() && self.reporter.is_idle()
    }

    fn undone(&self, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        match self.lives.len() {
            0 => Ok(()),
            live => write!(out, "{live} processes run on"),
        }
    }

    fn check_invariants(&self) {
        let asks = self.policy.deadline().is_some() || self.bundles.deadline().is_some();
        assert!(self.job.is_some() == asks, "a request waits for one answer");
        assert!(self.job.is_some() || self.waiting.is_empty(), "nobody waits for nothing");
    }
}
