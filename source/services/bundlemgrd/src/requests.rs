//! What is asked for: looking at bundles, bringing them and taking them away.

use nexus_bounded::Mono;
use nexus_bundle::store::{Owner, Path, Place};
use nexus_gate::Asker;
use nexus_policy::Verdict;
use nexus_port::World;
use nexus_wire::EncodeError;
use nexus_wire::bundles::{
    self, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundlesWriter, Piece, Request,
};
use nexus_wire::policy::{Action, Check, Object};

use crate::service::{Bundlemgrd, Turn};
use crate::telemetry;

/// A change that the policy is asked about.
pub(crate) enum Wish {
    /// A new bundle of that many bytes.
    Install(Owner, Path, u32),
    /// One less.
    Remove(Path),
}

/// Whether a request begins a change, which comes to nothing on another disk than the one that is
/// known.
pub(crate) const fn needs_a_disk(request: &Request<'_>) -> bool {
    matches!(request, Request::Begin { .. } | Request::Remove { .. })
}

type Acted = Result<Turn, BundleStatus>;

impl Bundlemgrd {
    /// Whether a request needs nobody else.
    pub(crate) fn is_answered_at_once(&self, request: &Request<'_>) -> bool {
        match request {
            Request::List { .. } | Request::Query { .. } => true,
            Request::Fetch { name, .. } => self.boot_bytes(*name).is_some(),
            _ => false,
        }
    }

    pub(crate) fn act(
        &mut self,
        asker: &Asker,
        request: Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        match request {
            Request::List { after } => self.list(asker, after),
            Request::Query { name } => self.query(asker, name),
            Request::Fetch { name, at, max } => {
                let max = max.min(BUNDLE_PIECE_BYTES_MAX as u16);
                match self.boot_bytes(name) {
                    Some(all) => self.piece(asker, all, at, max),
                    None => self.read(name, at, max, now, world),
                }
            }
            Request::Begin { name, size } => self.begin(asker, name, size, now, world),
            Request::Bring { at, bytes } => {
                self.store.bring(asker.life(), at, bytes, now)?;
                self.ask_disk(bytes, now, world)
            }
            Request::Commit => {
                self.store.commit(asker.life()).map_err(telemetry::status)?;
                self.ask_disk(&[], now, world)
            }
            Request::GiveUp => self.store.give_up(asker.life()).map(|()| Turn::Done),
            Request::Remove { name } => self.remove(asker, name, now, world),
        }
    }

    fn list(&mut self, asker: &Asker, after: Option<BundleName<'_>>) -> Acted {
        let mut writer = BundlesWriter::new(asker.echo.nonce, &mut self.reply);
        let mut all = self.store.behind(after);
        let more = all.any(|bundle| !writer.bundle(&bundle.listed()));
        Self::says(writer.finish(more))
    }

    fn query(&mut self, asker: &Asker, name: BundleName<'_>) -> Acted {
        let info = self.store.known(name)?.info();
        Self::says(bundles::encode_info(&info, asker.echo.nonce, &mut self.reply))
    }

    /// The bytes of a bundle of the boot image.
    fn boot_bytes(&self, name: BundleName<'_>) -> Option<&'static [u8]> {
        self.store.known(name).ok()?.boot_bytes()
    }

    fn piece(&mut self, asker: &Asker, all: &[u8], at: u32, max: u16) -> Acted {
        let rest = all.get(at as usize..).unwrap_or_default();
        let bytes = rest.get(..max.into()).unwrap_or(rest);
        let piece = Piece { size: all.len() as u32, bytes };
        Self::says(bundles::encode_piece(&piece, asker.echo.nonce, &mut self.reply))
    }

    fn read(
        &mut self,
        name: BundleName<'_>,
        at: u32,
        max: u16,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        self.store.read(name, at, max)?;
        self.ask_disk(&[], now, world)
    }

    fn begin(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        size: u32,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        self.store.may_begin(asker.life(), name, size)?;
        let installer = asker.from.service().span_prefix();
        self.is_within_quota(installer, size)?;
        let wish = Wish::Install(asker.life(), Path::new(installer, name), size);
        self.may(asker, name, wish, now, world)
    }

    /// Whether an installer may have that many bytes more.
    fn is_within_quota(&self, installer: u32, size: u32) -> Result<(), BundleStatus> {
        let fits = |taken: u64, most: u32| taken + u64::from(size) <= u64::from(most);
        let is_within = fits(self.store.state_bytes(Some(installer)), self.limits.installer_bytes)
            && fits(self.store.state_bytes(None), self.limits.state_bytes);
        if is_within { Ok(()) } else { Err(BundleStatus::OverQuota) }
    }

    fn remove(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        match self.store.known(name)?.place() {
            Place::Boot(_) => Err(BundleStatus::Denied),
            Place::State(installer) => {
                self.may(asker, name, Wish::Remove(Path::new(installer, name)), now, world)
            }
        }
    }

    /// Asks the policy.
    fn may(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        wish: Wish,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        let object = Object::new(name.as_str()).ok_or(BundleStatus::InvalidArgs)?;
        let (subject, action) = (asker.from.service(), Action::InstallBundle);
        let asked = self.policy.ask(Check { subject, action, object }, now, world);
        asked.map_err(telemetry::denied)?;
        self.wish = Some(wish);
        Ok(Turn::Waits)
    }

    /// The policy has decided.
    pub(crate) fn fulfil(
        &mut self,
        wish: &Wish,
        verdict: Verdict,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        if !verdict.is_allowed() {
            return Err(telemetry::denied(verdict));
        }
        match *wish {
            Wish::Install(owner, path, size) => self.store.begin(owner, path, size),
            Wish::Remove(path) => self.store.remove(path),
        }
        self.ask_disk(&[], now, world)
    }

    /// The reply that was written to the front of the buffer.
    pub(crate) fn says(frame: Result<&[u8], EncodeError>) -> Acted {
        assert!(frame.is_ok(), "every reply fits a frame");
        Ok(Turn::Says(frame.map_or(0, <[u8]>::len)))
    }
}
