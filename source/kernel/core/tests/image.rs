//! Images that were built by the rules are read back; others are refused and never believed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use neuron_core::format::{
    CapabilityRecord, EXECUTE, EntryRecord, Header, MAGIC, ResourceRecord, SegmentRecord, WRITE,
};
use neuron_core::{Capability, Image, ImageError, ProcessId};
use nexus_abi::kernel::{ADDRESS_IMAGE, CapabilityKind, PAGE_BYTES, VERSION};
use nexus_abi::{Rights, ServiceId};
use proptest::prelude::*;

const NAMES: [&str; 2] = ["init", "echo"];
const DATA_AT: usize = PAGE_BYTES;

/// The records of a small image, to be spoilt one by one.
struct Parts {
    header: Header,
    entries: [EntryRecord; 2],
    segments: [SegmentRecord; 2],
    capabilities: [CapabilityRecord; 4],
    resources: [ResourceRecord; 2],
}

fn kind(kind: CapabilityKind) -> u32 {
    kind.raw() as u32
}

fn entry(number: u32, name: &str, from: u32, capabilities: u32) -> EntryRecord {
    EntryRecord {
        service: ServiceId::from_name(name).raw(),
        argument: 7,
        start: ADDRESS_IMAGE as u64 + 16,
        name_at: DATA_AT as u32 - 64 + 8 * number,
        name_bytes: name.len() as u32,
        pages: 64,
        stack_pages: 4,
        segments_from: 0,
        segments: 2,
        capabilities_from: from,
        capabilities,
        level: number,
        rights: 3,
    }
}

impl Parts {
    fn new() -> Self {
        let entries_at = Header::BYTES as u32;
        let segments_at = entries_at + 2 * EntryRecord::BYTES as u32;
        let capabilities_at = segments_at + 2 * SegmentRecord::BYTES as u32;
        let resources_at = capabilities_at + 4 * CapabilityRecord::BYTES as u32;
        let code = SegmentRecord {
            address: ADDRESS_IMAGE as u64,
            at: DATA_AT as u32,
            bytes: PAGE_BYTES as u32,
            pages: 1,
            access: EXECUTE,
        };
        let data_address = code.address + PAGE_BYTES as u64;
        let data =
            SegmentRecord { address: data_address, bytes: 100, pages: 3, access: WRITE, ..code };
        let capability = |of, target| CapabilityRecord { kind: kind(of), target, writable: 0 };
        let (clock, region) = (ServiceId::from_name("clock"), ServiceId::from_name("region"));
        Self {
            header: Header {
                magic: MAGIC,
                abi: VERSION,
                bytes: 2 * PAGE_BYTES as u32,
                entries: 2,
                entries_at,
                segments: 2,
                segments_at,
                capabilities: 4,
                capabilities_at,
                resources: 2,
                resources_at,
            },
            entries: [entry(0, "init", 0, 3), entry(1, "echo", 3, 1)],
            segments: [code, data],
            capabilities: [
                capability(CapabilityKind::Device, 0),
                capability(CapabilityKind::Call, 1),
                capability(CapabilityKind::Child, 1),
                capability(CapabilityKind::Shared, 1),
            ],
            resources: [
                ResourceRecord {
                    key: clock.raw(),
                    kind: kind(CapabilityKind::Device),
                    size: 1,
                    physical: 0x10_1000,
                },
                ResourceRecord {
                    key: region.raw(),
                    kind: kind(CapabilityKind::Shared),
                    size: 2,
                    physical: 0,
                },
            ],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = |piece: &[u8]| bytes.extend_from_slice(piece);
        self.header.write(&mut out);
        self.entries.iter().for_each(|record| record.write(&mut out));
        self.segments.iter().for_each(|record| record.write(&mut out));
        self.capabilities.iter().for_each(|record| record.write(&mut out));
        self.resources.iter().for_each(|record| record.write(&mut out));
        bytes.resize(2 * PAGE_BYTES, 0);
        for (name, at) in NAMES.iter().zip((DATA_AT - 64..).step_by(8)) {
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        bytes
    }
}

fn refused(spoil: impl FnOnce(&mut Parts)) -> ImageError {
    let mut parts = Parts::new();
    spoil(&mut parts);
    Image::parse(&parts.bytes()).map(|_| ()).unwrap_err()
}

#[test]
fn what_was_built_is_read_back() {
    let bytes = Parts::new().bytes();
    let image = Image::parse(&bytes).unwrap();
    let entries = image.entries().collect::<Vec<_>>();
    assert_eq!(entries.iter().map(|entry| entry.name).collect::<Vec<_>>(), NAMES);
    let first = &entries[0];
    assert_eq!((first.argument, first.level, first.rights), (7, 0, Rights::from_raw(3)));
    let segments = image.segments(first).collect::<Vec<_>>();
    assert!(segments[0].executable && !segments[0].writable);
    assert!(segments[1].writable && !segments[1].executable);
    assert_eq!(
        segments.iter().map(|s| (s.pages, s.bytes.len())).collect::<Vec<_>>(),
        [(1, PAGE_BYTES), (3, 100)]
    );
    let held = image.capabilities(first).iter().map(|(_, held)| held).collect::<Vec<_>>();
    let echo = ProcessId::new(1).unwrap();
    let device = Capability::Resource { kind: CapabilityKind::Device, number: 0, writable: true };
    assert_eq!(held, [device, Capability::Call(echo), Capability::Child(echo)]);
    assert_eq!(image.key(held[1]), ServiceId::from_name("echo"));
    assert_eq!(image.key(held[0]), ServiceId::from_name("clock"));
}

#[test]
fn an_image_of_another_kind_or_version_is_refused() {
    assert_eq!(Image::parse(&[]).unwrap_err(), ImageError::Header);
    assert_eq!(refused(|parts| parts.header.magic += 1), ImageError::Header);
    assert_eq!(refused(|parts| parts.header.abi += 1), ImageError::Version(VERSION + 1));
    assert_eq!(refused(|parts| parts.header.bytes += 1), ImageError::Header);
    assert_eq!(refused(|parts| parts.header.entries = 0), ImageError::Header);
    assert_eq!(refused(|parts| parts.header.entries = 65), ImageError::Header);
}

#[test]
fn segments_out_of_place_are_refused() {
    assert_eq!(refused(|parts| parts.segments[0].address += 8), ImageError::Segment(0));
    assert_eq!(refused(|parts| parts.segments[0].address = 0x8020_0000), ImageError::Segment(0));
    assert_eq!(refused(|parts| parts.segments[0].access = 3), ImageError::Segment(0));
    assert_eq!(refused(|parts| parts.segments[0].bytes -= 1), ImageError::Segment(0));
    assert_eq!(refused(|parts| parts.segments[1].at = u32::MAX - 4095), ImageError::Segment(1));
    assert_eq!(refused(|parts| parts.segments[1].pages = 0), ImageError::Segment(1));
    assert_eq!(refused(|parts| parts.segments[1].pages = u32::MAX), ImageError::Segment(1));
    let overlap = |parts: &mut Parts| parts.segments[1].address = parts.segments[0].address;
    assert_eq!(refused(overlap), ImageError::Entry(0));
}

#[test]
fn entries_that_lead_out_of_their_tables_are_refused() {
    assert_eq!(refused(|parts| parts.entries[1].segments = 3), ImageError::Entry(1));
    assert_eq!(refused(|parts| parts.entries[1].segments_from = u32::MAX), ImageError::Entry(1));
    assert_eq!(refused(|parts| parts.entries[1].name_at = u32::MAX), ImageError::Entry(1));
    assert_eq!(refused(|parts| parts.entries[1].service += 1), ImageError::Entry(1));
    assert_eq!(refused(|parts| parts.entries[1].level = 8), ImageError::Entry(1));
    assert_eq!(refused(|parts| parts.entries[1].stack_pages = 0), ImageError::Entry(1));
    let in_data = ADDRESS_IMAGE as u64 + PAGE_BYTES as u64;
    assert_eq!(refused(|parts| parts.entries[1].start = in_data), ImageError::Entry(1));
}

#[test]
fn capabilities_for_what_is_not_there_are_refused() {
    assert_eq!(refused(|parts| parts.capabilities[1].target = 2), ImageError::Capability(1));
    assert_eq!(refused(|parts| parts.capabilities[2].target = 0), ImageError::Capability(2));
    assert_eq!(refused(|parts| parts.capabilities[0].target = 1), ImageError::Capability(0));
    assert_eq!(refused(|parts| parts.capabilities[0].kind = 9), ImageError::Capability(0));
    assert_eq!(refused(|parts| parts.resources[0].physical += 1), ImageError::Resource(0));
    assert_eq!(refused(|parts| parts.resources[1].size = 0), ImageError::Resource(1));
    assert_eq!(refused(|parts| parts.resources[1].size = 2048), ImageError::Resource(1));
}

proptest! {
    /// Whatever a single byte becomes, the image is refused or what it says can be used.
    #[test]
    fn a_spoilt_image_is_refused_or_sound(at in 0..PAGE_BYTES, byte in any::<u8>()) {
        let mut bytes = Parts::new().bytes();
        bytes[at] = byte;
        if let Ok(image) = Image::parse(&bytes) {
            for entry in image.entries() {
                for segment in image.segments(&entry) {
                    prop_assert!(segment.bytes.len() <= segment.pages * PAGE_BYTES);
                    prop_assert!(!(segment.writable && segment.executable));
                }
                for (_, held) in image.capabilities(&entry).iter() {
                    if let Capability::Call(id) | Capability::Child(id) = held {
                        prop_assert!(image.entry(id).is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn random_bytes_are_no_image(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(Image::parse(&bytes).is_err());
    }
}
