//! What is said of a process that has ended badly.

use alloc::collections::VecDeque;
use core::fmt;

use nexus_abi::{ExitReason, FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Text};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_recipe::ExecdLimits;
use nexus_wire::LogStatus;
use nexus_wire::bundles::StoredName;
use nexus_wire::logs::{self, Found, Head, Reply, Request, Search, Version};

/// What is added to the number of a fault, as shells do it.
const FAULT: i64 = 128;
/// Bytes of a request for lines.
const SEARCH_BYTES: usize = 128;
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
    pub(crate) name: StoredName,
    pub(crate) service: ServiceId,
    pub(crate) since: Mono,
    pub(crate) at: Mono,
}

/// The code of a bad end: of an exit, what it said; of a fault or a signal, 128 and its number.
pub(crate) fn code(reason: ExitReason) -> Option<i64> {
    match reason {
        ExitReason::Exited(0) => None,
        ExitReason::Exited(code) => Some(code.into()),
        ExitReason::Killed(number) => Some(FAULT + i64::from(number)),
        ExitReason::Disconnected => Some(-1),
    }
}

/// Reports crashes, one after another: the last lines are asked for first.
pub(crate) struct Reporter {
    call: OneCall,
    nonce: u64,
    waiting: VecDeque<Crash>,
    limits: ExecdLimits,
}

impl Reporter {
    /// Takes its memory now.
    pub(crate) fn new(first: CallId, limits: ExecdLimits) -> Self {
        let call = OneCall::new(ServiceId::from_name("logd"), first);
        let waiting = VecDeque::with_capacity(limits.processes as usize);
        Self { call, nonce: 0, waiting, limits }
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
        while let Some(crash) = self.waiting.front().filter(|_| !self.call.is_open()) {
            self.nonce += 1;
            let mut out = [0; SEARCH_BYTES];
            let head = Head { version: Version::V2, nonce: self.nonce };
            let frame = logs::encode(&Request::Search(self.search(crash)), head, &mut out);
            assert!(frame.is_ok(), "every search of ours fits");
            let until = now.after(self.limits.report_patience);
            if self.call.begin(frame.unwrap_or_default(), until, world).is_err() {
                self.conclude(&[], world);
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
        if let Some(result) = self.call.ended(call, result) {
            self.conclude(result.unwrap_or_default(), world);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    pub(crate) fn expire(&mut self, now: Mono, world: &mut impl World) {
        if self.call.expired(now) {
            self.conclude(&[], world);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reports the first one, with the lines that logd has answered.
    fn conclude(&mut self, answer: &[u8], world: &mut impl World) {
        let Some(crash) = self.waiting.pop_front() else { return };
        let head = Head { version: Version::V2, nonce: self.nonce };
        let lines = match logs::decode_reply(logs::Op::Search, head, answer) {
            Some((LogStatus::Ok, Reply::Search(lines))) => Some(lines),
            _ => None,
        };
        let records = || {
            let found = lines.iter().flat_map(|lines| lines.found());
            found.filter_map(|found| match found {
                Found::Record(record) => Some(record),
                Found::Gap(_) => None,
            })
        };
        self.report(&crash, records().count(), world);
        for record in records() {
            let (pid, record_id) = (crash.pid, record.id.0);
            nexus_log::warn!("execd", "{}", record.message;
                event = "crash.line.v1", level = record.level.name(), name = name(&crash),
                pid = pid, record_id = record_id);
        }
    }

    /// The newest records of its life within the window.
    fn search(&self, crash: &Crash) -> Search<'static> {
        let window = Mono(crash.at.0.saturating_sub(self.limits.recent_window.0));
        Search {
            since_ns: window.max(crash.since).0,
            until_ns: crash.at.0,
            service: Some(crash.service),
            max: self.limits.recent_lines as u16,
            backward: true,
            ..Search::ALL
        }
    }

    fn report(&self, crash: &Crash, recent: usize, world: &mut impl World) {
        let (pid, code, name) = (crash.pid, crash.code, name(crash));
        let mut line = Text::<LINE_BYTES>::EMPTY;
        let written = fmt::write(
            &mut line,
            format_args!("execd: crash report pid={pid} code={code} name={name}"),
        );
        assert!(written.is_ok(), "two numbers and a name fit");
        world.print(line.as_str());
        nexus_log::error!("execd", "{name} has crashed with {code}";
            code = code, event = "crash.v1", name = name, pid = pid, recent_count = recent,
            recent_window_nsec = self.limits.recent_window.0);
    }
}

const _: () = assert!(SEARCH_BYTES < FRAME_BYTES_MAX, "a request is a frame");

fn name(crash: &Crash) -> &str {
    crash.name.get().as_str()
}
