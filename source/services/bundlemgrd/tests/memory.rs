//! All memory is taken at the start: none while bundles come and go.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use allocation_counter::measure;
use bundlemgrd::Bundlemgrd;
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_bundle::{Manifest, pack};
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::{BundlemgrdLimits, BundlesRecipe};
use nexus_wire::FileStatus;
use nexus_wire::bundles::{BundleName, BundleStatus, BundleVersion, Request, encode};
use nexus_wire::files::{self, FilesWriter, HelloReply};
use nexus_wire::policy::{self, Decision};

const RECIPE: &str = include_str!("../../../../recipes/system/bundles.toml");

fn limits() -> BundlemgrdLimits {
    BundlesRecipe::parse(RECIPE).unwrap().bundlemgrd
}

/// A world that takes no memory; a disk that forgets what is on it but does what it is asked.
struct Still {
    asked: Option<(ServiceId, CallId, [u8; 4096], usize)>,
    answers: [u64; 11],
}

impl World for Still {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.answers[usize::from(frame[4])] += 1;
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let mut kept = [0; 4096];
        kept[..frame.len()].copy_from_slice(frame);
        assert!(self.asked.replace((to, call, kept, frame.len())).is_none(), "one at a time");
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

fn answer<'b>(to: ServiceId, frame: &[u8], out: &'b mut [u8]) -> &'b [u8] {
    if to == ServiceId::from_name("policyd") {
        let allowed = policy::reply(policy::decode(frame).unwrap().nonce, Decision::Allowed);
        out[..10].copy_from_slice(&allowed);
        return &out[..10];
    }
    let files::Frame { nonce, request } = files::decode(frame).unwrap();
    match request {
        files::Request::Hello => {
            HelloReply { epoch: 5, ..HelloReply::default() }.encode(nonce, out)
        }
        files::Request::List(_) => FilesWriter::new(nonce, out).finish(false),
        _ => {
            out[..9].copy_from_slice(&files::plain_reply(
                request.op().raw(),
                FileStatus::Ok,
                nonce,
            ));
            Ok(&out[..9])
        }
    }
    .unwrap()
}

struct Bed {
    bundlemgrd: Bundlemgrd,
    world: Still,
    now: u64,
}

impl Bed {
    fn handle(&mut self, event: Event<'_>) {
        self.now += 1;
        let now = Now { mono: Mono(self.now), wall: None };
        self.bundlemgrd.handle(now, event, &mut self.world);
    }

    fn ask(&mut self, request: &Request<'_>) {
        let from = ServiceId::from_name("user");
        let from = Sender::stamped(from, 7, Incarnation::new(1), Rights::NONE);
        let (mut frame, mut out) = ([0; 4096], [0; 4096]);
        let frame = encode(request, 1, &mut frame).unwrap();
        self.handle(Event::Request { from, token: Token::from_raw(1), frame });
        while let Some((to, call, asked, len)) = self.world.asked.take() {
            let answer = answer(to, &asked[..len], &mut out);
            self.handle(Event::Completion { call, result: Ok(answer) });
        }
    }
}

fn day(bed: &mut Bed, name: BundleName<'_>, bundle: &[u8]) {
    bed.ask(&Request::Begin { name, size: bundle.len() as u32 });
    for (at, bytes) in bundle.chunks(1000).enumerate() {
        bed.ask(&Request::Bring { at: at as u32 * 1000, bytes });
    }
    bed.ask(&Request::Commit);
    bed.ask(&Request::Query { name });
    bed.ask(&Request::List { after: None });
    bed.ask(&Request::Remove { name });
    bed.ask(&Request::Fetch { name, at: 0, max: 100 });
    bed.ask(&Request::GiveUp);
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let (name, version) = (BundleName::new("demo").unwrap(), BundleVersion::new("1").unwrap());
    let (memory_kib, rights) = (64, Rights::NONE);
    let manifest = Manifest { name, version, entry: name, memory_kib, rights, program_bytes: 0 };
    let bundle = pack(&manifest, &[7; 5000]).unwrap();
    let world = Still { asked: None, answers: [0; 11] };
    let mut bed = Bed { bundlemgrd: Bundlemgrd::new(&limits(), &[]), world, now: 0 };
    // Places in the source take their series when they first count, and the disk is looked at.
    (0..2).for_each(|_| day(&mut bed, name, &bundle));
    bed.world.answers = [0; 11];
    let taken = measure(|| (0..20).for_each(|_| day(&mut bed, name, &bundle)));
    assert_eq!(taken.count_total, 0);
    let answered = |status: BundleStatus| bed.world.answers[usize::from(status.raw())];
    assert_eq!(answered(BundleStatus::Ok), 20 * 11);
    assert_eq!([BundleStatus::NotFound, BundleStatus::OutOfOrder].map(answered), [20, 20]);
}

#[test]
fn what_is_taken_counts() {
    let limits = limits();
    assert_ne!(measure(|| drop(Bundlemgrd::new(&limits, &[]))).count_total, 0);
}
