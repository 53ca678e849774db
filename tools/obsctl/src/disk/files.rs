//! The files of a service, out of an image.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use nexus_retention::offline::{self, Finding};
use statefs::{Store, blocking};

use super::image::Image;
use crate::cli::Place;
use crate::render::visible;

/// What a service has kept in an image. It is only read, and may change meanwhile: everything in it
/// is under checksums, so what changes is not misread.
pub(crate) struct ImageFiles {
    path: PathBuf,
    image: Image,
    store: Store,
    /// How the names of the service's files begin.
    prefix: String,
}

impl ImageFiles {
    /// # Errors
    /// There is no such image, or it holds no store that we know.
    pub(crate) fn open(path: &Path, service: &str) -> anyhow::Result<Self> {
        let files = Self::open_quietly(path, service)?;
        if let Some(process) = files.image.writer() {
            let who = if process == 0 { String::new() } else { format!(" by process {process}") };
            eprintln!(
                "obsctl: {} is in use{who}: what was not synced yet is not in it; without \
                 --state-dir or --image the daemon itself is asked",
                path.display()
            );
        }
        Ok(files)
    }

    /// As [`Self::open`], without a word if it is in use.
    pub(super) fn open_quietly(path: &Path, service: &str) -> anyhow::Result<Self> {
        let mut image = Image::open(path)?;
        let store = blocking::view(&mut image);
        let store = store.map_err(|error| anyhow!("{}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), image, store, prefix: format!("{service}/") })
    }

    /// Says so if the image has changed since it was opened: what seems lost may be just that.
    pub(crate) fn warn_if_changed(&mut self) {
        let sync = self.store.recovery().sync;
        let now = blocking::view(&mut self.image).map(|store| store.recovery().sync);
        if now.ok() != Some(sync) {
            eprintln!(
                "obsctl: {} has changed while it was read: what is said to be lost may have been \
                 replaced; try again, or ask the daemon that writes it",
                self.path.display()
            );
        }
    }

    /// Whether somebody writes to it.
    pub(crate) fn is_in_use(&self) -> bool {
        self.image.writer().is_some()
    }

    /// Where the files are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the service has any file there.
    pub(crate) fn is_empty(&self) -> bool {
        self.store.list(&self.prefix).next().is_none()
    }
}

impl offline::Files for ImageFiles {
    fn list(&mut self) -> Vec<(String, u32)> {
        let files = self.store.list(&self.prefix);
        let own = files.filter_map(|entry| {
            let name = entry.name.as_str().strip_prefix(self.prefix.as_str())?;
            Some((name.to_owned(), entry.len))
        });
        own.collect()
    }

    fn read(&mut self, name: &str, offset: u32, out: &mut [u8]) -> bool {
        let Some(file) = self.store.find(&format!("{}{name}", self.prefix)) else { return false };
        let read = blocking::read(&self.store, &mut self.image, file, offset, out);
        read.is_ok_and(|count| count == out.len())
    }
}

/// What a daemon has kept, if files are to be read.
pub(crate) fn of_daemon(place: &Place, daemon: &str) -> anyhow::Result<Option<ImageFiles>> {
    let Some(path) = place.kept(daemon) else { return Ok(None) };
    let files = ImageFiles::open(&path, daemon).with_context(|| {
        format!("what {daemon} has kept cannot be read; obsctl fsck says what is wrong with a disk")
    })?;
    Ok(Some(files))
}

/// Says what is wrong with files that were read; whether all was there.
pub(crate) fn tell(findings: &[Finding], files: &mut ImageFiles) -> bool {
    for finding in findings {
        let mark = if finding.problem.is_loss() { "lost: " } else { "" };
        eprintln!("obsctl: {mark}{}", visible(&finding.to_string()));
    }
    files.warn_if_changed();
    !findings.iter().any(|finding| finding.problem.is_loss())
}
