//! bundlemgrd by its frames, between a policyd and a statefsd that do what the test says.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;

use bundlemgrd::Bundlemgrd;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{Manifest, pack};
use nexus_port::{CallError, CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::BundlemgrdLimits;
use nexus_wire::bundles::{
    self, BundleName, BundleStatus, BundleVersion, Origin, Reply, Request, decode_reply, encode,
};
use nexus_wire::files::{self, FilesWriter, HelloReply, Listed, ReadWriter};
use nexus_wire::policy::{self, Action, Decision};
use nexus_wire::{FileKind, FileStatus, markers};
use proptest::prelude::*;

/// What others were asked, and what they have on their disk.
struct Around {
    calls: Vec<(ServiceId, CallId, Vec<u8>)>,
    replies: BTreeMap<u64, Vec<u8>>,
    lines: Vec<String>,
    /// Who serves; nobody else is there.
    has_policyd: bool,
    has_disk: bool,
    allows: Decision,
    files: BTreeMap<String, Vec<u8>>,
    drafts: BTreeMap<String, Vec<u8>>,
    synced: usize,
    /// Which life of statefsd it is.
    epoch: u64,
    /// How often the disk says that it is busy before it does what it is asked.
    busy: usize,
}

impl World for Around {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        assert!(self.replies.insert(token.raw(), frame.to_vec()).is_none(), "one reply each");
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let is_policyd = to == ServiceId::from_name("policyd");
        if if is_policyd { self.has_policyd } else { self.has_disk } {
            self.calls.push((to, call, frame.to_vec()));
            return Ok(());
        }
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

impl Around {
    fn decide(&self, frame: &[u8]) -> Vec<u8> {
        let asked = policy::decode(frame).unwrap();
        assert_eq!(asked.check.action, Action::InstallBundle);
        policy::reply(asked.nonce, self.allows).to_vec()
    }

    /// What statefsd answers.
    fn store(&mut self, frame: &[u8]) -> Vec<u8> {
        let files::Frame { nonce, request } = files::decode(frame).unwrap();
        let op = request.op();
        let plain = |status| files::plain_reply(op.raw(), status, nonce).to_vec();
        if let Some(rest) = self.busy.checked_sub(1) {
            self.busy = rest;
            return plain(FileStatus::Busy);
        }
        let mut out = vec![0; 4096];
        let of = |draft: bool| if draft { 1 } else { 0 };
        let sets = [&mut self.files, &mut self.drafts];
        match request {
            files::Request::Hello => HelloReply { epoch: self.epoch, ..HelloReply::default() }
                .encode(nonce, &mut out)
                .unwrap()
                .to_vec(),
            files::Request::List(list) => {
                let mut writer = FilesWriter::new(nonce, &mut out);
                let behind = sets[0].iter().filter(|(name, _)| name.as_str() > list.after.as_str());
                for (name, bytes) in behind {
                    let name = files::FileName::new(name).unwrap();
                    let len = bytes.len() as u32;
                    assert!(writer.file(&Listed { name, kind: FileKind::Whole, len }));
                }
                writer.finish(false).unwrap().to_vec()
            }
            files::Request::Read(read) => {
                let bytes = &sets[0][read.name.as_str()];
                let rest = &bytes[(read.at as usize).min(bytes.len())..];
                let mut writer = ReadWriter::new(nonce, bytes.len() as u32, &mut out);
                writer.bytes(&rest[..rest.len().min(read.max.into())]);
                writer.finish().unwrap().to_vec()
            }
            files::Request::Delete(target) => {
                let was = sets[of(target.draft)].remove(target.name.as_str());
                plain(was.map_or(FileStatus::NotFound, |_| FileStatus::Ok))
            }
            files::Request::Draft(new) => {
                sets[1].insert(new.name.as_str().to_owned(), Vec::new());
                plain(FileStatus::Ok)
            }
            files::Request::Append(append) => {
                let draft = sets[1].get_mut(append.to.name.as_str()).unwrap();
                assert_eq!(draft.len(), append.at as usize);
                draft.extend(append.bytes);
                plain(FileStatus::Ok)
            }
            files::Request::Finish(target) => {
                let bytes = sets[1].remove(target.name.as_str()).unwrap();
                sets[0].insert(target.name.as_str().to_owned(), bytes);
                plain(FileStatus::Ok)
            }
            files::Request::Sync { epoch } if epoch == self.epoch => {
                self.synced += 1;
                plain(FileStatus::Ok)
            }
            files::Request::Sync { .. } => plain(FileStatus::Lost),
            other => panic!("{other:?}"),
        }
    }
}

struct Bed {
    bundlemgrd: Bundlemgrd,
    around: Around,
    now: u64,
    asked: u64,
}

const LIMITS: BundlemgrdLimits = BundlemgrdLimits {
    bundles: 5,
    bundle_bytes: 10_000,
    installer_bytes: 12_000,
    state_bytes: 20_000,
    waiting: 4,
    idle: Nanos::from_secs(30),
    patience: Nanos::from_secs(10),
    busy_pause: Nanos::from_millis(5),
    retry: Nanos::from_secs(1),
};

fn name(text: &str) -> BundleName<'_> {
    BundleName::new(text).unwrap()
}

fn bundle(text: &str, program: &[u8]) -> Vec<u8> {
    let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
    let (memory_kib, rights, program_bytes) = (64, Rights::QUERY, 0);
    let name = name(text);
    pack(&Manifest { name, version, entry, memory_kib, rights, program_bytes }, program).unwrap()
}

fn sender(text: &str) -> Sender {
    Sender::stamped(ServiceId::from_name(text), 7, Incarnation::new(1), Rights::NONE)
}

fn boot(bundles: &[Vec<u8>]) -> &'static [&'static [u8]] {
    let leak = |bytes: &Vec<u8>| &*Box::leak(bytes.clone().into_boxed_slice());
    Box::leak(bundles.iter().map(leak).collect::<Vec<_>>().into_boxed_slice())
}

impl Bed {
    fn with(bundles: &[Vec<u8>], files: &[(&str, Vec<u8>)]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
        let around = Around {
            calls: Vec::new(),
            replies: BTreeMap::new(),
            lines: Vec::new(),
            has_policyd: true,
            has_disk: true,
            allows: Decision::Allowed,
            files: files.collect(),
            drafts: BTreeMap::new(),
            synced: 0,
            epoch: 5,
            busy: 0,
        };
        let bundlemgrd = Bundlemgrd::new(&LIMITS, boot(bundles));
        let mut bed = Self { bundlemgrd, around, now: 1, asked: 0 };
        bed.handle(Event::Wake);
        bed.answer_all();
        bed
    }

    fn new() -> Self {
        Self::with(&[bundle("demo.hello", &[7; 9000])], &[])
    }

    fn handle(&mut self, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        self.bundlemgrd.handle(now, event, &mut self.around);
        self.bundlemgrd.check_invariants();
    }

    /// One of those that were asked answers.
    fn answer(&mut self) {
        let (to, call, frame) = self.around.calls.remove(0);
        let is_policyd = to == ServiceId::from_name("policyd");
        let answer =
            if is_policyd { self.around.decide(&frame) } else { self.around.store(&frame) };
        self.handle(Event::Completion { call, result: Ok(&answer) });
    }

    fn answer_all(&mut self) {
        while !self.around.calls.is_empty() {
            self.answer();
        }
    }

    fn send(&mut self, from: Sender, frame: &[u8]) -> u64 {
        self.asked += 1;
        self.handle(Event::Request { from, token: Token::from_raw(self.asked), frame });
        self.asked
    }

    fn submit(&mut self, from: &str, request: &Request<'_>) -> u64 {
        let mut out = vec![0; 4096];
        let frame = encode(request, 9, &mut out).unwrap().to_vec();
        self.send(sender(from), &frame)
    }

    fn status(&self, token: u64) -> Option<BundleStatus> {
        self.around.replies.get(&token).and_then(|reply| BundleStatus::from_raw(reply[4]))
    }

    fn ask(&mut self, from: &str, request: &Request<'_>) -> BundleStatus {
        let token = self.submit(from, request);
        self.answer_all();
        self.status(token).unwrap()
    }

    /// Begins a bundle, and brings it in pieces; what became of the first thing that was refused.
    fn install(&mut self, from: &str, text: &str, bytes: &[u8]) -> BundleStatus {
        let begin = Request::Begin { name: name(text), size: bytes.len() as u32 };
        let pieces = bytes.chunks(1500).enumerate();
        let pieces = pieces.map(|(at, bytes)| Request::Bring { at: at as u32 * 1500, bytes });
        let all = [begin].into_iter().chain(pieces).chain([Request::Commit]);
        let mut answers = all.map(|request| self.ask(from, &request));
        answers.find(|status| *status != BundleStatus::Ok).unwrap_or(BundleStatus::Ok)
    }

    fn fetched(&mut self, text: &str) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let fetch = Request::Fetch { name: name(text), at: all.len() as u32, max: 4000 };
            let token = self.submit("execd", &fetch);
            self.answer_all();
            let reply = decode_reply(bundles::Op::Fetch, 9, &self.around.replies[&token]);
            let (BundleStatus::Ok, Reply::Piece(piece)) = reply.unwrap() else {
                panic!("{reply:?}")
            };
            all.extend(piece.bytes);
            if piece.bytes.is_empty() {
                return all;
            }
        }
    }

    fn listed(&mut self, after: Option<&str>) -> Vec<(String, Origin)> {
        let token = self.submit("anybody", &Request::List { after: after.map(name) });
        match decode_reply(bundles::Op::List, 9, &self.around.replies[&token]).unwrap() {
            (BundleStatus::Ok, Reply::List(list)) => {
                list.bundles().map(|b| (b.name.as_str().to_owned(), b.origin)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn path(installer: &str, text: &str) -> String {
    format!("{:08x}/{text}", ServiceId::from_name(installer).span_prefix())
}

#[test]
fn it_is_ready_once_it_has_read_every_bundle_of_the_boot_image_back() {
    let mut bed = Bed::new();
    assert_eq!(bed.around.lines, [markers::BUNDLEMGRD_READY]);
    assert_eq!(bed.fetched("demo.hello"), bundle("demo.hello", &[7; 9000]));
    assert_eq!(bed.listed(None), [("demo.hello".to_owned(), Origin::Boot)]);
    assert_eq!(bed.listed(Some("demo.hello")), []);
}

#[test]
fn a_bundle_is_there_once_it_is_durable_and_not_before() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 5000]));
    assert_eq!(
        bed.ask("user", &Request::Begin { name: name("demo.new"), size: bytes.len() as u32 }),
        BundleStatus::Ok
    );
    for (at, piece) in bytes.chunks(4040).enumerate() {
        let bring = Request::Bring { at: at as u32 * 4040, bytes: piece };
        assert_eq!(bed.ask("user", &bring), BundleStatus::Ok);
    }
    let commit = bed.submit("user", &Request::Commit);
    bed.answer();
    assert_eq!((bed.status(commit), bed.around.synced), (None, 1), "a sync is under way");
    let query = bed.submit("execd", &Request::Query { name: name("demo.new") });
    assert_eq!(bed.status(query), Some(BundleStatus::NotFound));
    bed.answer_all();
    assert_eq!((bed.status(commit), bed.around.synced), (Some(BundleStatus::Ok), 2));
    assert_eq!(bed.fetched("demo.new"), bytes);
    let token = bed.submit("execd", &Request::Query { name: name("demo.new") });
    let reply = decode_reply(bundles::Op::Query, 9, &bed.around.replies[&token]).unwrap();
    let (BundleStatus::Ok, Reply::Info(info)) = reply else { panic!("{reply:?}") };
    assert_eq!(
        (info.size as usize, info.memory_kib, info.rights),
        (bytes.len(), 64, Rights::QUERY)
    );
    assert_eq!(
        (info.origin, info.entry.as_str(), info.version.as_str()),
        (Origin::State, "hello", "1")
    );
    assert!(bytes.ends_with(&info.digest));
}

#[test]
fn what_is_on_the_disk_is_found_at_start_and_only_what_is_whole() {
    let (good, mut bad) = (bundle("demo.good", &[1; 9000]), bundle("demo.bad", &[2; 50]));
    *bad.last_mut().unwrap() ^= 1;
    let recording = nexus_metrics::memory::record();
    let mut bed = Bed::with(
        &[],
        &[
            (&path("user", "demo.bad"), bad),
            (&path("user", "demo.good"), good.clone()),
            (&path("user", "demo.other"), bundle("demo.another", &[4; 5])),
            ("notes", vec![1, 2, 3]),
        ],
    );
    assert_eq!(bed.listed(None), [("demo.good".to_owned(), Origin::State)]);
    assert_eq!(bed.fetched("demo.good"), good);
    assert_eq!(recording.counter("bundlemgrd_corrupt_total", &[("defect", "digest")]), 1);
    assert_eq!(recording.counter("bundlemgrd_looked_at_total", &[("outcome", "corrupt")]), 2);
    assert_eq!(bed.install("user", "demo.bad", &bundle("demo.bad", &[2; 50])), BundleStatus::Ok);
    let full = bed.install("user", "demo.more", &bundle("demo.more", &[2; 5000]));
    assert_eq!(full, BundleStatus::OverQuota, "what was found counts");
}

#[test]
fn test_reject_corrupt_bundle() {
    let (mut bed, good) = (Bed::new(), bundle("demo.new", &[3; 4000]));
    for at in [0, 3, 16, 60, 3000, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Corrupt, "byte {at}");
    }
    let other = bundle("demo.other", &[3; 4000]);
    assert_eq!(bed.install("user", "demo.new", &other), BundleStatus::Corrupt, "another name");
    assert!(bed.around.files.is_empty() && bed.around.drafts.is_empty(), "nothing is left");
    assert_eq!(bed.install("user", "demo.new", &good), BundleStatus::Ok);
}

#[test]
fn test_reject_oversized_duplicate_and_unknown_bundle() {
    let mut bed = Bed::new();
    let begin = |size| Request::Begin { name: name("demo.new"), size };
    assert_eq!(bed.ask("user", &begin(10_001)), BundleStatus::OverLimit);
    assert_eq!(bed.ask("user", &begin(50)), BundleStatus::OverLimit, "smaller than any");
    let hello = Request::Begin { name: name("demo.hello"), size: 100 };
    assert_eq!(bed.ask("user", &hello), BundleStatus::Exists);
    let nobody = name("demo.nobody");
    for request in [
        Request::Query { name: nobody },
        Request::Fetch { name: nobody, at: 0, max: 9 },
        Request::Remove { name: nobody },
    ] {
        assert_eq!(bed.ask("user", &request), BundleStatus::NotFound);
    }
    let boot = Request::Remove { name: name("demo.hello") };
    assert_eq!(bed.ask("user", &boot), BundleStatus::Denied, "of the boot image");
}

#[test]
fn test_reject_pieces_that_are_out_of_order() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 4000]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    let bring =
        |at: usize, len: usize| Request::Bring { at: at as u32, bytes: &bytes[at..at + len] };
    let more = vec![0; bytes.len()];
    let more = Request::Bring { at: 100, bytes: &more[..bytes.len() - 99] };
    for (first, wrong) in [
        (bring(0, 100), bring(200, 100)),
        (bring(0, 100), bring(0, 100)),
        (bring(0, 100), more),
        (bring(0, 100), Request::Commit),
    ] {
        assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
        assert_eq!(bed.ask("user", &first), BundleStatus::Ok);
        assert_eq!(bed.ask("user", &wrong), BundleStatus::OutOfOrder, "{wrong:?}");
        if wrong != Request::Commit {
            assert_eq!(bed.ask("user", &bring(100, 100)), BundleStatus::OutOfOrder, "given up");
        }
    }
    assert_eq!(bed.ask("other", &Request::Commit), BundleStatus::OutOfOrder, "another's");
}

#[test]
fn test_reject_whom_the_policy_does_not_allow_and_everybody_without_policyd() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok);
    let (remove, new) = (
        Request::Remove { name: name("demo.new") },
        Request::Begin { name: name("demo.b"), size: 99 },
    );
    for decision in [Decision::NotGranted, Decision::UnknownSubject, Decision::NotDelegate] {
        bed.around.allows = decision;
        assert_eq!([bed.ask("user", &remove), bed.ask("user", &new)], [BundleStatus::Denied; 2]);
    }
    (bed.around.allows, bed.around.has_policyd) = (Decision::Allowed, false);
    let captured = nexus_log::memory::capture();
    assert_eq!([bed.ask("user", &remove), bed.ask("user", &new)], [BundleStatus::Denied; 2]);
    assert!(captured.records()[0].fields.contains("reason=policyd away\n"));
    bed.around.has_policyd = true;
    assert_eq!(bed.ask("user", &remove), BundleStatus::Ok);
    assert!(bed.around.files.is_empty());
}

#[test]
fn test_reject_beyond_the_quota_of_one_and_of_all() {
    let mut bed = Bed::new();
    let of = |text: &str, bytes: usize| bundle(text, &vec![1; bytes - bundle(text, &[]).len()]);
    assert_eq!(bed.install("user", "a", &of("a", 7000)), BundleStatus::Ok);
    assert_eq!(bed.install("user", "b", &of("b", 5001)), BundleStatus::OverQuota, "of one");
    assert_eq!(bed.install("user", "b", &of("b", 5000)), BundleStatus::Ok);
    assert_eq!(bed.install("other", "c", &of("c", 8001)), BundleStatus::OverQuota, "of all");
    assert_eq!(bed.install("other", "c", &of("c", 100)), BundleStatus::Ok);
    assert_eq!(bed.install("other", "d", &of("d", 100)), BundleStatus::Ok);
    assert_eq!(bed.install("other", "e", &of("e", 100)), BundleStatus::OverQuota, "in number");
    assert_eq!(bed.ask("user", &Request::Remove { name: name("a") }), BundleStatus::Ok);
    assert_eq!(bed.install("user", "e", &of("e", 7000)), BundleStatus::Ok);
    assert!(bed.around.lines.contains(&markers::BUNDLEMGRD_REJECT_OVER_LIMIT.to_owned()));
}

#[test]
fn test_reject_malformed_frames() {
    let mut bed = Bed::new();
    let mut out = [0; 64];
    let query = Request::Query { name: name("demo.hello") };
    let good = encode(&query, 9, &mut out).unwrap().to_vec();
    for (at, to, status) in [
        (0, b'X', BundleStatus::InvalidArgs),
        (2, 2, BundleStatus::InvalidArgs),
        (3, 99, BundleStatus::InvalidArgs),
        (8, 9, BundleStatus::InvalidArgs),
        (8, 40, BundleStatus::OverLimit),
        (9, b'D', BundleStatus::InvalidArgs),
    ] {
        let mut frame = good.clone();
        frame[at] = to;
        let token = bed.send(sender("user"), &frame);
        assert_eq!(bed.status(token), Some(status), "byte {at}");
    }
    let long = [&good[..], &vec![0; 4096 - good.len()]].concat();
    for frame in [&[][..], &good[..7], &good[..good.len() - 1], &long] {
        let token = bed.send(sender("user"), frame);
        assert_eq!(bed.status(token), Some(BundleStatus::InvalidArgs), "{} bytes", frame.len());
    }
    assert!(bed.around.calls.is_empty(), "nobody is asked for what is no frame");
}

#[test]
fn test_reject_the_upload_of_another_sender_or_of_another_life() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
    assert_eq!(bed.ask("user", &Request::Bring { at: 0, bytes: &bytes[..99] }), BundleStatus::Ok);
    let rest = Request::Bring { at: 99, bytes: &bytes[99..] };
    let later = Sender { incarnation: Incarnation::new(2), ..sender("user") };
    for request in [rest, Request::Commit] {
        assert_eq!(bed.ask("other", &request), BundleStatus::OutOfOrder, "{request:?}");
        let mut out = vec![0; 4096];
        let frame = encode(&request, 9, &mut out).unwrap().to_vec();
        let token = bed.send(later, &frame);
        bed.answer_all();
        assert_eq!(bed.status(token), Some(BundleStatus::OutOfOrder), "of another life");
    }
    let fetch = Request::Fetch { name: name("demo.new"), at: 0, max: 9 };
    for request in [fetch, Request::Query { name: name("demo.new") }] {
        assert_eq!(bed.ask("other", &request), BundleStatus::NotFound, "what is there so far");
    }
    assert_eq!(bed.ask("user", &rest), BundleStatus::Ok);
    assert_eq!(bed.ask("user", &Request::Commit), BundleStatus::Ok, "it was untouched");
    assert_eq!(bed.fetched("demo.new"), bytes);
}

#[test]
fn without_a_disk_the_boot_image_is_served_and_what_is_on_it_comes_with_it() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok);
    let files = bed.around.files.clone();
    let mut bed = Bed::new();
    bed.around.has_disk = false;
    let begin = Request::Begin { name: name("demo.b"), size: 99 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::NotReady, "it was there when it was asked");
    assert_eq!(bed.ask("user", &Request::Query { name: name("demo.new") }), BundleStatus::NotReady);
    assert_eq!(bed.fetched("demo.hello").len(), bundle("demo.hello", &[7; 9000]).len());
    (bed.around.has_disk, bed.around.files) = (true, files);
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    bed.answer_all();
    assert_eq!(bed.fetched("demo.new"), bytes);
}

#[test]
fn another_life_of_the_disk_is_noticed_before_a_change_and_nothing_is_refused() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    bed.around.epoch += 1;
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok);
    bed.around.epoch += 1;
    let remove = Request::Remove { name: name("demo.new") };
    assert_eq!(bed.ask("user", &remove), BundleStatus::Ok);
    assert_eq!(bed.listed(None), [("demo.hello".to_owned(), Origin::Boot)]);
}

#[test]
fn a_disk_that_was_away_is_asked_again_when_a_change_is_wanted() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    bed.around.has_disk = false;
    for _ in 0..2 {
        assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::NotReady, "at once");
    }
    bed.around.has_disk = true;
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok, "without a pause");
}

#[test]
fn a_change_that_waits_for_its_turn_meets_the_disk_as_it_is_then() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let size = bytes.len() as u32;
    let first = bed.submit("a", &Request::Begin { name: name("demo.a"), size });
    let second = bed.submit("b", &Request::Begin { name: name("demo.b"), size });
    let third = bed.submit("c", &Request::Remove { name: name("demo.new") });
    bed.answer();
    bed.around.epoch += 1;
    bed.answer_all();
    let answers = [first, second, third].map(|token| bed.status(token).unwrap());
    assert_eq!(answers, [BundleStatus::Ok, BundleStatus::Ok, BundleStatus::NotFound]);
}

#[test]
fn a_disk_that_dies_while_a_bundle_is_made_durable_leaves_nothing_half_there() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let size = bytes.len() as u32;
    bed.ask("user", &Request::Begin { name: name("demo.new"), size });
    bed.ask("user", &Request::Bring { at: 0, bytes: &bytes });
    let commit = bed.submit("user", &Request::Commit);
    let (_, call, _) = bed.around.calls.remove(0);
    bed.handle(Event::Completion { call, result: Err(CallError::PeerDied) });
    assert_eq!(bed.status(commit), Some(BundleStatus::NotReady));
    assert_eq!(bed.ask("user", &Request::Query { name: name("demo.new") }), BundleStatus::NotReady);
    bed.now += 2_000_000_000;
    bed.handle(Event::Wake);
    bed.answer_all();
    assert_eq!(bed.listed(None), [("demo.hello".to_owned(), Origin::Boot)]);
}

#[test]
fn what_comes_too_fast_for_the_disk_is_brought_a_little_later_and_not_for_ever() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
    bed.around.busy = 3;
    let bring = bed.submit("user", &Request::Bring { at: 0, bytes: &bytes });
    for _ in 0..3 {
        bed.answer_all();
        assert_eq!(bed.status(bring), None);
        assert_eq!(bed.bundlemgrd.deadline(), Some(Mono(bed.now + 5_000_000)));
        bed.now += 5_000_000;
        bed.handle(Event::Wake);
    }
    bed.answer_all();
    assert_eq!(bed.status(bring), Some(BundleStatus::Ok));
    assert_eq!(bed.ask("user", &Request::Commit), BundleStatus::Ok);
    assert_eq!(bed.fetched("demo.new"), bytes);
    bed.around.busy = usize::MAX;
    let fetch = bed.submit("user", &Request::Fetch { name: name("demo.new"), at: 0, max: 9 });
    let until = bed.now + LIMITS.patience.0;
    while bed.now < until {
        bed.answer_all();
        bed.now = bed.bundlemgrd.deadline().unwrap().0;
        bed.handle(Event::Wake);
    }
    assert_eq!(bed.status(fetch), Some(BundleStatus::NotReady));
}

#[test]
fn a_disk_that_says_nothing_is_given_up_and_its_late_answer_changes_nothing() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    let token = bed.submit("user", &begin);
    bed.answer();
    bed.answer();
    let (_, call, frame) = bed.around.calls.remove(0);
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    assert_eq!(bed.status(token), Some(BundleStatus::NotReady));
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    assert!(bed.around.calls.is_empty(), "what was given up is under way still");
    let late = bed.around.store(&frame);
    bed.handle(Event::Completion { call, result: Ok(&late) });
    assert_eq!(bed.ask("user", &Request::Commit), BundleStatus::OutOfOrder, "nothing was begun");
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    bed.answer_all();
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok);
}

#[test]
fn what_a_former_life_may_not_have_made_durable_is_so_before_anybody_sees_it() {
    let files = [(path("user", "demo.new"), bundle("demo.new", &[3; 400]))];
    let mut bed = Bed::with(&[], &[]);
    bed.around.files.extend(files);
    bed.around.has_disk = false;
    assert_eq!(bed.ask("user", &Request::Commit), BundleStatus::OutOfOrder);
    let begin = Request::Begin { name: name("demo.b"), size: 99 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::NotReady);
    (bed.around.has_disk, bed.around.synced) = (true, 0);
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    while bed.around.synced == 0 {
        let query = bed.submit("execd", &Request::Query { name: name("demo.new") });
        assert_eq!((bed.status(query), bed.listed(None).len()), (Some(BundleStatus::NotReady), 0));
        bed.answer();
    }
    assert_eq!(bed.listed(None), [("demo.new".to_owned(), Origin::State)]);
}

#[test]
fn a_life_takes_along_what_it_was_bringing_and_so_does_time() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
    assert_eq!(bed.ask("other", &begin), BundleStatus::Busy);
    let Sender { id, incarnation, .. } = sender("user");
    bed.handle(Event::PeerGone { id, incarnation, reason: ExitReason::Exited(0) });
    bed.answer_all();
    assert!(bed.around.drafts.is_empty());
    assert_eq!(bed.ask("other", &begin), BundleStatus::Ok);
    bed.now = bed.bundlemgrd.deadline().unwrap().0;
    bed.handle(Event::Wake);
    bed.answer_all();
    assert!(bed.around.drafts.is_empty());
    assert_eq!(bed.ask("other", &Request::Commit), BundleStatus::OutOfOrder);
}

#[test]
fn who_begins_anew_has_given_up_what_it_began_before() {
    let (mut bed, bytes) = (Bed::new(), bundle("demo.new", &[3; 400]));
    let begin = Request::Begin { name: name("demo.new"), size: bytes.len() as u32 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
    assert_eq!(bed.ask("user", &Request::Bring { at: 0, bytes: &bytes[..9] }), BundleStatus::Ok);
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok, "the same again");
    assert_eq!(bed.fetched("demo.new"), bytes);
    let begin = Request::Begin { name: name("demo.one"), size: 99 };
    assert_eq!(bed.ask("user", &begin), BundleStatus::Ok);
    assert_eq!(bed.install("user", "demo.two", &bundle("demo.two", &[4; 40])), BundleStatus::Ok);
    assert!(bed.around.drafts.is_empty(), "nothing is left");
}

#[test]
fn few_wait_for_their_turn_one_of_each_sender_and_are_answered_in_order() {
    let mut bed = Bed::new();
    let begin = Request::Begin { name: name("demo.new"), size: 99 };
    let first = bed.submit("a", &begin);
    let waiting: Vec<u64> =
        ["a", "b", "c", "d"].map(|who| bed.submit(who, &Request::Commit)).into();
    let again = bed.submit("b", &Request::Commit);
    let fifth = bed.submit("e", &Request::Commit);
    assert_eq!([bed.status(again), bed.status(fifth)], [Some(BundleStatus::Busy); 2]);
    assert!(waiting.iter().all(|token| bed.status(*token).is_none()));
    bed.answer_all();
    assert_eq!(bed.status(first), Some(BundleStatus::Ok));
    assert!(waiting.iter().all(|token| bed.status(*token) == Some(BundleStatus::OutOfOrder)));
}

#[test]
fn what_it_did_is_counted_exactly() {
    let recording = nexus_metrics::memory::record();
    let counted = |op, outcome| {
        recording.counter("bundlemgrd_requests_total", &[("op", op), ("outcome", outcome)])
    };
    let mut bed = Bed::new();
    assert_eq!(counted("query", "ok"), 0, "its proof at start is nobody's request");
    let bytes = bundle("demo.new", &[3; 4000]);
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Ok);
    assert_eq!(bed.install("user", "demo.new", &bytes), BundleStatus::Exists);
    assert_eq!(["ok", "exists"].map(|outcome| counted("begin", outcome)), [1, 1]);
    assert_eq!((counted("bring", "ok"), counted("commit", "ok")), (3, 1));
    let sizes = recording.histogram("bundlemgrd_installed_bytes", &[]).unwrap();
    assert_eq!((sizes.sum, sizes.counts[1]), (bytes.len() as u64, 1), "up to 4 KiB");
    assert_eq!(recording.gauge("bundlemgrd_bundles", &[]), Some(2));
    assert_eq!(recording.gauge("bundlemgrd_state_bytes", &[]), Some(bytes.len() as i64));
}

proptest! {
    #[test]
    fn no_frame_makes_it_fall(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..9),
    ) {
        let mut bed = Bed::new();
        for (op, mut frame) in frames.into_iter().enumerate() {
            if frame.len() > 4 && op % 2 == 0 {
                frame[..4].copy_from_slice(&[b'B', b'M', 1, op as u8 + 1]);
            }
            let token = bed.send(sender("user"), &frame);
            bed.answer_all();
            prop_assert!(bed.status(token).is_some());
        }
    }

    #[test]
    fn no_answer_of_others_makes_it_fall_or_adds_a_bundle(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..9),
    ) {
        let mut bed = Bed::new();
        bed.submit("user", &Request::Begin { name: name("demo.new"), size: 99 });
        for answer in answers {
            if let Some((_, call, _)) = bed.around.calls.pop() {
                bed.handle(Event::Completion { call, result: Ok(&answer) });
            }
            bed.now += 1_000_000_000;
            bed.handle(Event::Wake);
        }
        prop_assert_eq!(bed.listed(None).len(), 1);
    }
}
