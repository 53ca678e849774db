use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_port::{Event, Now, Service, Token, World};
use nexus_recipe::StateRecipe;
use nexus_wire::files::{self, Frame, Request, plain_reply};
use nexus_wire::{EncodeError, FileStatus, markers};
use statefs::{State, Store, SyncId};

use crate::LayoutError;
use crate::disk::Disk;
use crate::drafts::Drafts;
use crate::layout::layout;
use crate::pending::{Pending, Waiting, Waits};
use crate::shares::{ShareId, Shares};

/// The service. See the crate's documentation.
pub struct Statefsd {
    pub(crate) store: Store,
    pub(crate) disk: Disk,
    pub(crate) shares: Shares,
    pub(crate) drafts: Drafts,
    pub(crate) waiting: Waiting,
    /// Requests of one sender that may wait for the disk.
    pending_max: u32,
    /// Where replies are written.
    reply: Box<[u8]>,
    rejects: RejectMarkers,
    /// Requests of senders without a share.
    strangers: u64,
    /// The sync that is to be durable before the end, once that was asked for.
    stop: Option<SyncId>,
}

/// A request that is being handled.
pub(crate) struct Asked {
    pub(crate) share: ShareId,
    pub(crate) life: Incarnation,
    pub(crate) token: Token,
    pub(crate) nonce: u32,
}

/// What a request has come to.
pub(crate) enum Answer<'a> {
    /// It is done, and that is all.
    Done,
    /// This frame says it.
    Frame(&'a [u8]),
    /// It is answered when the disk has done its part.
    Later,
}

impl Statefsd {
    /// The service of a recipe; takes all memory that it will ever need. `boot` counts its lives.
    ///
    /// # Errors
    /// [`LayoutError`] if the recipe's disk cannot hold what the recipe promises.
    pub fn new(recipe: &StateRecipe, boot: u32) -> Result<Self, LayoutError> {
        let format = layout(recipe)?;
        let limits = &recipe.statefsd;
        let shares = Shares::new(recipe);
        let store = Store::new(format, &shares.quotas());
        let waiting = Waiting::new(limits.pending * shares.len() as u32);
        Ok(Self {
            store,
            disk: Disk::new(limits, boot),
            shares,
            drafts: Drafts::new(format.limits().open),
            waiting,
            pending_max: limits.pending,
            reply: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            rejects: RejectMarkers::new([
                markers::STATEFSD_REJECT_INVALID_ARGS,
                markers::STATEFSD_REJECT_OVER_LIMIT,
                markers::STATEFSD_REJECT_RATE_LIMITED,
            ]),
            strangers: 0,
            stop: None,
        })
    }

    /// The store, to be looked at.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Requests of senders without a share, since the start.
    #[must_use]
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }

    fn request(
        &mut self,
        now: Mono,
        from: &Sender,
        token: Token,
        frame: &[u8],
        world: &mut impl World,
    ) {
        let decoded = files::decode(frame);
        let (op, nonce) = match &decoded {
            Ok(Frame { nonce, request }) => (request.op().raw(), *nonce),
            Err(refusal) => (refusal.op, refusal.nonce),
        };
        let Some(share) = self.shares.find(from.service()) else {
            self.strangers += 1;
            return world.reply(token, &plain_reply(op, FileStatus::Denied, nonce));
        };
        let asked = Asked { share, life: from.incarnation, token, nonce };
        let mut out = core::mem::take(&mut self.reply);
        let is_paid = self.shares.get_mut(share).charge(frame.len(), now);
        let answer = match decoded {
            _ if !is_paid => Err(FileStatus::RateLimited),
            Err(refusal) => Err(refusal.status),
            Ok(Frame { request, .. }) => self.answer(&asked, &request, &mut out),
        };
        match answer {
            Ok(Answer::Done) => world.reply(token, &plain_reply(op, FileStatus::Ok, nonce)),
            Ok(Answer::Frame(frame)) => world.reply(token, frame),
            Ok(Answer::Later) => {}
            Err(status) => {
                self.refused(share, status, world);
                world.reply(token, &plain_reply(op, status, nonce));
            }
        }
        self.reply = out;
    }

    fn answer<'a>(
        &mut self,
        asked: &Asked,
        request: &Request<'_>,
        out: &'a mut [u8],
    ) -> Result<Answer<'a>, FileStatus> {
        if !self.is_ready() {
            return Err(self.why_not_ready());
        }
        match *request {
            Request::Hello => self.hello(asked, out),
            Request::Stat(target) => self.stat(asked, target, out),
            Request::List(list) => self.list(asked, list, out),
            Request::Read(read) => self.read(asked, read, out),
            Request::Create(new) => self.create(asked, new),
            Request::Draft(new) => self.draft(asked, new),
            Request::Append(append) => self.append(asked, append),
            Request::Finish(target) => self.finish(asked, target),
            Request::Replace(replace) => self.replace(asked, replace),
            Request::Delete(target) => self.delete(asked, target),
            Request::Sync { epoch } => self.sync(asked, epoch),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.disk.is_up() && self.store.state() == State::Ready
    }

    fn sync<'a>(&mut self, asked: &Asked, epoch: u64) -> Result<Answer<'a>, FileStatus> {
        if epoch != self.disk.epoch(&self.store) {
            return Err(FileStatus::Lost);
        }
        let sync = self.begin_sync()?;
        if sync <= self.store.synced() {
            return Ok(Answer::Done);
        }
        self.wait(asked, Waits::Sync(sync))
    }

    pub(crate) fn begin_sync(&mut self) -> Result<SyncId, FileStatus> {
        self.store.sync().map_err(|_| FileStatus::NotReady)
    }

    /// Lets a request wait for the disk.
    pub(crate) fn wait<'a>(
        &mut self,
        asked: &Asked,
        waits: Waits,
    ) -> Result<Answer<'a>, FileStatus> {
        let Asked { share, token, nonce, .. } = *asked;
        if self.shares.get(share).pending >= self.pending_max {
            return Err(FileStatus::Busy);
        }
        let has_room = self.waiting.add(Pending { share, token, nonce, waits });
        assert!(has_room, "there is room for all that each share may have waiting");
        self.shares.get_mut(share).pending += 1;
        Ok(Answer::Later)
    }

    /// Answers a request that has waited; `reply` is one of its own, or says why there is none.
    pub(crate) fn conclude(
        &mut self,
        pending: &Pending,
        op: files::Op,
        result: Result<Option<&[u8]>, FileStatus>,
        world: &mut impl World,
    ) {
        let Pending { share, token, nonce, .. } = *pending;
        self.shares.get_mut(share).pending -= 1;
        match result {
            Ok(Some(frame)) => world.reply(token, frame),
            Ok(None) => world.reply(token, &plain_reply(op.raw(), FileStatus::Ok, nonce)),
            Err(status) => {
                self.refused(share, status, world);
                world.reply(token, &plain_reply(op.raw(), status, nonce));
            }
        }
    }

    /// Counts a refusal, and prints the first of its kind.
    fn refused(&mut self, share: ShareId, status: FileStatus, world: &mut impl World) {
        self.shares.get_mut(share).refused += 1;
        let marker = match status {
            FileStatus::InvalidArgs => RejectMarker::InvalidArgs,
            FileStatus::OverLimit | FileStatus::OverQuota => RejectMarker::OverLimit,
            FileStatus::RateLimited => RejectMarker::RateLimited,
            _ => return,
        };
        self.rejects.note(marker, world);
    }

    /// Where replies are written; to be given back by [`Self::give_reply`].
    pub(crate) fn take_reply(&mut self) -> Box<[u8]> {
        core::mem::take(&mut self.reply)
    }

    pub(crate) fn give_reply(&mut self, reply: Box<[u8]>) {
        self.reply = reply;
    }

    /// Its drafts go with a life.
    fn peer_gone(&mut self, id: SenderId, life: Incarnation) {
        let Some(share) = self.shares.find(id.service()) else { return };
        let store = &mut self.store;
        self.drafts.retain(|draft| {
            let is_its = draft.share == share && draft.life == life;
            // Where the store cannot give it up now, it stays until its name is drafted again.
            !is_its || store.delete(draft.file).is_err()
        });
    }

    fn stop(&mut self) {
        let last = if self.is_ready() { self.begin_sync().ok() } else { None };
        self.stop = Some(last.unwrap_or(SyncId(0)));
    }
}

/// A reply of ours always fits its buffer.
pub(crate) fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.unwrap_or_default()
}

impl Service for Statefsd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        match event {
            Event::Request { from, token, frame } => self.request(now, &from, token, frame, world),
            Event::Block { call, outcome } => self.block_ended(now, call, outcome, world),
            Event::PeerGone { id, incarnation, .. } => self.peer_gone(id, incarnation),
            Event::Stop => self.stop(),
            Event::Wake | Event::Completion { .. } => {}
        }
        self.go_on(now, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.disk.again()
    }

    fn stopped(&self) -> bool {
        let is_over = |last: SyncId| !self.is_ready() || self.store.synced() >= last;
        self.stop.is_some_and(is_over)
    }

    fn check_invariants(&self) {
        assert!(self.waiting.len() == self.shares.pending(), "who waits is counted once");
        let is_there = |file| self.store.entry(file).is_some();
        assert!(self.drafts.iter().all(|draft| is_there(draft.file)), "a draft is a file");
        assert!(self.is_ready() || !self.waiting.has_syncs(), "nobody waits for what cannot come");
    }
}
