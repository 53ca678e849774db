//! Who has how much of the disk, and what each of them is doing.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Text, TokenBucket};
use nexus_recipe::{Budget, ShareRule, StateRecipe};
use nexus_wire::files::FileName;
use statefs::{NAME_BYTES_MAX, Quota};

/// Place of a share in the table, which is also that of its quota in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ShareId(pub(crate) usize);

/// A whole name of a file.
pub(crate) type Full = Text<NAME_BYTES_MAX>;

pub(crate) struct Share {
    service: ServiceId,
    /// The service's name and a slash.
    pub(crate) prefix: String,
    /// Bytes of the disk.
    pub(crate) bytes: u64,
    pub(crate) files: usize,
    pub(crate) open: usize,
    events: TokenBucket,
    frames: TokenBucket,
    /// Requests that wait for the disk.
    pub(crate) pending: u32,
    /// Requests that were answered with anything but `ok`.
    pub(crate) refused: u64,
}

impl Share {
    fn new(rule: &ShareRule, budget: Budget) -> Self {
        let bucket = |rate: u32, burst: u32| TokenBucket::new(rate.into(), burst.into(), Mono(0));
        Self {
            service: ServiceId::from_name(&rule.name),
            prefix: format!("{}/", rule.name),
            bytes: rule.bytes.into(),
            files: rule.files as usize,
            open: rule.open as usize,
            events: bucket(budget.events_per_s, budget.events_burst),
            frames: bucket(budget.bytes_per_s, budget.bytes_burst),
            pending: 0,
            refused: 0,
        }
    }

    /// Charges a frame; `false` if the budget does not allow it.
    pub(crate) fn charge(&mut self, bytes: usize, now: Mono) -> bool {
        self.events.take_both(1, &mut self.frames, bytes as u64, now)
    }

    /// The whole name of a file of this share.
    pub(crate) fn full(&self, name: &str) -> Full {
        let mut full = Full::new(&self.prefix).unwrap_or(Full::EMPTY);
        let fits = core::fmt::Write::write_str(&mut full, name).is_ok();
        assert!(fits, "the recipe bounds prefixes, and frames bound what stands behind them");
        full
    }

    /// A file's name as the share's owner knows it; `None` if it is no file that frames can name.
    pub(crate) fn own<'a>(&self, full: &'a str) -> Option<FileName<'a>> {
        full.strip_prefix(self.prefix.as_str()).and_then(FileName::new)
    }
}

pub(crate) struct Shares(Box<[Share]>);

impl Shares {
    pub(crate) fn new(recipe: &StateRecipe) -> Self {
        let budget = recipe.statefsd.budget;
        Self(recipe.shares.iter().map(|rule| Share::new(rule, budget)).collect())
    }

    /// Bytes of the heap, with those of their quotas.
    pub(crate) fn bytes(&self) -> usize {
        let prefixes = self.0.iter().map(|share| share.prefix.capacity());
        let quotas = self.quotas().iter().map(Quota::memory).sum::<usize>();
        size_of_val(&*self.0) + prefixes.sum::<usize>() + quotas
    }

    /// What the store has to hold each of them to.
    pub(crate) fn quotas(&self) -> Vec<Quota<'_>> {
        self.0.iter().map(|share| Quota { prefix: &share.prefix, bytes: share.bytes }).collect()
    }

    pub(crate) fn find(&self, service: ServiceId) -> Option<ShareId> {
        self.0.iter().position(|share| share.service == service).map(ShareId)
    }

    #[expect(clippy::indexing_slicing, reason = "own index: only `find` makes one")]
    pub(crate) fn get(&self, id: ShareId) -> &Share {
        &self.0[id.0]
    }

    #[expect(clippy::indexing_slicing, reason = "own index: only `find` makes one")]
    pub(crate) fn get_mut(&mut self, id: ShareId) -> &mut Share {
        &mut self.0[id.0]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn pending(&self) -> u32 {
        self.0.iter().map(|share| share.pending).sum()
    }
}
