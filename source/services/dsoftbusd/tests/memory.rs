//! What sessions take of memory: the same few blocks each time, within a bound, and all of it comes
//! back.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

#[expect(dead_code, reason = "other tests use the rest")]
mod net;

use allocation_counter::{AllocationInfo, measure};
use dsoftbusd::{Dsoftbusd, Says};
use net::{NAMES, Net, ring};
use nexus_session::PER_OWNER;
use nexus_wire::sessions::{SessionId, SessionStatus::Ok};

const USER: &str = "user";
const PEER: &str = NAMES[1];

/// What an open session takes at both sides together, at most.
const SESSION_BYTES: u64 = 256;
/// What one takes more while it is opened, at both sides together.
const OPENING_BYTES: u64 = 4 * 1024;

/// What only endpoints take: a test's own net takes memory for what it has seen.
fn taken(net: &mut Net, mut act: impl FnMut(&mut Net)) -> AllocationInfo {
    let before = std::mem::take(&mut net.measured);
    act(net);
    std::mem::replace(&mut net.measured, before)
}

fn cycle(net: &mut Net) {
    let sessions = (0..PER_OWNER).map(|_| net.open(USER, PEER).unwrap()).collect::<Vec<_>>();
    for session in sessions {
        net.say(USER, session, &[7; 1000]).unwrap();
        net.close(USER, session);
    }
}

#[test]
fn what_sessions_take_is_bounded_and_comes_back() {
    let mut net = Net::new();
    // Places in the source take their series, and spans their lane, when they are first needed;
    // the one of records beyond their budget too.
    (0..10).for_each(|_| cycle(&mut net));
    let whole = taken(&mut net, |net| (0..20).for_each(|_| cycle(net)));
    assert_eq!((whole.bytes_current, whole.count_current), (0, 0), "all has come back");
    assert_ne!(whole.count_total, 0);
    let mut session = SessionId(0);
    let open = taken(&mut net, |net| session = net.open(USER, PEER).unwrap());
    println!("a session: {open:?}");
    let bytes = u64::try_from(open.bytes_current).unwrap();
    assert!((1..=SESSION_BYTES).contains(&bytes), "{open:?}");
    assert!(open.bytes_max <= OPENING_BYTES, "{open:?}");
    let said = taken(&mut net, |net| drop(net.say(USER, session, &[7; 1000]).unwrap()));
    assert_eq!(said.count_total, 0, "a question takes nothing");
    let closed = taken(&mut net, |net| assert_eq!(net.close(USER, session), Ok));
    assert_eq!((closed.count_total, closed.bytes_current), (0, -open.bytes_current));
}

/// So that an allocator that keeps blocks by their size has one for each at once.
#[test]
fn every_session_takes_the_same() {
    let mut net = Net::new();
    cycle(&mut net);
    let opened = (0..PER_OWNER).map(|_| {
        let taken = taken(&mut net, |net| assert!(net.open(USER, PEER).is_ok()));
        (taken.count_total, taken.bytes_total, taken.count_current, taken.bytes_current)
    });
    let opened = opened.collect::<Vec<_>>();
    assert!(opened.iter().all(|taken| *taken == opened[0]), "{opened:?}");
}

#[test]
fn what_is_taken_counts() {
    assert_ne!(measure(|| drop(Dsoftbusd::new(&ring(PEER), Says::LOCAL))).count_total, 0);
}
