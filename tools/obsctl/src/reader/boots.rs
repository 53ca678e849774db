//! Which boots the journal has records of.

use anyhow::Context as _;
use nexus_wire::RecordId;
use nexus_wire::logs::Search;

use super::{Reader, Which};
use crate::cli::Boots;
use crate::daemons::Entry;

/// A boot of logd's that the journal has records of.
pub(crate) struct Boot {
    pub(crate) number: u32,
    /// Its oldest record, and its newest.
    pub(crate) first: Entry,
    pub(crate) last: Entry,
}

impl Reader {
    /// The boots, oldest first.
    pub(crate) fn boots(&mut self) -> anyhow::Result<Vec<Boot>> {
        let mut boots: Vec<Boot> = Vec::new();
        let mut at = Search { boot: 1, ..Search::ALL };
        while let Some((number, first)) = self.one(at)? {
            // Behind the newest boot comes nothing, or it again.
            if boots.last().is_some_and(|boot| number <= boot.number) {
                break;
            }
            let back = Search { boot: number, one_boot: true, backward: true, ..Search::ALL };
            let last = self.one(back)?.map_or_else(|| first.clone(), |(_, last)| last);
            boots.push(Boot { number, first, last });
            at = Search { boot: number, id: RecordId(u64::MAX), ..at };
        }
        Ok(boots)
    }

    /// The first record from a place on, and its boot.
    fn one(&mut self, at: Search<'_>) -> anyhow::Result<Option<(u32, Entry)>> {
        let mut at = Search { max: 1, ..at };
        loop {
            let mut page = self.source.search(&at)?;
            if let Some(entry) = page.entries.pop() {
                return Ok(Some((page.boot, entry)));
            }
            if !page.more {
                return Ok(None);
            }
            (at.boot, at.id) = (page.boot, page.next_id);
        }
    }

    /// The boots that are meant, one by its number where it is not the newest.
    ///
    /// # Errors
    /// There is none so many before the newest.
    pub(crate) fn which(&mut self, boots: Option<Boots>) -> anyhow::Result<Which> {
        let boot = match boots {
            None | Some(Boots::Before(0)) => return Ok(Which::Newest),
            Some(Boots::All) => return Ok(Which::All),
            Some(Boots::One(boot)) => boot,
            Some(Boots::Before(back)) => self.boot_before(back)?,
        };
        let is_newest = boot == self.calendars().newest();
        Ok(if is_newest { Which::Newest } else { Which::One(boot) })
    }

    /// The number of the boot so many before the newest.
    fn boot_before(&mut self, back: u32) -> anyhow::Result<u32> {
        let boots = self.boots()?;
        let at = boots.len().checked_sub(1).and_then(|last| last.checked_sub(back as usize));
        let boot = at.and_then(|at| boots.get(at)).map(|boot| boot.number);
        boot.with_context(|| {
            format!(
                "the journal has no boot {back} before the newest; obsctl logs --list-boots shows \
                 those that it has"
            )
        })
    }
}
