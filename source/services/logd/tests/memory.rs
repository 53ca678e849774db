//! The memory budget is what is taken, and it is taken once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::System;

use logd::{Logd, memory_budget};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Wall};
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;
use nexus_wire::Level;
use nexus_wire::logs::{Head, NewRecord, RecordText, Request, Search, Version, encode};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A world that takes no memory.
struct Nowhere {
    replies: u64,
}

impl World for Nowhere {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        assert!(!frame.is_empty());
        self.replies += 1;
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, _: &str) {}

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        out("port_replies", self.replies);
    }
}

fn frames() -> Vec<Vec<u8>> {
    let record = |message, fields| {
        let text = Box::leak(Box::new([0; size_of::<RecordText>()]));
        Request::Append(
            NewRecord { level: Level::Warn, scope: "s", message, fields }.join(text).unwrap(),
        )
    };
    let requests = [
        record("hello", b"a=1\nb=2\n".as_slice()),
        record("password=hunter2", b"token=abc\n"),
        record("spoof", b"service=x\n"),
        Request::Query { since_ns: 0, max: 16 },
        Request::Search(Search { gaps: true, backward: true, ..Search::ALL }),
        Request::Stats,
        Request::Hello,
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Anchors,
    ];
    let head = Head { version: Version::V2, nonce: 1 };
    let frames = requests.map(|request| encode(&request, head, &mut [0; 512]).unwrap().to_vec());
    [frames.to_vec(), vec![Vec::new(), b"LO\x01\x63".to_vec()]].concat()
}

/// Bytes that `work` keeps, and number of its allocations.
fn taken<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let region = Region::new(GLOBAL);
    let result = work();
    let change = region.change();
    let kept = change.bytes_allocated - change.bytes_deallocated;
    (result, kept, change.allocations + change.reallocations)
}

fn check(recipe: &Recipe) {
    let budget = memory_budget(recipe);
    let (mut logd, bytes, _) = taken(|| Box::new(Logd::new(recipe, 1)));
    assert_eq!(bytes as u64, budget.bytes(), "{budget}");

    let frames = frames();
    let names = (0..200).map(|n| ServiceId::from_name(&format!("s{n}"))).collect::<Vec<_>>();
    let mut world = Nowhere { replies: 0 };
    let ((), _, allocations) = taken(|| {
        for round in 0..60_000_u64 {
            let now = Now { mono: Mono(round * 20_000_000), wall: Some(Wall((round % 7) << 40)) };
            let service = names[(round * round % 211 % 200) as usize];
            let from = Sender::stamped(service, 1, Incarnation::new(1), Rights::QUERY);
            let frame = &frames[round as usize % frames.len()];
            logd.handle(
                now,
                Event::Request { from, token: Token::from_raw(round), frame },
                &mut world,
            );
        }
    });
    assert_eq!((allocations, world.replies), (0, 60_000));
}

/// One test only: the allocator counts for the whole process.
#[test]
fn memory_is_taken_at_start_as_the_budget_says_and_never_after() {
    let recipes = ["metrics.toml", "device-2mib.toml"];
    for name in recipes {
        let path = format!("{}/../../../recipes/observability/{name}", env!("CARGO_MANIFEST_DIR"));
        check(&Recipe::parse(&std::fs::read_to_string(path).unwrap()).unwrap());
    }
    let ((), _, allocations) = taken(|| {
        std::mem::forget(std::hint::black_box(Box::new(1)));
    });
    assert_eq!(allocations, 1, "the allocator does count");
}
