//! What boots: programs and the table of who may do what, read from bytes that nobody vouches for.

pub mod format;

use core::ops::Range;

use nexus_abi::kernel::{
    ADDRESS_HEAP, ADDRESS_IMAGE, CAPABILITIES_MAX, CapabilityKind, LEVELS, PAGE_BYTES,
    PROCESSES_MAX, RESOURCE_SLOTS, VERSION,
};
use nexus_abi::{Rights, ServiceId};

use crate::{Capabilities, Capability, ProcessId};
use format::{CapabilityRecord, EntryRecord, Header, ResourceRecord, SegmentRecord};

const RESOURCES_MAX: usize = 256;
const STACK_PAGES_MAX: u32 = 256;
const PAGES_MAX: u32 = 1 << 16;
/// So that there is a gap behind each where it is mapped.
const RESOURCE_PAGES_MAX: u32 = (RESOURCE_STRIDE / PAGE_BYTES) as u32 - 1;

/// How far apart resources are mapped, a place for each slot that may hold one.
pub const RESOURCE_STRIDE: usize = 8 << 20;

/// What is wrong with an image, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageError {
    /// It is no image, or shorter than it says.
    Header,
    /// It was built for another version of the interface.
    Version(u32),
    /// The entry of this number, its name or its place in the other tables.
    Entry(usize),
    /// The segment of this number.
    Segment(usize),
    /// The capability of this number.
    Capability(usize),
    /// The resource of this number.
    Resource(usize),
}

/// A service, or anything else that may be started.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub service: ServiceId,
    /// Its name.
    pub name: &'a str,
    /// What its program finds in `a0`.
    pub argument: u64,
    /// Where it begins to run, in a segment that may be executed.
    pub start: usize,
    /// Pages it may have, page tables included.
    pub pages: usize,
    /// Pages of its stack, at least one.
    pub stack_pages: usize,
    /// Its priority, below [`LEVELS`].
    pub level: u8,
    /// What is stamped on its requests at most.
    pub rights: Rights,
    segments: Range<usize>,
    capabilities: Range<usize>,
}

/// A part of a program, in whole pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Where it is mapped: at a multiple of a page, below the heap.
    pub address: usize,
    /// Pages that are mapped.
    pub pages: usize,
    /// Where its bytes lie in the image: at a multiple of a page.
    pub at: usize,
    /// What it begins with; the rest is zero. As long as its pages if it is not writable.
    pub bytes: &'a [u8],
    /// Whether it may be written, and so not executed.
    pub writable: bool,
    /// Whether it may be executed, and so not written.
    pub executable: bool,
}

/// A device window, interrupt, pool or shared region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resource {
    /// The id of its name.
    pub key: ServiceId,
    /// `Device`, `Interrupt`, `Dma` or `Shared`.
    pub kind: CapabilityKind,
    /// Pages, or the number of the interrupt.
    pub size: u32,
    /// Where a device window lies: at a multiple of a page.
    pub physical: u64,
}

/// A whole image, all of it checked.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> Image<'a> {
    /// Checks all of an image, so that what is read from it later cannot be wrong.
    ///
    /// # Errors
    /// [`ImageError`]: the first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let header = Header::read(bytes).ok_or(ImageError::Header)?;
        if header.magic != format::MAGIC {
            return Err(ImageError::Header);
        }
        if header.abi != VERSION {
            return Err(ImageError::Version(header.abi));
        }
        let bytes = bytes.get(..header.bytes as usize).ok_or(ImageError::Header)?;
        let image = Self { bytes, header };
        image.check_size()?;
        check(header.resources, ImageError::Resource, |n| image.checked_resource(n).is_some())?;
        check(header.capabilities, ImageError::Capability, |n| image.is_capability(n))?;
        check(header.segments, ImageError::Segment, |n| image.checked_segment(n).is_some())?;
        check(header.entries, ImageError::Entry, |n| image.is_entry(n))?;
        Ok(image)
    }

    fn check_size(&self) -> Result<(), ImageError> {
        let Header { entries, resources, .. } = self.header;
        let fits = (1..=PROCESSES_MAX).contains(&(entries as usize));
        if fits && resources as usize <= RESOURCES_MAX { Ok(()) } else { Err(ImageError::Header) }
    }

    fn table(&self, at: u32, count: u32, number: usize, size: usize) -> Option<&'a [u8]> {
        let from = number.checked_mul(size)?.checked_add(at as usize)?;
        self.bytes.get(from..).filter(|_| number < count as usize)
    }

    fn resource_record(&self, number: usize) -> Option<ResourceRecord> {
        let Header { resources_at, resources, .. } = self.header;
        let size = ResourceRecord::BYTES;
        ResourceRecord::read(self.table(resources_at, resources, number, size)?)
    }

    fn checked_resource(&self, number: usize) -> Option<Resource> {
        let record = self.resource_record(number)?;
        let kind = CapabilityKind::from_raw(u64::from(record.kind))?;
        let fits = match kind {
            CapabilityKind::Interrupt => record.size > 0,
            CapabilityKind::Device | CapabilityKind::Dma | CapabilityKind::Shared => {
                (1..=RESOURCE_PAGES_MAX).contains(&record.size)
            }
            _ => false,
        };
        let key = ServiceId::from_raw(record.key);
        let ResourceRecord { size, physical, .. } = record;
        let is_page = physical.is_multiple_of(PAGE_BYTES as u64);
        (fits && is_page).then_some(Resource { key, kind, size, physical })
    }

    fn capability(&self, number: usize) -> Option<Capability> {
        let Header { capabilities_at, capabilities, .. } = self.header;
        let size = CapabilityRecord::BYTES;
        let record =
            CapabilityRecord::read(self.table(capabilities_at, capabilities, number, size)?)?;
        let target = record.target as usize;
        let entry = || ProcessId::new(target).filter(|_| record.target < self.header.entries);
        Some(match CapabilityKind::from_raw(u64::from(record.kind))? {
            CapabilityKind::Call => Capability::Call(entry()?),
            CapabilityKind::Child => {
                Capability::Child(entry().filter(|&id| id > ProcessId::FIRST)?)
            }
            CapabilityKind::Console => Capability::Console,
            CapabilityKind::Halt => Capability::Halt,
            kind => {
                let resource = self.resource(target).filter(|resource| resource.kind == kind)?;
                let writable = resource.kind != CapabilityKind::Shared || record.writable == 1;
                Capability::Resource { kind, number: u8::try_from(target).ok()?, writable }
            }
        })
    }

    fn is_capability(&self, number: usize) -> bool {
        self.capability(number).is_some()
    }

    fn checked_segment(&self, number: usize) -> Option<Segment<'a>> {
        let Header { segments_at, segments, .. } = self.header;
        let size = SegmentRecord::BYTES;
        let record = SegmentRecord::read(self.table(segments_at, segments, number, size)?)?;
        let SegmentRecord { address, at, bytes: length, pages, access } = record;
        let (address, at) = (usize::try_from(address).ok()?, at as usize);
        let size = (1..=PAGES_MAX).contains(&pages).then_some(pages as usize * PAGE_BYTES)?;
        let end = address.checked_add(size)?;
        let within = address >= ADDRESS_IMAGE && end <= ADDRESS_HEAP;
        let aligned = address.is_multiple_of(PAGE_BYTES) && at.is_multiple_of(PAGE_BYTES);
        let bytes = self.bytes.get(at..at.checked_add(length as usize)?)?;
        let fits = match access {
            format::WRITE => bytes.len() <= size,
            format::READ | format::EXECUTE => bytes.len() == size,
            _ => false,
        };
        let (writable, executable) = (access == format::WRITE, access == format::EXECUTE);
        let segment = Segment { address, pages: pages as usize, at, bytes, writable, executable };
        (within && aligned && fits).then_some(segment)
    }

    fn checked_entry(&self, number: usize) -> Option<Entry<'a>> {
        let Header { entries_at, entries, .. } = self.header;
        let record =
            EntryRecord::read(self.table(entries_at, entries, number, EntryRecord::BYTES)?)?;
        let name_at = record.name_at as usize;
        let name = self.bytes.get(name_at..name_at.checked_add(record.name_bytes as usize)?)?;
        let segments = range(record.segments_from, record.segments, self.header.segments)?;
        let capabilities =
            range(record.capabilities_from, record.capabilities, self.header.capabilities)?;
        let level = u8::try_from(record.level).ok().filter(|&level| usize::from(level) < LEVELS)?;
        let stack_pages = Some(record.stack_pages).filter(|n| (1..=STACK_PAGES_MAX).contains(n))?;
        Some(Entry {
            service: ServiceId::from_raw(record.service),
            name: core::str::from_utf8(name).ok()?,
            argument: record.argument,
            start: usize::try_from(record.start).ok()?,
            pages: record.pages as usize,
            stack_pages: stack_pages as usize,
            level,
            rights: Rights::from_raw(u8::try_from(record.rights).ok()?),
            segments,
            capabilities,
        })
    }

    fn is_entry(&self, number: usize) -> bool {
        let Some(entry) = self.checked_entry(number) else { return false };
        let mut end = 0;
        let ascending = self.segments(&entry).all(|segment| {
            let above = segment.address >= end;
            end = segment.address + segment.pages * PAGE_BYTES;
            above
        });
        let begins = |segment: &Segment<'_>| {
            let offset = entry.start.checked_sub(segment.address);
            segment.executable && offset.is_some_and(|offset| offset < segment.bytes.len())
        };
        let starts = self.segments(&entry).any(|segment| begins(&segment));
        let is_named = entry.service == ServiceId::from_name(entry.name);
        let few = entry.capabilities.len() <= CAPABILITIES_MAX;
        let slots = self.capabilities(&entry);
        let resources =
            slots.iter().filter(|(_, held)| matches!(held, Capability::Resource { .. }));
        let few = few && resources.map(|(slot, _)| slot).all(|slot| slot < RESOURCE_SLOTS);
        let pages = (1..=PAGES_MAX as usize).contains(&entry.pages);
        ascending && starts && is_named && few && pages
    }

    /// The entry of a row of the process table.
    #[must_use]
    pub fn entry(&self, id: ProcessId) -> Option<Entry<'a>> {
        self.checked_entry(id.index())
    }

    /// All entries, by row.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        (0..self.header.entries as usize).filter_map(|number| self.checked_entry(number))
    }

    /// The segments of an entry, by address; none overlaps another.
    pub fn segments(&self, entry: &Entry<'_>) -> impl Iterator<Item = Segment<'a>> {
        entry.segments.clone().filter_map(|number| self.checked_segment(number))
    }

    /// What an entry may do.
    #[must_use]
    pub fn capabilities(&self, entry: &Entry<'_>) -> Capabilities {
        let mut all = Capabilities::NONE;
        for number in entry.capabilities.clone() {
            // A parsed image has room for all of them.
            let _added = self.capability(number).is_some_and(|capability| all.add(capability));
        }
        all
    }

    /// A resource.
    #[must_use]
    pub fn resource(&self, number: usize) -> Option<Resource> {
        self.checked_resource(number)
    }

    /// All resources, by number.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        (0..self.header.resources as usize).filter_map(|number| self.checked_resource(number))
    }

    /// What a capability is found by: a service's id, or that of a resource's name.
    #[must_use]
    pub fn key(&self, capability: Capability) -> ServiceId {
        let nobody = ServiceId::from_raw(0);
        match capability {
            Capability::Call(id) | Capability::Child(id) => {
                self.entry(id).map_or(nobody, |entry| entry.service)
            }
            Capability::Resource { number, .. } => {
                self.resource(usize::from(number)).map_or(nobody, |resource| resource.key)
            }
            Capability::Console | Capability::Halt => nobody,
        }
    }
}

fn check(
    count: u32,
    error: fn(usize) -> ImageError,
    holds: impl Fn(usize) -> bool,
) -> Result<(), ImageError> {
    (0..count as usize).find(|&number| !holds(number)).map_or(Ok(()), |number| Err(error(number)))
}

/// `count` rows from `from` on, of a table of `rows`.
fn range(from: u32, count: u32, rows: u32) -> Option<Range<usize>> {
    let end = from.checked_add(count).filter(|&end| end <= rows)?;
    Some(from as usize..end as usize)
}
