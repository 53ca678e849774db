use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{ExitReason, FRAME_BYTES_MAX, SenderId};
use nexus_bounded::Mono;
use nexus_bundle::{Fetch, Left, LeftState, Processes};
use nexus_gate::{Asker, RejectMarker, RejectMarkers, Turns};
use nexus_policy::PolicyClient;
use nexus_port::{CallError, CallId, Event, Now, Service, World};
use nexus_recipe::ExecdLimits;
use nexus_wire::bundles::StoredName;
use nexus_wire::exec::{
    self, ExecStatus, Frame, Refusal, Request, Running, RunningWriter, plain_reply,
};
use nexus_wire::markers;

use crate::crash::{Crash, Reporter};
use crate::job::Job;
use crate::lives::{Life, Lives};
use crate::telemetry;

/// The service that starts programs. See the crate.
pub struct Execd<P> {
    pub(crate) processes: P,
    pub(crate) lives: Lives,
    pub(crate) policy: PolicyClient,
    pub(crate) fetch: Fetch,
    reporter: Reporter,
    /// What waits for another service.
    pub(crate) job: Option<Job>,
    /// Bundles to be started.
    waiting: Turns<StoredName>,
    /// Where replies are written.
    reply: Box<[u8]>,
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
            fetch: Fetch::new(CallId(0x2_0000), limits.patience),
            reporter: Reporter::new(CallId(0x3_0000), limits.clone()),
            job: None,
            waiting: Turns::new(limits.waiting),
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

    fn request(&mut self, asker: Asker, request: Request<'_>, now: Mono, world: &mut impl World) {
        match request {
            Request::Start { name } => self.want(asker, name.stored(), now, world),
            Request::List => world.reply(asker.token, self.list(asker.echo.nonce)),
            Request::Kill { pid } => {
                let status = self.kill(asker.from.id, pid);
                world.reply(asker.token, &plain_reply(asker.echo, status));
            }
        }
    }

    /// Begins what is asked for, or lets it wait.
    fn want(&mut self, asker: Asker, name: StoredName, now: Mono, world: &mut impl World) {
        if self.lives.is_full() {
            self.refuse_start(asker, ExecStatus::OverLimit, world);
        } else if self.job.is_none() {
            self.begin(asker, name, now, world);
        } else if self.waiting.add(asker, name).is_err() {
            self.refuse_start(asker, ExecStatus::Busy, world);
        }
    }

    /// The frame that says what runs.
    pub(crate) fn list(&mut self, nonce: u32) -> &[u8] {
        let mut writer = RunningWriter::new(nonce, &mut self.reply);
        for (pid, life) in self.lives.iter() {
            let running = Running { pid: *pid, since: life.since, name: life.name.get() };
            let fits = writer.process(&running);
            assert!(fits, "as many as may run fit a frame");
        }
        let reply = writer.finish();
        assert!(reply.is_ok(), "every reply fits a frame");
        reply.unwrap_or_default()
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

    pub(crate) fn refuse_start(&mut self, asker: Asker, why: ExecStatus, world: &mut impl World) {
        telemetry::refused(why);
        self.refuse(asker, why, world);
    }

    fn refuse(&mut self, asker: Asker, status: ExecStatus, world: &mut impl World) {
        world.reply(asker.token, &plain_reply(asker.echo, status));
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
        } else if let Some(fetched) = self.fetch.ended(call, result, now, world) {
            self.fetched(fetched, now, world);
        } else {
            self.reporter.ended(call, result);
        }
    }

    fn expire(&mut self, now: Mono, world: &mut impl World) {
        if let Some(verdict) = self.policy.expired(now) {
            self.decided(verdict, now, world);
        }
        if let Some(why) = self.fetch.expired(now) {
            self.fetched(Err(why), now, world);
        }
        self.reporter.expire(now);
    }

    /// Takes over what former lives have started, and reports the ends of which they may not have.
    fn adopt(&mut self, now: Mono, world: &mut impl World) {
        while let Some(Left { entry, state }) = self.processes.left() {
            let life = Life::left(entry);
            match state {
                LeftState::Runs(pid) => self.lives.add(pid, life),
                LeftState::Ended { pid, why } => self.ended(pid, life, why, now, world),
                LeftState::Overtaken(count) => telemetry::overtaken(entry, count),
            }
        }
    }

    /// Hears who has ended.
    fn look(&mut self, now: Mono, world: &mut impl World) {
        while let Some((pid, why)) = self.processes.ended() {
            if let Some(life) = self.lives.take(pid) {
                self.ended(pid, life, why, now, world);
            }
        }
    }

    fn ended(&mut self, pid: u32, life: Life, why: ExitReason, at: Mono, world: &mut impl World) {
        // Whom a former life of ours has ended somebody had asked it to end.
        let is_killed = life.is_killed || why == ExitReason::Killed(ExitReason::BY_PARENT);
        let bad = why.failure().filter(|_| !is_killed);
        telemetry::ended(is_killed, bad.is_some());
        if let Some(code) = bad {
            self.reporter.add(Crash { pid, code, life, at }, world);
        }
    }

    fn go_on(&mut self, now: Mono, world: &mut impl World) {
        self.look(now, world);
        self.reporter.go_on(now, world);
        while self.job.is_none()
            && let Some((asker, name)) = self.waiting.take()
        {
            self.want(asker, name, now, world);
        }
    }
}

impl<P: Processes> Service for Execd<P> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
            self.adopt(now, world);
        }
        match event {
            Event::Request { from, token, frame } => match exec::decode(frame) {
                Ok(Frame { echo, request }) => {
                    self.request(Asker { from, token, echo }, request, now, world);
                }
                Err(Refusal { echo, status }) => {
                    self.refuse(Asker { from, token, echo }, status, world);
                }
            },
            Event::Completion { call, result } => self.completed(call, result, now, world),
            Event::Stop => self.stopping = true,
            Event::PeerGone { .. } | Event::Wake | Event::Block { .. } => {}
        }
        self.expire(now, world);
        self.go_on(now, world);
        telemetry::note_live(self.lives.len());
        if self.reporter.is_idle() {
            self.processes.recorded();
        }
    }

    /// At once until the proof at start is done. When a process ends, the world wakes us.
    fn deadline(&self) -> Option<Mono> {
        let start = (!self.is_proven).then_some(Mono(0));
        let calls =
            [self.policy.deadline(), self.fetch.deadline(), self.reporter.deadline(), start];
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
        let asks = self.policy.deadline().is_some() || self.fetch.deadline().is_some();
        assert!(self.job.is_some() == asks, "a request waits for one answer");
        assert!(self.job.is_some() || self.waiting.is_empty(), "nobody waits for nothing");
    }
}
