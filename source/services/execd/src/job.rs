//! One request to start, from the policy's word to the process.

use nexus_abi::{Rights, Sender};
use nexus_bounded::Mono;
use nexus_bundle::{Checker, Manifest};
use nexus_metrics::{SpanStatus, Steps};
use nexus_policy::Verdict;
use nexus_port::{Token, World};
use nexus_wire::Echo;
use nexus_wire::bundles::{self, BUNDLE_PIECE_BYTES_MAX, Reply, StoredName};
use nexus_wire::exec::ExecStatus;
use nexus_wire::policy::{Action, Check, Object};

use crate::processes::{Life, Processes, Program};
use crate::service::Execd;
use crate::telemetry::{self, steps};

/// Who asked for what.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) from: Sender,
    pub(crate) token: Token,
    pub(crate) echo: Echo,
    pub(crate) name: StoredName,
}

/// A request that waits for another service.
pub(crate) struct Job {
    pub(crate) asked: Asked,
    pub(crate) path: Steps,
    step: Step,
    /// What was announced, and what has come of it.
    program: Option<Program>,
    checker: Checker,
}

/// What is waited for.
enum Step {
    /// The policy's word on the request.
    MaySpawn,
    /// What is known of the bundle.
    Query,
    /// Its bytes.
    Fetch,
    /// The policy's word on what the program needs; these rights are still to be asked for.
    MayHave(Action, Rights),
}

/// What the next one of these rights is called, and the others.
fn next_right(rights: Rights) -> Option<(Action, Rights)> {
    if rights.has(Rights::QUERY) {
        let others = if rights.has(Rights::SCRAPE) { Rights::SCRAPE } else { Rights::NONE };
        Some((Action::ReadLogs, others))
    } else {
        rights.has(Rights::SCRAPE).then_some((Action::ScrapeMetrics, Rights::NONE))
    }
}

/// Whether a request goes on, or its process's number.
type Acted = Result<Option<u32>, ExecStatus>;

impl<P: Processes> Execd<P> {
    pub(crate) fn begin(&mut self, asked: Asked, now: Mono, world: &mut impl World) {
        let path = telemetry::path(asked.name.get().as_str(), now);
        let checker = Checker::new(0);
        let mut job = Job { asked, path, step: Step::MaySpawn, program: None, checker };
        job.path.step(steps::POLICY, now);
        let begun = self.ask_for_spawn(&job.asked, now, world);
        self.go_on_with(job, begun, now, world);
    }

    fn ask_for_spawn(&mut self, asked: &Asked, now: Mono, world: &mut impl World) -> Acted {
        let object = Object::new(asked.name.get().as_str()).ok_or(ExecStatus::InvalidArgs)?;
        let (subject, action) = (asked.from.service(), Action::Spawn);
        self.may(Check { subject, action, object }, now, world)
    }

    fn may(&mut self, check: Check<'_>, now: Mono, world: &mut impl World) -> Acted {
        let asked = self.policy.ask(check, now, world);
        asked.map(|()| None).map_err(|verdict| denied(check.action, verdict))
    }

    /// policyd has spoken, or cannot be heard.
    pub(crate) fn decided(&mut self, verdict: Verdict, now: Mono, world: &mut impl World) {
        let Some(mut job) = self.job.take() else { return };
        let turn = match (&job.step, verdict.is_allowed()) {
            (Step::MaySpawn, true) => {
                job.path.step(steps::FETCH, now);
                job.step = Step::Query;
                let name = job.asked.name;
                let query = bundles::Request::Query { name: name.get() };
                self.bundles.ask(&query, now, world).map(|()| None)
            }
            (&Step::MayHave(_, rights), true) => self.ask_for_rights(&mut job, rights, now, world),
            (&Step::MayHave(action, _), false) => Err(denied(action, verdict)),
            _ => Err(denied(Action::Spawn, verdict)),
        };
        self.go_on_with(job, turn, now, world);
    }

    /// bundlemgrd has answered, or cannot be heard.
    pub(crate) fn came(
        &mut self,
        answer: Result<Reply<'_>, ExecStatus>,
        now: Mono,
        world: &mut impl World,
    ) {
        let Some(mut job) = self.job.take() else { return };
        let turn = answer.and_then(|reply| self.take(&mut job, &reply, now, world));
        self.go_on_with(job, turn, now, world);
    }

    fn take(
        &mut self,
        job: &mut Job,
        reply: &Reply<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        match (&job.step, reply) {
            (Step::Query, Reply::Info(info)) => {
                (job.program, job.checker) = (Some(Program::of(info)), Checker::new(info.size));
                job.step = Step::Fetch;
            }
            (Step::Fetch, Reply::Piece(piece)) if !piece.bytes.is_empty() => {
                job.checker.take(piece.bytes).map_err(|_| ExecStatus::Corrupt)?;
            }
            (Step::Fetch, Reply::Piece(_)) => return Err(ExecStatus::Corrupt),
            _ => return Err(ExecStatus::FetchFailed),
        }
        if job.checker.seen() < job.checker.size() {
            let (at, max) = (job.checker.seen(), BUNDLE_PIECE_BYTES_MAX as u16);
            let fetch = bundles::Request::Fetch { name: job.asked.name.get(), at, max };
            return self.bundles.ask(&fetch, now, world).map(|()| None);
        }
        let rights = job.seen()?.rights;
        job.path.step(steps::LOAD, now);
        self.ask_for_rights(job, rights, now, world)
    }

    /// Asks whether the program may have what it needs; when all is allowed, starts it.
    fn ask_for_rights(
        &mut self,
        job: &mut Job,
        rights: Rights,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        let program = job.program.ok_or(ExecStatus::FetchFailed)?;
        let Some((action, others)) = next_right(rights) else {
            return self.start(job, &program, now).map(Some);
        };
        job.step = Step::MayHave(action, others);
        self.may(Check { subject: program.service(), action, object: Object::NONE }, now, world)
    }

    fn start(&mut self, job: &mut Job, program: &Program, now: Mono) -> Result<u32, ExecStatus> {
        if self.lives.is_full() {
            return Err(ExecStatus::OverLimit);
        }
        let loaded = self.processes.load(program).map_err(|why| {
            nexus_log::error!("execd", "cannot load {}: {why:?}", job.asked.name.get().as_str();
                event = "exec.load_failed.v1", name = job.asked.name.get().as_str());
            ExecStatus::LoadFailed
        })?;
        job.path.step(steps::START, now);
        let started = self.processes.start(loaded, program.rights);
        let pid = started.map_err(|why| {
            nexus_log::error!("execd", "cannot start {}: {why:?}", job.asked.name.get().as_str();
                event = "exec.start_failed.v1", name = job.asked.name.get().as_str());
            ExecStatus::StartFailed
        })?;
        let (name, owner, service) = (job.asked.name, Some(job.asked.from.id), program.service());
        self.lives.add(pid, Life { name, service, owner, since: now, is_killed: false });
        Ok(pid)
    }

    /// Lets a request wait for the next answer, or answers it.
    fn go_on_with(&mut self, job: Job, turn: Acted, now: Mono, world: &mut impl World) {
        match turn {
            Ok(None) => self.job = Some(job),
            Ok(Some(pid)) => {
                job.path.end(now, SpanStatus::Ok);
                self.started(&job.asked, pid, world);
            }
            Err(status) => {
                job.path.end(now, SpanStatus::Error);
                self.refuse_start(&job.asked, status, world);
            }
        }
    }
}

fn denied(action: Action, verdict: Verdict) -> ExecStatus {
    let (action, reason) = (action.name(), verdict.reason());
    nexus_log::warn!("execd", "nothing was started: {action}: {reason}";
        action = action, event = "exec.denied.v1", reason = reason);
    ExecStatus::Denied
}

impl Job {
    /// What has come, if it is the bundle that was announced.
    fn seen(&self) -> Result<Program, ExecStatus> {
        let (manifest, digest) = self.checker.finish().map_err(|_| ExecStatus::Corrupt)?;
        let Manifest { entry, memory_kib, rights, .. } = manifest;
        let seen = Program { entry: entry.stored(), memory_kib, rights, digest };
        let is_it = manifest.name == self.asked.name.get() && self.program == Some(seen);
        if is_it { Ok(seen) } else { Err(ExecStatus::Corrupt) }
    }
}
