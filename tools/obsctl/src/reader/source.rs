//! Where the journal is read from.

use nexus_abi::ServiceId;
use nexus_wire::logs::Search;

use super::kept::Kept;
use crate::cli::Place;
use crate::clock::Calendars;
use crate::daemons::{Page, SteadyJournal};
use crate::disk;

/// logd, or its files.
pub(super) enum Source {
    Daemon(SteadyJournal),
    Files(Box<Kept>),
}

impl Source {
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        Ok(match disk::of_daemon(place, "logd")? {
            Some(files) => Self::Files(Box::new(Kept::read(files)?)),
            None => Self::Daemon(SteadyJournal::new(place.dir())),
        })
    }

    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    pub(super) fn calendars(&mut self) -> anyhow::Result<Calendars> {
        match self {
            Self::Daemon(journal) => journal.with(|journal| journal.calendars()),
            Self::Files(kept) => Ok(kept.calendars()),
        }
    }

    pub(super) fn search(&mut self, search: &Search<'_>) -> anyhow::Result<Page> {
        match self {
            Self::Daemon(journal) => journal.with(|journal| journal.search(search)),
            Self::Files(kept) => Ok(kept.search(search)),
        }
    }

    /// Of files: the boot of the newest record, and its time there.
    pub(super) fn end(&self) -> Option<(u32, u64)> {
        match self {
            Self::Daemon(_) => None,
            Self::Files(kept) => kept.end(),
        }
    }

    /// Whether a service has spoken, as far as is known.
    pub(super) fn knows(&mut self, service: ServiceId) -> bool {
        match self {
            Self::Daemon(journal) => {
                let rows = journal.with(|journal| journal.audit()).unwrap_or_default();
                rows.iter().any(|row| row.service == service.raw())
            }
            Self::Files(kept) => kept.knows(service),
        }
    }

    /// Says what is wrong with files; whether all was there.
    pub(super) fn close(&mut self) -> bool {
        match self {
            Self::Daemon(_) => true,
            Self::Files(kept) => kept.close(),
        }
    }
}
