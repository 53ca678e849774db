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

/// A process that has ended badly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) pid: u32,
    pub(crate) code: i64,
    pub(crate) life: Life,
    pub(crate) at: Mono,
}

impl Crash {
    pub(crate) fn name(&self) -> &str {
        self.life.name.get().as_str()
    }
}

/// Records crashes, one after another: the last lines are asked for first.
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

    /// A process has crashed: that stands on the console at once, whatever becomes of us. One too
    /// many to wait has no lines.
    pub(crate) fn add(&mut self, crash: Crash, world: &mut impl World) {
        print(&crash, world);
        if self.waiting.len() == self.limits.processes as usize {
            return telemetry::crashed(&crash, 0, self.limits.recent_window);
        }
        self.waiting.push_back(crash);
    }

    /// Asks for the lines of the next one; without logd it has none.
    pub(crate) fn go_on(&mut self, now: Mono, world: &mut impl World) {
        while let Some(crash) = self.waiting.front().filter(|_| !self.journal.is_open()) {
            let search = self.search(crash);
            if self.journal.ask(&search, now, world).is_err() {
                self.conclude(None);
            }
        }
    }

    /// A call has ended, maybe ours.
    pub(crate) fn ended(&mut self, call: CallId, result: Result<&[u8], CallError>) {
        if let Some(found) = self.journal.ended(call, result) {
            self.conclude(found.ok());
        }
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.journal.deadline()
    }

    pub(crate) fn expire(&mut self, now: Mono) {
        if self.journal.expired(now).is_some() {
            self.conclude(None);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Records the first one, with the lines that were found.
    fn conclude(&mut self, found: Option<SearchReply<'_>>) {
        let Some(crash) = self.waiting.pop_front() else { return };
        let lines = || found.iter().flat_map(SearchReply::records);
        telemetry::crashed(&crash, lines().count(), self.limits.recent_window);
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
}

fn print(crash: &Crash, world: &mut impl World) {
    let (pid, code, name) = (crash.pid, crash.code, crash.name());
    let mut line = Text::<LINE_BYTES>::EMPTY;
    let report = format_args!("execd: crash report pid={pid} code={code} name={name}");
    let written = fmt::write(&mut line, report);
    assert!(written.is_ok(), "two numbers and a name fit");
    world.print(line.as_str());
}
