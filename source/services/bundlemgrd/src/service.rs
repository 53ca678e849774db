use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, Sender};
use nexus_bounded::Mono;
use nexus_bundle::store::{Progress, Store, StoreLimits};
use nexus_gate::{Asker, RejectMarker, RejectMarkers};
use nexus_policy::{PolicyClient, Verdict};
use nexus_port::{CallError, CallId, Event, Now, Service, Token, World};
use nexus_recipe::BundlemgrdLimits;
use nexus_retention::PatientFiles;
use nexus_wire::bundles::{self, BundleStatus, Frame, Refusal, Request, plain_reply};
use nexus_wire::files::Reply;
use nexus_wire::{FileStatus, markers};

use crate::requests::{Wish, needs_a_disk};
use crate::telemetry;
use crate::waiting::{Kept, Waiting};

/// The bundle manager. See the crate.
pub struct Bundlemgrd {
    pub(crate) limits: BundlemgrdLimits,
    pub(crate) store: Store,
    pub(crate) policy: PolicyClient,
    pub(crate) disk: PatientFiles,
    /// Who waits for another service.
    job: Option<Asker>,
    /// What the policy was asked about.
    pub(crate) wish: Option<Wish>,
    waiting: Waiting,
    /// A change that is wanted, and waits until it is seen which disk there is.
    doubted: Option<(Asker, Kept)>,
    /// Where replies are written.
    pub(crate) reply: Box<[u8]>,
    rejects: RejectMarkers<2>,
    is_proven: bool,
    stopping: bool,
}

/// What became of a request or a step.
pub(crate) enum Turn {
    /// It is done, and that is all.
    Done,
    /// It is done, and this many bytes of the reply's buffer say it.
    Says(usize),
    /// Another service has been asked.
    Waits,
}

impl Bundlemgrd {
    /// With these bundles of the boot image. Takes all memory that it will ever need. A bundle that
    /// is none, or the second of its name, is left out and logged.
    #[must_use]
    pub fn new(limits: &BundlemgrdLimits, boot: &'static [&'static [u8]]) -> Self {
        let BundlemgrdLimits { bundles, bundle_bytes, idle, retry, .. } = *limits;
        let mut store = Store::new(StoreLimits { bundles, bundle_bytes, idle, retry });
        boot.iter().for_each(|bytes| telemetry::looked_at(store.add_boot(bytes)));
        Self {
            limits: limits.clone(),
            store,
            policy: PolicyClient::new(CallId(0x1_0000)),
            disk: PatientFiles::new(limits.patience, limits.busy_pause),
            job: None,
            wish: None,
            waiting: Waiting::new(limits.waiting),
            doubted: None,
            reply: vec![0; FRAME_BYTES_MAX].into(),
            rejects: RejectMarkers::new([
                markers::BUNDLEMGRD_REJECT_INVALID_ARGS,
                markers::BUNDLEMGRD_REJECT_OVER_LIMIT,
            ]),
            is_proven: false,
            stopping: false,
        }
    }

    /// Whether nothing waits for another service.
    const fn is_free(&self) -> bool {
        self.wish.is_none() && !self.store.is_busy()
    }

    /// Does what is asked for, or lets it wait.
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
                let is_alone = self.is_free() && !needs_a_disk(&request);
                if is_alone || self.is_answered_at_once(&request) {
                    self.perform(asker, request, now, world);
                } else if !self.waiting.add(asker, frame) {
                    self.refuse(&asker, BundleStatus::Busy, world);
                }
            }
        }
    }

    fn perform(&mut self, asker: Asker, request: Request<'_>, now: Mono, world: &mut impl World) {
        let turn = self.act(&asker, request, now, world);
        self.conclude(Some(asker), turn, world);
    }

    /// Answers, unless it waits.
    fn conclude(
        &mut self,
        asker: Option<Asker>,
        turn: Result<Turn, BundleStatus>,
        world: &mut impl World,
    ) {
        match (turn, asker) {
            (Ok(Turn::Waits), asker) => self.job = asker,
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
        let Some(wish) = self.wish.take() else { return };
        let asker = self.job.take();
        let turn = self.fulfil(&wish, verdict, now, world);
        self.conclude(asker, turn, world);
    }

    /// statefsd has answered, or cannot be heard.
    fn disk_ended(
        &mut self,
        result: Result<Reply<'_>, FileStatus>,
        now: Mono,
        world: &mut impl World,
    ) {
        let asker = self.job.take();
        let turn = match self.store.answered(result, now) {
            Ok(progress) => self.progressed(asker.as_ref(), progress, now, world),
            Err(refused) => Err(telemetry::status(refused)),
        };
        self.conclude(asker, turn, world);
    }

    fn progressed(
        &mut self,
        asker: Option<&Asker>,
        progress: Progress<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<Turn, BundleStatus> {
        match progress {
            Progress::Next => return self.ask_disk(&[], now, world),
            Progress::Found(what) => {
                telemetry::looked_at(what);
                return self.ask_disk(&[], now, world);
            }
            Progress::Read(piece) => {
                let nonce = asker.map_or(0, |asker| asker.echo.nonce);
                return Self::says(bundles::encode_piece(&piece, nonce, &mut self.reply));
            }
            Progress::Installed(bundle) => telemetry::installed(&bundle),
            Progress::Done => {}
        }
        Ok(Turn::Done)
    }

    /// Asks the disk for what the store wants of it, if anything.
    pub(crate) fn ask_disk(
        &mut self,
        piece: &[u8],
        now: Mono,
        world: &mut impl World,
    ) -> Result<Turn, BundleStatus> {
        if !self.store.is_busy() {
            return Ok(Turn::Done);
        }
        let request = self.store.request(piece);
        if request.is_some_and(|request| self.disk.begin(&request, now, world).is_ok()) {
            return Ok(Turn::Waits);
        }
        let ended = self.store.answered(Err(FileStatus::NotReady), now);
        Err(ended.map_or_else(telemetry::status, |_| BundleStatus::NotReady))
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
        } else if let Some(result) = self.disk.ended(call, result, now) {
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
    }

    /// Does what is due of our own accord, and then what has waited for its turn.
    fn go_on(&mut self, now: Mono, world: &mut impl World) {
        while self.is_free() && self.store.tidy(now) {
            let turn = self.ask_disk(&[], now, world);
            self.conclude(None, turn, world);
        }
        while self.is_free()
            && let Some((asker, kept)) = self.doubted.take().or_else(|| self.next(now, world))
        {
            let read = bundles::decode(kept.frame());
            assert!(read.is_ok(), "a frame that waits was read when it came");
            if let Ok(Frame { request, .. }) = read {
                self.perform(asker, request, now, world);
            }
            self.waiting.give_back(kept);
        }
    }

    /// What has waited for its turn, unless the disk is to be seen first.
    fn next(&mut self, now: Mono, world: &mut impl World) -> Option<(Asker, Kept)> {
        let (asker, kept) = self.waiting.take()?;
        if bundles::decode(kept.frame()).is_ok_and(|frame| needs_a_disk(&frame.request)) {
            self.store.doubt();
            if let Ok(Turn::Waits) = self.ask_disk(&[], now, world) {
                self.doubted = Some((asker, kept));
                return None;
            }
        }
        Some((asker, kept))
    }
}

impl Service for Bundlemgrd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
        }
        match event {
            Event::Request { from, token, frame } => self.request(from, token, frame, now, world),
            Event::Completion { call, result } => self.completed(call, result, now, world),
            Event::PeerGone { id, incarnation, .. } => self.store.forget((id, incarnation)),
            Event::Stop => self.stopping = true,
            Event::Wake | Event::Block { .. } => {}
        }
        self.expire(now, world);
        self.go_on(now, world);
        telemetry::note_state(self.store.count(), self.store.state_bytes(None));
    }

    fn deadline(&self) -> Option<Mono> {
        let own = self.store.deadline().filter(|_| self.is_free());
        [self.policy.deadline(), self.disk.deadline(), own].into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopping && self.is_free()
    }

    fn check_invariants(&self) {
        self.store.check();
        assert!(self.wish.is_some() == self.policy.deadline().is_some(), "a wish waits for a word");
        assert!(self.store.is_busy() == self.disk.deadline().is_some(), "one answer is waited for");
        let waits = self.job.is_some() || self.doubted.is_some();
        assert!(!waits || !self.is_free(), "nobody waits for nothing");
    }
}
