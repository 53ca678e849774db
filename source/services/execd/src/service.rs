use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Sender, SenderId, ServiceId};
use nexus_bounded::Mono;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_policy::PolicyClient;
use nexus_port::{CallError, CallId, Event, Now, Service, Token, World};
use nexus_recipe::ExecdLimits;
use nexus_wire::exec::{
    self, ExecStatus, Frame, Refusal, Request, Running, RunningWriter, encode_started, plain_reply,
};
use nexus_wire::{Echo, EncodeError, markers};

use crate::bundles::Bundles;
use crate::crash::{Crash, Pid, Reporter, code};
use crate::job::{Asked, Job};
use crate::processes::{Left, LeftState, Life, Lives, Processes};
use crate::telemetry::{self, Exit};

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
    /// Requests that may wait.
    waiting_max: usize,
    /// Where replies are written.
    pub(crate) reply: Box<[u8]>,
    rejects: RejectMarkers<2>,
    is_proven: bool,
    stopping: bool,
}

impl<P: Processes> Execd<P> {
    /// Nothing was asked yet. Takes all memory that it will ever need.
    #[must_use]
    pub fn new(limits: &ExecdLimits, processes: P) -> Self {
        Self {
            processes,
            lives: Lives::new(limits.processes as usize),
            policy: PolicyClient::new(CallId(0x1_0000)),
            bundles: Bundles::new(CallId(0x2_0000), limits.patience),
            reporter: Reporter::new(CallId(0x3_0000), limits.clone()),
            job: None,
            waiting: VecDeque::with_capacity(limits.waiting as usize),
            waiting_max: limits.waiting as usize,
            reply: vec![0; FRAME_BYTES_MAX].into(),
            rejects: RejectMarkers::new([
                markers::EXECD_REJECT_INVALID_ARGS,
                markers::EXECD_REJECT_OVER_LIMIT,
            ]),
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
        } else if self.waiting.len() < self.waiting_max && !self.waiting.iter().any(is_its) {
            self.waiting.push_back(asked);
        } else {
            self.refuse_start(&asked, ExecStatus::Busy, world);
        }
    }

    pub(crate) fn list(&mut self, nonce: u32) -> Result<usize, EncodeError> {
        let mut writer = RunningWriter::new(nonce, &mut self.reply);
        for (pid, life) in self.lives.iter() {
            let running = Running { pid: *pid, since: life.since, name: life.name.get() };
            let fits = writer.process(&running);
            assert!(fits, "as many as may run fit a frame");
        }
        writer.finish().map(<[u8]>::len)
    }

    fn kill(&mut self, owner: SenderId, pid: u32) -> ExecStatus {
        match self.lives.find_mut(pid).filter(|life| life.owner == Some(owner)) {
            Some(life) => {
                life.is_killed = true;
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

    /// Takes over what former lives have started, and reports what has ended since.
    fn adopt(&mut self, now: Mono, world: &mut impl World) {
        while let Some(Left { entry, state }) = self.processes.left() {
            let (service, since) = (ServiceId::from_name(entry.get().as_str()), Mono(0));
            let life = Life { name: entry, service, owner: None, since, is_killed: false };
            match state {
                LeftState::Runs(pid) => self.lives.add(pid, life),
                LeftState::Ended(reason) => self.note_end(Pid(None), &life, reason, now, world),
            }
        }
    }

    /// Hears who has ended.
    fn look(&mut self, now: Mono, world: &mut impl World) {
        while let Some((pid, reason)) = self.processes.ended() {
            if let Some(life) = self.lives.take(pid) {
                self.note_end(Pid(Some(pid)), &life, reason, now, world);
            }
        }
    }

    fn note_end(
        &mut self,
        pid: Pid,
        life: &Life,
        reason: ExitReason,
        now: Mono,
        world: &mut impl World,
    ) {
        let bad = code(reason).filter(|_| !life.is_killed);
        telemetry::note_exit(match (bad, life.is_killed) {
            (_, true) => Exit::Killed,
            (Some(_), _) => Exit::Crash,
            (None, _) => Exit::Ok,
        });
        if let Some(code) = bad {
            let Life { name, service, since, .. } = *life;
            self.reporter.add(Crash { pid, code, name, service, since, at: now }, world);
        }
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
            self.adopt(now, world);
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

    /// At once until the proof at start is done. When a process ends, the world wakes us.
    fn deadline(&self) -> Option<Mono> {
        let start = (!self.is_proven).then_some(Mono(0));
        let calls =
            [self.policy.deadline(), self.bundles.deadline(), self.reporter.deadline(), start];
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
