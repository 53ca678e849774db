//! Rows of RANGE, of the two series of a workload.

use nexus_wire::metrics::{
    Moment, Range, RangeCursor, RangeEntry, RangeRow, RangeSeries, RangeValue, Reply, Request,
};
use nexus_wire::{Kind, MetricStatus, Tier, Unit};

use crate::Why;
use crate::retention::{STEPS_MAX, Workload};
use crate::talk::Talk;

/// What a series did in a step; other kinds of rows are none of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    step: u64,
    windows: u32,
    catchup: bool,
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    Counted(u64),
    /// How many, sum, smallest, largest and newest.
    Level(u64, i128, [i64; 3]),
    Other,
}

impl Row {
    pub(crate) const fn counted(step: u64, windows: u32, count: u64) -> Self {
        Self { step, windows, catchup: false, value: Value::Counted(count) }
    }

    pub(crate) const fn level(step: u64, windows: u32, level: i64) -> Self {
        let value = Value::Level(1, level as i128, [level; 3]);
        Self { step, windows, catchup: false, value }
    }

    pub(crate) const fn moved_to(self, step: u64) -> Self {
        Self { step, ..self }
    }

    pub(crate) const fn caught_up_as(self, other: Self) -> Self {
        Self { catchup: other.catchup, ..self }
    }

    fn of(row: &RangeRow<'_>) -> Self {
        let value = match row.value {
            RangeValue::Counter { delta } => Value::Counted(delta),
            RangeValue::Gauge { count, sum, min, max, last } => {
                Value::Level(count, sum, [min, max, last])
            }
            RangeValue::Histogram { .. } => Value::Other,
        };
        Self { step: row.step, windows: row.windows, catchup: row.catchup, value }
    }
}

/// A row, and the boot it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) boot: u32,
    pub(crate) row: Row,
}

impl Seen {
    pub(crate) fn step(self) -> u64 {
        self.row.step
    }
}

/// Rows of one series, in order.
#[derive(Clone, Copy, Default)]
pub(crate) struct List {
    rows: [Option<Seen>; STEPS_MAX],
    len: usize,
}

impl List {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, at: usize) -> Option<Seen> {
        self.rows.get(at).copied().flatten()
    }

    fn push(&mut self, seen: Seen) -> Result<(), Why> {
        let place = self.rows.get_mut(self.len).ok_or("there is more than was recorded")?;
        *place = Some(seen);
        self.len += 1;
        Ok(())
    }
}

/// Rows of both.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rows {
    pub(crate) counted: List,
    pub(crate) levels: List,
}

/// Pages of an answer; those of a test are few.
const PAGES_MAX: u32 = 16;

impl Talk<'_> {
    /// Rows of both series since `from`, and metricsd's time; `None`: it cannot tell now.
    pub(crate) fn rows(
        &mut self,
        workload: &Workload,
        from: Moment,
        tier: Tier,
        step_ns: u64,
    ) -> Result<Option<(Rows, Moment)>, Why> {
        let mut rows = Rows::default();
        let mut now = Moment::FIRST;
        for (name, kind) in [(workload.counter, Kind::Counter), (workload.gauge, Kind::Gauge)] {
            let service = Some(self.me());
            let wanted =
                Range { from, step_ns, tier, service, is_prefix: false, name, ..Range::ALL };
            let list = match kind {
                Kind::Counter => &mut rows.counted,
                _ => &mut rows.levels,
            };
            match self.list(wanted, kind, list)? {
                Some(at) => now = at,
                None => return Ok(None),
            }
        }
        Ok(Some((rows, now)))
    }

    /// All of them, as soon as it can tell.
    pub(crate) fn all_rows(
        &mut self,
        workload: &Workload,
        tier: Tier,
        step_ns: u64,
    ) -> Result<(Rows, Moment), Why> {
        self.until("what is kept cannot be read", |talk| {
            talk.rows(workload, Moment::FIRST, tier, step_ns)
        })
    }

    fn list(
        &mut self,
        wanted: Range<'_>,
        kind: Kind,
        list: &mut List,
    ) -> Result<Option<Moment>, Why> {
        let (me, mut cursor) = (self.me(), RangeCursor::START);
        let (mut first, mut boot) = (None, 0);
        for _ in 0..PAGES_MAX {
            let page = Range { cursor, ..wanted };
            let range = match self.ask_metricsd(&Request::Range(page))? {
                (MetricStatus::Ok, Reply::Range(range)) => range,
                (
                    MetricStatus::NotReady | MetricStatus::RateLimited | MetricStatus::Conflict,
                    _,
                ) => return Ok(None),
                _ => return Err("a question for what is kept was refused"),
            };
            for entry in range.entries() {
                match entry {
                    RangeEntry::Clock(_) => {}
                    RangeEntry::Series(series)
                        if series.service == me && is_ours(&series, wanted.name, kind) =>
                    {
                        boot = series.boot;
                    }
                    RangeEntry::Series(_) => return Err("a series that nobody asked for"),
                    RangeEntry::Row(row) => list.push(Seen { boot, row: Row::of(&row) })?,
                    RangeEntry::Lost(_) => return Err("something that was kept is lost"),
                }
            }
            first = first.or(Some(range.head.now));
            cursor = range.next;
            if cursor == RangeCursor::START {
                return Ok(first);
            }
        }
        Err("what is kept has no end")
    }
}

/// Whether it is the series of that name that was told.
fn is_ours(series: &RangeSeries<'_>, name: &str, kind: Kind) -> bool {
    let is_named = series.name == name && series.labels == "part=a\n";
    is_named && series.kind == kind && series.unit == Unit::None && !series.overflow
}
