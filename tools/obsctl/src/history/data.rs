//! What a question has brought: series, and what each did step by step.

use std::collections::BTreeMap;

use anyhow::bail;
use nexus_abi::ServiceId;
use nexus_retention::history::{Step, Total};
use nexus_wire::metrics::{Moment, Range, RangeEntry, RangeHead, RangeLost, RangeSeries};
use nexus_wire::{Kind, Unit};

use super::source::Source;
use crate::render::visible;

/// Steps that are shown at most: more is for nobody to read, and takes memory.
const STEPS_MAX: usize = 2_000_000;

/// How often a question is asked again whose answer was replaced while it came.
const ATTEMPTS: u32 = 5;

/// A series, in the order in which people look for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) service: ServiceId,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) kind: Kind,
    pub(crate) overflow: bool,
    pub(crate) bounds: Vec<u64>,
}

/// What a series did.
#[derive(Clone, Debug)]
pub(crate) struct Did {
    pub(crate) unit: Unit,
    /// By boot and number of the step.
    pub(crate) steps: BTreeMap<(u32, u64), Step>,
}

/// What cannot be read, and of which series, if of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lost {
    pub(crate) what: RangeLost,
    pub(crate) who: Option<Who>,
}

/// All that a question has brought.
#[derive(Clone, Default, Debug)]
pub(crate) struct History {
    pub(crate) head: Option<RangeHead>,
    pub(crate) series: BTreeMap<Who, Did>,
    pub(crate) lost: Vec<Lost>,
    steps: usize,
    current: Option<(u32, Who)>,
}

impl Who {
    fn new(series: &RangeSeries<'_>) -> Self {
        let labels = series.labels.lines().filter_map(|line| line.split_once('='));
        Self {
            name: series.name.to_owned(),
            service: series.service,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            kind: series.kind,
            overflow: series.overflow,
            bounds: series.bounds().collect(),
        }
    }

    /// `name{key="value",..}`, for people.
    pub(crate) fn title(&self) -> String {
        let label = |(key, value): &(String, String)| {
            let value = visible(value).replace('"', "\\\"");
            format!("{}=\"{value}\"", visible(key))
        };
        let labels: Vec<_> = self.labels.iter().map(label).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let overflow = if self.overflow { " (overflow)" } else { "" };
        format!("{}{labels}{overflow}", visible(&self.name))
    }
}

impl History {
    pub(super) fn read(source: &mut Source, range: &Range<'_>) -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            let mut history = Self::default();
            let is_answered = source.ask(range, &mut |head, entry| history.take(head, entry))?;
            if history.steps > STEPS_MAX {
                bail!("more than {STEPS_MAX} steps: choose a shorter time or a longer --step");
            }
            if is_answered {
                return Ok(history);
            }
        }
        bail!("what is kept changes faster than it can be read: choose a later --since")
    }

    fn take(&mut self, head: &RangeHead, entry: &RangeEntry<'_>) {
        self.head = Some(*head);
        match entry {
            RangeEntry::Clock(_) => {}
            RangeEntry::Series(series) => {
                let who = Who::new(series);
                let did = Did { unit: series.unit, steps: BTreeMap::new() };
                self.series.entry(who.clone()).or_insert(did).unit = series.unit;
                self.current = Some((series.boot, who));
            }
            RangeEntry::Lost(lost) => {
                let who = self.current.as_ref().filter(|_| lost.of_series).map(|(_, who)| who);
                let lost = Lost { what: *lost, who: who.cloned() };
                if !self.lost.contains(&lost) {
                    self.lost.push(lost);
                }
            }
            RangeEntry::Row(row) => self.take_step(Step::of(row)),
        }
    }

    /// Adds a part of a step; beyond the most that is shown it is only counted.
    fn take_step(&mut self, step: Option<Step>) {
        let (Some(step), Some((boot, who))) = (step, &self.current) else { return };
        let Some(did) = self.series.get_mut(who).filter(|_| self.steps <= STEPS_MAX) else {
            return;
        };
        let place = did.steps.entry((*boot, step.number)).or_insert_with(|| {
            self.steps += 1;
            Step { windows: 0, ..step }
        });
        *place = if place.windows == 0 { step } else { place.then(step) };
    }

    /// Length of a step, ns.
    pub(crate) fn step_ns(&self) -> u64 {
        self.head.map_or(1, |head| head.step_ns)
    }

    /// When a step began.
    pub(crate) fn moment(&self, (boot, number): (u32, u64)) -> Moment {
        Moment { boot, mono_ns: number.saturating_mul(self.step_ns()) }
    }

    /// Why something of a step of a series cannot be read, if so.
    pub(crate) fn lost_in(&self, who: &Who, at: (u32, u64)) -> Option<&'static str> {
        let begin = self.moment(at);
        let end = self.moment((at.0, at.1.saturating_add(1)));
        let hit = |lost: &&Lost| {
            lost.what.from < end
                && begin < lost.what.to
                && lost.who.as_ref().is_none_or(|of| of == who)
        };
        self.lost.iter().find(hit).map(|lost| lost.what.why.name())
    }
}

/// What was observed, bucket by bucket.
pub(crate) fn buckets(who: &Who, total: &Total) -> Vec<(Option<u64>, u64)> {
    let Total::Histogram { counts, .. } = total else { return Vec::new() };
    let bounds = who.bounds.iter().copied().map(Some).chain([None]);
    bounds.zip(counts.iter().copied()).collect()
}
