//! One request to start, from the policy's word to the process.

use nexus_abi::Rights;
use nexus_bounded::Mono;
use nexus_bundle::{NoAnswer, NoBundle, Processes, Program};
use nexus_gate::Asker;
use nexus_metrics::{SpanStatus, Steps};
use nexus_policy::{Verdict, needed};
use nexus_port::World;
use nexus_wire::bundles::{BundleStatus, StoredName};
use nexus_wire::exec::{ExecStatus, started_reply};
use nexus_wire::policy::{Action, Check, Object};

use crate::lives::Life;
use crate::service::Execd;
use crate::telemetry::{self, steps};

/// A request that waits for another service: for the policy's word or for its bundle.
pub(crate) struct Job {
    asker: Asker,
    name: StoredName,
    path: Steps,
    /// What the policy was asked about last.
    action: Action,
    /// What is to be started, once it was seen, and the rights that are asked for later.
    program: Option<(Program, Rights)>,
}

/// The number of the process that was asked for; `None`: something is waited for first.
type Turn = Result<Option<u32>, ExecStatus>;

impl<P: Processes> Execd<P> {
    pub(crate) fn begin(
        &mut self,
        asker: Asker,
        name: StoredName,
        now: Mono,
        world: &mut impl World,
    ) {
        let mut path = telemetry::path(name.get().as_str(), now);
        path.step(steps::POLICY, now);
        let (subject, action) = (asker.from.service(), Action::Spawn);
        let asked = self.may(Check { subject, action, object: name.get().into() }, now, world);
        self.go_on_with(Job { asker, name, path, action, program: None }, asked, now, world);
    }

    fn may(&mut self, check: Check<'_>, now: Mono, world: &mut impl World) -> Turn {
        let asked = self.policy.ask(check, now, world);
        asked.map(|()| None).map_err(|verdict| telemetry::denied(check.action, verdict))
    }

    /// policyd has spoken, or cannot be heard.
    pub(crate) fn decided(&mut self, verdict: Verdict, now: Mono, world: &mut impl World) {
        let Some(mut job) = self.job.take() else { return };
        let turn = if !verdict.is_allowed() {
            Err(telemetry::denied(job.action, verdict))
        } else if let Some((program, rights)) = job.program {
            self.may_have(&mut job, program, rights, now, world)
        } else {
            job.path.step(steps::FETCH, now);
            self.fetch.begin(job.name, now, world).map(|()| None).map_err(missed)
        };
        self.go_on_with(job, turn, now, world);
    }

    /// The bundle was seen whole, or is not to be had.
    pub(crate) fn fetched(
        &mut self,
        fetched: Result<Program, NoBundle>,
        now: Mono,
        world: &mut impl World,
    ) {
        let Some(mut job) = self.job.take() else { return };
        let turn = fetched.map_err(missed).and_then(|program| {
            job.path.step(steps::LOAD, now);
            self.may_have(&mut job, program, program.rights, now, world)
        });
        self.go_on_with(job, turn, now, world);
    }

    /// Asks whether the program may have these rights; when all is allowed, starts it.
    fn may_have(
        &mut self,
        job: &mut Job,
        program: Program,
        rights: Rights,
        now: Mono,
        world: &mut impl World,
    ) -> Turn {
        let Some((action, others)) = needed(rights) else { return self.start(job, &program, now) };
        (job.action, job.program) = (action, Some((program, others)));
        self.may(Check { subject: program.service(), action, object: Object::NONE }, now, world)
    }

    fn start(&mut self, job: &mut Job, program: &Program, now: Mono) -> Turn {
        if self.lives.is_full() {
            return Err(ExecStatus::OverLimit);
        }
        let loaded = self.processes.load(program);
        let loaded = loaded.map_err(|why| telemetry::not_loaded(job.name, why))?;
        job.path.step(steps::START, now);
        let pid = self.processes.start(loaded, program.rights);
        let pid = pid.map_err(|why| telemetry::not_started(job.name, why))?;
        let (name, owner, service) = (job.name, Some(job.asker.from.id), program.service());
        self.lives.add(pid, Life { name, service, owner, since: now, is_killed: false });
        Ok(Some(pid))
    }

    /// Lets a request wait for the next answer, or answers it.
    fn go_on_with(&mut self, job: Job, turn: Turn, now: Mono, world: &mut impl World) {
        match turn {
            Ok(None) => self.job = Some(job),
            Ok(Some(pid)) => {
                job.path.end(now, SpanStatus::Ok);
                telemetry::started(job.name, pid);
                world.reply(job.asker.token, &started_reply(pid, job.asker.echo.nonce));
            }
            Err(status) => {
                job.path.end(now, SpanStatus::Error);
                self.refuse_start(job.asker, status, world);
            }
        }
    }
}

/// What is said to who wants a bundle that is not to be had.
fn missed(why: NoBundle) -> ExecStatus {
    match why {
        NoBundle::NoAnswer(NoAnswer::Refused(BundleStatus::NotFound)) => ExecStatus::NotFound,
        NoBundle::NoAnswer(NoAnswer::Refused(BundleStatus::Busy)) => ExecStatus::Busy,
        NoBundle::NoAnswer(NoAnswer::Refused(BundleStatus::Corrupt)) | NoBundle::Corrupt => {
            ExecStatus::Corrupt
        }
        NoBundle::NoAnswer(_) => ExecStatus::FetchFailed,
    }
}
