//! Bringing the store up, and again after a failure.

use core::fmt;

use nexus_bounded::{Mono, Nanos, Text};
use nexus_port::{
    BlockError, BlockOutcome, BlockRequest, CallId, SECTOR_BYTES, SubmitError, World,
};
use nexus_recipe::StatefsdLimits;
use nexus_wire::files::Op;
use nexus_wire::{FileStatus, markers};
use statefs::{Fault, Format, FormatError, Limits, State, Store, Twin};

use crate::pending::{STORE, Waits};
use crate::service::Statefsd;

type Sector = [u8; SECTOR_BYTES];

const ZEROS: Sector = [0; SECTOR_BYTES];

/// How far the disk is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It will be looked at then.
    Down(Mono),
    /// A copy of the superblock is being read.
    Looking(Twin),
    /// The store knows how far it is.
    Up,
}

/// Why the disk cannot be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Device(BlockError),
    Format(FormatError),
    /// It was formatted for others.
    Limits(Limits),
    Store(Fault),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => error.fmt(f),
            Self::Format(error) => error.fmt(f),
            Self::Store(fault) => fault.fmt(f),
            Self::Limits(Limits { sectors, files, open }) => write!(
                f,
                "formatted for {sectors} sectors, {files} files, {open} growing: not the recipe's; \
                 take that recipe again, or another disk"
            ),
        }
    }
}

impl Trouble {
    /// Why the disk cannot be used, if that is something that people can see to.
    const fn status(self) -> Option<FileStatus> {
        match self {
            Self::Device(BlockError::ReadOnly)
            | Self::Store(Fault::Device(BlockError::ReadOnly)) => Some(FileStatus::ReadOnly),
            Self::Device(BlockError::NoSpace) | Self::Store(Fault::Device(BlockError::NoSpace)) => {
                Some(FileStatus::NoSpace)
            }
            _ => None,
        }
    }
}

/// What is known of the disk besides the store.
pub(crate) struct Disk {
    phase: Phase,
    /// A request of the store's, or for a superblock, is under way.
    is_asked: bool,
    front: Option<Sector>,
    boot: u32,
    /// How often a store was mounted.
    mounts: u32,
    is_told: bool,
    trouble: Option<Trouble>,
    pause: Nanos,
    pause_min: Nanos,
    pause_max: Nanos,
}

impl Disk {
    pub(crate) const fn new(limits: &StatefsdLimits, boot: u32) -> Self {
        Self {
            phase: Phase::Down(Mono(0)),
            is_asked: false,
            front: None,
            boot,
            mounts: 0,
            is_told: false,
            trouble: None,
            pause: limits.retry_min,
            pause_min: limits.retry_min,
            pause_max: limits.retry_max,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Another one after each mount of each life. The upper half is the life's and the mount's, 16
    /// bits of each: who missed 65536 of either has been told by its calls that they were lost. The
    /// lower half is that run of the store, which the disk counts.
    pub(crate) fn epoch(&self, store: &Store) -> u64 {
        let [life, mount] = [self.boot, self.mounts].map(|count| u64::from(count & 0xffff));
        life << 48 | mount << 32 | u64::from(store.run())
    }

    /// The next trouble is a new one.
    const fn is_well(&mut self) {
        self.trouble = None;
        self.pause = self.pause_min;
    }

    /// When it is looked at again.
    pub(crate) const fn again(&self) -> Option<Mono> {
        match self.phase {
            Phase::Down(at) => Some(at),
            Phase::Looking(_) | Phase::Up => None,
        }
    }
}

impl Statefsd {
    /// Gives the disk all that it has a place for.
    pub(crate) fn go_on(&mut self, now: Mono, world: &mut impl World) {
        if self.disk.again().is_some_and(|at| at <= now) {
            self.disk.phase = Phase::Looking(Twin::Front);
        }
        while let Some(asked) = self.ask_for_store(world) {
            self.disk.is_asked = true;
            let Err(error) = asked else { break };
            self.block_ended(now, STORE, BlockOutcome::Failed(lost(error)), world);
        }
        self.end_syncs(world);
        while let Some((call, span)) = self.waiting.next_read() {
            if let Err(error) = world.submit_block(call, span.request()) {
                self.block_ended(now, call, BlockOutcome::Failed(lost(error)), world);
            }
        }
    }

    /// Asks for what the store, or finding it, needs next; `None` if that is nothing now.
    fn ask_for_store(&mut self, world: &mut impl World) -> Option<Result<(), SubmitError>> {
        if self.disk.is_asked {
            return None;
        }
        let request = match self.disk.phase {
            Phase::Down(_) => None,
            Phase::Looking(twin) => {
                let sector = self.store.disk_format().superblock(twin);
                Some(BlockRequest::Read { sector, sectors: 1 })
            }
            Phase::Up => self.store.next_io(),
        }?;
        Some(world.submit_block(STORE, request))
    }

    pub(crate) fn block_ended(
        &mut self,
        now: Mono,
        call: CallId,
        outcome: BlockOutcome<'_>,
        world: &mut impl World,
    ) {
        if call != STORE {
            let read = self.waiting.read(call);
            assert!(read.is_some(), "a read ends once");
            if let Some((pending, reading)) = read {
                self.read_ended(&pending, &reading, outcome, world);
            }
            return;
        }
        assert!(self.disk.is_asked, "a request ends once");
        self.disk.is_asked = false;
        match self.disk.phase {
            Phase::Looking(Twin::Front) => self.front_read(now, outcome, world),
            Phase::Looking(Twin::Back) => self.back_read(now, outcome, world),
            Phase::Up => {
                self.store.complete(outcome);
                self.look_at_store(now, world);
            }
            Phase::Down(_) => {}
        }
    }

    fn front_read(&mut self, now: Mono, outcome: BlockOutcome<'_>, world: &mut impl World) {
        match sector(outcome) {
            Err(BlockError::OutOfRange) => {
                self.go_down(now, Trouble::Device(BlockError::OutOfRange), world);
            }
            read => {
                self.disk.front = read.ok();
                self.disk.phase = Phase::Looking(Twin::Back);
            }
        }
    }

    fn back_read(&mut self, now: Mono, outcome: BlockOutcome<'_>, world: &mut impl World) {
        match self.found(self.disk.front, sector(outcome)) {
            Err(trouble) => self.go_down(now, trouble, world),
            Ok((format, is_blank)) => {
                self.store.adopt(format);
                if is_blank {
                    self.store.format()
                } else {
                    self.store.mount()
                }
                self.disk.phase = Phase::Up;
                self.disk.mounts += 1;
            }
        }
    }

    /// How the disk is formatted, or shall be: then it is blank.
    fn found(
        &self,
        front: Option<Sector>,
        back: Result<Sector, BlockError>,
    ) -> Result<(Format, bool), Trouble> {
        let ours = self.store.disk_format().limits();
        let is_blank = front == Some(ZEROS) && back == Ok(ZEROS);
        // One for fewer sectors ends where ours would go on, and was not cut short.
        let other = front.and_then(|front| Format::decode(&front).ok());
        if let Some(other) = other.filter(|other| back.is_err() && other.limits() != ours) {
            return Err(Trouble::Limits(other.limits()));
        }
        match (front, back) {
            (_, Err(error @ BlockError::OutOfRange)) | (None, Err(error)) => {
                return Err(Trouble::Device(error));
            }
            _ => {}
        }
        let copies = (front.unwrap_or(ZEROS), back.unwrap_or(ZEROS));
        match Format::of_copies(&copies.0, &copies.1) {
            Ok(format) if format.limits() == ours => Ok((format, false)),
            Ok(format) => Err(Trouble::Limits(format.limits())),
            Err(_) if is_blank => Format::new(ours, 1).map(|f| (f, true)).map_err(Trouble::Format),
            Err(error) => Err(Trouble::Format(error)),
        }
    }

    /// The store has taken the end of a request.
    fn look_at_store(&mut self, now: Mono, world: &mut impl World) {
        match self.store.state() {
            State::Failed(fault) => self.go_down(now, Trouble::Store(fault), world),
            State::Ready => {
                if !self.disk.is_told {
                    self.tell_ready(world);
                }
                // Only a disk that has written something is well again.
                if self.store.synced().0 > self.store.recovery().sync {
                    self.disk.is_well();
                }
            }
            State::Unmounted | State::Starting => {}
        }
    }

    fn tell_ready(&mut self, world: &mut impl World) {
        self.disk.is_told = true;
        let (files, recovery) = (self.store.list("").count(), self.store.recovery());
        let torn = if recovery.is_torn { ", one was under way" } else { "" };
        let lost = if recovery.is_lost { ", later ones are damaged" } else { "" };
        let sync = self.store.synced().0;
        say(world, format_args!("statefsd: {files} files as of sync {sync}{torn}{lost}"));
        if self.disk.mounts == 1 {
            world.print(markers::STATEFSD_READY);
        }
    }

    /// Why nothing can be done now.
    pub(crate) fn why_not_ready(&self) -> FileStatus {
        let status = self.disk.trouble.and_then(Trouble::status);
        status.unwrap_or(FileStatus::NotReady)
    }

    /// The disk cannot be used now: whoever waits for a sync learns it, and drafts are gone.
    fn go_down(&mut self, now: Mono, trouble: Trouble, world: &mut impl World) {
        self.disk.phase = Phase::Down(now.after(self.disk.pause));
        self.disk.pause = Nanos(self.disk.pause.0.saturating_mul(2)).min(self.disk.pause_max);
        self.disk.is_told = false;
        self.drafts.retain(|_| false);
        let is_sync = |waits: &Waits| matches!(waits, Waits::Sync(_));
        // Nobody is to believe that nothing has changed.
        let status = trouble.status().filter(|status| *status != FileStatus::NoSpace);
        while let Some(pending) = self.waiting.take(is_sync) {
            self.conclude(&pending, Op::Sync, Err(status.unwrap_or(FileStatus::IoError)), world);
        }
        if self.disk.trouble != Some(trouble) {
            self.disk.trouble = Some(trouble);
            say(world, format_args!("statefsd: no disk: {trouble}"));
        }
    }

    /// Answers the syncs that are durable.
    fn end_syncs(&mut self, world: &mut impl World) {
        let synced = self.store.synced();
        let is_durable = |waits: &Waits| matches!(waits, Waits::Sync(sync) if *sync <= synced);
        while let Some(pending) = self.waiting.take(is_durable) {
            self.conclude(&pending, Op::Sync, Ok(None), world);
        }
    }
}

/// A world without a disk is one whose disk does nothing.
fn lost(error: SubmitError) -> BlockError {
    assert!(error == SubmitError::NotReady, "no more is asked for than may be under way");
    BlockError::Io
}

fn sector(outcome: BlockOutcome<'_>) -> Result<Sector, BlockError> {
    match outcome {
        BlockOutcome::Read(bytes) => bytes.first_chunk().copied().ok_or(BlockError::Io),
        BlockOutcome::Failed(error) => Err(error),
        BlockOutcome::Done => Err(BlockError::Io),
    }
}

/// Bytes of a line on the console.
const LINE_BYTES: usize = 256;

fn say(world: &mut impl World, line: fmt::Arguments<'_>) {
    let mut text = Text::<LINE_BYTES>::EMPTY;
    let _what_fits = fmt::Write::write_fmt(&mut text, line).is_ok();
    world.print(text.as_str());
}
