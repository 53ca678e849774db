//! One sender makes up label values, or names, without end, by every way that leads to a series.

use std::fmt;
use std::time::{Duration, Instant};

use nexus_bounded::Nanos;
use nexus_recipe::MetricsdLimits;
use nexus_wire::{Kind, LedgerRow, Reason};
use simkit::Config;

use crate::allocations;
use crate::bed::{Bed, app, machine};
use crate::ledger;
use crate::producer::{Producer, run};
use crate::seen::{Series, Totals};
use crate::talker::{Talker, append, update};

/// What the attacker makes up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    /// Values of one label of one metric, a counter's.
    Labels,
    /// Names of counters.
    Names,
    /// Values of one label of a histogram.
    Histograms,
    /// Values of one label of a gauge, which has no overflow.
    Gauges,
    /// Values of one label of a counter, a gauge and a histogram by the same name, in turn.
    Mixed,
}

/// What has become of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Series of the attacker, those that gather overflow included.
    pub series: usize,
    /// Of them, those that gather overflow.
    pub overflow: usize,
    /// The attacker's ledger.
    pub row: LedgerRow,
    /// metricsd's state.
    pub status: std::collections::BTreeMap<String, String>,
    /// How often a service took memory while it handled an event.
    pub allocations: u64,
    /// Bytes of memory when the caps had been met, and at the end.
    pub memory: (i64, i64),
    /// Real time.
    pub took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.memory;
        writeln!(f, "series of the attacker    {} ({} overflow)", self.series, self.overflow)?;
        writeln!(f, "items offered             {}", self.row.offered)?;
        writeln!(f, "items accepted            {}", self.row.accepted)?;
        writeln!(f, "items folded              {}", self.row.folded)?;
        writeln!(f, "allocations in services   {}", self.allocations)?;
        writeln!(f, "memory at the caps        {before} B")?;
        writeln!(f, "memory at the end         {after} B")?;
        writeln!(f, "real time                 {:.1} s", self.took.as_secs_f64())
    }
}

pub(crate) const OTHERS: usize = 4;
/// Frames of the attacker at one moment; a second later it may go on.
const STEP: u64 = 5_000;

/// Lets one sender make up `count` distinct ones beside others who have series, spans and records.
///
/// # Panics
/// If anything of the others changes, anything of the attacker is unaccounted for, a cap does not
/// hold exactly, or memory grows.
#[must_use]
pub fn attack(attack: Attack, count: u64) -> Outcome {
    attack_as(&app(OTHERS), attack, count)
}

/// As [`attack`], by the service `name`: one of the others is not let off.
///
/// # Panics
/// As [`attack`].
#[must_use]
pub fn attack_as(name: &str, attack: Attack, count: u64) -> Outcome {
    let began = Instant::now();
    let taken_before = allocations::while_serving();
    let recipe = machine(OTHERS + 1);
    let mut bed = Bed::new(Config::kind(1), &recipe);
    let mut others = others(&mut bed);
    let before = Picture::of(&mut bed, &others);
    let mut attacker = Talker::new(&mut bed, name);
    let mut memory = 0;
    for from in (0..count).step_by(STEP as usize) {
        let step = STEP.min(count - from);
        let frames: Vec<_> = (from..from + step).map(|number| attack.frame(number)).collect();
        attacker.update(&mut bed, frames.iter().map(Vec::as_slice), |place, counted| {
            assert!(counted || attack.kind(from + place as u64) == Kind::Gauge);
        });
        drop(frames);
        run(&mut bed, &mut others, Nanos::from_secs(1));
        if from == 0 {
            memory = allocations::live_bytes();
        }
    }
    let memory = (memory, allocations::live_bytes());
    let after = Picture::of(&mut bed, &others);
    assert_eq!(before, after, "nothing of anybody else's changes");
    ledger::check(&mut bed);
    let all = bed.scrape();
    let mine = || all.iter().filter(|series| series.service == attacker.service());
    let totals = Totals::of(attacker.service(), mine());
    assert_eq!(totals, attack.totals(count));
    let row = bed.row("metricsd", &attacker.name);
    ledger::check_row(&row, &attacker.metricsd, 0, 0);
    assert_eq!(row.kept, mine().count() as u64);
    let outcome = Outcome {
        series: mine().count(),
        overflow: mine().filter(|series| series.overflow).count(),
        row,
        status: bed.status("metricsd"),
        allocations: allocations::while_serving() - taken_before,
        memory,
        took: began.elapsed(),
    };
    outcome.check(attack, attack.cap(&recipe.metricsd), count);
    outcome
}

impl Outcome {
    /// The cap holds to the item, what it kept out is in one overflow series of its kind (or, of
    /// gauges, refused), memory is flat.
    fn check(&self, attack: Attack, cap: u32, count: u64) {
        let (mut series, mut overflow, mut folded, mut refused) = (0, 0, 0, 0);
        for kind in attack.kinds() {
            let of_kind = (0..count).filter(|number| attack.kind(*number) == *kind).count();
            let beyond = of_kind - cap as usize;
            series += cap as usize;
            match kind {
                Kind::Gauge => refused += beyond,
                Kind::Counter | Kind::Histogram => {
                    (overflow, folded) = (overflow + 1, folded + beyond)
                }
            }
        }
        assert_eq!((self.series, self.overflow), (series + overflow, overflow), "{self}");
        let row = &self.row;
        let expected = [series, folded, refused].map(|count| count as u64);
        let over_limit = row.refused[Reason::OverLimit.index()];
        assert_eq!([row.accepted, row.folded, over_limit], expected, "{self}");
        assert_eq!(row.refused_total(), over_limit, "{self}");
        assert_eq!(self.status["folds"], row.folded.to_string(), "{self}");
        allocations::assert_flat(self.allocations, self.memory);
    }
}

impl Attack {
    /// How many distinct ones are kept apart.
    const fn cap(self, limits: &MetricsdLimits) -> u32 {
        match self {
            Self::Labels | Self::Histograms | Self::Gauges | Self::Mixed => {
                limits.series_per_metric
            }
            Self::Names => limits.metrics_per_sender,
        }
    }

    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Labels | Self::Names => &[Kind::Counter],
            Self::Histograms => &[Kind::Histogram],
            Self::Gauges => &[Kind::Gauge],
            Self::Mixed => Kind::ALL,
        }
    }

    const fn kind(self, number: u64) -> Kind {
        let kinds = self.kinds();
        kinds[number as usize % kinds.len()]
    }

    /// What must be found of so many: each is twos.
    fn totals(self, count: u64) -> Totals {
        let of = |kind| (0..count).filter(|number| self.kind(*number) == kind).count();
        let (counters, histograms) = (of(Kind::Counter), of(Kind::Histogram));
        Totals {
            counted: 2 * counters as u128,
            observations: histograms as u128,
            observed: 2 * histograms as i128,
        }
    }

    fn frame(self, number: u64) -> Vec<u8> {
        let kind = self.kind(number);
        match self {
            Self::Names => update(kind, &format!("hits{number}"), "", 2),
            _ => update(kind, "hits", &format!("user=u{number}\n"), 2),
        }
    }
}

/// Services that have something to lose: series, ended and live spans, records.
pub(crate) fn others(bed: &mut Bed) -> Vec<Producer> {
    let mut producers = Vec::new();
    for number in 0..OTHERS {
        let mut producer = Producer::new(bed, &app(number), Nanos::from_secs(1));
        for at in 0..20 {
            producer.count(at, 7);
            producer.observe(1 << at);
        }
        producer.set(5);
        let now = bed.world.now().mono;
        producer.span(now, Nanos::from_millis(3));
        drop(producer.begin("app.open", None, now));
        producers.push(producer);
        let mut talker = Talker::new(bed, &app(number));
        let record = append("app", "before", "a=1\n");
        talker.append(bed, (0..10).map(|_| record.as_slice()));
    }
    run(bed, &mut producers, Nanos::from_secs(200));
    producers
}

/// All that the others have.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Picture {
    series: Vec<Series>,
    spans: Vec<String>,
    records: Vec<crate::seen::Seen>,
    rows: Vec<LedgerRow>,
}

impl Picture {
    pub(crate) fn of(bed: &mut Bed, others: &[Producer]) -> Self {
        let theirs = |service| others.iter().any(|other| other.service == service);
        let row_is_theirs = |row: &LedgerRow| row.service_id().is_some_and(theirs);
        let series = bed.scrape().into_iter().filter(|series| theirs(series.service));
        let records = bed.journal().into_iter().filter(|seen| theirs(seen.service));
        let rows = [bed.audit("logd"), bed.audit("metricsd")].concat();
        Self {
            series: series.map(Series::timeless).collect(),
            spans: bed.live_spans(),
            records: records.collect(),
            rows: rows.into_iter().filter(row_is_theirs).collect(),
        }
    }
}
