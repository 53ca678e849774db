//! One lane of calls, spoken to by whoever asks its owner.

use nexus_abi::{ExitReason, Rights};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, Event, Now, Service, Token};
use nexus_retention::PatientFiles;
use nexus_retention::files::{Failure, Files, Trouble};
use nexus_wire::FileStatus;
use nexus_wire::files::{
    Append, FileName, NewFile, Op, Read, Reply, Request, Target, decode, encode, plain_reply,
};
use simkit::{Client, Disk, World};

use crate::bed::{OWNER, SECTORS, STATEFSD, world};

/// Asks statefsd what it is asked, and answers in words.
struct Relay {
    files: Files,
    asker: Option<Token>,
}

impl Relay {
    fn say(&mut self, words: &str, world: &mut impl nexus_port::World) {
        world.reply(self.asker.take().unwrap(), words.as_bytes());
    }
}

fn words(outcome: &Result<Reply<'_>, Failure>) -> String {
    match outcome {
        Ok(Reply::Read(read)) => format!("{:?}", read.bytes),
        Ok(Reply::Hello(hello)) => format!("epoch {}", hello.epoch),
        Ok(_) => "ok".to_owned(),
        Err(failure) => format!("{failure:?}"),
    }
}

impl Service for Relay {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl nexus_port::World) {
        match event {
            Event::Request { token, frame, .. } => {
                self.asker = Some(token);
                let request = decode(frame).unwrap().request;
                if let Err(failure) = self.files.begin(&request, now.mono, world) {
                    self.say(&format!("not sent: {failure:?}"), world);
                }
                assert_eq!(self.files.since().is_some(), !self.files.is_idle());
            }
            Event::Completion { call, result } => {
                assert!(self.files.ended(CallId(call.0 + 1), result).is_none());
                let outcome = self.files.ended(call, result).unwrap();
                self.say(&words(&outcome), world);
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn stopped(&self) -> bool {
        true
    }
}

struct Rig {
    world: World,
    client: Client,
}

impl Rig {
    fn new(disk: Option<Disk>) -> Self {
        let mut world = world(disk, |_| Relay { files: Files::new(3), asker: None });
        let client = world.client("test", Rights::NONE);
        Self { world, client }
    }

    fn ask(&mut self, request: &Request<'_>) -> String {
        let mut out = [0; 4096];
        let frame = encode(request, 0, &mut out).unwrap();
        String::from_utf8(self.world.call(self.client, OWNER, frame).unwrap()).unwrap()
    }
}

fn a() -> FileName<'static> {
    FileName::new("a").unwrap()
}

#[test]
fn what_is_asked_of_a_lane_is_asked_of_statefsd_and_its_answers_come_back() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)));
    let name = a();
    let to = Target { name, draft: false };
    let create = Request::Create(NewFile { name, capacity: 1000 });
    assert_eq!(rig.ask(&create), "ok");
    assert_eq!(rig.ask(&create), "Refused(Exists)");
    assert_eq!(rig.ask(&Request::Append(Append { to, at: 0, bytes: &[1, 2, 3] })), "ok");
    assert_eq!(rig.ask(&Request::Append(Append { to, at: 0, bytes: &[1] })), "Refused(Conflict)");
    assert_eq!(rig.ask(&Request::Read(Read { draft: false, name, at: 1, max: 9 })), "[2, 3]");
    assert_eq!(rig.ask(&Request::Sync { epoch: 7 }), "Refused(Lost)");
}

#[test]
fn without_a_disk_or_a_statefsd_it_says_so_and_goes_on() {
    let mut rig = Rig::new(None);
    assert_eq!(rig.ask(&Request::Hello), "Refused(NotReady)");
    rig.world.kill(STATEFSD, ExitReason::Killed(9));
    assert_eq!(rig.ask(&Request::Hello), "not sent: Absent");
    rig.world.restart(STATEFSD);
    rig.world.attach(STATEFSD, Disk::new(SECTORS));
    rig.world.settle();
    assert_eq!(rig.ask(&Request::Hello), "epoch 562954248388609");
}

#[test]
fn an_answer_to_something_else_is_none() {
    let mut files = Files::new(0);
    let mut world = silent::Silent;
    for (answer, failure) in [
        (plain_reply(Op::Sync.raw(), FileStatus::Ok, 1), None),
        (plain_reply(Op::Sync.raw(), FileStatus::Lost, 2), Some(FileStatus::Lost)),
    ] {
        files.begin(&Request::Sync { epoch: 1 }, Mono(5), &mut world).unwrap();
        let outcome = files.ended(CallId(0x4000_0000), Ok(&answer)).unwrap();
        assert_eq!(outcome.err(), failure.map(Failure::Refused));
    }
    for garbled in [&[][..], &plain_reply(Op::Stat.raw(), FileStatus::Ok, 3)] {
        files.begin(&Request::Sync { epoch: 1 }, Mono(5), &mut world).unwrap();
        let outcome = files.ended(CallId(0x4000_0000), Ok(garbled)).unwrap();
        assert_eq!(outcome, Err(Failure::Garbled));
    }
}

fn patient() -> PatientFiles {
    PatientFiles::new(Nanos::from_secs(10), Nanos::from_millis(5))
}

const LANE: CallId = CallId(0x4000_0000);

#[test]
fn what_came_too_fast_is_asked_again_a_little_later_and_not_for_ever() {
    let (mut files, mut world) = (patient(), silent::Silent);
    files.begin(&Request::Sync { epoch: 1 }, Mono(0), &mut world).unwrap();
    let busy = plain_reply(Op::Sync.raw(), FileStatus::Busy, 1);
    assert_eq!(files.ended(LANE, Ok(&busy), Mono(10)), None);
    assert_eq!(files.deadline(), Some(Mono(5_000_010)));
    assert!(!files.expired(Mono(5_000_010), &mut world));
    let ok = plain_reply(Op::Sync.raw(), FileStatus::Ok, 1);
    assert_eq!(files.ended(LANE, Ok(&ok), Mono(5_000_020)), Some(Ok(Reply::Plain)));
    files.begin(&Request::Sync { epoch: 1 }, Mono(0), &mut world).unwrap();
    let busy = plain_reply(Op::Sync.raw(), FileStatus::Busy, 2);
    assert_eq!(files.ended(LANE, Ok(&busy), Mono(9_999_000_000)), None);
    assert!(files.expired(Mono(10_000_000_000), &mut world));
    assert_eq!(files.deadline(), None, "it is not asked again");
}

#[test]
fn what_was_given_up_holds_the_way_until_it_has_ended() {
    let (mut files, mut world) = (patient(), silent::Silent);
    let sync = Request::Sync { epoch: 1 };
    files.begin(&sync, Mono(0), &mut world).unwrap();
    assert!(!files.expired(Mono(9_999_999_999), &mut world));
    assert!(files.expired(Mono(10_000_000_000), &mut world));
    let busy = Err(Failure::Refused(FileStatus::Busy));
    assert_eq!(files.begin(&sync, Mono(10_000_000_001), &mut world), busy);
    let late = plain_reply(Op::Sync.raw(), FileStatus::Ok, 1);
    assert_eq!(files.ended(LANE, Ok(&late), Mono(10_000_000_002)), None, "nobody waits");
    assert_eq!(files.begin(&sync, Mono(10_000_000_003), &mut world), Ok(()));
    let died = files.ended(LANE, Err(CallError::PeerDied), Mono(10_000_000_004));
    assert_eq!(died, Some(Err(FileStatus::NotReady)));
}

mod silent {
    use nexus_abi::ServiceId;
    use nexus_port::{CallId, SubmitError, Token, World};

    /// A world that takes every call and says nothing.
    pub(super) struct Silent;

    impl World for Silent {
        fn reply(&mut self, _: Token, _: &[u8]) {}

        fn submit(&mut self, to: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
            assert_eq!(to, ServiceId::from_name("statefsd"));
            Ok(())
        }

        fn print(&mut self, _: &str) {}
    }
}

#[test]
fn every_failure_means_a_trouble_and_every_trouble_has_a_name_of_its_own() {
    assert_eq!(Failure::Absent.trouble(), Trouble::NoDisk);
    assert_eq!(Failure::Refused(FileStatus::OverQuota).trouble(), Trouble::Full);
    assert_eq!(Failure::Refused(FileStatus::Lost).trouble(), Trouble::IoError);
    assert_eq!(Failure::Refused(FileStatus::Busy).trouble(), Trouble::Slow);
    let mut names = Trouble::ALL.map(Trouble::name);
    assert!(Trouble::ALL.iter().enumerate().all(|(at, trouble)| trouble.index() == at));
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}
