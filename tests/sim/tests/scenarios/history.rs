//! What metricsd keeps is read back from it while it serves.

use std::collections::BTreeMap;

use metricsd::{Keep, Metricsd};
use nexus_abi::Rights;
use nexus_bounded::Nanos;
use nexus_recipe::{Recipe, StateRecipe};
use nexus_wire::metrics::{
    Moment, Op, Range, RangeCursor, RangeEntry, RangeValue, Reply, Request, Update, decode_reply,
    encode,
};
use nexus_wire::{LabelBytes, MetricStatus, NameBytes, Tier};
use simkit::{Client, Config, Disk, World};
use statefsd::Statefsd;

const RECIPE: &str = include_str!("../../../../recipes/observability/device-2mib.toml");
const SECOND: u64 = 1_000_000_000;

fn state(recipe: &Recipe) -> StateRecipe {
    let share = metricsd::share(recipe);
    let sectors = (2 * share.bytes + (2 << 20)) / 512;
    let text = format!(
        "[statefsd]\ndisk_bytes = \"{} KiB\"\nfiles = {}\nopen = {}\npending = 4\n\
         retry_min = \"1 s\"\nretry_max = \"8 s\"\n\
         [statefsd.budget]\nevents_per_s = 100000\nevents_burst = 100000\n\
         bytes_per_s = \"16 MiB\"\nbytes_burst = \"16 MiB\"\n\
         [[shares]]\nname = \"metricsd\"\nbytes = \"{} KiB\"\nfiles = {}\nopen = {}\n",
        sectors / 2,
        share.files + 8,
        share.open + 2,
        share.bytes / 1024,
        share.files,
        share.open,
    );
    StateRecipe::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

struct Rig {
    world: World,
    reader: Client,
    producer: Client,
    /// What was added to the counter in each second in which something was.
    added: BTreeMap<u64, u64>,
}

impl Rig {
    fn new(keep: Keep) -> Self {
        let mut world = World::with(Config::kind(1));
        let recipe = Recipe::parse(RECIPE).unwrap();
        let (state, sectors) = (state(&recipe), 1 << 15);
        world.spawn("statefsd", move |start| Statefsd::new(&state, start.boot).unwrap());
        world.attach("statefsd", Disk::new(sectors));
        world.settle();
        world.spawn("metricsd", move |start| Metricsd::new(&recipe, start.boot, keep));
        let reader = world.client("obsctl", Rights::SCRAPE);
        let producer = world.client("execd", Rights::NONE);
        Self { world, reader, producer, added: BTreeMap::new() }
    }

    /// Adds to a counter, most seconds.
    fn seconds(&mut self, seconds: std::ops::Range<u64>) {
        for second in seconds {
            let delta = second * 7 % 11;
            if delta > 0 {
                let name = NameBytes::new(b"jobs_total").unwrap();
                let labels = LabelBytes::new(b"").unwrap();
                let update = Request::CounterInc(Update { name, labels, value: delta });
                let (status, _) = self.ask(self.producer, &update, |_| ());
                assert_eq!(status, MetricStatus::Ok);
                self.added.insert(second, delta);
            }
            self.world.run_for(Nanos::from_secs(1));
        }
    }

    fn ask<T>(
        &mut self,
        who: Client,
        request: &Request<'_>,
        look: impl FnOnce(Reply<'_>) -> T,
    ) -> (MetricStatus, T) {
        let mut out = [0; 512];
        let frame = encode(request, 7, &mut out).unwrap();
        let answer = self.world.call(who, "metricsd", frame).unwrap();
        let (status, reply) = decode_reply(request.op(), 7, &answer).unwrap();
        (status, look(reply))
    }

    /// What was added in each step, and how many frames that took.
    fn history(&mut self, range: Range<'_>) -> (BTreeMap<u64, u64>, u32) {
        self.history_while(range, |_| {}).unwrap()
    }

    /// The same, when something happens behind each frame; `None`: what was read was replaced.
    fn history_while(
        &mut self,
        range: Range<'_>,
        mut meanwhile: impl FnMut(&mut Self),
    ) -> Option<(BTreeMap<u64, u64>, u32)> {
        let (mut steps, mut frames, mut cursor) = (BTreeMap::new(), 0, RangeCursor::START);
        loop {
            let request = Request::Range(Range { cursor, ..range });
            let (status, next) = self.ask(self.reader, &request, |reply| match reply {
                Reply::Range(page) => {
                    page.entries().for_each(|entry| note(entry, &mut steps));
                    page.next
                }
                _ => RangeCursor::START,
            });
            if status == MetricStatus::Conflict {
                return None;
            }
            assert_eq!(status, MetricStatus::Ok);
            frames += 1;
            if next == RangeCursor::START {
                return Some((steps, frames));
            }
            cursor = next;
            meanwhile(self);
        }
    }
}

fn note(entry: RangeEntry<'_>, steps: &mut BTreeMap<u64, u64>) {
    match entry {
        RangeEntry::Row(row) => {
            let RangeValue::Counter { delta } = row.value else { panic!("a counter") };
            *steps.entry(row.step).or_insert(0) += delta;
        }
        RangeEntry::Lost(lost) => panic!("{lost:?}"),
        RangeEntry::Clock(_) | RangeEntry::Series(_) => {}
    }
}

const JOBS: Range<'_> = Range { name: "jobs_total", is_prefix: false, ..Range::ALL };

#[test]
fn what_is_sealed_is_read_back_exactly_from_every_tier() {
    let mut rig = Rig::new(Keep::Files);
    rig.seconds(0..3000);
    let to = Moment { boot: 1, mono_ns: 2940 * SECOND };
    let (raw, frames) = rig.history(Range { tier: Tier::Raw, to, ..JOBS });
    assert!(raw.len() > 300 && frames > 1, "{} steps in {frames} frames", raw.len());
    let end = *raw.keys().next_back().unwrap();
    let sent: u64 = rig.added.range(..end).map(|(_, delta)| delta).sum();
    let kept: u64 = raw.iter().filter(|(at, _)| **at <= end).map(|(_, delta)| delta).sum();
    // A window is of when it was sampled, at most a second later.
    assert!(kept.abs_diff(sent) <= 2 * 11, "{kept} of {sent}");
    for step in [10, 60] {
        let (steps, _) = rig.history(Range { step_ns: step * SECOND, to, ..JOBS });
        let mut oracle = BTreeMap::new();
        raw.iter().for_each(|(at, delta)| *oracle.entry(at / step).or_insert(0) += delta);
        assert_eq!(steps, oracle, "{step} s");
    }
    let from = Moment { boot: 0, mono_ns: 0 };
    let (none, _) = rig.history(Range { from, to: from, ..JOBS });
    assert!(none.is_empty());
}

#[test]
fn whenever_history_is_asked_for_it_is_all_that_was_counted() {
    let mut rig = Rig::new(Keep::Files);
    let (mut second, mut step) = (0, 1);
    // Times of many distances, so that what is not sealed yet is met in every state.
    while second < 1500 {
        rig.seconds(second..second + step);
        second += step + 2;
        step = step * 7 % 61 + 1;
        let counted: u64 = rig.added.values().sum();
        // What was added last is in a window that is over in a second.
        rig.world.run_for(Nanos::from_secs(2));
        for step_ns in [0, 10 * SECOND, 60 * SECOND] {
            let (steps, _) = rig.history(Range { step_ns, ..JOBS });
            let kept: u64 = steps.values().sum();
            assert_eq!(kept, counted, "at {second} s, in steps of {step_ns} ns");
        }
    }
}

#[test]
fn an_answer_ends_where_it_ended_when_it_began_however_much_is_sealed_meanwhile() {
    let (mut whole, mut most) = (0, 0);
    for pause in [0, 1, 3, 7, 20, 61] {
        let (mut rig, mut second) = (Rig::new(Keep::Files), 0);
        for _ in 0..6 {
            rig.seconds(second..second + 97);
            second += 99;
            let counted: u64 = rig.added.values().sum();
            rig.world.run_for(Nanos::from_secs(2));
            let raw = Range { tier: Tier::Raw, ..JOBS };
            let answer = rig.history_while(raw, |rig| {
                rig.seconds(second..second + pause);
                second += pause;
            });
            // What is replaced while it is read is said, and never told in half.
            if let Some((steps, frames)) = answer {
                assert_eq!(
                    steps.values().sum::<u64>(),
                    counted,
                    "at {second} s, pauses of {pause}"
                );
                (whole, most) = (whole + 1, most.max(frames));
            }
        }
    }
    assert!(whole > 24 && most > 4, "{whole} answers of up to {most} frames");
}

#[test]
fn whoever_keeps_nothing_says_so_and_a_cursor_of_nobodys_is_refused() {
    let mut rig = Rig::new(Keep::Nothing);
    rig.seconds(0..3);
    let (status, _) = rig.ask(rig.reader, &Request::Range(JOBS), |_| ());
    assert_eq!(status, MetricStatus::NotFound);
    let mut rig = Rig::new(Keep::Files);
    rig.seconds(0..3);
    let cursor = RangeCursor([9; 4]);
    let (status, _) = rig.ask(rig.reader, &Request::Range(Range { cursor, ..JOBS }), |_| ());
    assert_eq!(status, MetricStatus::InvalidArgs);
    let cursor = RangeCursor([1 << 32 | 1, 7, 0, 0]);
    let range = Range { cursor, tier: Tier::Raw, ..JOBS };
    let (status, _) = rig.ask(rig.reader, &Request::Range(range), |_| ());
    assert_eq!(status, MetricStatus::Conflict);
    let denied = rig.ask(rig.producer, &Request::Range(JOBS), |_| ()).0;
    assert_eq!((denied, Op::Range.raw()), (MetricStatus::Denied, 25));
}
