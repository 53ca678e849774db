//! `docs/kernel.md` and `nexus_abi::kernel` say the same.
#![expect(clippy::unwrap_used, reason = "a page of another form fails the test")]

use nexus_abi::kernel::{self, CapabilityKind, Change, KernelError, Received, Signals, SystemCall};
use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Incarnation, Rights, Sender, ServiceId};

const PAGE: &str = include_str!("../../../../docs/kernel.md");

/// Each version of the interface and what it said, as [`fingerprint`] shortens it. What was
/// released stays: a change is a new line, with a decision record that says why.
const VERSIONS: &[(u32, u64)] = &[(1, 0x8746_77e3_2a64_61a5), (2, 0x8f81_2251_dbc6_8fac)];

/// The cells of the table under a heading, without its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let section = PAGE.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let row = row.trim_matches('|').replace("\\|", "or");
        row.split('|').map(|cell| cell.trim().replace('`', "")).collect()
    })
    .collect()
}

/// Number and name of each row.
fn numbered(heading: &str) -> Vec<(u64, String)> {
    table(heading).into_iter().map(|row| (row[0].parse().unwrap(), row[1].clone())).collect()
}

fn named<'a>(all: impl Iterator<Item = (u64, &'a str)>) -> Vec<(u64, String)> {
    all.map(|(number, name)| (number, name.to_owned())).collect()
}

#[test]
fn the_system_calls_are_those_of_the_page_with_all_their_errors() {
    let calls = SystemCall::ALL.iter().map(|call| (call.raw(), call.name()));
    assert_eq!(numbered("System calls"), named(calls));
    for (row, call) in table("System calls").iter().zip(SystemCall::ALL) {
        let refusals = call.refusals().iter().map(|error| error.name()).collect::<Vec<_>>();
        assert_eq!(row[4].split_whitespace().collect::<Vec<_>>(), refusals, "{}", call.name());
    }
}

#[test]
fn the_errors_are_those_of_the_page() {
    let errors = KernelError::ALL.iter().map(|error| (error.raw(), error.name()));
    assert_eq!(numbered("Errors"), named(errors));
}

#[test]
fn the_capabilities_are_those_of_the_page() {
    let kinds = CapabilityKind::ALL.iter().map(|kind| (kind.raw(), kind.name()));
    assert_eq!(numbered("Capabilities"), named(kinds));
}

#[test]
fn the_limits_are_those_of_the_page() {
    let limits: Vec<(&str, usize)> = vec![
        ("VERSION", kernel::VERSION as usize),
        ("PROCESSES_MAX", kernel::PROCESSES_MAX),
        ("CALLS_MAX", kernel::CALLS_MAX),
        ("CAPABILITIES_MAX", kernel::CAPABILITIES_MAX),
        ("RESOURCE_SLOTS", kernel::RESOURCE_SLOTS),
        ("LEVELS", kernel::LEVELS),
        ("FRAME_BYTES_MAX", FRAME_BYTES_MAX),
        ("LINE_BYTES_MAX", kernel::LINE_BYTES_MAX),
        ("GROW_PAGES_MAX", kernel::GROW_PAGES_MAX),
        ("PAGE_BYTES", kernel::PAGE_BYTES),
        ("ADDRESS_IMAGE", kernel::ADDRESS_IMAGE),
        ("ADDRESS_HEAP", kernel::ADDRESS_HEAP),
        ("ADDRESS_RESOURCES", kernel::ADDRESS_RESOURCES),
        ("ADDRESS_STACK_END", kernel::ADDRESS_STACK_END),
    ];
    let value = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let page = table("Limits").into_iter().map(|row| (row[0].clone(), value(&row[1])));
    let limits = limits.into_iter().map(|(name, value)| (name.to_owned(), value));
    assert_eq!(page.collect::<Vec<_>>(), limits.collect::<Vec<_>>());
}

fn sender() -> Sender {
    let incarnation = Incarnation::new(0x0012_3456);
    Sender::stamped(ServiceId::from_name("a"), u32::MAX, incarnation, Rights::from_raw(0xff))
}

fn events() -> Vec<(&'static str, Received)> {
    let (service, reason) = (ServiceId::from_name("b"), ExitReason::Exited(-7));
    let incarnation = Incarnation::new(3);
    let killed = Change::Ended(ExitReason::Killed(ExitReason::BY_PARENT));
    vec![
        ("deadline", Received::Deadline),
        ("signals", Received::Signals(Signals::STOP.with(Signals::interrupt(31)))),
        ("child", Received::Child { service, change: Change::Serves }),
        ("child", Received::Child { service, change: killed }),
        ("peer_gone", Received::PeerGone { id: sender().id, incarnation, reason }),
        ("completion", Received::Completion { tag: u64::MAX, result: Ok(4096), incarnation }),
        ("completion", {
            Received::Completion { tag: 0, result: Err(KernelError::PeerDied), incarnation }
        }),
        ("request", Received::Request { token: u64::MAX, bytes: 0, from: sender() }),
    ]
}

#[test]
fn events_are_numbered_as_on_the_page_and_read_as_they_were_written() {
    let page = numbered("Events");
    for (name, event) in events() {
        let registers = event.registers();
        assert!(page.contains(&(registers[0], name.to_owned())), "{name}");
        assert_eq!(Received::from_registers(registers), Some(event));
    }
    let unknown = page.len() as u64;
    assert_eq!(Received::from_registers([unknown, 0, 0, 0, 0, 0]), None);
    assert_eq!(Received::from_registers([4, 0, 99, 0, 0, 0]), None);
}

#[test]
fn how_a_life_ended_is_read_as_it_was_written() {
    for reason in [
        ExitReason::Exited(i32::MIN),
        ExitReason::Exited(0),
        ExitReason::Killed(15),
        ExitReason::Disconnected,
    ] {
        assert_eq!(ExitReason::from_raw(reason.raw()), Some(reason));
    }
    assert_eq!(ExitReason::from_raw(3 << 32), None);
}

/// FNV-1a 64 of the tables of the page, but for what only explains.
fn fingerprint() -> u64 {
    let whole = ["System calls", "Events"].map(table);
    let mut rest = ["Errors", "Capabilities", "Limits"].map(table);
    rest.iter_mut().flatten().for_each(|row| row.truncate(2));
    ServiceId::from_name(&format!("{whole:?} {rest:?}")).raw()
}

#[test]
fn a_version_keeps_what_it_has_said() {
    let (version, said) = *VERSIONS.last().unwrap();
    assert_eq!(version, kernel::VERSION);
    assert_eq!(fingerprint(), said, "a changed interface is a new version: {:#x}", fingerprint());
    assert!(VERSIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
}
