//! Memory: what is taken follows from the recipe, and is taken when the service is made.

use allocation_counter::{AllocationInfo, measure};
use metricsd::{CounterBytes, Keep, Metricsd, counter_series_bytes, memory_budget};
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;

const RECIPES: [&str; 2] = [
    include_str!("../../../../recipes/observability/metrics.toml"),
    include_str!("../../../../recipes/observability/device-2mib.toml"),
];

/// Takes no memory of its own.
struct Void {
    calls: u32,
}

impl World for Void {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, _: ServiceId, call: CallId, _: &[u8]) -> Result<(), SubmitError> {
        self.calls = call.0 + 1;
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

fn life(n: u32) -> Sender {
    const NAMES: [&str; 4] = ["execd", "timed", "uid.1000", "hostprobe"];
    let name = NAMES[(n % 4) as usize];
    Sender::stamped(ServiceId::from_name(name), 1, Incarnation::new(n), Rights::SCRAPE)
}

/// A frame of some operation, legal or nearly so, changing with `n`.
fn frame(n: u32, out: &mut [u8; 300]) -> usize {
    let op = [1, 2, 3, 4, 5, 6, 16, 17, 18, 20, 21, 22, 23, 24][(n % 14) as usize];
    out[..8].copy_from_slice(&[b'M', b'T', 1, op, 1, 0, 0, 0]);
    let body: &[u8] = match op {
        1..=3 => &[3, 6, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        17 => &[1, 0, 3, 6, 0, 0, 0],
        18 => &[1, 3, 6, 0],
        16 => &[0; 8],
        20 => &[1, 0, 0, 0, 0, 0, 0, 0],
        21 => &[0; 5],
        22 | 23 => &[0; 4],
        _ => &[],
    };
    out[8..8 + body.len()].copy_from_slice(body);
    let len = 8 + body.len();
    if matches!(op, 1..=3 | 17 | 18) {
        let digits =
            [b'0' + (n % 10) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n / 100 % 10) as u8];
        out[len..len + 3].copy_from_slice(&digits);
        out[len + 3..len + 9]
            .copy_from_slice(&[b'k', b'=', digits[0], digits[1], digits[2], b'\n']);
        return len + 9;
    }
    len
}

fn drive(service: &mut Metricsd, events: u32) {
    let mut world = Void { calls: 0 };
    let mut buffer = [0; 300];
    for n in 0..events {
        let now = Now { mono: Mono(u64::from(n) * 3_000_000), wall: None };
        let len = frame(n, &mut buffer);
        let (from, token) = (life(n), Token::from_raw(1));
        let frame = &buffer[..len];
        service.handle(now, Event::Request { from, token, frame }, &mut world);
        if world.calls > 0 {
            let call = CallId(world.calls - 1);
            world.calls = 0;
            let result = Err(CallError::PeerDied);
            service.handle(now, Event::Completion { call, result }, &mut world);
        }
        if n % 5 == 0 {
            let Sender { id, incarnation, .. } = from;
            let gone = Event::PeerGone { id, incarnation, reason: ExitReason::Disconnected };
            service.handle(now, gone, &mut world);
        }
        service.handle(now, Event::Wake, &mut world);
    }
}

/// Made by this recipe, the service takes what its budget says; it takes and returns nothing later.
fn check(recipe: &Recipe) {
    let budget = memory_budget(recipe, Keep::Nothing);
    let mut service = None;
    let made = measure(|| service = Some(Metricsd::new(recipe, 1, Keep::Nothing)));
    let taken = made.bytes_current.unsigned_abs() + size_of::<Metricsd>() as u64;
    println!("{budget}{taken} B taken");
    assert!(taken <= budget.bytes(), "{taken} B taken\n{budget}");
    assert!(budget.bytes() - taken < 8192, "{taken} B taken\n{budget}");

    let Some(mut service) = service else { unreachable!("it was made") };
    assert_eq!(measure(|| drive(&mut service, 100_000)), AllocationInfo::default());
}

#[test]
fn memory_is_what_the_budget_says_and_is_taken_at_the_start() {
    for text in RECIPES {
        check(&Recipe::parse(text).unwrap());
    }
}

#[test]
fn a_counter_series_takes_less_than_a_quarter_of_a_kib() {
    let CounterBytes { series, metric, registration } = counter_series_bytes(24, 40);
    println!("a counter series {series} B, its metric {metric} B, its number {registration} B");
    assert!(series < 256, "{series} B for a counter series with 40 bytes of labels");
    // With a few series of a metric each stays within the figure with its part of the metric.
    assert!(series + metric / 16 < 256, "{series} B and a part of {metric} B");
}

#[test]
fn what_is_taken_is_counted() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
