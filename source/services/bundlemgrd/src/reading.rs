//! Looking at bundles.

use nexus_bounded::Mono;
use nexus_port::World;
use nexus_wire::bundles::{
    self, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundlesWriter, Piece,
};
use nexus_wire::files::{Read, Request};

use crate::catalogue::{Bundle, Place};
use crate::path::Path;
use crate::service::{Asker, Bundlemgrd, Step, Turn};

type Acted = Result<Turn, BundleStatus>;

impl Bundlemgrd {
    pub(crate) fn list(&mut self, asker: &Asker, after: Option<BundleName<'_>>) -> Acted {
        let mut writer = BundlesWriter::new(asker.echo.nonce, &mut self.reply);
        let is_known = self.mount.epoch().is_ok();
        let all = self.catalogue.behind(after).iter();
        let mut all = all.filter(|bundle| is_known || bundle.is_boot());
        let more = all.any(|bundle| !writer.bundle(&bundle.listed()));
        Self::says(writer.finish(more))
    }

    pub(crate) fn query(&mut self, asker: &Asker, name: BundleName<'_>) -> Acted {
        let bundle = self.known(name)?;
        Self::says(bundles::encode_info(&bundle.info(), asker.echo.nonce, &mut self.reply))
    }

    pub(crate) fn fetch(
        &mut self,
        asker: &Asker,
        name: BundleName<'_>,
        at: u32,
        max: u16,
        now: Mono,
        world: &mut impl World,
    ) -> Acted {
        let max = max.min(BUNDLE_PIECE_BYTES_MAX as u16);
        if let Some(all) = self.boot_bytes(name) {
            let rest = all.get(at as usize..).unwrap_or_default();
            let bytes = rest.get(..max.into()).unwrap_or(rest);
            let piece = Piece { size: all.len() as u32, bytes };
            return Self::says(bundles::encode_piece(&piece, asker.echo.nonce, &mut self.reply));
        }
        let Bundle { place, size, .. } = self.known(name)?;
        let Place::State(installer) = place else { return Err(BundleStatus::NotFound) };
        let path = Path::new(installer, name);
        let file = path.file().ok_or(BundleStatus::NotFound)?;
        self.disk.begin(&Request::Read(Read { draft: false, name: file, at, max }), now, world)?;
        Ok(Turn::Waits(Step::Read(size)))
    }

    /// A bundle of that name; while the disk is not known nobody can say that there is none.
    pub(crate) fn known(&self, name: BundleName<'_>) -> Result<Bundle, BundleStatus> {
        match self.catalogue.find(name) {
            Some(bundle) if bundle.is_boot() => Ok(*bundle),
            found => self.mount.epoch().and_then(|_| found.copied().ok_or(BundleStatus::NotFound)),
        }
    }

    /// The bytes of a bundle of the boot image.
    pub(crate) fn boot_bytes(&self, name: BundleName<'_>) -> Option<&'static [u8]> {
        match self.catalogue.find(name)?.place {
            Place::Boot(at) => self.boot.get(at).copied(),
            Place::State(_) => None,
        }
    }
}
