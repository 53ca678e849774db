use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_bundle::Checker;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_policy::{PolicyClient, Verdict};
use nexus_port::{CallId, Event, Now, Service, Token, World};
use nexus_recipe::BundlemgrdLimits;
use nexus_wire::bundles::{self, BundleStatus, Frame, Op, Refusal, Request, plain_reply};
use nexus_wire::files::Reply;
use nexus_wire::{Echo, EncodeError, FileStatus, markers};

use crate::catalogue::{Bundle, Catalogue};
use crate::disk::Disk;
use crate::install::Upload;
use crate::parked::Parked;
use crate::path::Path;
use crate::scan::Mount;
use crate::telemetry;

/// The bundle manager. See the crate.
pub struct Bundlemgrd {
    pub(crate) catalogue: Catalogue,
    pub(crate) boot: &'static [&'static [u8]],
    pub(crate) policy: PolicyClient,
    pub(crate) disk: Disk,
    pub(crate) mount: Mount,
    /// The file that is being looked at.
    pub(crate) found: Option<Checker>,
    pub(crate) upload: Option<Upload>,
    /// What was given up and lies on the disk as a draft.
    pub(crate) discard: Option<Path>,
    /// What waits for another service.
    pub(crate) job: Option<Job>,
    parked: Parked,
    /// Where a request stands whose turn has come.
    turn: Box<[u8]>,
    /// Where replies are written.
    pub(crate) reply: Box<[u8]>,
    rejects: RejectMarkers<2>,
    is_proven: bool,
    stopping: bool,
}

/// Who waits for an answer.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) from: Sender,
    token: Token,
    pub(crate) echo: Echo,
}

impl Asker {
    pub(crate) const fn new(from: Sender, token: Token, op: u8, nonce: u32) -> Self {
        Self { from, token, echo: Echo { op, nonce } }
    }
}

/// Something that waits for another service; of our own if nobody waits for an answer.
pub(crate) struct Job {
    pub(crate) asker: Option<Asker>,
    pub(crate) step: Step,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// The policy's word on a new bundle of that many bytes, and then the disk's three.
    MayInstall(Path, u32),
    Clear(Path, u32),
    Draft(Path, u32),
    Append,
    Finish(Bundle),
    Sync(Bundle),
    /// The policy's word on a removal, and then the disk's two.
    MayRemove(Path),
    Delete(Path),
    SyncRemoved(Path),
    Read(u32),
    Discard,
    /// A step of looking at the disk.
    Scan,
}

/// What became of a request or a step.
pub(crate) enum Turn {
    /// It is done, and that is all.
    Done,
    /// It is done, and this many bytes of the reply's buffer say it.
    Says(usize),
    /// Another service has been asked.
    Waits(Step),
}

impl Bundlemgrd {
    /// With these bundles of the boot image. Takes all memory that it will ever need. A bundle that
    /// is none, or the second of its name, is left out and logged.
    #[must_use]
    pub fn new(limits: &BundlemgrdLimits, boot: &'static [&'static [u8]]) -> Self {
        let mut catalogue = Catalogue::new(limits);
        for (at, bytes) in boot.iter().enumerate() {
            telemetry::looked_at(crate::scan::whole(bytes, at).and_then(|b| catalogue.add(b)));
        }
        Self {
            catalogue,
            boot,
            policy: PolicyClient::new(CallId(0x1_0000)),
            disk: Disk::new(limits),
            mount: Mount::Again(Mono(0)),
            found: None,
            upload: None,
            discard: None,
            job: None,
            parked: Parked::new(limits.waiting),
            turn: vec![0; FRAME_BYTES_MAX].into(),
            reply: vec![0; FRAME_BYTES_MAX].into(),
            rejects: RejectMarkers::new([
                markers::BUNDLEMGRD_REJECT_INVALID_ARGS,
                markers::BUNDLEMGRD_REJECT_OVER_LIMIT,
            ]),
            is_proven: false,
            stopping: false,
        }
    }

    fn request(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        match bundles::decode(frame) {
            Err(Refusal { echo, status }) => {
                self.refuse(&Asker { from, token, echo }, status, world);
            }
            Ok(Frame { echo, request }) => {
                let asker = Asker { from, token, echo };
                if self.job.is_none() || !self.waits(&request) {
                    let turn = self.act(&asker, request, now, world);
                    self.conclude(Some(asker), turn, now, world);
                } else if !self.parked.add(from, token, frame) {
                    self.refuse(&asker, BundleStatus::Busy, world);
                }
            }
        }
    }

    /// Whether a request has to wait for its turn.
    fn waits(&self, request: &Request<'_>) -> bool {
        match request {
            Request::List { .. } | Request::Query { .. } => false,
            Request::Fetch { name, .. } => self.boot_bytes(*name).is_none(),
            _ => true,
        }
    }

    pub(crate) fn act(
        &mut self,
        asker: &Asker,
        request: Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<Turn, BundleStatus> {
        match request {
            Request::List { after } => self.list(asker, after),
            Request::Query { name } => self.query(asker, name),
            Request::Fetch { name, at, max } => self.fetch(asker, name, at, max, now, world),
            Request::Begin { name, size } => self.begin(asker, name, size, now, world),
            Request::Bring { at, bytes } => self.bring(asker, at, bytes, now, world),
            Request::Commit => self.commit(asker, now, world),
            Request::GiveUp => self.give_up_of(asker),
            Request::Remove { name } => self.remove(asker, name, now, world),
        }
    }

    /// Answers, unless it waits.
    pub(crate) fn conclude(
        &mut self,
        asker: Option<Asker>,
        turn: Result<Turn, BundleStatus>,
        now: Mono,
        world: &mut impl World,
    ) {
        let is_ours = asker.is_none() || self.mount.epoch().is_ok();
        if is_ours && matches!(turn, Err(BundleStatus::NotReady)) {
            self.lose_disk(now);
        }
        match (turn, asker) {
            (Ok(Turn::Waits(step)), asker) => self.job = Some(Job { asker, step }),
            (_, None) => {}
            (Ok(Turn::Says(len)), Some(asker)) => {
                telemetry::note(asker.echo.op, BundleStatus::Ok);
                world.reply(asker.token, self.reply.get(..len).unwrap_or_default());
            }
            (Ok(Turn::Done), Some(asker)) => {
                telemetry::note(asker.echo.op, BundleStatus::Ok);
                world.reply(asker.token, &plain_reply(asker.echo, BundleStatus::Ok));
            }
            (Err(status), Some(asker)) => self.refuse(&asker, status, world),
        }
    }

    fn refuse(&mut self, asker: &Asker, status: BundleStatus, world: &mut impl World) {
        telemetry::note(asker.echo.op, status);
        world.reply(asker.token, &plain_reply(asker.echo, status));
        match status {
            BundleStatus::InvalidArgs => self.rejects.note(RejectMarker::InvalidArgs, world),
            BundleStatus::OverLimit | BundleStatus::OverQuota => {
                self.rejects.note(RejectMarker::OverLimit, world);
            }
            _ => {}
        }
    }

    /// policyd has spoken, or cannot be heard.
    fn decided(&mut self, verdict: Verdict, now: Mono, world: &mut impl World) {
        let Some(Job { asker, step }) = self.job.take() else { return };
        let turn = if verdict.is_allowed() {
            self.allowed(step, now, world)
        } else {
            Err(telemetry::denied(verdict))
        };
        self.conclude(asker, turn, now, world);
    }

    /// statefsd has answered, or cannot be heard.
    pub(crate) fn disk_ended(
        &mut self,
        result: Result<Reply<'_>, FileStatus>,
        now: Mono,
        world: &mut impl World,
    ) {
        let Some(Job { asker, step }) = self.job.take() else { return };
        let turn = self.advance(step, asker.as_ref(), result, now, world);
        self.conclude(asker, turn, now, world);
    }

    fn completed(&mut self, now: Mono, call: CallId, event: Answer<'_>, world: &mut impl World) {
        if let Some(verdict) = self.policy.ended(call, event) {
            self.decided(verdict, now, world);
        } else if let Some(result) = self.disk.ended(call, event, now) {
            self.disk_ended(result, now, world);
        }
    }

    fn expire(&mut self, now: Mono, world: &mut impl World) {
        if let Some(verdict) = self.policy.expired(now) {
            self.decided(verdict, now, world);
        }
        if self.disk.expired(now, world) {
            self.disk_ended(Err(FileStatus::NotReady), now, world);
        }
        if self.upload.as_ref().is_some_and(|upload| upload.until <= now) && self.job.is_none() {
            self.give_up();
        }
    }

    /// Begins what has waited for its turn.
    fn go_on(&mut self, now: Mono, world: &mut impl World) {
        while self.job.is_none() && self.tidy_up(now, world) {}
        while self.job.is_none() && !self.parked.is_empty() {
            let mut turn = core::mem::take(&mut self.turn);
            if let Some((from, token, len)) = self.parked.take(&mut turn) {
                self.request(from, token, turn.get(..len).unwrap_or_default(), now, world);
            }
            self.turn = turn;
        }
    }

    /// A life has ended: what it was bringing is given up.
    fn gone(&mut self, id: SenderId, life: Incarnation) {
        if self.upload.as_ref().is_some_and(|upload| upload.owner == (id, life)) {
            self.give_up();
        }
    }

    /// The reply that was written to the front of the buffer.
    pub(crate) fn says(frame: Result<&[u8], EncodeError>) -> Result<Turn, BundleStatus> {
        assert!(frame.is_ok(), "every reply fits a frame");
        Ok(Turn::Says(frame.map_or(0, <[u8]>::len)))
    }
}

type Answer<'a> = Result<&'a [u8], nexus_port::CallError>;

impl Service for Bundlemgrd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
        }
        match event {
            Event::Request { from, token, frame } => self.request(from, token, frame, now, world),
            Event::Completion { call, result } => self.completed(now, call, result, world),
            Event::PeerGone { id, incarnation, .. } => self.gone(id, incarnation),
            Event::Stop => self.stopping = true,
            Event::Wake | Event::Block { .. } => {}
        }
        self.expire(now, world);
        self.go_on(now, world);
        telemetry::note_state(self.catalogue.len(), self.catalogue.state_bytes(None));
    }

    fn deadline(&self) -> Option<Mono> {
        let upload = self.upload.as_ref().filter(|_| self.job.is_none()).map(|upload| upload.until);
        let calls = [self.policy.deadline(), self.disk.deadline(), upload];
        let again = self.mount.again().filter(|_| self.job.is_none());
        calls.into_iter().chain([again]).flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopping && self.job.is_none()
    }

    fn check_invariants(&self) {
        self.catalogue.check();
        let asks = self.policy.deadline().is_some() || self.disk.deadline().is_some();
        assert!(self.job.is_some() == asks, "a job waits for one answer");
    }
}

/// The operation of a request, for what is counted by it.
pub(crate) const fn op_name(op: u8) -> &'static str {
    match Op::from_raw(op) {
        Some(Op::List) => "list",
        Some(Op::Query) => "query",
        Some(Op::Begin) => "begin",
        Some(Op::Bring) => "bring",
        Some(Op::Commit) => "commit",
        Some(Op::GiveUp) => "give_up",
        Some(Op::Fetch) => "fetch",
        Some(Op::Remove) => "remove",
        None => "unknown",
    }
}
