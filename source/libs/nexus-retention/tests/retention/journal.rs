//! Records of logd's log: what is written is read, and nothing else is.

use nexus_retention::journal::{BYTES_MAX, Item, Kept};
use nexus_wire::logs::ClockAnchor;
use nexus_wire::{Fields, Level, RecordId};
use proptest::prelude::*;

const PAGE: &str = include_str!("../../../../../docs/retention-format.md");
/// What the first program of this version wrote, one item a row.
const GOLDEN: &str = include_str!("v1.journal.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn examples() -> [Item<'static>; 3] {
    [
        Item::Record(Kept {
            boot: 3,
            id: RecordId(300),
            at_ns: 1_500_000_000,
            service: 0x7b60_9612_6000_c028,
            level: Level::Error,
            scope: "execd",
            message: "crash",
            fields: Fields::parse(b"code=42\npid=7\n").unwrap(),
        }),
        Item::Anchor(ClockAnchor { boot: 3, mono_ns: 5, wall_ns: 1_700_000_000_000_000_000 }),
        Item::End { boot: 3 },
    ]
}

#[test]
fn the_page_and_the_first_program_of_this_version_say_the_same_bytes() {
    let written = examples().map(|item| hex(item.write(&mut [0; BYTES_MAX])));
    assert_eq!(GOLDEN.lines().collect::<Vec<_>>(), written);
    for row in written {
        assert!(PAGE.contains(&format!("`{row}`")), "docs/retention-format.md should show {row}");
    }
}

#[test]
fn what_is_no_item_is_not_read() {
    let mut buffer = [0; BYTES_MAX];
    for item in examples() {
        let bytes = item.write(&mut buffer).to_vec();
        assert_eq!(Item::read(&bytes), Some(item));
        assert_eq!(Item::read(&[&bytes[..], b"pid=7\n"].concat()), None);
        assert_eq!(Item::read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Item::read(&[&[9], &bytes[1..]].concat()), None);
    }
    assert_eq!(Item::read(&[]), None);
}

#[test]
fn the_longest_record_fits() {
    let text = "x".repeat(512);
    let fields = format!("k={}\n", &text[..509]);
    let kept = Kept {
        boot: u32::MAX,
        id: RecordId(u64::MAX),
        at_ns: u64::MAX,
        service: u64::MAX,
        level: Level::Trace,
        scope: &text[..64],
        message: &text[..256],
        fields: Fields::parse(fields.as_bytes()).unwrap(),
    };
    let mut buffer = [0; BYTES_MAX];
    let bytes = Item::Record(kept).write(&mut buffer).to_vec();
    assert_eq!(bytes.len(), BYTES_MAX);
    assert_eq!(Item::read(&bytes), Some(Item::Record(kept)));
}

proptest! {
    #[test]
    fn records_come_back(
        boot: u32, id: u64, at_ns: u64, service: u64, level in 0_u8..5,
        scope in "[a-z.]{0,64}", message in "\\PC{0,60}", value in "[a-z0-9]{0,80}",
    ) {
        let fields = format!("key={value}\n");
        let item = Item::Record(Kept {
            boot, id: RecordId(id), at_ns, service,
            level: Level::from_raw(level).unwrap_or(Level::Info),
            scope: &scope, message: &message, fields: Fields::parse(fields.as_bytes()).unwrap(),
        });
        let mut buffer = [0; BYTES_MAX];
        prop_assert_eq!(Item::read(item.write(&mut buffer)), Some(item));
    }

    #[test]
    fn bytes_that_are_none_are_refused_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Some(item) = Item::read(&bytes) {
            prop_assert!(item.write(&mut [0; BYTES_MAX]).len() <= bytes.len());
        }
    }
}
