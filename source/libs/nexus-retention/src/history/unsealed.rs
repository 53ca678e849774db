//! What is not in a sealed segment yet: the segment that is being written, as far as its groups are
//! whole, and the groups in memory behind those. To whoever reads they are one segment with the
//! name, the groups and the series numbers that it will have.

use crate::name::SegmentName;
use crate::recorder::Group;
use crate::segment::{Anchor, Footer, Meta};

/// A segment that is being written.
#[derive(Clone, Copy)]
pub struct Drafted<'a> {
    /// What it will be called after.
    pub name: SegmentName,
    /// With the groups that are whole.
    pub footer: &'a Footer,
    /// Bytes that are not in the file yet, and where in it they begin.
    pub unwritten: (u32, &'a [u8]),
}

/// See the module. Groups are those of a recorder, whose numbers of series are the segment's.
#[derive(Clone, Copy, Default)]
pub struct Unsealed<'a> {
    /// The segment that is being written.
    pub draft: Option<Drafted<'a>>,
    /// Groups in memory, in order of time.
    pub groups: [Option<&'a Group>; 2],
}

const fn name_of(group: &Group) -> SegmentName {
    SegmentName { boot: group.boot(), first: group.segment() }
}

impl<'a> Unsealed<'a> {
    /// The names that its segments will have, in order; one may come again.
    pub(super) fn names(&self) -> impl Iterator<Item = SegmentName> {
        let groups = self.groups.iter().flatten().map(|group| name_of(group));
        self.draft.iter().map(|draft| draft.name).chain(groups)
    }

    fn draft(&self, name: SegmentName) -> Option<&Drafted<'a>> {
        self.draft.as_ref().filter(|draft| draft.name == name)
    }

    /// The groups of a segment behind those that are in its file.
    pub(super) fn groups(&self, name: SegmentName) -> impl Iterator<Item = &'a Group> {
        self.groups.iter().flatten().copied().filter(move |group| name_of(group) == name)
    }

    /// What a segment would say of itself now; `None`: there is no such one.
    pub(super) fn footer(&self, name: SegmentName, meta: Meta) -> Option<Footer> {
        self.names().find(|known| *known == name)?;
        let footer = self.draft(name).map(|draft| draft.footer.clone());
        let mut footer = footer.unwrap_or_else(|| Footer::new(meta));
        let anchor: Option<Anchor> = self.groups(name).find_map(Group::anchor);
        footer.anchor = anchor.unwrap_or(footer.anchor);
        Some(footer)
    }

    /// Bytes of a segment from an offset on, if they are not in its file yet.
    pub(super) fn unwritten(&self, name: SegmentName, offset: u32) -> Option<&'a [u8]> {
        let (start, bytes) = self.draft(name)?.unwritten;
        let rest = bytes.get(offset.checked_sub(start)? as usize..)?;
        (!rest.is_empty()).then_some(rest)
    }
}
