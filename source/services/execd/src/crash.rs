//! What is said of a process that has ended badly.

use alloc::collections::VecDeque;
use core::fmt;

use nexus_bounded::{Mono, Text};
use nexus_log::SearchClient;
use nexus_port::{CallError, CallId, World};
use nexus_recipe::ExecdLimits;
use nexus_wire::logs::{Search, SearchReply};

use crate::lives::Life;
use crate::telemetry;

/// Bytes of the line on the console.
const LINE_BYTES: usize = 128;

/// The number of a process, as reports have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pid(pub(crate) Option<u32>);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "{pid}"),
            None => f.write_str("unknown"),
        }
    }
}

/// A process that has ended badly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) pid: Pid,
    pub(crate) code: i64,
    pub(crate) life: Life,
    pub(crate) at: Mono,
}

impl Crash {
    pub(crate) fn name(&self) -> &str {
        self.life.name.get().as_str()
    }
}

/// Reports crashes, one after another: the last lines are asked for first.
pub(crate) struct Reporter {
    journal: SearchClient,
    waiting: VecDeque<Crash>,
    limits: ExecdLimits,
}

impl Reporter {
    /// Takes its memory now.
    pub(crate) fn new(first: CallId, limits: ExecdLimits) -> Self {
        let journal = SearchClient::new(first, limits.report_patience);
        let waiting = VecDeque::with_capacity(limits.processes as usize);
        Self { journal, waiting, limits }
    }

    /// A process has crashed. One too many to wait is reported without its lines.
    pub(crate) fn add(&mut self, crash: Crash, world: &mut impl World) {
        if self.waiting.len() == self.limits.processes as usize {
            return self.report(&crash, 0, world);
        }
        self.waiting.push_back(crash);
    }

    /// Asks for the lines of the next one; without logd it has none.
    pub(crate) fn go_on(&mut self, now: Mono, world: &mut impl World) {
        while let Some(crash) = self.waiting.front().filter(|_| !self.journal.is_open()) {
            let search = self.search(crash);
            if self.journal.ask(&search, now, world).is_err() {
                self.conclude(None, world);
            }
        }
    }

    /// A call has ended, maybe ours.
    pub(crate) fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        world: &mut impl World,
    ) {
        if let Some(found) = self.journal.ended(call, result) {
            self.conclude(found.ok(), world);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.journal.deadline()
    }

    pub(crate) fn expire(&mut self, now: Mono, world: &mut impl World) {
        if self.journal.expired(now).is_some() {
            self.conclude(None, world);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reports the first one, with the lines that were found.
    fn conclude(&mut self, found: Option<SearchReply<'_>>, world: &mut impl World) {
        let Some(crash) = self.waiting.pop_front() else { return };
        let lines = || found.iter().flat_map(SearchReply::records);
        self.report(&crash, lines().count(), world);
        lines().for_each(|line| telemetry::last_line(&crash, &line));
    }

    /// The newest records of its life within the window.
    fn search(&self, crash: &Crash) -> Search<'static> {
        let window = Mono(crash.at.0.saturating_sub(self.limits.recent_window.0));
        Search {
            since_ns: window.max(crash.life.since).0,
            until_ns: crash.at.0,
            service: Some(crash.life.service),
            max: self.limits.recent_lines as u16,
            backward: true,
            ..Search::ALL
        }
    }

    fn report(&self, crash: &Crash, lines: usize, world: &mut impl World) {
        let (pid, code, name) = (crash.pid, crash.code, crash.name());
        let mut line = Text::<LINE_BYTES>::EMPTY;
        let report = format_args!("execd: crash report pid={pid} code={code} name={name}");
        let written = fmt::write(&mut line, report);
        assert!(written.is_ok(), "two numbers and a name fit");
        world.print(line.as_str());
        telemetry::crashed(crash, lines, self.limits.recent_window);
    }
}
