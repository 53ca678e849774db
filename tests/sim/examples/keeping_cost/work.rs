//! The time that metricsd takes for its events, summed up; the disk is memory and takes none of it.
//!
//! The same run is done several times. It has the same events each time, so the shortest time of
//! each event is what it takes by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metricsd::{Keep, Metricsd};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{
    BlockDevice as _, BlockError, BlockOutcome, BlockRequest, CallId, Event, Now, Service,
    SubmitError, Token, World,
};
use nexus_recipe::Recipe;
use simkit::Disk;
use statefsd::Statefsd;

use crate::{change, recipe};

const RUNS: usize = 2;
/// Windows of a segment, of 1 s.
const WINDOWS: u64 = 360;
const STATEFSD: ServiceId = ServiceId::from_name("statefsd");

/// Prints the figures.
pub(crate) fn print() {
    println!("## Work of keeping, in metricsd, the best of {RUNS} runs\n");
    println!("| what | ms | of one, ns | longest event, ms |\n|---|---|---|---|");
    for series in [1024, 2048, 4096] {
        let runs: Vec<_> = (0..RUNS).map(|_| run(series)).collect();
        let of = |pick: fn(&Costs) -> &Vec<Duration>| best(runs.iter().map(pick));
        let count = series as usize * WINDOWS as usize;
        line(
            &format!("keep and seal {WINDOWS} windows of {series} series (a sample)"),
            &of(|run| &run.kept),
            count,
        );
        line(
            &format!("recover a log of them, {} bytes (a sample)", runs[0].log_bytes),
            &of(|run| &run.recovery),
            count,
        );
    }
}

fn line(what: &str, events: &[Duration], of: usize) {
    let total: Duration = events.iter().sum();
    let longest = events.iter().max().copied().unwrap_or_default();
    let each = total.as_nanos() as f64 / of as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("| {what} | {:.1} | {each:.1} | {:.3} |", ms(total), ms(longest));
}

/// The shortest time of each event.
fn best<'a>(runs: impl Iterator<Item = &'a Vec<Duration>>) -> Vec<Duration> {
    let runs: Vec<_> = runs.collect();
    let is_same = runs.iter().all(|run| run.len() == runs[0].len());
    assert!(is_same, "every run has the same events");
    (0..runs[0].len()).map(|at| runs.iter().map(|run| run[at]).min().unwrap_or_default()).collect()
}

/// The times of events.
struct Costs {
    /// Of those that are no updates, until a segment is sealed.
    kept: Vec<Duration>,
    /// Of the next life, which reads a log of nearly as many windows.
    recovery: Vec<Duration>,
    /// Bytes that statefsd was handed before.
    log_bytes: u64,
}

fn run(series: u32) -> Costs {
    let recipe = recipe(series);
    let mut rig = Rig::new(&recipe);
    // The first segment is short: windows count from the start of time.
    rig.seconds(series, 0..WINDOWS);
    rig.times.clear();
    rig.seconds(series, WINDOWS..2 * WINDOWS + 1);
    let kept = core::mem::take(&mut rig.times);
    rig.seconds(series, 2 * WINDOWS + 1..3 * WINDOWS - 2);
    let log_bytes = rig.log_bytes();
    rig.times.clear();
    rig.metricsd = Metricsd::new(&recipe, 2, Keep::Files);
    rig.asked.clear();
    rig.answers.clear();
    rig.settle();
    assert!(rig.times.len() > 10, "the log is read again");
    Costs { kept, recovery: rig.times, log_bytes }
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
    blocks: VecDeque<(CallId, Done)>,
    tokens: u64,
    /// Of metricsd's events that are no updates.
    times: Vec<Duration>,
    appended: VecDeque<u64>,
}

impl Rig {
    fn new(recipe: &Recipe) -> Self {
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
            tokens: 0,
            times: Vec::new(),
            appended: VecDeque::new(),
        }
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
        self.metricsd.handle(self.clock(), event, &mut Asked(&mut self.asked));
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
        let start = Instant::now();
        self.metricsd.handle(clock, event, &mut Asked(&mut self.asked));
        self.times.push(start.elapsed());
        true
    }

    fn serve_statefsd(&mut self) -> bool {
        let clock = self.clock();
        let Self { statefsd, disk, asked, answers, under_way, blocks, tokens, .. } = self;
        let block = blocks.pop_front();
        let call = if block.is_none() { asked.pop_front() } else { None };
        let from =
            Sender::stamped(ServiceId::from_name("metricsd"), 1, Incarnation::new(1), Rights::NONE);
        let event = match (&block, &call) {
            (Some((call, done)), _) => {
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
                under_way.push_back((Token::from_raw(*tokens), *call));
                Event::Request { from, token: Token::from_raw(*tokens), frame }
            }
            (None, None) if statefsd.deadline().is_some_and(|at| at <= clock.mono) => Event::Wake,
            (None, None) => return false,
        };
        statefsd.handle(clock, event, &mut Files { disk, blocks, under_way, answers });
        true
    }
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
    blocks: &'a mut VecDeque<(CallId, Done)>,
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
        let done = match self.disk.carry_out(request) {
            BlockOutcome::Done => Ok(None),
            BlockOutcome::Read(bytes) => Ok(Some(bytes.to_vec())),
            BlockOutcome::Failed(error) => Err(error),
        };
        self.blocks.push_back((call, done));
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}
