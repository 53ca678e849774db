//! execd by its frames, between a policyd, a bundlemgrd, a logd and processes that do what the test
//! says.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, VecDeque};

use execd::Execd;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_bundle::{Left, LeftState, LoadError, Manifest, Processes, Program, StartError, pack};
use nexus_port::{CallError, CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::{BundlesRecipe, ExecdLimits};
use nexus_wire::bundles::{
    self, BundleName, BundleStatus, BundleVersion, DIGEST_BYTES, Info, Origin, Piece, encode_info,
    encode_piece,
};
use nexus_wire::exec::{self, ExecStatus, Reply, Request, decode_reply, encode};
use nexus_wire::logs::{self, Found, Record, SearchWriter};
use nexus_wire::policy::{self, Action, Decision};
use nexus_wire::{Fields, Level, RecordId, SpanStatus, markers};
use proptest::prelude::*;

const RECIPE: &str = include_str!("../../../../recipes/system/bundles.toml");

fn limits() -> ExecdLimits {
    BundlesRecipe::parse(RECIPE).unwrap().execd
}

/// The kernel, as far as execd sees it.
#[derive(Default)]
struct Machine {
    left: VecDeque<Left>,
    refuses_to_load: Option<LoadError>,
    refuses_to_start: Option<StartError>,
    started: Vec<(Program, Rights)>,
    killed: Vec<u32>,
    ended: VecDeque<(u32, ExitReason)>,
    /// Ends that were given, and how many of them are said to be recorded.
    given: usize,
    recorded: usize,
}

impl Processes for Machine {
    type Loaded = Program;

    fn left(&mut self) -> Option<Left> {
        self.left.pop_front()
    }

    fn load(&mut self, program: &Program) -> Result<Program, LoadError> {
        self.refuses_to_load.map_or(Ok(*program), Err)
    }

    fn start(&mut self, loaded: Program, rights: Rights) -> Result<u32, StartError> {
        self.refuses_to_start.map_or(Ok(()), Err)?;
        self.started.push((loaded, rights));
        Ok(100 + self.started.len() as u32)
    }

    fn kill(&mut self, pid: u32) {
        self.killed.push(pid);
        self.ended.push_back((pid, ExitReason::Killed(ExitReason::BY_PARENT)));
    }

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        let ended = self.ended.pop_front();
        self.given += usize::from(ended.is_some());
        ended
    }

    fn recorded(&mut self) {
        self.recorded = self.given;
    }
}

/// Other services.
struct Around {
    away: Vec<&'static str>,
    calls: VecDeque<(ServiceId, CallId, Vec<u8>)>,
    replies: BTreeMap<u64, Vec<u8>>,
    lines: Vec<String>,
    /// What policyd was asked, and what it denies.
    asked: Vec<(ServiceId, Action, String)>,
    denies: Vec<Action>,
    bundle: Vec<u8>,
    digest: Option<[u8; DIGEST_BYTES]>,
    bundlemgrd_says: BundleStatus,
    /// What logd has of the dead.
    logged: Vec<&'static str>,
    searched: Vec<(u64, u64)>,
}

impl World for Around {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        assert!(self.replies.insert(token.raw(), frame.to_vec()).is_none(), "one reply each");
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if self.away.iter().any(|away| ServiceId::from_name(away) == to) {
            return Err(SubmitError::NotReady);
        }
        self.calls.push_back((to, call, frame.to_vec()));
        Ok(())
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

impl Around {
    fn answer(&mut self, to: ServiceId, frame: &[u8]) -> Vec<u8> {
        if to == ServiceId::from_name("policyd") {
            self.decide(frame)
        } else if to == ServiceId::from_name("bundlemgrd") {
            self.bundles(frame)
        } else {
            self.search(frame)
        }
    }

    fn decide(&mut self, frame: &[u8]) -> Vec<u8> {
        let policy::Frame { nonce, check } = policy::decode(frame).unwrap();
        self.asked.push((check.subject, check.action, check.object.as_str().to_owned()));
        let is_denied = self.denies.contains(&check.action);
        policy::reply(nonce, if is_denied { Decision::NotGranted } else { Decision::Allowed })
            .to_vec()
    }

    fn bundles(&self, frame: &[u8]) -> Vec<u8> {
        let bundles::Frame { echo, request } = bundles::decode(frame).unwrap();
        if self.bundlemgrd_says != BundleStatus::Ok {
            return bundles::plain_reply(echo, self.bundlemgrd_says).to_vec();
        }
        let (mut out, size) = (vec![0; 4096], self.bundle.len() as u32);
        match request {
            bundles::Request::Query { .. } => {
                let digest = self.digest.unwrap_or(*self.bundle.last_chunk().unwrap());
                let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
                let (rights, memory_kib) = (both(), 64);
                let origin = Origin::State;
                let info = Info { size, memory_kib, rights, origin, version, entry, digest };
                encode_info(&info, echo.nonce, &mut out).unwrap().to_vec()
            }
            bundles::Request::Fetch { at, max, .. } => {
                let rest = &self.bundle[at as usize..];
                let bytes = &rest[..rest.len().min(max.into())];
                encode_piece(&Piece { size, bytes }, echo.nonce, &mut out).unwrap().to_vec()
            }
            other => panic!("{other:?}"),
        }
    }

    fn search(&mut self, frame: &[u8]) -> Vec<u8> {
        let logs::Frame { head, request } = logs::decode(frame).unwrap();
        let logs::Request::Search(search) = request else { panic!("{request:?}") };
        assert_eq!(search.service, Some(ServiceId::from_name("hello")));
        assert!(search.backward && u32::from(search.max) == limits().recent_lines);
        self.searched.push((search.since_ns, search.until_ns));
        let mut out = vec![0; 4096];
        let mut writer = SearchWriter::new(head.nonce, 1, 9, 0, &mut out);
        for (at, message) in self.logged.iter().enumerate() {
            let service = ServiceId::from_name("hello");
            let (id, level, scope) = (RecordId(90 - at as u64), Level::Info, "hello");
            let fields = Fields::EMPTY;
            let record = Record { id, ts_ns: 5, level, service, scope, message, fields };
            assert!(writer.found(&Found::Record(record)));
        }
        writer.finish(RecordId(1), false).unwrap().to_vec()
    }
}

fn both() -> Rights {
    Rights::QUERY.with(Rights::SCRAPE)
}

fn name(text: &str) -> BundleName<'_> {
    BundleName::new(text).unwrap()
}

fn bundle(program: &[u8]) -> Vec<u8> {
    let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
    let (name, memory_kib, rights) = (name("demo.hello"), 64, both());
    pack(&Manifest { name, version, entry, memory_kib, rights, program_bytes: 0 }, program).unwrap()
}

fn sender(text: &str) -> Sender {
    Sender::stamped(ServiceId::from_name(text), 7, Incarnation::new(1), Rights::NONE)
}

struct Bed {
    execd: Execd<Machine>,
    around: Around,
    now: u64,
    asked: u64,
}

fn start() -> Request<'static> {
    Request::Start { name: name("demo.hello") }
}

impl Bed {
    fn new() -> Self {
        Self::after(&[])
    }

    /// Behind a life that has left these.
    fn after(left: &[Left]) -> Self {
        let around = Around {
            away: Vec::new(),
            calls: VecDeque::new(),
            replies: BTreeMap::new(),
            lines: Vec::new(),
            asked: Vec::new(),
            denies: Vec::new(),
            bundle: bundle(&[7; 9000]),
            digest: None,
            bundlemgrd_says: BundleStatus::Ok,
            logged: Vec::new(),
            searched: Vec::new(),
        };
        let machine = Machine { left: left.iter().copied().collect(), ..Machine::default() };
        let mut bed = Self { execd: Execd::new(&limits(), machine), around, now: 1_000, asked: 0 };
        bed.handle(Event::Wake);
        bed
    }

    fn handle(&mut self, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        self.execd.handle(now, event, &mut self.around);
        self.execd.check_invariants();
    }

    /// One of those that were asked answers, a thousand nanoseconds later.
    fn answer(&mut self) {
        let (to, call, frame) = self.around.calls.pop_front().unwrap();
        let answer = self.around.answer(to, &frame);
        self.now += 1000;
        self.handle(Event::Completion { call, result: Ok(&answer) });
    }

    fn answer_all(&mut self) {
        while !self.around.calls.is_empty() {
            self.answer();
        }
    }

    fn send(&mut self, from: &str, frame: &[u8]) -> u64 {
        self.asked += 1;
        let (from, token) = (sender(from), Token::from_raw(self.asked));
        self.handle(Event::Request { from, token, frame });
        self.asked
    }

    fn submit(&mut self, from: &str, request: &Request<'_>) -> u64 {
        let mut out = [0; 64];
        let frame = encode(request, 9, &mut out).unwrap().to_vec();
        self.send(from, &frame)
    }

    fn status(&self, token: u64) -> Option<ExecStatus> {
        self.around.replies.get(&token).and_then(|reply| ExecStatus::from_raw(reply[4]))
    }

    fn ask(&mut self, from: &str, request: &Request<'_>) -> ExecStatus {
        let token = self.submit(from, request);
        self.answer_all();
        self.status(token).unwrap()
    }

    fn started(&mut self) -> u32 {
        let token = self.submit("user", &start());
        self.answer_all();
        match decode_reply(exec::Op::Start, 9, &self.around.replies[&token]) {
            Some((ExecStatus::Ok, Reply::Started { pid })) => pid,
            other => panic!("{other:?}"),
        }
    }

    fn listed(&mut self) -> Vec<u32> {
        let token = self.submit("anybody", &Request::List);
        match decode_reply(exec::Op::List, 9, &self.around.replies[&token]) {
            Some((ExecStatus::Ok, Reply::List(list))) => list.running().map(|r| r.pid).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// A process ends, and its world wakes execd.
    fn end(&mut self, pid: u32, reason: ExitReason) {
        self.execd.processes().ended.push_back((pid, reason));
        self.handle(Event::Wake);
    }
}

#[test]
fn it_is_ready_once_it_has_seen_that_nothing_runs() {
    let mut bed = Bed::new();
    assert_eq!(bed.around.lines, [markers::EXECD_READY]);
    assert_eq!((bed.listed(), bed.execd.deadline()), (vec![], None));
}

#[test]
fn a_program_is_started_with_what_its_bundle_says_once_the_policy_allows_both() {
    let mut bed = Bed::new();
    assert_eq!(bed.started(), 101);
    let [(program, rights)] = bed.execd.processes().started[..] else { panic!("not one") };
    assert_eq!((program.entry.get().as_str(), program.memory_kib, rights), ("hello", 64, both()));
    assert_eq!(program.digest, Program::digest_of(&[7; 9000]));
    let user = (ServiceId::from_name("user"), Action::Spawn, "demo.hello".to_owned());
    let hello = |action| (ServiceId::from_name("hello"), action, String::new());
    assert_eq!(bed.around.asked, [user, hello(Action::ReadLogs), hello(Action::ScrapeMetrics)]);
    assert_eq!(bed.listed(), [101]);
}

#[test]
fn one_request_is_one_tree_of_spans_whose_parts_add_up_within_it() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new();
    bed.started();
    let spans = recording.finished_spans();
    let names = spans.iter().map(|span| (span.name.as_str(), span.duration_ns));
    let parts = [("policy", 1000), ("fetch", 4000), ("load", 2000), ("start", 0)];
    assert_eq!(names.collect::<Vec<_>>(), [&parts[..], &[("exec.path", 7000)]].concat());
    let whole = spans.last().unwrap();
    assert_eq!((whole.parent, whole.attr("bundle")), (0, Some("demo.hello")));
    for part in &spans[..4] {
        assert_eq!((part.parent, part.trace), (whole.span, whole.trace), "{}", part.name);
    }
    assert!(spans.iter().all(|span| span.status == SpanStatus::Ok));
    bed.around.denies = vec![Action::Spawn];
    bed.ask("user", &start());
    let failed = recording.finished_spans().split_off(5);
    assert!(failed.iter().map(|span| span.name.as_str()).eq(["policy", "exec.path"]));
    assert!(failed.iter().all(|span| span.status == SpanStatus::Error));
}

#[test]
fn test_reject_whom_or_what_the_policy_does_not_allow() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new();
    for action in [Action::Spawn, Action::ReadLogs, Action::ScrapeMetrics] {
        bed.around.denies = vec![action];
        assert_eq!(bed.ask("user", &start()), ExecStatus::Denied, "{action:?}");
    }
    (bed.around.denies, bed.around.away) = (Vec::new(), vec!["policyd"]);
    let captured = nexus_log::memory::capture();
    assert_eq!(bed.ask("user", &start()), ExecStatus::Denied);
    assert!(captured.records()[0].fields.contains("reason=policyd away\n"));
    bed.around.away.clear();
    let token = bed.submit("user", &start());
    bed.now = bed.execd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    assert_eq!(bed.status(token), Some(ExecStatus::Denied), "it says nothing");
    assert!(bed.execd.processes().started.is_empty());
    assert_eq!(recording.counter("execd_denials_total", &[]), 5);
}

#[test]
fn test_reject_what_is_not_the_bundle_that_was_announced() {
    let mut bed = Bed::new();
    bed.around.bundle[5000] ^= 1;
    assert_eq!(bed.ask("user", &start()), ExecStatus::Corrupt, "a bit is another");
    (bed.around.bundle, bed.around.digest) = (bundle(&[8; 9000]), Some([1; DIGEST_BYTES]));
    assert_eq!(bed.ask("user", &start()), ExecStatus::Corrupt, "another bundle, whole");
    let token = bed.submit("user", &start());
    bed.answer();
    bed.answer();
    bed.around.bundle.truncate(100);
    bed.answer_all();
    assert_eq!(bed.status(token), Some(ExecStatus::Corrupt), "it ends early");
    assert!(bed.execd.processes().started.is_empty());
}

#[test]
fn every_failure_has_its_reason_and_is_counted_by_it() {
    let recording = nexus_metrics::memory::record();
    let failed = |reason| recording.counter("execd_failures_total", &[("reason", reason)]);
    let mut bed = Bed::new();
    for (says, status) in [
        (BundleStatus::NotFound, ExecStatus::NotFound),
        (BundleStatus::Corrupt, ExecStatus::Corrupt),
        (BundleStatus::Busy, ExecStatus::Busy),
        (BundleStatus::NotReady, ExecStatus::FetchFailed),
    ] {
        bed.around.bundlemgrd_says = says;
        assert_eq!(bed.ask("user", &start()), status);
    }
    (bed.around.bundlemgrd_says, bed.around.away) = (BundleStatus::Ok, vec!["bundlemgrd"]);
    assert_eq!(bed.ask("user", &start()), ExecStatus::FetchFailed);
    bed.around.away.clear();
    let token = bed.submit("user", &start());
    bed.answer();
    let (_, call, _) = bed.around.calls.pop_front().unwrap();
    bed.handle(Event::Completion { call, result: Err(CallError::PeerDied) });
    assert_eq!(bed.status(token), Some(ExecStatus::FetchFailed));
    for error in [LoadError::NoEntry, LoadError::Running, LoadError::TooMuchMemory] {
        bed.execd.processes().refuses_to_load = Some(error);
        assert_eq!(bed.ask("user", &start()), ExecStatus::LoadFailed);
    }
    bed.execd.processes().refuses_to_load = None;
    for error in [StartError::Denied, StartError::NoMemory] {
        bed.execd.processes().refuses_to_start = Some(error);
        assert_eq!(bed.ask("user", &start()), ExecStatus::StartFailed);
    }
    let reasons = ["not_found", "corrupt", "busy", "fetch_failed", "load_failed", "start_failed"];
    assert_eq!(reasons.map(failed), [1, 1, 1, 3, 3, 2]);
    assert_eq!(recording.counter("execd_spawns_total", &[]), 0);
}

#[test]
fn a_crash_is_reported_on_the_console_and_in_the_journal_with_the_last_lines() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let mut bed = Bed::new();
    bed.around.logged = vec!["about to fall", "began"];
    let pid = bed.started();
    assert_eq!(recording.gauge("execd_processes_live", &[]), Some(1));
    bed.now = 60_000_000_000;
    bed.end(pid, ExitReason::Killed(5));
    bed.answer_all();
    let line = format!("execd: crash report pid={pid} code=133 name=demo.hello");
    assert_eq!(bed.around.lines.last(), Some(&line));
    let records = captured.records().split_off(1);
    let [report, last, first] = &records[..] else { panic!("{records:?}") };
    assert_eq!((report.level, report.scope.as_str()), (Level::Error, "execd"));
    assert_eq!(
        report.fields,
        format!(
            "code=133\nevent=crash.v1\nname=demo.hello\npid={pid}\nrecent_count=2\n\
             recent_window_nsec={}\n",
            limits().recent_window.0
        )
    );
    assert_eq!((last.message.as_str(), first.message.as_str()), ("about to fall", "began"));
    assert!(
        last.fields.contains("event=crash.line.v1\n") && last.fields.contains("record_id=90\n")
    );
    assert_eq!(bed.around.searched, [(50_000_000_000, 60_000_000_000)]);
    assert_eq!(recording.counter("execd_exits_total", &[("how", "crash")]), 1);
    assert_eq!(recording.gauge("execd_processes_live", &[]), Some(0));
}

#[test]
fn a_crash_stands_on_the_console_before_anybody_is_waited_for() {
    let captured = nexus_log::memory::capture();
    let mut bed = Bed::new();
    let pid = bed.started();
    let before = captured.records().len();
    bed.end(pid, ExitReason::Exited(7));
    assert_eq!(bed.around.calls.len(), 1, "logd has not answered");
    let line = format!("execd: crash report pid={pid} code=7 name=demo.hello");
    assert_eq!(bed.around.lines[1..], [line]);
    assert_eq!(captured.records().len(), before, "what the journal gets has the lines");
}

#[test]
fn without_logd_a_crash_is_reported_without_lines() {
    let captured = nexus_log::memory::capture();
    let mut bed = Bed::new();
    let pids = [bed.started(), bed.started(), bed.started()];
    bed.around.away = vec!["logd"];
    bed.end(pids[0], ExitReason::Exited(7));
    bed.around.away.clear();
    bed.end(pids[1], ExitReason::Exited(-7));
    let (_, call, _) = bed.around.calls.pop_front().unwrap();
    bed.handle(Event::Completion { call, result: Err(CallError::PeerDied) });
    bed.end(pids[2], ExitReason::Exited(1));
    bed.now += 2_000_000_000;
    bed.handle(Event::Wake);
    let reports = captured.records().into_iter().filter(|r| r.fields.contains("crash.v1"));
    let reports = reports.map(|report| report.fields).collect::<Vec<_>>();
    assert!(reports.iter().all(|fields| fields.contains("recent_count=0\n")), "{reports:?}");
    let lines = &bed.around.lines[1..];
    let codes = [7, -7, 1].into_iter().zip(pids);
    assert!(lines.iter().cloned().eq(codes.map(|(code, pid)| {
        format!("execd: crash report pid={pid} code={code} name=demo.hello")
    })));
}

#[test]
fn while_something_runs_nothing_is_polled() {
    let mut bed = Bed::new();
    let pid = bed.started();
    assert_eq!(bed.execd.deadline(), None, "it is woken when something has ended");
    bed.execd.processes().ended.push_back((pid, ExitReason::Exited(0)));
    bed.handle(Event::Wake);
    assert!(bed.listed().is_empty());
}

fn left(entry: &str, state: LeftState) -> Left {
    Left { entry: name(entry).stored(), state }
}

#[test]
fn a_new_life_takes_over_what_runs_and_reports_what_has_ended_meanwhile() {
    let (captured, recording) = (nexus_log::memory::capture(), nexus_metrics::memory::record());
    let ended = |entry, pid, why| left(entry, LeftState::Ended { pid, why });
    let mut bed = Bed::after(&[
        ended("hello", 75, ExitReason::Killed(13)),
        left("hello", LeftState::Overtaken(3)),
        left("other", LeftState::Runs(77)),
        ended("third", 76, ExitReason::Exited(0)),
        ended("fourth", 78, ExitReason::Killed(ExitReason::BY_PARENT)),
    ]);
    assert_eq!(bed.around.lines[1..], ["execd: crash report pid=75 code=141 name=hello"]);
    let unknown = captured.records();
    let [unknown] = &unknown[..] else { panic!("logd is asked for the last lines: {unknown:?}") };
    assert_eq!(unknown.fields, "count=3\nevent=exec.unknown_ends.v1\nname=hello\n");
    bed.answer_all();
    assert_eq!(bed.around.lines.len(), 2, "the line stands once");
    assert!(
        captured.records()[1].fields.contains("code=141\nevent=crash.v1\nname=hello\npid=75\n")
    );
    assert_eq!(bed.listed(), [77]);
    assert_eq!(bed.ask("user", &Request::Kill { pid: 77 }), ExecStatus::NotFound, "nobody's");
    bed.end(77, ExitReason::Exited(0));
    assert!(bed.listed().is_empty());
    let exits = ["ok", "crash", "killed", "unknown"];
    let exits = exits.map(|how| recording.counter("execd_exits_total", &[("how", how)]));
    assert_eq!(exits, [2, 1, 1, 3]);
}

#[test]
fn an_end_is_said_to_be_recorded_when_all_that_is_to_be_said_of_it_was() {
    let captured = nexus_log::memory::capture();
    let mut bed = Bed::new();
    let pids = [bed.started(), bed.started()];
    let recorded = |bed: &mut Bed| (bed.execd.processes().given, bed.execd.processes().recorded);
    bed.end(pids[0], ExitReason::Exited(0));
    assert_eq!(recorded(&mut bed), (1, 1), "it is counted, and that is all");
    bed.end(pids[1], ExitReason::Killed(13));
    let before = captured.records().len();
    assert_eq!(recorded(&mut bed), (2, 1), "logd is asked for the last lines");
    bed.answer_all();
    assert!(captured.records().len() > before);
    assert_eq!(recorded(&mut bed), (2, 2));
}

#[test]
fn what_a_new_life_has_taken_over_counts_among_what_may_run() {
    let most = limits().processes;
    let all = (1..=most).map(|pid| left("other", LeftState::Runs(pid))).collect::<Vec<_>>();
    let mut bed = Bed::after(&all);
    assert_eq!(bed.ask("user", &start()), ExecStatus::OverLimit);
    bed.end(1, ExitReason::Exited(0));
    assert_eq!(bed.ask("user", &start()), ExecStatus::Ok);
}

#[test]
fn who_ends_well_or_is_ended_by_request_is_no_crash() {
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::new();
    let pids = [bed.started(), bed.started()];
    bed.end(pids[0], ExitReason::Exited(0));
    assert_eq!(bed.ask("other", &Request::Kill { pid: pids[1] }), ExecStatus::NotFound);
    assert_eq!(bed.ask("user", &Request::Kill { pid: 9 }), ExecStatus::NotFound);
    assert_eq!(bed.ask("user", &Request::Kill { pid: pids[1] }), ExecStatus::Ok);
    assert_eq!(bed.execd.processes().killed, pids[1..]);
    assert!(bed.listed().is_empty());
    assert_eq!(bed.around.lines, [markers::EXECD_READY]);
    let exits = ["ok", "killed", "crash"];
    let exits = exits.map(|how| recording.counter("execd_exits_total", &[("how", how)]));
    assert_eq!(exits, [1, 1, 0]);
}

#[test]
fn test_reject_the_program_of_another_sender() {
    let mut bed = Bed::new();
    let pid = bed.started();
    let kill = Request::Kill { pid };
    assert_eq!(bed.ask("other", &kill), ExecStatus::NotFound, "as if it were none");
    assert_eq!(bed.ask("other", &Request::Kill { pid: pid + 1 }), ExecStatus::NotFound);
    assert!(bed.execd.processes().killed.is_empty());
    assert_eq!(bed.ask("user", &kill), ExecStatus::Ok);
}

#[test]
fn test_reject_more_than_may_run_and_more_than_may_wait() {
    let mut bed = Bed::new();
    let first = bed.submit("a", &start());
    let waiting = ["a", "b", "c", "d"].map(|who| bed.submit(who, &start()));
    let [again, fifth] = ["b", "e"].map(|who| bed.submit(who, &start()));
    assert_eq!([bed.status(again), bed.status(fifth)], [Some(ExecStatus::Busy); 2]);
    bed.answer_all();
    let answered = [first].into_iter().chain(waiting);
    assert!(answered.into_iter().all(|token| bed.status(token) == Some(ExecStatus::Ok)));
    let most = limits().processes as usize;
    (5..most).for_each(|_| assert!(bed.started() > 100));
    assert_eq!(bed.ask("user", &start()), ExecStatus::OverLimit);
    assert_eq!(bed.listed().len(), most);
    bed.end(101, ExitReason::Exited(0));
    assert_eq!(bed.ask("user", &start()), ExecStatus::Ok);
    assert!(bed.around.lines.contains(&markers::EXECD_REJECT_OVER_LIMIT.to_owned()));
}

#[test]
fn test_reject_malformed_frames() {
    let mut bed = Bed::new();
    let mut out = [0; 64];
    let good = encode(&start(), 9, &mut out).unwrap().to_vec();
    for (at, to, status) in [
        (0, b'X', ExecStatus::InvalidArgs),
        (2, 2, ExecStatus::InvalidArgs),
        (3, 99, ExecStatus::InvalidArgs),
        (8, 9, ExecStatus::InvalidArgs),
        (8, 40, ExecStatus::OverLimit),
        (9, b'D', ExecStatus::InvalidArgs),
    ] {
        let mut frame = good.clone();
        frame[at] = to;
        let token = bed.send("user", &frame);
        assert_eq!(bed.status(token), Some(status), "byte {at}");
    }
    let long = [&good[..], &vec![0; 4096 - good.len()]].concat();
    for frame in [&[][..], &good[..7], &good[..good.len() - 1], &long] {
        let token = bed.send("user", frame);
        assert_eq!(bed.status(token), Some(ExecStatus::InvalidArgs), "{} bytes", frame.len());
    }
    assert!(bed.around.calls.is_empty());
    assert_eq!(
        bed.around.lines[1..],
        [
            markers::EXECD_REJECT_INVALID_ARGS.to_owned(),
            markers::EXECD_REJECT_OVER_LIMIT.to_owned(),
        ]
    );
}

proptest! {
    /// Whatever others answer, each request has one answer and nothing is started unallowed.
    #[test]
    fn no_answer_of_others_makes_it_fall_or_starts_anything(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..9),
    ) {
        let mut bed = Bed::new();
        let token = bed.submit("user", &start());
        for answer in answers {
            if let Some((_, call, _)) = bed.around.calls.pop_front() {
                bed.handle(Event::Completion { call, result: Ok(&answer) });
            }
        }
        prop_assert!(bed.status(token).is_some_and(|status| status != ExecStatus::Ok));
        prop_assert!(bed.execd.processes().started.is_empty());
    }

    #[test]
    fn no_frame_makes_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut bed = Bed::new();
        let token = bed.send("user", &bytes);
        bed.answer_all();
        prop_assert!(bed.status(token).is_some());
    }
}
