//! Calls to statefsd, the way to files in every world.
//!
//! [`Files`] is one lane: one call under way at a time, with a name of its own. Whoever wants to
//! read while it writes has two lanes.

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, SubmitError, World};
use nexus_wire::FileStatus;
use nexus_wire::files::{Op, Reply, Request, decode_reply, encode};

/// Who has the files.
const STATEFSD: ServiceId = ServiceId::from_name("statefsd");

/// The calls of lane 0; those of lane `n` are `n` higher. A service names no other calls so.
const FIRST_CALL: u32 = 0x4000_0000;

/// Why a call came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody serves there, or whoever did has died before it answered; it may have acted.
    Absent,
    /// It was answered with a status that is not `ok`.
    Refused(FileStatus),
    /// The answer is none to what was asked.
    Garbled,
}

impl Failure {
    /// What it means to whoever keeps something.
    #[must_use]
    pub const fn trouble(self) -> Trouble {
        match self {
            Self::Absent | Self::Refused(FileStatus::NotReady | FileStatus::Denied) => {
                Trouble::NoDisk
            }
            Self::Refused(FileStatus::NoSpace | FileStatus::OverQuota | FileStatus::Full) => {
                Trouble::Full
            }
            Self::Refused(FileStatus::Busy | FileStatus::RateLimited) => Trouble::Slow,
            Self::Refused(FileStatus::ReadOnly) => Trouble::ReadOnly,
            Self::Refused(_) | Self::Garbled => Trouble::IoError,
        }
    }
}

/// Why nothing is kept for the time being.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// There is no statefsd, or it has no disk that it can use, or no share of it for us.
    NoDisk,
    /// The disk, or our share of it, is full.
    Full,
    /// The disk has failed.
    IoError,
    /// The disk takes no writes.
    ReadOnly,
    /// More waits in memory than there is room for, because the disk is behind.
    Slow,
    /// What is there is of a format or a size that this program does not know; it is left alone.
    Foreign,
}

impl Trouble {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::NoDisk, Self::Full, Self::IoError, Self::ReadOnly, Self::Slow, Self::Foreign];

    /// The word for it in status fields and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoDisk => "no_disk",
            Self::Full => "full",
            Self::IoError => "io_error",
            Self::ReadOnly => "read_only",
            Self::Slow => "slow",
            Self::Foreign => "foreign",
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A call that has not ended.
#[derive(Clone, Copy, Debug)]
struct Under {
    op: Op,
    since: Mono,
}

/// One lane of calls.
pub struct Files {
    call: CallId,
    nonce: u32,
    under: Option<Under>,
    frame: Box<[u8]>,
    /// What was asked last, and the bytes of its frame.
    last: Option<(Op, usize)>,
}

impl Files {
    /// Bytes of memory that a lane takes.
    pub const BYTES: usize = FRAME_BYTES_MAX;

    /// Lane number `lane` of a service. Takes its memory now.
    #[must_use]
    pub fn new(lane: u8) -> Self {
        Self {
            call: CallId(FIRST_CALL + lane as u32),
            nonce: 0,
            under: None,
            frame: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            last: None,
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.under.is_none()
    }

    /// Since when a call is under way.
    #[must_use]
    pub fn since(&self) -> Option<Mono> {
        self.under.map(|under| under.since)
    }

    /// Makes a call. Nothing may be under way on this lane.
    ///
    /// # Errors
    /// [`Failure::Absent`] if nobody serves there, `Refused(Busy)` if as many calls as the world
    /// carries for us are under way. Nothing was sent, and no end will come.
    pub fn begin(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        assert!(self.is_idle(), "one call a lane");
        self.nonce = self.nonce.wrapping_add(1);
        let frame = encode(request, self.nonce, &mut self.frame);
        assert!(frame.is_ok(), "what is asked for fits a frame by its own bounds");
        self.last = Some((request.op(), frame.unwrap_or_default().len()));
        self.submit(now, world)
    }

    /// Makes the last call once more, for whoever was told to: it was refused as busy. Nothing may
    /// be under way on this lane, and something must have been asked.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn repeat(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        assert!(self.is_idle() && self.last.is_some(), "what was refused is repeated");
        self.submit(now, world)
    }

    fn submit(&mut self, now: Mono, world: &mut impl World) -> Result<(), Failure> {
        let Some((op, length)) = self.last else { return Err(Failure::Garbled) };
        let frame = self.frame.get(..length).unwrap_or_default();
        world.submit(STATEFSD, self.call, frame).map_err(|error| match error {
            SubmitError::NotReady => Failure::Absent,
            SubmitError::Busy => Failure::Refused(FileStatus::Busy),
        })?;
        self.under = Some(Under { op, since: now });
        Ok(())
    }

    /// Takes the end of a call: what was answered, if it was answered `ok`. `None`: the call is not
    /// of this lane.
    pub fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<Reply<'a>, Failure>> {
        if call != self.call {
            return None;
        }
        let under = self.under.take();
        assert!(under.is_some(), "a call ends once");
        let op = under?.op;
        Some(match result {
            Err(CallError::PeerDied) => Err(Failure::Absent),
            Ok(frame) => match decode_reply(op, self.nonce, frame) {
                None => Err(Failure::Garbled),
                Some((FileStatus::Ok, reply)) => Ok(reply),
                Some((status, _)) => Err(Failure::Refused(status)),
            },
        })
    }
}
