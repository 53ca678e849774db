//! What a start finds: the manifest, the names of segments, and what the newest are.

use super::{News, Phase, RAW, Store, Told};
use crate::generation;
use crate::keeper::check::Check;
use crate::keeper::shelf::Sealed;
use crate::name::SegmentName;
use crate::recovery;
use crate::segment::Missing;

impl Store {
    pub(super) fn found_manifest(&mut self, told: Told) -> News {
        let windows = self.limits.tiers.map(|tier| tier.window);
        self.told = match told {
            // Windows of other lengths have other numbers.
            Told::Whole(manifest) if manifest.tiers.map(|tier| tier.window) != windows => {
                Told::Foreign
            }
            told => told,
        };
        self.phase =
            if self.told == Told::Foreign { Phase::Foreign } else { Phase::List { tier: 0 } };
        News::None
    }

    pub(super) fn found(&mut self, tier: usize, file: &str, len: u32, kind: nexus_wire::FileKind) {
        let (Some(shelf), Some(settled)) = (self.shelves.get_mut(tier), self.settled) else {
            return;
        };
        let prefix = generation::name_of(format_args!("{}", settled.current));
        let own = file.strip_prefix(prefix.as_str());
        let name = own.and_then(|own| SegmentName::parse(shelf.tier(), own));
        self.after = generation::name_of(format_args!("{file}"));
        let is_taken = name.is_some_and(|name| {
            kind == nexus_wire::FileKind::Whole && shelf.put(Sealed { name, len })
        });
        if !is_taken {
            self.counts.strange += 1;
        }
    }

    /// Begins to look at the newest segment of a tier, or of one behind it.
    pub(super) fn look_at(&mut self, tier: usize) -> Phase {
        for (shelf, tier) in self.shelves.iter().zip(0..).skip(tier) {
            if let Some(sealed) = shelf.segments().last() {
                self.reader.open(sealed.len);
                self.check = Check::default();
                return Phase::Newest { tier };
            }
        }
        Phase::Found
    }

    /// Looks at a block of the newest segment of a tier; whether there was one to look at.
    pub(super) fn look_at_newest(&mut self, tier: usize) -> bool {
        let checked = if tier == RAW {
            self.check.step(&mut self.reader)
        } else {
            self.reader.footer().map(|_| Some(recovery::Sealed::Whole)).or_else(|missing| {
                match missing {
                    Missing::Fetch => Err(()),
                    Missing::Lost(_) => Ok(Some(recovery::Sealed::Damaged)),
                }
            })
        };
        let Ok(checked) = checked else { return false };
        let Some(sealed) = checked else { return true };
        if tier == RAW {
            self.newest_raw = sealed;
        }
        let last = self.reader.footer().ok().and_then(|footer| footer.groups().last());
        if let (Some(shelf), Some(last)) = (self.shelves.get_mut(tier), last) {
            shelf.set_end(last.last.saturating_add(1));
        }
        self.phase = self.look_at(tier + 1);
        true
    }
}
