use alloc::boxed::Box;
use alloc::vec;
use core::fmt::Write as _;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos, Text};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_wire::bundles::{BundleName, BundleStatus};
use nexus_wire::files::{FileName, Op, Reply, Request, decode_reply, encode};
use nexus_wire::{FILE_NAME_BYTES_MAX, FileStatus};

/// For how long the disk is waited for.
const PATIENCE: Nanos = Nanos::from_secs(10);
/// The calls of this lane have names from here on.
const FIRST: CallId = CallId(0x2_0000);

/// Where a bundle lies: the low 32 bits of who brought it, and its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path(Text<FILE_NAME_BYTES_MAX>);

impl Path {
    /// Before all others.
    pub(crate) const FIRST: Self = Self(Text::EMPTY);

    pub(crate) fn new(installer: u32, name: BundleName<'_>) -> Self {
        let mut text = Text::EMPTY;
        let fits = write!(text, "{installer:08x}/{}", name.as_str()).is_ok();
        assert!(fits, "8 digits, a slash and a name are a file's name");
        Self(text)
    }

    pub(crate) fn of(file: FileName<'_>) -> Self {
        Self(Text::new(file.as_str()).unwrap_or(Text::EMPTY))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// As a file's name; `None` of [`Self::FIRST`] only.
    pub(crate) fn file(&self) -> Option<FileName<'_>> {
        FileName::new(self.0.as_str())
    }

    /// Who brought it, and what it is called.
    pub(crate) fn parts(&self) -> Option<(u32, BundleName<'_>)> {
        let (installer, name) = self.0.as_str().split_once('/')?;
        let is_ours = installer.len() == 8;
        let installer = u32::from_str_radix(installer, 16).ok().filter(|_| is_ours)?;
        Some((installer, BundleName::new(name)?))
    }
}

/// Calls to statefsd, one at a time.
pub(crate) struct Disk {
    call: OneCall,
    nonce: u32,
    op: Op,
    frame: Box<[u8]>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let call = OneCall::new(ServiceId::from_name("statefsd"), FIRST);
        Self { call, nonce: 0, op: Op::Hello, frame: vec![0; FRAME_BYTES_MAX].into() }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// `not_ready`: nothing was asked.
    pub(crate) fn begin(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), BundleStatus> {
        (self.nonce, self.op) = (self.nonce.wrapping_add(1), request.op());
        let frame = encode(request, self.nonce, &mut self.frame);
        assert!(frame.is_ok(), "what is asked for fits a frame by its own bounds");
        let begun = self.call.begin(frame.unwrap_or_default(), now.after(PATIENCE), world);
        begun.map_err(|_| BundleStatus::NotReady)
    }

    /// A call has ended: what was answered, if it is ours.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<Reply<'a>, FileStatus>> {
        let result = self.call.ended(call, result)?;
        let answer = result.ok().and_then(|frame| decode_reply(self.op, self.nonce, frame));
        Some(match answer {
            Some((FileStatus::Ok, reply)) => Ok(reply),
            Some((status, _)) => Err(status),
            None => Err(FileStatus::NotReady),
        })
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    pub(crate) fn expired(&mut self, now: Mono) -> bool {
        self.call.expired(now)
    }
}
