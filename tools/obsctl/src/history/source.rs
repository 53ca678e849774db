//! Where what is kept is read from.

use anyhow::bail;
use nexus_retention::offline::Archive;
use nexus_wire::metrics::{Range, RangeCursor, RangeEntry, RangeHead};

use crate::cli::Place;
use crate::daemons::{Metrics, Paged};
use crate::disk::{self, ImageFiles};

/// metricsd, or its files.
pub(super) enum Source {
    Daemon(Metrics),
    Files(Box<(ImageFiles, Archive)>),
}

impl Source {
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        let Some(mut files) = disk::of_daemon(place, "metricsd")? else {
            return Ok(Self::Daemon(Metrics::open(&place.dir())?));
        };
        if files.is_empty() {
            bail!("{}: metricsd has kept nothing there", files.path().display());
        }
        let archive = Archive::open(&mut files, false);
        Ok(Self::Files(Box::new((files, archive))))
    }

    /// Whether it can tell what is now, against which times are meant.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    /// Answers a question whole; `false`: what was read was replaced meanwhile, and entries that
    /// were given are to be forgotten.
    pub(super) fn ask(
        &mut self,
        range: &Range<'_>,
        each: &mut dyn FnMut(&RangeHead, &RangeEntry<'_>),
    ) -> anyhow::Result<bool> {
        match self {
            Self::Daemon(metrics) => ask_daemon(metrics, range, each),
            Self::Files(both) => {
                let (files, archive) = &mut **both;
                let answered = archive.ask(files, range, |head, entry| {
                    each(head, entry);
                    true
                });
                Ok(answered.is_ok())
            }
        }
    }

    /// Says what is wrong with the files; whether all was there.
    pub(super) fn end(&mut self) -> bool {
        let Self::Files(both) = self else { return true };
        let (files, archive) = &mut **both;
        disk::tell(&archive.findings, files)
    }
}

fn ask_daemon(
    metrics: &mut Metrics,
    range: &Range<'_>,
    each: &mut dyn FnMut(&RangeHead, &RangeEntry<'_>),
) -> anyhow::Result<bool> {
    let mut cursor = RangeCursor::START;
    loop {
        match metrics.range(&Range { cursor, ..*range }, each)? {
            Paged::Next(RangeCursor::START) => return Ok(true),
            Paged::Next(next) if next == cursor => bail!("metricsd's answer does not go on"),
            Paged::Next(next) => cursor = next,
            Paged::Replaced => return Ok(false),
            Paged::NothingKept => {
                bail!("metricsd keeps nothing: start it with --state-dir, or ask without a time")
            }
        }
    }
}
