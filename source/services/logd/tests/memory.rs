//! The memory budget is what is taken, and it is taken once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use allocation_counter::{AllocationInfo, measure};
use logd::{Keep, Logd, memory_budget};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Wall};
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;
use nexus_wire::Level;
use nexus_wire::logs::{Head, NewRecord, RecordText, Request, Search, Version, encode};

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

fn check(recipe: &Recipe, keep: Keep) {
    let budget = memory_budget(recipe, keep);
    let mut logd = None;
    let made = measure(|| logd = Some(Box::new(Logd::new(recipe, 1, keep))));
    assert_eq!(made.bytes_current.unsigned_abs(), budget.bytes(), "{budget}");
    let mut logd = logd.unwrap();

    let frames = frames();
    let names = (0..200).map(|n| ServiceId::from_name(&format!("s{n}"))).collect::<Vec<_>>();
    let mut world = Nowhere { replies: 0 };
    let served = measure(|| {
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
    assert_eq!((served, world.replies), (AllocationInfo::default(), 60_000));
}

#[test]
fn memory_is_taken_at_start_as_the_budget_says_and_never_after() {
    let recipes = ["metrics.toml", "device-2mib.toml"];
    for name in recipes {
        let path = format!("{}/../../../recipes/observability/{name}", env!("CARGO_MANIFEST_DIR"));
        let recipe = Recipe::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        check(&recipe, Keep::Nothing);
        check(&recipe, Keep::Files);
    }
}

#[test]
fn what_is_taken_is_counted() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
