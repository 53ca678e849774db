//! The processor time that metricsd takes for its events, summed up; the disk is memory and takes
//! none of it.
//!
//! The same run is done several times. It has the same events each time, so the shortest time of
//! each event is what it takes by itself: what else the machine does can make a time longer, and
//! would have to meet the same event in each run.

use std::collections::VecDeque;
use std::time::Duration;

use metricsd::{Keep, Metricsd};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{
    BlockDevice as _, BlockError, BlockOutcome, BlockRequest, CallId, Event, Now, Service,
    SubmitError, Token, World,
};
use nexus_recipe::Recipe;
use rustix::time::{ClockId, clock_gettime};
use simkit::Disk;
use statefsd::Statefsd;

use crate::{change, recipe};

const RUNS: usize = 3;
/// Windows of a segment, of 1 s.
const WINDOWS: u64 = 360;
/// Series of the runs, fewest first.
const SERIES: [u32; 3] = [1024, 2048, 4096];
const STATEFSD: ServiceId = ServiceId::from_name("statefsd");
/// Nobody who sends may wait longer for another event.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// With four times the series each may cost so much more time, since caches are as large as they
/// are and the machine has other things to do; it would be 4 if all were compared with all.
const GROWTH_MAX: f64 = 2.0;
/// The same of reads, which repeat to the digit.
const READS_GROWTH_MAX: f64 = 1.25;

/// Prints the figures; whether all are as they have to be.
pub(crate) fn print() -> bool {
    println!("## Processor time of metricsd for keeping, the best of {RUNS} runs\n");
    println!("| what | ms | of one, ns | events | longest event, ms | reads |");
    println!("|---|---|---|---|---|---|");
    let at_once = SERIES.map(|series| costs(series, Nanos(0)));
    let slow = costs(SERIES[2], Nanos::from_secs(1));
    let is_short = at_once.iter().chain([&slow]).all(|costs| costs.longest() <= PAUSE_MAX);
    let [few, _, many] = &at_once;
    let grows = |pick: fn(&Costs) -> &Vec<Duration>| many.of_one(pick) / few.of_one(pick);
    let time = [grows(|costs| &costs.kept), grows(|costs| &costs.recovery)];
    let per_sample = |costs: &Costs| costs.reads.map(|reads| reads as f64 / costs.samples);
    let [kept, recovered] = per_sample(few);
    let reads = per_sample(many);
    let reads = [reads[0] / kept, reads[1] / recovered];
    println!(
        "\nno event longer than {PAUSE_MAX:?}: {is_short}; with four times the series a sample \
         costs {time:.2?} times the processor time, at most {GROWTH_MAX}, and {reads:.2?} times \
         the reads, at most {READS_GROWTH_MAX}\n"
    );
    let is_linear = |grown: [f64; 2], most: f64| grown.iter().all(|factor| *factor <= most);
    is_short && is_linear(time, GROWTH_MAX) && is_linear(reads, READS_GROWTH_MAX)
}

/// What it costs to keep so many series on a disk that takes so long for each flush.
fn costs(series: u32, delay: Nanos) -> Costs {
    let mut best = run(series, delay);
    (1..RUNS).for_each(|_| best.improve(&run(series, delay)));
    let on = if delay.0 == 0 { "" } else { ", each flush takes 1 s" };
    let line = |what: &str, events: &[Duration], reads: u64| {
        let [total, longest] = [events.iter().sum(), longest(events)].map(ms);
        let each = total * 1e6 / best.samples;
        let count = events.len();
        println!("| {what}{on} | {total:.1} | {each:.1} | {count} | {longest:.3} | {reads} |");
    };
    line(
        &format!("keep and seal {WINDOWS} windows of {series} series (a sample)"),
        &best.kept,
        best.reads[0],
    );
    line(
        &format!("recover a log of {} bytes (a sample)", best.log_bytes),
        &best.recovery,
        best.reads[1],
    );
    println!(
        "| updates meanwhile{on} | | | {} | {:.3} |",
        best.updates.len(),
        ms(longest(&best.updates))
    );
    best
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn longest(events: &[Duration]) -> Duration {
    events.iter().max().copied().unwrap_or_default()
}

/// What this thread has had of a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// The times of events.
struct Costs {
    samples: f64,
    /// Of those that are no updates, until a segment is sealed.
    kept: Vec<Duration>,
    /// Of the updates meanwhile.
    updates: Vec<Duration>,
    /// Of the next life, which reads a log of nearly as many windows.
    recovery: Vec<Duration>,
    /// Bytes that statefsd was handed before.
    log_bytes: u64,
    /// Reads of files meanwhile, and by that life.
    reads: [u64; 2],
}

impl Costs {
    fn all(&mut self) -> [&mut Vec<Duration>; 3] {
        [&mut self.kept, &mut self.updates, &mut self.recovery]
    }

    /// Takes the times of another run that are shorter.
    fn improve(&mut self, other: &Self) {
        let others = [&other.kept, &other.updates, &other.recovery];
        for (own, other) in self.all().into_iter().zip(others) {
            assert_eq!(own.len(), other.len(), "every run has the same events");
            own.iter_mut().zip(other).for_each(|(own, other)| *own = (*own).min(*other));
        }
    }

    /// Nanoseconds of a sample.
    fn of_one(&self, pick: fn(&Self) -> &Vec<Duration>) -> f64 {
        let total: Duration = pick(self).iter().sum();
        total.as_nanos() as f64 / self.samples
    }

    fn longest(&self) -> Duration {
        [&self.kept, &self.updates, &self.recovery]
            .map(|events| longest(events))
            .into_iter()
            .max()
            .unwrap_or_default()
    }
}

fn run(series: u32, delay: Nanos) -> Costs {
    let recipe = recipe(series);
    let mut rig = Rig::new(&recipe, delay);
    // The first segment is short: windows count from the start of time.
    rig.seconds(series, 0..WINDOWS);
    rig.forget_times();
    rig.seconds(series, WINDOWS..2 * WINDOWS + 1);
    let (kept, updates) = (core::mem::take(&mut rig.times), core::mem::take(&mut rig.updates));
    let of_kept = core::mem::take(&mut rig.reads);
    rig.seconds(series, 2 * WINDOWS + 1..3 * WINDOWS - 2);
    let log_bytes = rig.log_bytes();
    rig.forget_times();
    rig.metricsd = Metricsd::new(&recipe, 2, Keep::Files);
    rig.asked.clear();
    rig.answers.clear();
    rig.reads = 0;
    rig.settle();
    while !rig.blocks.is_empty() {
        rig.now = rig.now.after(Nanos::from_secs(1));
        rig.settle();
    }
    assert!(rig.times.len() > 10, "the log is read again");
    let samples = f64::from(series) * WINDOWS as f64;
    Costs { samples, kept, updates, recovery: rig.times, log_bytes, reads: [of_kept, rig.reads] }
}

/// What a disk has done: with the bytes of a read, none of others.
type Done = Result<Option<Vec<u8>>, BlockError>;

/// metricsd over statefsd.
struct Rig {
    metricsd: Metricsd,
    statefsd: Statefsd,
    disk: Disk,
    now: Mono,
    asked: VecDeque<(CallId, Vec<u8>)>,
    answers: VecDeque<(CallId, Vec<u8>)>,
    /// What metricsd is answered for its next call, by token.
    under_way: VecDeque<(Token, CallId)>,
    /// What the disk has done, and when that is heard of.
    blocks: VecDeque<(CallId, Done, Mono)>,
    /// It takes so long for each flush.
    delay: Nanos,
    tokens: u64,
    /// Of metricsd's events that are no updates.
    times: Vec<Duration>,
    updates: Vec<Duration>,
    appended: VecDeque<u64>,
    /// Reads that statefsd was asked for.
    reads: u64,
}

impl Rig {
    fn new(recipe: &Recipe, delay: Nanos) -> Self {
        let state = statefsd::for_share(&metricsd::share(recipe), u32::MAX).expect("a share");
        Self {
            metricsd: Metricsd::new(recipe, 1, Keep::Files),
            statefsd: Statefsd::new(&state, 1).expect("a legal recipe"),
            disk: Disk::new(state.statefsd.disk_bytes / 512),
            now: Mono(0),
            asked: VecDeque::new(),
            answers: VecDeque::new(),
            under_way: VecDeque::new(),
            blocks: VecDeque::new(),
            delay,
            tokens: 0,
            times: Vec::new(),
            updates: Vec::new(),
            appended: VecDeque::new(),
            reads: 0,
        }
    }

    fn forget_times(&mut self) {
        self.times.clear();
        self.updates.clear();
        self.reads = 0;
    }

    /// Bytes that the log was handed in the last windows, about.
    fn log_bytes(&self) -> u64 {
        self.appended.iter().sum()
    }

    fn seconds(&mut self, series: u32, windows: core::ops::Range<u64>) {
        for window in windows {
            self.now = Mono(0).after(Nanos::from_secs(window));
            self.settle();
            if window % WINDOWS == 0 {
                self.appended.clear();
            }
            for series in 0..series {
                let frame = change(series, window);
                self.update(&frame);
            }
            self.settle();
        }
    }

    fn clock(&self) -> Now {
        Now { mono: self.now, wall: None }
    }

    fn update(&mut self, frame: &[u8]) {
        let name = ServiceId::from_name("bench");
        let from = Sender::stamped(name, 1, Incarnation::new(1), Rights::NONE);
        let event = Event::Request { from, token: Token::from_raw(0), frame };
        let (clock, start) = (self.clock(), processor_time());
        self.metricsd.handle(clock, event, &mut Asked(&mut self.asked));
        self.updates.push(processor_time().saturating_sub(start));
    }

    /// Hands events over until nothing is due any more.
    fn settle(&mut self) {
        while self.serve_statefsd() || self.serve_metricsd() {}
    }

    fn serve_metricsd(&mut self) -> bool {
        let clock = self.clock();
        let answer = self.answers.pop_front();
        let event = match &answer {
            Some((call, frame)) => Event::Completion { call: *call, result: Ok(frame) },
            None if self.metricsd.deadline().is_some_and(|at| at <= self.now) => Event::Wake,
            None => return false,
        };
        let start = processor_time();
        self.metricsd.handle(clock, event, &mut Asked(&mut self.asked));
        self.times.push(processor_time().saturating_sub(start));
        true
    }

    fn serve_statefsd(&mut self) -> bool {
        let clock = self.clock();
        let Self { statefsd, disk, asked, answers, under_way, blocks, tokens, delay, .. } = self;
        let is_done = blocks.front().is_some_and(|(_, _, at)| *at <= clock.mono);
        let block = if is_done { blocks.pop_front() } else { None };
        let call = if block.is_none() { asked.pop_front() } else { None };
        let from =
            Sender::stamped(ServiceId::from_name("metricsd"), 1, Incarnation::new(1), Rights::NONE);
        let event = match (&block, &call) {
            (Some((call, done, _)), _) => {
                let outcome = match done {
                    Ok(None) => BlockOutcome::Done,
                    Ok(Some(bytes)) => BlockOutcome::Read(bytes),
                    Err(error) => BlockOutcome::Failed(*error),
                };
                Event::Block { call: *call, outcome }
            }
            (None, Some((call, frame))) => {
                *tokens += 1;
                self.appended.push_back(appended(frame));
                self.reads += u64::from(is_read(frame));
                under_way.push_back((Token::from_raw(*tokens), *call));
                Event::Request { from, token: Token::from_raw(*tokens), frame }
            }
            (None, None) if statefsd.deadline().is_some_and(|at| at <= clock.mono) => Event::Wake,
            (None, None) => return false,
        };
        let (now, delay) = (clock.mono, *delay);
        let mut files = Files { disk, now, delay, blocks, under_way, answers };
        statefsd.handle(clock, event, &mut files);
        true
    }
}

fn is_read(frame: &[u8]) -> bool {
    use nexus_wire::files::{Request, decode};
    matches!(decode(frame).map(|frame| frame.request), Ok(Request::Read(_)))
}

/// Bytes in a frame that belong into the log.
fn appended(frame: &[u8]) -> u64 {
    use nexus_wire::files::{Request, decode};
    match decode(frame).map(|frame| frame.request) {
        Ok(Request::Append(append)) if append.to.name.as_str().contains("wal") => {
            append.bytes.len() as u64
        }
        _ => 0,
    }
}

/// metricsd's world: calls to statefsd are taken, and there is nobody else.
struct Asked<'a>(&'a mut VecDeque<(CallId, Vec<u8>)>);

impl World for Asked<'_> {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        assert_eq!(frame.get(4), Some(&0), "every update is taken");
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if to != STATEFSD {
            return Err(SubmitError::NotReady);
        }
        self.0.push_back((call, frame.to_vec()));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

/// statefsd's world: its disk, and whom it answers.
struct Files<'a> {
    disk: &'a mut Disk,
    now: Mono,
    delay: Nanos,
    blocks: &'a mut VecDeque<(CallId, Done, Mono)>,
    under_way: &'a mut VecDeque<(Token, CallId)>,
    answers: &'a mut VecDeque<(CallId, Vec<u8>)>,
}

impl World for Files<'_> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        let at = self.under_way.iter().position(|(of, _)| *of == token);
        let call = at.and_then(|at| self.under_way.remove(at));
        let (_, call) = call.expect("it was asked");
        self.answers.push_back((call, frame.to_vec()));
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let takes = if request == BlockRequest::Flush { self.delay } else { Nanos(0) };
        let done = match self.disk.carry_out(request) {
            BlockOutcome::Done => Ok(None),
            BlockOutcome::Read(bytes) => Ok(Some(bytes.to_vec())),
            BlockOutcome::Failed(error) => Err(error),
        };
        self.blocks.push_back((call, done, self.now.after(takes)));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}
