//! All memory is taken at the start: none while programs start, end well and crash.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use allocation_counter::measure;
use execd::Execd;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_bundle::{Left, LoadError, Manifest, Processes, Program, StartError, pack};
use nexus_port::{CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::{BundlesRecipe, ExecdLimits};
use nexus_wire::bundles::{
    self, BundleName, BundleVersion, Info, Origin, Piece, encode_info, encode_piece,
};
use nexus_wire::exec::{Request, encode};
use nexus_wire::policy::{self, Decision};

const RECIPE: &str = include_str!("../../../../recipes/system/bundles.toml");

fn limits() -> ExecdLimits {
    BundlesRecipe::parse(RECIPE).unwrap().execd
}

/// Processes that end as soon as somebody looks, each third one badly.
#[derive(Default)]
struct Short {
    latest: u32,
    ended: u32,
}

impl Processes for Short {
    type Loaded = ();

    fn left(&mut self) -> Option<Left> {
        None
    }

    fn load(&mut self, _: &Program) -> Result<(), LoadError> {
        Ok(())
    }

    fn start(&mut self, (): (), _: Rights) -> Result<u32, StartError> {
        self.latest += 1;
        Ok(self.latest)
    }

    fn kill(&mut self, _: u32) {}

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        (self.ended < self.latest).then(|| {
            self.ended += 1;
            (self.ended, ExitReason::Exited(i32::from(self.ended.is_multiple_of(3))))
        })
    }

    fn recorded(&mut self) {}
}

/// A world that takes no memory; logd is not there.
struct Still {
    asked: Option<(ServiceId, CallId, [u8; 128], usize)>,
    crashes: u32,
}

impl World for Still {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if to == ServiceId::from_name("logd") {
            return Err(SubmitError::NotReady);
        }
        let mut kept = [0; 128];
        kept[..frame.len()].copy_from_slice(frame);
        assert!(self.asked.replace((to, call, kept, frame.len())).is_none(), "one at a time");
        Ok(())
    }

    fn print(&mut self, line: &str) {
        self.crashes += u32::from(line.starts_with("execd: crash report pid="));
    }
}

struct Bed {
    execd: Execd<Short>,
    world: Still,
    bundle: Vec<u8>,
    now: u64,
}

impl Bed {
    fn handle(&mut self, event: Event<'_>) {
        self.now += 1;
        let now = Now { mono: Mono(self.now), wall: None };
        self.execd.handle(now, event, &mut self.world);
    }

    fn start(&mut self) {
        let from = ServiceId::from_name("user");
        let from = Sender::stamped(from, 7, Incarnation::new(1), Rights::NONE);
        let (mut frame, mut out) = ([0; 64], [0; 4096]);
        let frame = encode(&Request::Start { name: demo() }, 1, &mut frame).unwrap();
        self.handle(Event::Request { from, token: Token::from_raw(1), frame });
        while let Some((to, call, asked, len)) = self.world.asked.take() {
            let len = answer(to, &asked[..len], &self.bundle, &mut out);
            self.handle(Event::Completion { call, result: Ok(&out[..len]) });
        }
    }
}

fn demo() -> BundleName<'static> {
    BundleName::new("demo").unwrap()
}

fn answer(to: ServiceId, frame: &[u8], bundle: &[u8], out: &mut [u8]) -> usize {
    if to == ServiceId::from_name("policyd") {
        let allowed = policy::reply(policy::decode(frame).unwrap().nonce, Decision::Allowed);
        out[..10].copy_from_slice(&allowed);
        return 10;
    }
    let bundles::Frame { echo, request } = bundles::decode(frame).unwrap();
    let size = bundle.len() as u32;
    if let bundles::Request::Fetch { at, max, .. } = request {
        let rest = &bundle[at as usize..];
        let bytes = &rest[..rest.len().min(max.into())];
        return encode_piece(&Piece { size, bytes }, echo.nonce, out).unwrap().len();
    }
    let (version, origin) = (BundleVersion::new("1").unwrap(), Origin::Boot);
    let digest = *bundle.last_chunk().unwrap();
    let (memory_kib, rights, entry) = (64, Rights::QUERY, demo());
    let info = Info { size, memory_kib, rights, origin, version, entry, digest };
    encode_info(&info, echo.nonce, out).unwrap().len()
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let (name, version) = (demo(), BundleVersion::new("1").unwrap());
    let (memory_kib, rights) = (64, Rights::QUERY);
    let manifest = Manifest { name, version, entry: name, memory_kib, rights, program_bytes: 0 };
    let bundle = pack(&manifest, &[7; 5000]).unwrap();
    let world = Still { asked: None, crashes: 0 };
    let execd = Execd::new(&limits(), Short::default());
    let mut bed = Bed { execd, world, bundle, now: 0 };
    // Places in the source take their series, and spans their lane, when they are first needed.
    (0..3).for_each(|_| bed.start());
    assert_eq!(bed.world.crashes, 1);
    let taken = measure(|| (0..30).for_each(|_| bed.start()));
    assert_eq!((taken.count_total, bed.world.crashes), (0, 11));
}

#[test]
fn what_is_taken_counts() {
    let limits = limits();
    assert_ne!(measure(|| drop(Execd::new(&limits, Short::default()))).count_total, 0);
}
