//! The bundles of a disk, as a store comes to know them by what statefsd answers.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;

use nexus_abi::{Incarnation, Rights, Sender, SenderId, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::store::{Path, Progress, Refused, Store, StoreLimits};
use nexus_bundle::{Manifest, pack};
use nexus_wire::bundles::{BundleName, BundleStatus, BundleVersion};
use nexus_wire::files::{
    self, FileName, FilesWriter, HelloReply, Listed, Op, ReadWriter, Reply, Request, decode_reply,
};
use nexus_wire::{FileKind, FileStatus};
use proptest::prelude::*;

const LIMITS: StoreLimits = StoreLimits {
    bundles: 4,
    bundle_bytes: 10_000,
    idle: Nanos::from_secs(30),
    retry: Nanos::from_secs(1),
};

/// statefsd, to the extent that a store asks it.
#[derive(Default)]
struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    drafts: BTreeMap<String, Vec<u8>>,
    /// Files that cannot be read any more.
    damaged: Vec<String>,
    /// What is answered next, instead of being done.
    refuses: Option<FileStatus>,
}

type Answer = Result<(Op, Vec<u8>), FileStatus>;

impl Disk {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        let mut out = vec![0; 4096];
        if let Some(status) = self.refuses.take() {
            return Err(status);
        }
        let frame = match request {
            Request::Hello => HelloReply { epoch: 5, ..HelloReply::default() }.encode(1, &mut out),
            Request::List(list) => {
                let mut writer = FilesWriter::new(1, &mut out);
                let behind = |(name, _): &(&String, _)| name.as_str() > list.after.as_str();
                for (name, bytes) in self.files.iter().filter(behind) {
                    let (name, len) = (FileName::new(name).unwrap(), bytes.len() as u32);
                    assert!(writer.file(&Listed { name, kind: FileKind::Whole, len }));
                }
                writer.finish(false)
            }
            Request::Read(read) => {
                if self.damaged.iter().any(|name| name == read.name.as_str()) {
                    return Err(FileStatus::Damaged);
                }
                let bytes = self.files.get(read.name.as_str()).ok_or(FileStatus::NotFound)?;
                let rest = bytes.get(read.at as usize..).unwrap_or_default();
                let mut writer = ReadWriter::new(1, bytes.len() as u32, &mut out);
                writer.bytes(&rest[..rest.len().min(read.max.into())]);
                writer.finish()
            }
            _ => {
                self.change(request)?;
                return Ok((
                    request.op(),
                    files::plain_reply(request.op().raw(), FileStatus::Ok, 1).into(),
                ));
            }
        };
        Ok((request.op(), frame.unwrap().to_vec()))
    }

    fn change(&mut self, request: &Request<'_>) -> Result<(), FileStatus> {
        match request {
            Request::Delete(target) => {
                let set = if target.draft { &mut self.drafts } else { &mut self.files };
                set.remove(target.name.as_str()).map(|_| ()).ok_or(FileStatus::NotFound)?;
            }
            Request::Draft(new) => {
                self.drafts.insert(new.name.as_str().to_owned(), Vec::new());
            }
            Request::Append(append) => {
                self.drafts.get_mut(append.to.name.as_str()).unwrap().extend(append.bytes);
            }
            Request::Finish(target) => {
                let name = target.name.as_str();
                self.files.insert(name.to_owned(), self.drafts.remove(name).unwrap());
            }
            Request::Sync { epoch: 5 } => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

/// What is left of a [`Progress`] when the disk is asked something else.
#[derive(Debug, PartialEq)]
enum End {
    Done,
    Installed(String),
    Read(Vec<u8>),
}

struct Bed {
    store: Store,
    disk: Disk,
    now: Mono,
    found: Vec<Result<(), Refused>>,
}

impl Bed {
    /// A store that has looked at these files.
    fn looking_at(disk: Disk) -> Self {
        let mut bed = Self { store: Store::new(LIMITS), disk, now: Mono(1), found: Vec::new() };
        bed.tidy();
        bed
    }

    fn tidy(&mut self) {
        while self.store.tidy(self.now) {
            let ended = self.drive(&[]);
            assert!(matches!(ended, Ok(End::Done) | Err(_)), "nobody has asked for more");
        }
        self.store.check();
    }

    /// Lets the disk answer until what was begun has ended.
    fn drive(&mut self, piece: &[u8]) -> Result<End, Refused> {
        loop {
            let answer = self.disk.answer(&self.store.request(piece).unwrap());
            let reply = answer.as_ref().map_err(|status| *status).map(|(op, frame)| {
                let (status, reply) = decode_reply(*op, 1, frame).unwrap();
                assert_eq!(status, FileStatus::Ok);
                reply
            });
            let progress = self.store.answered(reply, self.now);
            self.store.check();
            match progress? {
                Progress::Next => {}
                Progress::Found(what) => self.found.push(what),
                Progress::Done => return Ok(End::Done),
                Progress::Installed(bundle) => {
                    return Ok(End::Installed(bundle.name().as_str().to_owned()));
                }
                Progress::Read(piece) => return Ok(End::Read(piece.bytes.to_vec())),
            }
        }
    }

    fn begin(&mut self, who: &str, text: &str, size: usize) -> Result<End, Refused> {
        self.store.may_begin(owner(who), name(text), size as u32)?;
        self.store.begin(owner(who), path(who, text), size as u32);
        self.drive(&[])
    }

    fn bring(&mut self, who: &str, at: usize, bytes: &[u8]) -> Result<End, Refused> {
        self.store.bring(owner(who), at as u32, bytes, self.now)?;
        if self.store.is_busy() { self.drive(bytes) } else { Ok(End::Done) }
    }

    fn commit(&mut self, who: &str) -> Result<End, Refused> {
        self.store.commit(owner(who))?;
        self.drive(&[])
    }

    fn install(&mut self, who: &str, text: &str, bytes: &[u8]) -> Result<End, Refused> {
        self.begin(who, text, bytes.len())?;
        self.bring(who, 0, bytes)?;
        self.commit(who)
    }

    fn names(&self) -> Vec<String> {
        self.store.behind(None).map(|bundle| bundle.name().as_str().to_owned()).collect()
    }
}

fn name(text: &str) -> BundleName<'_> {
    BundleName::new(text).unwrap()
}

fn bundle(text: &str, program: &[u8]) -> Vec<u8> {
    let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
    let (memory_kib, rights, program_bytes) = (64, Rights::QUERY, 0);
    let name = name(text);
    pack(&Manifest { name, version, entry, memory_kib, rights, program_bytes }, program).unwrap()
}

fn owner(who: &str) -> (SenderId, Incarnation) {
    let life = Incarnation::new(1);
    (Sender::stamped(ServiceId::from_name(who), 7, life, Rights::NONE).id, life)
}

fn path(who: &str, text: &str) -> Path {
    Path::new(ServiceId::from_name(who).span_prefix(), name(text))
}

fn file(who: &str, text: &str) -> String {
    format!("{:08x}/{text}", ServiceId::from_name(who).span_prefix())
}

fn refused(status: BundleStatus) -> Result<End, Refused> {
    Err(status.into())
}

#[test]
fn a_bundle_that_is_brought_is_known_and_read_until_it_is_taken_away() {
    let (mut bed, bytes) = (Bed::looking_at(Disk::default()), bundle("demo.new", &[3; 500]));
    assert_eq!(bed.install("user", "demo.new", &bytes), Ok(End::Installed("demo.new".to_owned())));
    assert_eq!(bed.disk.files, BTreeMap::from([(file("user", "demo.new"), bytes.clone())]));
    bed.store.read(name("demo.new"), 10, 5).unwrap();
    assert_eq!(bed.drive(&[]), Ok(End::Read(bytes[10..15].to_vec())));
    bed.store.remove(path("user", "demo.new"));
    assert_eq!(bed.drive(&[]), Ok(End::Done));
    assert!(bed.names().is_empty() && bed.disk.files.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_and_the_others_are_found() {
    let files = ["demo.a", "demo.b", "demo.c"].map(|text| (file("user", text), bundle(text, &[1])));
    let damaged = vec![file("user", "demo.b")];
    let mut bed = Bed::looking_at(Disk { files: files.into(), damaged, ..Disk::default() });
    assert_eq!(bed.found, [Ok(()), Err(BundleStatus::Corrupt.into()), Ok(())]);
    assert_eq!(bed.names(), ["demo.a", "demo.c"]);
    let bytes = bundle("demo.b", &[2]);
    assert!(bed.install("user", "demo.b", &bytes).is_ok(), "another one takes its place");
}

#[test]
fn a_removal_that_fails_leaves_alone_what_somebody_else_brings() {
    let (mut bed, bytes) = (Bed::looking_at(Disk::default()), bundle("demo.new", &[3; 500]));
    bed.install("user", "demo.old", &bundle("demo.old", &[1])).unwrap();
    bed.begin("other", "demo.new", bytes.len()).unwrap();
    bed.store.remove(path("user", "demo.old"));
    bed.disk.refuses = Some(FileStatus::NotFound);
    assert_eq!(bed.drive(&[]), refused(BundleStatus::NotFound));
    assert_eq!(bed.bring("other", 0, &bytes), Ok(End::Done));
    assert_eq!(bed.commit("other"), Ok(End::Installed("demo.new".to_owned())));
}

#[test]
fn a_disk_without_room_is_said_to_be_so_and_nothing_is_left_there() {
    let (mut bed, bytes) = (Bed::looking_at(Disk::default()), bundle("demo.new", &[3; 500]));
    bed.begin("user", "demo.new", bytes.len()).unwrap();
    bed.disk.refuses = Some(FileStatus::NoSpace);
    assert_eq!(bed.bring("user", 0, &bytes), refused(BundleStatus::OverQuota));
    bed.tidy();
    assert!(bed.disk.drafts.is_empty());
    assert_eq!(bed.commit("user"), refused(BundleStatus::OutOfOrder));
    assert!(bed.install("user", "demo.new", &bytes).is_ok());
}

#[test]
fn a_disk_that_goes_away_is_looked_at_anew_after_a_pause() {
    let mut bed = Bed::looking_at(Disk::default());
    bed.install("user", "demo.new", &bundle("demo.new", &[3; 500])).unwrap();
    bed.store.read(name("demo.new"), 0, 5).unwrap();
    bed.disk.refuses = Some(FileStatus::NotReady);
    assert_eq!(bed.drive(&[]), refused(BundleStatus::NotReady));
    assert_eq!(bed.store.known(name("demo.new")).err(), Some(BundleStatus::NotReady));
    assert_eq!(bed.store.deadline(), Some(bed.now.after(LIMITS.retry)));
    assert!(!bed.store.tidy(bed.now), "not at once");
    bed.now = bed.now.after(LIMITS.retry);
    bed.tidy();
    assert_eq!((bed.names(), bed.store.deadline()), (vec!["demo.new".to_owned()], None));
}

#[test]
fn what_may_not_be_durable_is_looked_at_anew() {
    let mut bed = Bed::looking_at(Disk::default());
    bed.install("user", "demo.new", &bundle("demo.new", &[3; 500])).unwrap();
    bed.store.remove(path("user", "demo.new"));
    assert!(bed.store.request(&[]).is_some_and(|request| bed.disk.answer(&request).is_ok()));
    let deleted = bed.store.answered(Ok(Reply::Plain), bed.now);
    assert!(matches!(deleted, Ok(Progress::Next)));
    bed.disk.refuses = Some(FileStatus::NoSpace);
    assert_eq!(bed.drive(&[]), refused(BundleStatus::OverQuota));
    bed.now = bed.now.after(LIMITS.retry);
    bed.tidy();
    assert_eq!(bed.names(), [""; 0], "it is not there, and nobody says so");
}

#[test]
fn more_bundles_than_may_be_are_left_out() {
    let texts = ["demo.a", "demo.b", "demo.c", "demo.d", "demo.e"];
    let files = texts.map(|text| (file("user", text), bundle(text, &[1])));
    let mut bed = Bed::looking_at(Disk { files: files.into(), ..Disk::default() });
    assert_eq!(
        (bed.store.count(), bed.found.last()),
        (4, Some(&Err(BundleStatus::OverQuota.into())))
    );
    assert_eq!(bed.begin("user", "demo.f", 99), refused(BundleStatus::OverQuota));
}

/// Statuses of a disk that does not do what it is asked.
fn status() -> impl Strategy<Value = Option<FileStatus>> {
    use FileStatus::{Busy, Damaged, Full, NoSpace, NotFound, NotReady};
    prop_oneof![
        3 => Just(None),
        1 => prop::sample::select(&[Busy, Damaged, Full, NoSpace, NotFound, NotReady])
            .prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn whatever_the_disk_refuses_only_whole_bundles_are_known(
        steps in prop::collection::vec((0..6u8, 0..3usize, status()), 1..60),
    ) {
        let texts = ["demo.a", "demo.b", "demo.c"];
        let all = texts.map(|text| bundle(text, &[5; 300]));
        let mut bed = Bed::looking_at(Disk::default());
        for (step, which, refuses) in steps {
            bed.disk.refuses = refuses;
            let (who, text) = (["user", "other", "third"][which], texts[which]);
            let ended = match step {
                0 => bed.begin(who, text, all[which].len()),
                1 => bed.bring(who, 0, &all[which][..100]),
                2 => bed.bring(who, 100, &all[which][100..]),
                3 => bed.commit(who),
                4 if bed.store.known(name(text)).is_ok() => {
                    bed.store.remove(path(who, text));
                    bed.drive(&[])
                }
                _ => {
                    bed.now = bed.now.after(LIMITS.retry);
                    Ok(End::Done)
                }
            };
            if let Ok(End::Installed(installed)) = ended {
                prop_assert!(bed.store.known(name(&installed)).is_ok());
            }
            // What is cleared away may find no disk, too.
            bed.disk.refuses.take_if(|status| *status != FileStatus::NotReady);
            bed.tidy();
            for known in bed.store.behind(None) {
                let at = texts.iter().position(|text| *text == known.name().as_str()).unwrap();
                prop_assert_eq!(known.size() as usize, all[at].len());
                let on_disk = bed.disk.files.iter().find(|(file, _)| file.ends_with(texts[at]));
                prop_assert_eq!(on_disk.map(|(_, bytes)| bytes), Some(&all[at]));
            }
        }
        bed.disk.refuses = None;
        bed.now = bed.now.after(LIMITS.idle);
        bed.tidy();
        prop_assert!(bed.disk.drafts.is_empty(), "what was given up is cleared away");
    }
}
