//! What a stamp says, and that nothing else says it.

use nexus_abi::ExitReason::{self, Disconnected, Exited, Killed};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};

/// Values of the FNV reference: 64-bit FNV-1a of the empty string, of "a" and of "foobar".
#[test]
fn names_hash_as_the_reference_does() {
    for (name, hash) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(ServiceId::from_name(name).raw(), hash);
    }
    assert_eq!(ServiceId::from_raw(0x1234_5678_9abc_def0).span_prefix(), 0x9abc_def0);
    assert_eq!(ServiceId::from_name("metricsd").to_string(), "32c5f2e014497e76");
}

#[test]
fn rights_are_a_set() {
    let both = Rights::QUERY.with(Rights::SCRAPE);
    assert!(both.has(Rights::QUERY) && both.has(Rights::SCRAPE) && both.has(Rights::NONE));
    assert!(!Rights::QUERY.has(Rights::SCRAPE) && !Rights::SCRAPE.has(Rights::QUERY));
    assert!(!Rights::NONE.has(Rights::QUERY) && !Rights::QUERY.has(both));
    assert_eq!(Rights::from_raw(both.raw()), both);
    assert_eq!((both.without(Rights::QUERY), both.without(both)), (Rights::SCRAPE, Rights::NONE));
    assert_eq!(Rights::QUERY.without(Rights::SCRAPE), Rights::QUERY);
    assert_eq!(Rights::default(), Rights::NONE);
}

#[test]
fn a_bad_end_has_the_number_that_shells_have_and_a_good_one_none() {
    let bad = [Exited(7), Exited(-7), Killed(15), Killed(u32::MAX), Disconnected];
    let numbers = [7, -7, 128 + 15, 128 + i64::from(u32::MAX), -1];
    assert_eq!(bad.map(ExitReason::failure), numbers.map(Some));
    assert_eq!(Exited(0).failure(), None);
}

#[test]
fn an_incarnation_has_24_bits_and_no_life_follows_as_the_zeroth() {
    assert_eq!(Incarnation::new(0x0100_0001).raw(), 1);
    assert_eq!(Incarnation::new(1).next().raw(), 2);
    assert_eq!(Incarnation::MAX.next().raw(), 1);
    assert_eq!(Incarnation::new(0).next().raw(), 1);
}

#[test]
fn a_stamp_tells_what_the_port_has_seen() {
    let service = ServiceId::from_name("execd");
    let sender = Sender::stamped(service, 7, Incarnation::new(3), Rights::QUERY);
    assert_eq!((sender.service(), sender.id.service()), (service, service));
    assert_eq!((sender.pid, sender.incarnation.raw()), (7, 3));
    assert!(sender.rights.has(Rights::QUERY) && !sender.rights.has(Rights::SCRAPE));
}
