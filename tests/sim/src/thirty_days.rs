//! A month of many senders, in bursts as large as their budgets, and nothing unaccounted for.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use nexus_bounded::Nanos;
use nexus_recipe::Recipe;
use nexus_wire::{Kind, LedgerRow};
use simkit::Config;

use crate::allocations;
use crate::bed::{Bed, Make, app, device, machine};
use crate::ledger;
use crate::producer::{Producer, run};
use crate::seen::{Seen, Series, Totals};
use crate::talker::{Talker, append, update};
use crate::watched::Sabotage;

/// How large a month is.
#[derive(Clone, Debug)]
pub struct Scale {
    /// What both daemons live by.
    pub recipe: Recipe,
    /// Senders, each with a program that uses the client library and one that speaks frames.
    pub senders: usize,
    /// Virtual time.
    pub length: Nanos,
    /// What must be offered to both daemons together, at least.
    pub events: u64,
    /// Bursts of all senders together, one after another.
    pub bursts: u64,
    /// How often the client libraries flush.
    pub flush: Nanos,
    /// How often everything is read and checked on the way.
    pub checks: u64,
    /// What is broken on purpose.
    pub sabotage: Option<Sabotage>,
}

const DAY: u64 = 86_400;

impl Scale {
    /// 30 days, 64 senders, at least 10^8 events.
    #[must_use]
    pub fn full() -> Self {
        Self {
            recipe: machine(64),
            senders: 64,
            length: Nanos::from_secs(30 * DAY),
            events: 100_000_000,
            bursts: 4992,
            flush: Nanos::from_secs(60),
            checks: 30,
            sabotage: None,
        }
    }

    /// A tenth of a percent of it: the same month, budgets and bursts that much smaller.
    #[must_use]
    pub fn small() -> Self {
        let mut recipe = machine(64);
        recipe.metricsd.budget.events_burst = 700;
        recipe.logd.budget.events_burst = 100;
        recipe.metricsd.export.interval = Nanos::from_secs(600);
        let (flush, events) = (Nanos::from_secs(3600), 100_000);
        Self { recipe, events, bursts: 128, flush, checks: 4, ..Self::full() }
    }

    /// A week on a small device.
    #[must_use]
    pub fn device_week() -> Self {
        Self {
            recipe: device(12),
            senders: 12,
            length: Nanos::from_secs(7 * DAY),
            events: 50_000,
            bursts: 48,
            flush: Nanos::from_secs(600),
            checks: 7,
            sabotage: None,
        }
    }
}

/// What a run was like.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Items and records that the senders offered to both daemons, as the ledgers have it.
    pub events: u64,
    /// Of them, refused for somebody's budget.
    pub rate_limited: u64,
    /// Records that the journal took, and dropped since.
    pub records: (u64, u64),
    /// Virtual time.
    pub length: Nanos,
    /// Real time.
    pub took: Duration,
    /// How often a service took memory while it handled an event.
    pub allocations: u64,
    /// Bytes of memory, those of the scenario included, halfway and at the end.
    pub memory: (i64, i64),
    /// Hash of everything that happened.
    pub trace: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (taken, dropped) = self.records;
        let (before, after) = self.memory;
        writeln!(f, "events offered            {}", self.events)?;
        writeln!(f, "refused for budgets       {}", self.rate_limited)?;
        writeln!(f, "records taken             {taken}, {dropped} of them in gaps now")?;
        writeln!(f, "virtual time              {} s", self.length.0 / 1_000_000_000)?;
        writeln!(f, "real time                 {:.1} s", self.took.as_secs_f64())?;
        writeln!(f, "allocations in services   {}", self.allocations)?;
        writeln!(f, "memory halfway            {before} B")?;
        writeln!(f, "memory at the end         {after} B")?;
        writeln!(f, "trace                     {:016x}", self.trace)
    }
}

impl Report {
    /// The run was as large as asked for, met the budgets, and left memory as it was.
    fn check(&self, scale: &Scale) {
        assert!(self.length >= scale.length, "too short:\n{self}");
        assert!(self.events >= scale.events, "fewer than {} events:\n{self}", scale.events);
        assert!(self.rate_limited > 0, "no burst met its budget:\n{self}");
        allocations::assert_flat(self.allocations, self.memory);
    }
}

/// A sender: its two programs, and what they have done.
struct Party {
    talker: Talker,
    totals: Totals,
    /// Records found to be in the gap.
    lost: u64,
    /// What its budgets have let through at metricsd and logd.
    taken: (u64, u64),
}

/// Runs it; ends with a panic where anything is unaccounted for, at each check on the way and at
/// the end, or memory grows.
///
/// # Panics
/// If the proof fails.
#[must_use]
pub fn run_month(scale: &Scale) -> Report {
    let began = Instant::now();
    let taken_before = allocations::while_serving();
    let make = Make::new(Config { client_slots: 1024, ..Config::kind(30) }, &scale.recipe);
    let mut bed = Bed::with(Make { sabotage: scale.sabotage, ..make });
    let mut producers: Vec<_> = (0..scale.senders)
        .map(|number| Producer::new(&mut bed, &app(number), scale.flush))
        .collect();
    let mut parties: Vec<_> = (0..scale.senders)
        .map(|number| Party {
            talker: Talker::new(&mut bed, &app(number)),
            totals: Totals::default(),
            lost: 0,
            taken: (0, 0),
        })
        .collect();
    let repertoire = Repertoire::new();
    let pause = Nanos(scale.length.0 / scale.bursts);
    let mut halfway = 0;
    for burst in 0..scale.bursts {
        let who = burst as usize % scale.senders;
        run(&mut bed, &mut producers, pause);
        parties[who].burst(&mut bed, &scale.recipe, &repertoire, burst);
        record(&mut producers[who], &bed, burst);
        if burst == scale.bursts / 2 {
            halfway = allocations::live_bytes();
        }
        if burst % (scale.bursts / scale.checks) == 0 {
            check(&mut bed, &producers, &mut parties, false);
        }
    }
    run(&mut bed, &mut producers, Nanos::from_secs(2 * 3600));
    check(&mut bed, &producers, &mut parties, true);
    let memory = (halfway, allocations::live_bytes());
    let rows = [bed.audit("logd"), bed.audit("metricsd")].concat();
    let is_sender = |row: &&LedgerRow| {
        producers.iter().any(|producer| row.service_id() == Some(producer.service))
    };
    let sum = |of: fn(&LedgerRow) -> u64| rows.iter().filter(is_sender).map(of).sum::<u64>();
    let stats = bed.stats();
    let report = Report {
        events: sum(|row| row.offered),
        rate_limited: sum(|row| row.refused[nexus_wire::Reason::RateLimited.index()]),
        records: (stats.total, stats.dropped),
        length: Nanos(bed.world.now().mono.0),
        took: began.elapsed(),
        allocations: allocations::while_serving() - taken_before,
        memory,
        trace: bed.world.trace_hash(),
    };
    report.check(scale);
    report
}

/// Frames that parties choose from, with what they count.
struct Repertoire(Vec<(Kind, i64, Vec<u8>)>);

impl Repertoire {
    fn new() -> Self {
        let labels = ["", "k=0\n", "k=1\n", "k=2\n"];
        let of = |kind, name: &str, value| {
            let frames = labels.map(|labels| (kind, value, update(kind, name, labels, value)));
            frames.to_vec()
        };
        let mut all = Vec::new();
        for name in ["c0", "c1", "c2", "c3", "c4"] {
            all.extend(of(Kind::Counter, name, 3));
        }
        all.extend(of(Kind::Histogram, "h0", 77_000));
        all.extend(of(Kind::Gauge, "g0", -5));
        Self(all)
    }
}

impl Party {
    /// As much as the budgets allow at one moment, and a little more.
    fn burst(&mut self, bed: &mut Bed, recipe: &Recipe, repertoire: &Repertoire, number: u64) {
        let Repertoire(all) = repertoire;
        let budget = u64::from(recipe.metricsd.budget.events_burst);
        let choice = |at: u64| &all[((at + number) * 11 % all.len() as u64) as usize];
        let frames = (0..budget + budget / 50).map(|at| choice(at).2.as_slice());
        let totals = &mut self.totals;
        self.talker.update(bed, frames, |at, counted| {
            let (kind, value, _) = choice(at as u64);
            match kind {
                _ if !counted => {}
                Kind::Counter => totals.counted += value.unsigned_abs() as u128,
                Kind::Gauge => {}
                Kind::Histogram => {
                    totals.observations += 1;
                    totals.observed += i128::from(*value);
                }
            }
        });
        self.taken.0 += budget;
        self.log(bed, recipe, number);
    }

    fn log(&mut self, bed: &mut Bed, recipe: &Recipe, number: u64) {
        let budget = u64::from(recipe.logd.budget.events_burst);
        let frame = |at: u64| {
            append("app.main", &format!("step {at} of {number}"), &format!("at={at}\nok=yes\n"))
        };
        let frames: Vec<_> = (0..16).map(frame).collect();
        let sent = budget + budget / 50 + 1;
        let frames = (0..sent).map(|at| frames[at as usize % 16].as_slice());
        self.talker.append(bed, frames);
        self.taken.1 += budget;
    }
}

/// What the client library records at a burst.
fn record(producer: &mut Producer, bed: &Bed, number: u64) {
    let now = bed.world.now().mono;
    for at in 0..50 {
        producer.count(at, number + 1);
        producer.observe(number * 100 + at as u64);
    }
    producer.set(number.cast_signed());
    for _ in 0..8 {
        producer.span(now, Nanos::from_millis(number % 100));
    }
}

/// Reads everything and compares it with what the senders know.
fn check(bed: &mut Bed, producers: &[Producer], parties: &mut [Party], settled: bool) {
    ledger::check(bed);
    let journal = by_service(bed.journal(), |seen| seen.service.raw());
    let series = by_service(bed.scrape(), |series| series.service.raw());
    let rows = by_service(bed.audit("metricsd"), |row| row.service);
    let log_rows = by_service(bed.audit("logd"), |row| row.service);
    for (producer, party) in producers.iter().zip(parties) {
        let service = producer.service.raw();
        // Whoever has said nothing yet has no row.
        let row = |rows: &BTreeMap<u64, Vec<LedgerRow>>| {
            rows.get(&service).and_then(|rows| rows.first()).copied().unwrap_or_default()
        };
        ledger::check_row(&row(&log_rows), &party.talker.logd, 0, 0);
        party.check_records(journal.get(&service).map_or(&[], Vec::as_slice));
        if !settled {
            continue;
        }
        assert!(producer.is_settled(bed.world.now().mono));
        let link = &producer.link;
        ledger::check_row(&row(&rows), &party.talker.metricsd, link.items, link.refused);
        party.check_totals(producer, &series[&service]);
        let taken = (party.talker.metricsd.accepted, party.talker.logd.accepted);
        assert_eq!(taken, party.taken, "each burst is taken as far as the budgets go");
    }
    check_export(bed, producers, settled);
}

impl Party {
    /// Every record that logd took is there, or behind the end of the gap.
    fn check_records(&mut self, journal: &[Seen]) {
        let kept = &mut self.talker.kept;
        if let Some(gap) = journal.iter().find(|seen| seen.gap) {
            let covered = kept.partition_point(|id| *id <= gap.number("last_id"));
            kept.drain(..covered);
            self.lost += covered as u64;
            assert_eq!(self.lost, gap.number("count"), "every loss is in the gap");
        }
        let found = journal.iter().filter(|seen| !seen.gap).map(|seen| seen.id);
        assert!(found.eq(kept.iter().copied()), "every record is found");
    }

    /// What the senders counted is in the registry.
    fn check_totals(&self, producer: &Producer, series: &[Series]) {
        let expected = Totals {
            counted: self.totals.counted + u128::from(producer.counted),
            observations: self.totals.observations + u128::from(producer.observations),
            observed: self.totals.observed + producer.observed,
        };
        assert_eq!(Totals::of(producer.service, series), expected);
    }
}

/// What metricsd says it has exported is what logd took from it; no span is missing.
fn check_export(bed: &mut Bed, producers: &[Producer], settled: bool) {
    let row = bed.row("logd", "metricsd");
    assert_eq!(bed.state("metricsd", "export_acknowledged"), row.accepted + row.dropped);
    assert_eq!(bed.state("metricsd", "export_refused"), 0);
    let dropped = bed.audit("metricsd").iter().map(|row| row.dropped).sum::<u64>();
    assert_eq!(bed.state("metricsd", "export_spans_dropped"), dropped);
    if settled {
        assert!(producers.iter().all(|producer| producer.spans > 0));
        assert_eq!(bed.state("metricsd", "export_queue_bytes"), 0);
        assert_eq!(bed.state("metricsd", "spans_live"), 0);
    }
}

fn by_service<T>(all: Vec<T>, of: impl Fn(&T) -> u64) -> BTreeMap<u64, Vec<T>> {
    let mut by = BTreeMap::<u64, Vec<T>>::new();
    all.into_iter().for_each(|one| by.entry(of(&one)).or_default().push(one));
    by
}
