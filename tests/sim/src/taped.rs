//! A run of metricsd whose tape is recorded, and the tape played in the simulated world.

use std::collections::BTreeMap;
use std::rc::Rc;

use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{ExitReason, Rights};
use nexus_bounded::Nanos;
use nexus_recipe::{Recipe, StateRecipe};
use nexus_wire::Kind;
use simkit::{Config, Disk, World};
use statefs::blocking;
use statefsd::Statefsd;
use tape::{Player, Recording, Tape};

use crate::update;

const RECIPE: &str = include_str!("../../../recipes/observability/guest.toml");
const STATE: &str = include_str!("../../../recipes/observability/state.toml");
/// A sender that the recipe knows.
const SENDER: &str = "selftest-client";
/// Seconds that are recorded.
const SECONDS: u64 = 190;
/// When the owner of the files dies, and when it is there again.
const DEATH: u64 = 70;
const RETURN: u64 = 72;

/// What was recorded.
pub struct Recorded {
    /// The entries of the tape.
    pub entries: Vec<u8>,
    /// What is durable at the end, by the names that metricsd gives its files.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The recipe that metricsd lives by on tapes.
#[must_use]
pub fn recipe() -> Recipe {
    tape::recipe(Recipe::parse(RECIPE).expect("the guest's recipe is legal"))
}

fn world(tape: &Tape) -> World {
    let state = StateRecipe::parse(STATE).expect("the guest's recipe is legal");
    let disk = Disk::new(state.statefsd.disk_bytes / 512);
    let mut world = World::with(Config::unkind(9));
    world
        .spawn("statefsd", move |start| Statefsd::new(&state, start.boot).expect("a legal recipe"));
    world.attach("statefsd", disk);
    world.run_for(Nanos::from_secs(1));
    let recipe = recipe();
    let of_logd = recipe.clone();
    world.spawn("logd", move |start| Logd::new(&of_logd, start.boot, Keep::Nothing));
    let tape = Rc::clone(tape);
    world.spawn_with("metricsd", Rights::QUERY, move |start| {
        assert_eq!(start.boot, tape::BOOT, "one life is recorded");
        Recording::new(Metricsd::new(&recipe, start.boot, Keep::Files), Rc::clone(&tape))
    });
    world
}

/// Records a run: senders come and go, the owner of the files dies and comes back, segments of all
/// lengths are sealed, and some are asked for.
#[must_use]
pub fn record() -> Recorded {
    let tape = Tape::default();
    let mut world = world(&tape);
    let client = world.client(SENDER, Rights::SCRAPE);
    for second in 0..SECONDS {
        match second {
            DEATH => world.kill("statefsd", ExitReason::Killed(9)),
            RETURN => world.restart("statefsd"),
            _ if second % 50 == 49 => drop(world.renew(client, ExitReason::Exited(0))),
            _ => {}
        }
        for frame in frames(second) {
            world.post(client, "metricsd", &frame).expect("metricsd is there");
        }
        world.run_for(Nanos::from_secs(1));
    }
    let files = files(world.disk("statefsd"));
    let entries = tape.borrow().clone();
    Recorded { entries, files }
}

/// Series that all change at some moments.
const CROWD: u64 = 240;
/// Of a metric.
const ROW: u64 = 60;

/// What is sent in a second.
fn frames(second: u64) -> Vec<Vec<u8>> {
    let crowd = if second % 60 == 20 { CROWD } else { 2 };
    let of_crowd = (0..crowd).map(|at| {
        let (row, at) = (at / ROW, at % ROW);
        let value = (second * 31 + at * 17) as i64;
        update(Kind::Gauge, &format!("crowd_{row}"), &format!("at={at}\n"), value)
    });
    of_crowd.chain(few_frames(second)).collect()
}

fn few_frames(second: u64) -> Vec<Vec<u8>> {
    let moved = (second * second * 7919 % 1000) as i64;
    let device = format!("device=d{}\n", second % 5);
    vec![
        update(Kind::Counter, "read_bytes_total", &device, moved),
        update(Kind::Gauge, "queue_length", "", moved - 500),
        update(Kind::Histogram, "read_ns", "", moved * moved),
    ]
}

/// The files of metricsd on a disk after a cut of power.
fn files(disk: &Disk) -> BTreeMap<String, Vec<u8>> {
    let mut disk = disk.cut(&[]);
    let store = blocking::mount(&mut disk, &[]).expect("a store");
    let names: Vec<_> = store
        .list("metricsd/")
        .map(|file| (file.name.as_str().to_owned(), file.file, file.len))
        .collect();
    let files = names.into_iter().map(|(name, file, len)| {
        let mut bytes = vec![0; len as usize];
        let read = blocking::read(&store, &mut disk, file, 0, &mut bytes).expect("its bytes");
        assert_eq!(read, bytes.len());
        (name.trim_start_matches("metricsd/").to_owned(), bytes)
    });
    files.collect()
}

/// metricsd, to which a tape is played.
#[must_use]
pub fn player() -> Player<Metricsd> {
    Player::new(Metricsd::new(&recipe(), tape::BOOT, Keep::Files))
}

/// Plays a tape as a process of the simulated world: the player at the end, and its lines.
pub fn play_simulated<T>(
    tape: &[u8],
    look: impl FnOnce(&Player<Metricsd>) -> T,
) -> (T, Vec<String>) {
    let mut world = World::new(1);
    world.spawn("tape", |_| player());
    world.attach("tape", Disk::from_image(tape));
    world.run_for(Nanos::from_secs(1));
    let lines = world.console().iter().map(|line| line.text.clone()).collect();
    (look(world.service("tape")), lines)
}
