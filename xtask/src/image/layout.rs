//! The bytes of an image, by the records of `neuron_core::format`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use neuron_core::format::{
    CapabilityRecord, EntryRecord, Header, MAGIC, ResourceRecord, SegmentRecord,
};
use nexus_abi::ServiceId;
use nexus_abi::kernel::{CapabilityKind, PAGE_BYTES, VERSION};

use super::program::{Program, Segment};
use super::recipe::{Entry, Resource, ResourceKind, System, pages};

/// The tables of an image, and then its bytes.
#[derive(Default)]
struct Layout {
    entries: Vec<EntryRecord>,
    segments: Vec<SegmentRecord>,
    capabilities: Vec<CapabilityRecord>,
    resources: Vec<ResourceRecord>,
    names: Vec<u8>,
    /// The bytes of segments, each from a page on.
    data: Vec<u8>,
}

/// The image of a system that keeps the rules.
pub(crate) fn bytes(system: &System, programs: &BTreeMap<String, Program>) -> Result<Vec<u8>> {
    let mut layout = Layout::default();
    let mut placed = BTreeMap::new();
    for (name, program) in programs {
        placed.insert(name.as_str(), (program.start, layout.program(program)?));
    }
    for entry in &system.entries {
        let (start, segments) = placed.get(entry.program.as_str()).context("a program")?;
        layout.entry(system, entry, *start, *segments)?;
    }
    for resource in &system.resources {
        layout.resources.push(record(resource)?);
    }
    layout.finish()
}

impl Layout {
    /// Adds the segments of a program: where they begin and how many they are.
    fn program(&mut self, program: &Program) -> Result<(u32, u32)> {
        let from = number(self.segments.len())?;
        for segment in &program.segments {
            let Segment { address, pages, access, bytes } = segment;
            let at = number(self.data.len())?;
            let (address, pages, access) = (*address, *pages, *access);
            let bytes_count = number(bytes.len())?;
            self.segments.push(SegmentRecord { address, at, bytes: bytes_count, pages, access });
            self.data.extend(bytes);
            self.data.resize(self.data.len().next_multiple_of(PAGE_BYTES), 0);
        }
        Ok((from, number(program.segments.len())?))
    }

    fn entry(
        &mut self,
        system: &System,
        entry: &Entry,
        start: u64,
        (segments_from, segments): (u32, u32),
    ) -> Result<()> {
        let capabilities_from = number(self.capabilities.len())?;
        self.capabilities.extend(capabilities(system, entry)?);
        let name_at = number(self.names.len())?;
        self.names.extend(entry.name.as_bytes());
        self.entries.push(EntryRecord {
            service: ServiceId::from_name(&entry.name).raw(),
            argument: entry.argument,
            start,
            name_at,
            name_bytes: number(entry.name.len())?,
            pages: entry.pages,
            stack_pages: entry.stack_pages,
            segments_from,
            segments,
            capabilities_from,
            capabilities: number(self.capabilities.len())? - capabilities_from,
            level: entry.level,
            rights: u32::from(entry.rights.raw()),
        });
        Ok(())
    }

    /// Puts the tables before the data, now that it is known how long they are.
    fn finish(mut self) -> Result<Vec<u8>> {
        let entries_at = Header::BYTES;
        let segments_at = entries_at + self.entries.len() * EntryRecord::BYTES;
        let capabilities_at = segments_at + self.segments.len() * SegmentRecord::BYTES;
        let resources_at = capabilities_at + self.capabilities.len() * CapabilityRecord::BYTES;
        let names_at = resources_at + self.resources.len() * ResourceRecord::BYTES;
        let data_at = (names_at + self.names.len()).next_multiple_of(PAGE_BYTES);
        for entry in &mut self.entries {
            entry.name_at += number(names_at)?;
        }
        for segment in &mut self.segments {
            segment.at += number(data_at)?;
        }
        let header = Header {
            magic: MAGIC,
            abi: VERSION,
            bytes: number(data_at + self.data.len())?,
            entries: number(self.entries.len())?,
            entries_at: number(entries_at)?,
            segments: number(self.segments.len())?,
            segments_at: number(segments_at)?,
            capabilities: number(self.capabilities.len())?,
            capabilities_at: number(capabilities_at)?,
            resources: number(self.resources.len())?,
            resources_at: number(resources_at)?,
        };
        Ok(self.written(&header, data_at))
    }

    fn written(&self, header: &Header, data_at: usize) -> Vec<u8> {
        let mut image = Vec::new();
        let mut write = |bytes: &[u8]| image.extend_from_slice(bytes);
        header.write(&mut write);
        self.entries.iter().for_each(|record| record.write(&mut write));
        self.segments.iter().for_each(|record| record.write(&mut write));
        self.capabilities.iter().for_each(|record| record.write(&mut write));
        self.resources.iter().for_each(|record| record.write(&mut write));
        image.extend_from_slice(&self.names);
        image.resize(data_at, 0);
        image.extend_from_slice(&self.data);
        image
    }
}

fn capabilities(system: &System, entry: &Entry) -> Result<Vec<CapabilityRecord>> {
    let mut all = Vec::new();
    let mut add = |kind: CapabilityKind, target: usize, writable: bool| -> Result<()> {
        let (kind, writable) = (u32::try_from(kind.raw())?, u32::from(writable));
        all.push(CapabilityRecord { kind, target: number(target)?, writable });
        Ok(())
    };
    // First, as the kernel wants them.
    for used in &entry.resources {
        let target = system.resource(&used.name).context("a resource")?;
        let kind = system.resources.get(target).context("a resource")?.kind.kind();
        add(kind, target, used.write)?;
    }
    for name in &entry.calls {
        add(CapabilityKind::Call, system.entry(name).context("a callee")?, false)?;
    }
    for name in &entry.starts {
        add(CapabilityKind::Child, system.entry(name).context("a child")?, false)?;
    }
    if entry.console {
        add(CapabilityKind::Console, 0, false)?;
    }
    if entry.halt {
        add(CapabilityKind::Halt, 0, false)?;
    }
    Ok(all)
}

impl ResourceKind {
    const fn kind(self) -> CapabilityKind {
        match self {
            Self::Device { .. } => CapabilityKind::Device,
            Self::Interrupt { .. } => CapabilityKind::Interrupt,
            Self::Dma { .. } => CapabilityKind::Dma,
            Self::Shared { .. } => CapabilityKind::Shared,
        }
    }
}

fn record(resource: &Resource) -> Result<ResourceRecord> {
    let (size, physical) = match resource.kind {
        ResourceKind::Device { address, kib } => (pages(kib)?, address),
        ResourceKind::Interrupt { line } => (line, 0),
        ResourceKind::Dma { kib } | ResourceKind::Shared { kib } => (pages(kib)?, 0),
    };
    let kind = u32::try_from(resource.kind.kind().raw())?;
    Ok(ResourceRecord { key: ServiceId::from_name(&resource.name).raw(), kind, size, physical })
}

/// A number of the image: they have 32 bits.
fn number(n: usize) -> Result<u32> {
    u32::try_from(n).context("the image is too large")
}

#[cfg(test)]
mod tests {
    use neuron_core::format::{EXECUTE, WRITE};
    use neuron_core::{Capability, Image, ProcessId};
    use nexus_abi::Rights;
    use nexus_abi::kernel::ADDRESS_IMAGE;

    use super::*;

    const RECIPE: &str = r#"
        [[entry]]
        names = ["init"]
        program = "p"
        level = 5
        memory_kib = 64
        stack_kib = 8
        argument = 9
        calls = ["two"]
        starts = ["one", "two"]
        console = true

        [[entry]]
        names = ["one", "two"]
        program = "p"
        level = 1
        memory_kib = 128
        stack_kib = 4
        halt = true
        resources = [{ name = "region", write = true }]

        [[resource]]
        name = "region"
        shared = { kib = 8 }
    "#;

    fn program() -> Program {
        let segment = |n: u64, access, length| Segment {
            address: ADDRESS_IMAGE as u64 + n * PAGE_BYTES as u64,
            pages: 1,
            access,
            bytes: vec![n as u8 + 1; length],
        };
        let segments = vec![segment(0, EXECUTE, PAGE_BYTES), segment(1, WRITE, 10)];
        Program { start: ADDRESS_IMAGE as u64, segments }
    }

    fn image() -> Vec<u8> {
        let programs = BTreeMap::from([("p".to_owned(), program())]);
        let mut system = System::parse(RECIPE).unwrap();
        system.entries[2].rights = Rights::QUERY.with(Rights::SCRAPE);
        bytes(&system, &programs).unwrap()
    }

    #[test]
    fn the_kernel_reads_what_the_recipe_says() {
        let bytes = image();
        let image = Image::parse(&bytes).unwrap();
        let entries = image.entries().collect::<Vec<_>>();
        let names = entries.iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(names, ["init", "one", "two"]);
        let sizes = entries.iter().map(|e| (e.pages, e.stack_pages, e.argument, e.level));
        assert_eq!(sizes.collect::<Vec<_>>(), [(16, 2, 9, 5), (32, 1, 0, 1), (32, 1, 0, 1)]);
        let rights = entries.iter().map(|entry| entry.rights).collect::<Vec<_>>();
        let both = Rights::QUERY.with(Rights::SCRAPE);
        assert_eq!(rights, [Rights::NONE, Rights::NONE, both]);
        let held = |n: usize| image.capabilities(&entries[n]).iter().map(|(_, c)| c).collect();
        let [one, two] = [1, 2].map(|row| ProcessId::new(row).unwrap());
        let first: Vec<_> = held(0);
        let (call, child) = (Capability::Call, Capability::Child);
        assert_eq!(first, [call(two), child(one), child(two), Capability::Console]);
        let region =
            Capability::Resource { kind: CapabilityKind::Shared, number: 0, writable: true };
        let second: Vec<_> = held(1);
        assert_eq!(second, [region, Capability::Halt]);
        assert_eq!(image.resource(0).unwrap().size, 2);
    }

    #[test]
    fn entries_share_the_segments_of_their_program() {
        let bytes = image();
        let image = Image::parse(&bytes).unwrap();
        let places = image.entries().map(|entry| {
            let segments = image.segments(&entry);
            segments.map(|segment| (segment.at, segment.bytes.to_vec())).collect::<Vec<_>>()
        });
        let places = places.collect::<Vec<_>>();
        assert!(places.iter().all(|segments| *segments == places[0]));
        let contents = places[0].iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
        assert_eq!(contents, [vec![1; PAGE_BYTES], vec![2; 10]]);
    }

    #[test]
    fn the_same_recipe_gives_the_same_bytes() {
        assert_eq!(image(), image());
    }
}
