use nexus_abi::Rights;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};
use nexus_wire::bundles::{BUNDLE_PIECE_BYTES_MAX, DIGEST_BYTES, Info, Reply, Request, StoredName};

use crate::{BundleClient, Checker, Manifest, NoAnswer, Program, Whole};

/// Why there is no bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBundle {
    /// bundlemgrd does not give it.
    NoAnswer(NoAnswer),
    /// What has come is not the bundle that was announced.
    Corrupt,
}

/// Fetches one bundle at a time, from what is known of it to its last byte. It is looked at whole
/// and given away: what stays is which program it is.
#[derive(Clone, Debug)]
pub struct Fetch {
    client: BundleClient,
    coming: Option<Coming>,
}

impl Fetch {
    /// Nothing was asked yet. `first` and the 65535 names behind it are for its calls; each answer
    /// is waited for as long as `patience`.
    #[must_use]
    pub const fn new(first: CallId, patience: Nanos) -> Self {
        Self { client: BundleClient::new(first, patience), coming: None }
    }

    /// Asks for a bundle; none may be on its way.
    ///
    /// # Errors
    /// [`NoBundle`] if it could not be asked for; then nothing comes later.
    pub fn begin(
        &mut self,
        name: StoredName,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), NoBundle> {
        self.ask(Coming::new(name), now, world)
    }

    /// Asks for what comes next.
    fn ask(&mut self, coming: Coming, now: Mono, world: &mut impl World) -> Result<(), NoBundle> {
        self.client.ask(&coming.next(), now, world).map_err(NoBundle::NoAnswer)?;
        self.coming = Some(coming);
        Ok(())
    }

    /// A call of the service has ended: the program, or why there is none, if that was the last
    /// that the bundle needed.
    pub fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
        world: &mut impl World,
    ) -> Option<Result<Program, NoBundle>> {
        let answer = self.client.ended(call, result)?.map_err(NoBundle::NoAnswer);
        let mut coming = self.coming.take()?;
        match answer.and_then(|reply| coming.take(&reply)) {
            Ok(()) if coming.is_whole() => Some(coming.finish()),
            Ok(()) => self.ask(coming, now, world).err().map(Err),
            Err(why) => Some(Err(why)),
        }
    }

    /// When patience ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.client.deadline()
    }

    /// Why there is no bundle, if patience has ended by `now`.
    pub fn expired(&mut self, now: Mono) -> Option<NoBundle> {
        self.client.expired(now).map(NoBundle::NoAnswer)
    }
}

/// What must be the same in what is announced and in what comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    entry: StoredName,
    memory_kib: u32,
    rights: Rights,
    digest: [u8; DIGEST_BYTES],
}

impl Known {
    fn announced(info: &Info<'_>) -> Self {
        let Info { entry, memory_kib, rights, digest, .. } = *info;
        Self { entry: entry.stored(), memory_kib, rights, digest }
    }

    fn seen(whole: &Whole<'_>) -> Self {
        let Manifest { entry, memory_kib, rights, .. } = whole.manifest;
        Self { entry: entry.stored(), memory_kib, rights, digest: whole.digest }
    }
}

/// A bundle that is on its way.
#[derive(Clone, Debug)]
struct Coming {
    name: StoredName,
    announced: Option<Known>,
    checker: Checker,
}

impl Coming {
    fn new(name: StoredName) -> Self {
        Self { name, announced: None, checker: Checker::new(0) }
    }

    fn next(&self) -> Request<'_> {
        let name = self.name.get();
        if self.announced.is_none() {
            return Request::Query { name };
        }
        Request::Fetch { name, at: self.checker.seen(), max: BUNDLE_PIECE_BYTES_MAX as u16 }
    }

    fn take(&mut self, reply: &Reply<'_>) -> Result<(), NoBundle> {
        match (self.announced, reply) {
            (None, Reply::Info(info)) => {
                (self.announced, self.checker) =
                    (Some(Known::announced(info)), Checker::new(info.size));
                Ok(())
            }
            (Some(_), Reply::Piece(piece)) if !piece.bytes.is_empty() => {
                self.checker.take(piece.bytes).map_err(|_| NoBundle::Corrupt)
            }
            (Some(_), Reply::Piece(_)) => Err(NoBundle::Corrupt),
            _ => Err(NoBundle::NoAnswer(NoAnswer::Away)),
        }
    }

    fn is_whole(&self) -> bool {
        self.announced.is_some() && self.checker.seen() == self.checker.size()
    }

    /// Which program has come, if it is the bundle that was announced.
    fn finish(self) -> Result<Program, NoBundle> {
        let whole = self.checker.finish().map_err(|_| NoBundle::Corrupt)?;
        let seen = Known::seen(&whole);
        if whole.manifest.name != self.name.get() || self.announced != Some(seen) {
            return Err(NoBundle::Corrupt);
        }
        let Known { entry, memory_kib, rights, .. } = seen;
        Ok(Program { entry, memory_kib, rights, digest: whole.program })
    }
}
