//! entropyd by its frames alone.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use entropyd::{Entropyd, Source};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_wire::entropy::{ENTROPY_BYTES_MAX, EntropyStatus, decode_reply, plain_reply, request};
use nexus_wire::{Echo, markers};
use proptest::prelude::*;

/// Counts upwards; or gives the same for ever, or nothing.
enum Device {
    Counts(u64),
    Repeats,
    Silent,
}

impl Source for Device {
    fn take(&mut self, into: &mut [u8]) -> bool {
        for byte in into.as_chunks_mut::<8>().0 {
            match self {
                Self::Counts(next) => {
                    *byte = next.to_be_bytes();
                    *next += 1;
                }
                Self::Repeats | Self::Silent => *byte = [7; 8],
            }
        }
        !matches!(self, Self::Silent)
    }
}

#[derive(Default)]
struct Console {
    replies: Vec<Vec<u8>>,
    lines: Vec<String>,
}

impl World for Console {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.replies.push(frame.to_vec());
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        panic!("entropyd asks nobody");
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

struct Bed {
    entropyd: Entropyd<Device>,
    world: Console,
}

impl Bed {
    fn new(device: Device) -> Self {
        let mut bed = Self { entropyd: Entropyd::new(device), world: Console::default() };
        bed.handle(Event::Wake);
        bed
    }

    fn handle(&mut self, event: Event<'_>) {
        self.entropyd.handle(Now { mono: Mono(1), wall: None }, event, &mut self.world);
    }

    fn send(&mut self, frame: &[u8]) -> Vec<u8> {
        self.send_from("user", frame)
    }

    fn send_from(&mut self, from: &str, frame: &[u8]) -> Vec<u8> {
        let from = ServiceId::from_name(from);
        let from = Sender::stamped(from, 7, Incarnation::new(1), Rights::NONE);
        self.handle(Event::Request { from, token: Token::from_raw(1), frame });
        self.world.replies.pop().unwrap()
    }

    fn get(&mut self, count: u16) -> Result<Vec<u8>, EntropyStatus> {
        let reply = self.send(&request(9, count));
        decode_reply(9, &reply).unwrap().map(<[u8]>::to_vec)
    }
}

#[test]
fn it_is_ready_once_it_has_given_something_else_each_time() {
    let bed = Bed::new(Device::Counts(0));
    assert_eq!(bed.world.lines, [markers::ENTROPYD_READY]);
    assert_eq!(bed.entropyd.deadline(), None);
    for device in [Device::Repeats, Device::Silent] {
        assert!(Bed::new(device).world.lines.is_empty(), "it serves, and says nothing");
    }
}

#[test]
fn bytes_are_given_as_they_come_and_never_twice() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new(Device::Counts(0));
    let first = bed.get(ENTROPY_BYTES_MAX as u16).unwrap();
    assert_eq!(first[..8], 8_u64.to_be_bytes(), "its proof has taken those before");
    let second = bed.get(16).unwrap();
    assert_eq!(second[..8], 40_u64.to_be_bytes());
    assert_eq!(recording.counter("entropyd_requests_total", &[("outcome", "ok")]), 2);
}

#[test]
fn what_one_sender_was_given_no_other_is_whatever_is_refused_between() {
    let mut bed = Bed::new(Device::Counts(0));
    let mut given = std::collections::BTreeSet::new();
    for from in ["user", "stranger", "user", "other"] {
        let long = request(9, ENTROPY_BYTES_MAX as u16 + 1);
        let echo = Echo { op: 1, nonce: 9 };
        assert_eq!(bed.send_from(from, &long), plain_reply(echo, EntropyStatus::OverLimit));
        let reply = bed.send_from(from, &request(9, 64));
        let bytes = decode_reply(9, &reply).unwrap().unwrap();
        for word in bytes.as_chunks::<8>().0 {
            assert!(given.insert(*word), "{from} is given what somebody has");
        }
    }
    assert_eq!(given.len(), 4 * 8);
}

#[test]
fn test_reject_a_source_that_repeats_itself_or_gives_nothing() {
    let recording = nexus_metrics::memory::record();
    assert_eq!(Bed::new(Device::Repeats).get(32), Err(EntropyStatus::NotReady));
    assert_eq!(Bed::new(Device::Silent).get(32), Err(EntropyStatus::NotReady));
    assert_eq!(recording.counter("entropyd_requests_total", &[("outcome", "not_ready")]), 2);
    assert_eq!(recording.counter("entropyd_repeats_total", &[]), 3, "its proof has seen it twice");
}

#[test]
fn test_reject_malformed_and_oversized_requests() {
    let mut bed = Bed::new(Device::Counts(0));
    let good = request(9, 32);
    let changed = |at: usize, to: u8| {
        let mut frame = good;
        frame[at] = to;
        frame.to_vec()
    };
    for (frame, op, nonce, status) in [
        (vec![], 0, 0, EntropyStatus::InvalidArgs),
        (good[..7].to_vec(), 0, 0, EntropyStatus::InvalidArgs),
        (good[..9].to_vec(), 1, 9, EntropyStatus::InvalidArgs),
        ([&good[..], &[0; 4086]].concat(), 1, 9, EntropyStatus::InvalidArgs),
        (changed(0, b'X'), 0, 0, EntropyStatus::InvalidArgs),
        (changed(2, 2), 1, 9, EntropyStatus::InvalidArgs),
        (changed(3, 9), 9, 9, EntropyStatus::InvalidArgs),
        (request(9, 0).to_vec(), 1, 9, EntropyStatus::OverLimit),
        (request(9, 257).to_vec(), 1, 9, EntropyStatus::OverLimit),
    ] {
        assert_eq!(bed.send(&frame), plain_reply(Echo { op, nonce }, status), "{frame:?}");
    }
    let lines = [
        markers::ENTROPYD_READY,
        markers::ENTROPYD_REJECT_INVALID_ARGS,
        markers::ENTROPYD_REJECT_OVER_LIMIT,
    ];
    assert_eq!(bed.world.lines, lines, "each reason once");
}

proptest! {
    #[test]
    fn no_frame_makes_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bed = Bed::new(Device::Counts(0));
        prop_assert!(bed.send(&bytes).len() >= 9);
    }
}
