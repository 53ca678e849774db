//! The services of the image in the simulated world, each with those it asks.

use bundlemgrd::Bundlemgrd;
use dsoftbusd::{Dsoftbusd, Says};
use entropyd::Entropyd;
use execd::Execd;
use nexus_abi::{ExitReason, Rights};
use nexus_bundle::{Left, LoadError, Manifest, Processes, Program, StartError, pack};
use nexus_port::Service;
use nexus_recipe::{BundlesRecipe, Keys, Policy};
use nexus_wire::bundles::{BundleName, BundleVersion};
use policyd::Policyd;
use simkit::{Disk, Start, World};
use timed::Timed;

mod counts;

use counts::Counts;

/// Who asks them.
pub(crate) const ME: &str = "selftest-client";
const BUNDLES: &str = include_str!("../../../../../recipes/system/bundles.toml");
const KEYS: &str = include_str!("../../../../../recipes/system/keys.toml");
const POLICY: &str = include_str!("../../../../../recipes/system/policy.toml");

/// Processes that end as soon as they have begun.
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
            (self.ended, ExitReason::Exited(0))
        })
    }

    fn recorded(&mut self) {}
}

fn boot() -> &'static [&'static [u8]] {
    let manifest = Manifest {
        name: BundleName::new("demo.hello").unwrap(),
        version: BundleVersion::new("1").unwrap(),
        entry: BundleName::new("demo-hello").unwrap(),
        memory_kib: 64,
        rights: Rights::NONE,
        program_bytes: 0,
    };
    vec![&*pack(&manifest, &[7; 9000]).unwrap().leak()].leak()
}

fn endpoint(name: &'static str, says: Says) -> impl FnMut(Start) -> Dsoftbusd {
    move |_| Dsoftbusd::new(&Keys::parse(KEYS).unwrap().ring(name).unwrap(), says)
}

/// How services are put into a world.
pub(crate) trait Host {
    /// Puts one there.
    fn spawn<S: Service + 'static>(
        &self,
        world: &mut World,
        name: &str,
        make: impl FnMut(Start) -> S + 'static,
    );
}

/// All of them, as each needs some of the others.
pub(crate) fn spawn_services(host: &impl Host, world: &mut World) {
    world.spawn("statefsd", |start| guest::statefsd(start.boot));
    world.attach("statefsd", Disk::new(guest::state_recipe().statefsd.disk_bytes / 512));
    host.spawn(world, "policyd", |_| Policyd::new(&Policy::parse(POLICY).unwrap()));
    host.spawn(world, "timed", |_| Timed::new());
    host.spawn(world, "entropyd", |_| Entropyd::new(Counts(1)));
    host.spawn(world, "dsoftbusd-peer", endpoint("dsoftbusd-peer", Says::PEER));
    host.spawn(world, "dsoftbusd", endpoint("dsoftbusd", Says::LOCAL));
    let BundlesRecipe { bundlemgrd, execd, .. } = BundlesRecipe::parse(BUNDLES).unwrap();
    let boot = boot();
    host.spawn(world, "bundlemgrd", move |_| Bundlemgrd::new(&bundlemgrd, boot));
    host.spawn(world, "execd", move |_| Execd::new(&execd, Short::default()));
}
