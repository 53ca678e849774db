//! The format of bundles: the page, the golden file, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nexus_abi::Rights;
use nexus_bundle::{
    BUNDLE_BYTES_MIN, Checker, Defect, HEAD_BYTES, HEADER_BYTES_MAX, MEMORY_KIB_MAX, Manifest,
    Program, pack,
};
use nexus_wire::bundles::{BundleName, BundleVersion};
use proptest::prelude::*;

const PAGE: &str = include_str!("../../../../docs/bundle-format.md");
const GOLDEN: &str = include_str!("v2.bundle.txt");

fn hello() -> Manifest<'static> {
    Manifest {
        name: BundleName::new("demo.hello").unwrap(),
        version: BundleVersion::new("1.0").unwrap(),
        entry: BundleName::new("hello").unwrap(),
        memory_kib: 64,
        rights: Rights::QUERY,
        program_bytes: 6,
    }
}

fn bundle() -> Vec<u8> {
    pack(&hello(), b"hello\n").unwrap()
}

/// Four bytes a group, eight groups a line.
fn hex(bytes: &[u8]) -> String {
    let group = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let line = |bytes: &[u8]| bytes.chunks(4).map(group).collect::<Vec<_>>().join(" ");
    bytes.chunks(32).map(line).collect::<Vec<_>>().join("\n")
}

/// What it is that comes in pieces of `size` bytes.
fn checked(bytes: &[u8], size: usize) -> Result<u32, Defect> {
    let mut checker = Checker::new(u32::try_from(bytes.len()).unwrap());
    bytes.chunks(size).for_each(|piece| checker.take(piece).unwrap());
    checker.finish().map(|whole| whole.manifest.program_bytes)
}

#[test]
fn the_golden_bundle_is_written_and_read_as_ever() {
    assert_eq!(hex(&bundle()), GOLDEN.trim_end(), "another format needs another version");
    let mut checker = Checker::new(u32::try_from(bundle().len()).unwrap());
    checker.take(&bundle()).unwrap();
    let whole = checker.finish().unwrap();
    assert_eq!(whole.manifest, hello());
    assert!(bundle().ends_with(&whole.digest));
    assert_eq!(whole.program, Program::digest_of(b"hello\n"));
}

#[test]
fn the_page_and_the_code_agree() {
    let example = PAGE.rsplit("```\n").nth(1).unwrap().trim_end();
    assert_eq!(example, hex(&bundle()), "the example");
    for said in [
        format!("| {HEAD_BYTES} | as said | the name: 1 to 31 bytes"),
        format!("may take, 1 to {MEMORY_KIB_MAX} |"),
        format!("A header is at most {HEADER_BYTES_MAX} bytes"),
        format!(
            "{} to read the journal, {} to read metrics",
            Rights::QUERY.raw(),
            Rights::SCRAPE.raw()
        ),
    ] {
        assert!(PAGE.contains(&said), "{said}");
    }
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows =
        rows.filter_map(|(at, row)| Some((at.parse::<usize>().ok()?, row.split_once(" | ")?.0)));
    let places = rows.map(|(at, bytes)| (at, bytes.parse::<usize>().unwrap_or(0)));
    let expected = [(0, 3), (3, 1), (4, 4), (8, 4), (12, 1), (13, 1), (14, 1), (15, 1), (16, 0)];
    assert_eq!(places.collect::<Vec<_>>(), expected);
}

#[test]
fn each_defect_is_told_from_the_others() {
    let changed = |at: usize, to: u8| {
        let mut bytes = bundle();
        bytes[at] = to;
        checked(&bytes, 7).unwrap_err()
    };
    for (at, to, defect) in [
        (0, b'M', Defect::Magic),
        (3, 1, Defect::Version),
        (4, 7, Defect::Length),
        (7, 0xff, Defect::Length),
        (8, 0, Defect::Memory),
        (11, 1, Defect::Memory),
        (12, 4, Defect::Rights),
        (13, 0, Defect::Name),
        (13, 255, Defect::Short),
        (16, b'D', Defect::Name),
        (16, b'e', Defect::Digest),
        (36, b'j', Defect::Digest),
        (71, 0, Defect::Digest),
    ] {
        assert_eq!(changed(at, to), defect, "byte {at}");
    }
    assert_eq!(checked(&bundle()[..71], 7), Err(Defect::Length));
    assert_eq!(checked(&[&bundle()[..], &[0]].concat(), 7), Err(Defect::Length));
    assert_eq!(checked(&bundle()[..20], 7), Err(Defect::Short));
    assert_eq!(checked(&[], 7), Err(Defect::Short));
    assert!(BUNDLE_BYTES_MIN < bundle().len());
}

#[test]
fn more_bytes_than_were_announced_are_not_looked_at() {
    let mut checker = Checker::new(8);
    checker.take(&[0; 8]).unwrap();
    assert_eq!(checker.take(&[0]), Err(Defect::Length));
    assert_eq!(checker.seen(), 8);
}

#[test]
fn what_no_bundle_may_have_is_not_packed() {
    let packed = |manifest: Manifest<'_>| pack(&manifest, b"").unwrap_err();
    assert_eq!(packed(Manifest { memory_kib: 0, ..hello() }), Defect::Memory);
    assert_eq!(packed(Manifest { memory_kib: MEMORY_KIB_MAX + 1, ..hello() }), Defect::Memory);
    assert_eq!(packed(Manifest { rights: Rights::from_raw(8), ..hello() }), Defect::Rights);
}

proptest! {
    #[test]
    fn a_bundle_is_read_as_it_was_packed_however_it_comes(
        name in "[a-z][a-z0-9_.-]{0,30}",
        version in "[a-z0-9_.-]{1,16}",
        entry in "[a-z][a-z0-9_.-]{0,30}",
        memory_kib in 1u32..=MEMORY_KIB_MAX,
        rights in 0u8..4,
        program in prop::collection::vec(any::<u8>(), 0..300),
        piece in 1usize..400,
        flip in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let manifest = Manifest {
            name: BundleName::new(&name).unwrap(),
            version: BundleVersion::new(&version).unwrap(),
            entry: BundleName::new(&entry).unwrap(),
            memory_kib,
            rights: Rights::from_raw(rights),
            program_bytes: u32::try_from(program.len()).unwrap(),
        };
        let mut bytes = pack(&manifest, &program).unwrap();
        let mut checker = Checker::new(u32::try_from(bytes.len()).unwrap());
        bytes.chunks(piece).for_each(|piece| checker.take(piece).unwrap());
        let whole = checker.finish().unwrap();
        prop_assert_eq!(whole.manifest, manifest);
        prop_assert_eq!(whole.program, Program::digest_of(&program), "whose bytes came in pieces");
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(checked(&bytes, piece).is_err(), "no bit changes unnoticed");
    }

    #[test]
    fn no_bytes_make_it_fall(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        piece in 1usize..99,
    ) {
        prop_assert!(checked(&bytes, piece).is_err());
    }
}
