//! metricsd keeps its windows on a disk, over its own death.

use nexus_abi::{ExitReason, Rights};
use nexus_bounded::Nanos;
use nexus_port::BlockError;
use nexus_recipe::{Budget, Recipe, StateRecipe, StatefsdLimits};
use nexus_retention::key::SeriesKey;
use nexus_retention::segment::{Kind as Shape, Piece, Samples, Segment};
use nexus_wire::Kind;
use sim::{Bed, Make, app, device, update};
use simkit::{Config, Disk};
use statefs::blocking;

/// A disk that metricsd has for itself.
fn state(recipe: &Recipe) -> (StateRecipe, Disk) {
    let share = metricsd::share(recipe);
    let much = 10_000_000;
    let budget = Budget {
        events_per_s: much,
        events_burst: much,
        bytes_per_s: 1 << 30,
        bytes_burst: 1 << 30,
    };
    let disk_bytes = share.bytes + (8 << 20);
    let statefsd = StatefsdLimits {
        disk_bytes,
        files: share.files + 1,
        open: share.open + 1,
        pending: 4,
        retry_min: Nanos::from_secs(1),
        retry_max: Nanos::from_secs(8),
        budget,
    };
    (StateRecipe { statefsd, shares: [share].into() }, Disk::new(disk_bytes / 512))
}

pub(crate) fn bed(recipe: &Recipe) -> Bed {
    Bed::with(Make { state: Some(state(recipe)), ..Make::new(Config::kind(5), recipe) })
}

/// What was counted under a name in all sealed raw segments of the disk.
fn counted(bed: &mut Bed, name: &str) -> u64 {
    let mut disk = bed.world.disk("statefsd").clone();
    let store = blocking::mount(&mut disk, &[]).unwrap();
    let files: Vec<_> = store.list("metricsd/g1/raw.").collect();
    let mut sum = 0;
    for entry in files {
        let mut bytes = vec![0; entry.len as usize];
        let len = blocking::read(&store, &mut disk, entry.file, 0, &mut bytes).unwrap();
        assert_eq!(len, bytes.len());
        sum += counted_in(&bytes, name);
    }
    sum
}

fn counted_in(bytes: &[u8], name: &str) -> u64 {
    let mut segment = Segment::open(bytes).unwrap();
    let (mut wanted, mut sum) = (Vec::new(), 0);
    let read = segment.series(|id, form, key| {
        let key = SeriesKey::read(key).unwrap();
        if key.name.as_str() == name {
            wanted.push((id, form.kind()));
        }
    });
    assert_eq!(read, Ok(()));
    let mut samples = Samples::new();
    segment.read(&wanted, 0..=u64::MAX, &mut samples, |piece| {
        let Piece::Samples { windows, samples, .. } = piece else { panic!("damaged") };
        assert_eq!(samples.shape().kind, Shape::Counter);
        sum += (0..windows.len()).filter_map(|row| samples.counter(row)).sum::<u64>();
    });
    sum
}

#[test]
fn what_was_counted_survives_the_death_of_metricsd() {
    let recipe = device(1);
    let mut bed = bed(&recipe);
    let client = bed.world.client(&app(0), Rights::NONE);
    let frame = update(Kind::Counter, "clicks_total", "", 1);
    let mut counted_then = 0;
    for second in 0..800_u64 {
        if second == 400 {
            bed.world.kill("metricsd", ExitReason::Killed(9));
            bed.world.restart("metricsd");
            assert_eq!(bed.status("metricsd")["retention_state"], "starting");
        }
        bed.world.post(client, "metricsd", &frame).unwrap();
        bed.world.run_for(Nanos::from_secs(1));
        if second == 430 {
            counted_then = counted(&mut bed, "clicks_total");
        }
    }
    let status = bed.status("metricsd");
    assert_eq!(status["retention_state"], "keeping", "{status:?}");
    assert_eq!((&*status["retention_lost"], &*status["retention_unlogged"]), ("0", "0"));
    assert!(status["retention_raw_newest"].starts_with("2."), "{status:?}");
    assert!(status["retention_short_segments"] != "0", "{status:?}");
    // The first life ended between two syncs.
    assert!((389..=400).contains(&counted_then), "{counted_then}");
    let told = bed.journal();
    let told: Vec<_> = told
        .iter()
        .filter(|seen| seen.field("event") == Some("retention.v1"))
        .map(|seen| seen.field("state").unwrap_or_default())
        .collect();
    assert_eq!(told, ["keeping", "keeping"]);
}

#[test]
fn what_was_counted_before_the_files_are_read_is_kept_by_an_orderly_end() {
    let recipe = device(1);
    let mut bed = bed(&recipe);
    bed.world.run_for(Nanos::from_secs(5));
    bed.world.kill("metricsd", ExitReason::Killed(9));
    bed.world.pause("statefsd");
    bed.world.restart("metricsd");
    let client = bed.world.client(&app(0), Rights::NONE);
    bed.world.post(client, "metricsd", &update(Kind::Counter, "clicks_total", "", 3)).unwrap();
    bed.world.run_for(Nanos::from_millis(100));
    bed.world.stop("metricsd");
    bed.world.run_for(Nanos::from_millis(500));
    assert!(bed.world.runs("metricsd"), "the disk may answer yet");
    bed.world.resume("statefsd");
    bed.world.run_for(Nanos::from_secs(1));
    assert!(!bed.world.runs("metricsd"));
    bed.world.restart("metricsd");
    bed.world.run_for(Nanos::from_secs(5));
    assert_eq!(counted(&mut bed, "clicks_total"), 3);
}

/// A device whose files have as many bytes as they can take, and too few for an hour.
fn tight() -> Recipe {
    let mut recipe = device(1);
    let kept = &mut recipe.metricsd.retention;
    (kept.log_bytes, kept.wait_bytes) = (64 << 10, 16 << 10);
    kept.segment_bytes = 16 << 10;
    for tier in [&mut kept.raw, &mut kept.short, &mut kept.long] {
        tier.bytes = 48 << 10;
    }
    recipe.metricsd.retention.bytes = metricsd::share(&recipe).bytes;
    recipe
}

/// Series change every second; metricsd dies in the middle, and the disk fails for a while.
fn an_hour(bed: &mut Bed) {
    let client = bed.world.client(&app(0), Rights::NONE);
    for second in 0..3600_u64 {
        match second {
            1000 => {
                bed.world.kill("metricsd", ExitReason::Killed(9));
                bed.world.restart("metricsd");
            }
            2000 => {
                let disk = bed.world.disk("statefsd");
                let now = disk.requests();
                disk.fail(now, 7, BlockError::Io);
            }
            _ => {}
        }
        for series in 0..24 {
            let value = (second * second * 7919 + series * 104_729) % 997;
            let frame = update(Kind::Gauge, "level", &format!("n={series}\n"), value as i64);
            bed.world.post(client, "metricsd", &frame).unwrap();
        }
        bed.world.run_for(Nanos::from_secs(1));
    }
}

/// Series that fill several groups of windows, each of them with several blocks.
const MANY: u64 = 150;

#[test]
fn segments_are_rolled_up_block_by_block_and_not_series_by_series() {
    let mut recipe = device(1);
    recipe.metricsd.retention.buffer_bytes = 16 << 10;
    let mut bed = bed(&recipe);
    let client = bed.world.client(&app(0), Rights::NONE);
    for second in 0..800_u64 {
        for series in 0..MANY {
            let value = (second * second * 7919 + series * 104_729) % 997;
            let frame = update(Kind::Gauge, "level", &format!("n={series}\n"), value as i64);
            bed.world.post(client, "metricsd", &frame).unwrap();
        }
        bed.world.run_for(Nanos::from_secs(1));
    }
    let rolled = bed.state("metricsd", "retention_short_segments");
    let sealed = bed.state("metricsd", "retention_raw_bytes");
    println!("{} reads of {sealed} bytes in raw segments", bed.reads());
    assert!(sealed > 100_000 && bed.reads() > 10, "{rolled}: something is rolled up");
    assert!(bed.reads() < 2 * sealed / 1024, "{} reads", bed.reads());
}

#[test]
fn files_never_take_more_of_the_disk_than_the_recipe_says() {
    let recipe = tight();
    let mut bed = bed(&recipe);
    an_hour(&mut bed);
    let (most, bytes) = (bed.most_taken(), u64::from(recipe.metricsd.retention.bytes));
    println!("files took {most} bytes at most, of {bytes}");
    assert!(most > bytes / 2, "{most} of {bytes}");
    let status = bed.status("metricsd");
    assert_eq!(status["retention_state"], "keeping", "{status:?}");
    assert_ne!(status["retention_raw_oldest"], "1.0", "the oldest have made room: {status:?}");
}

#[test]
#[should_panic(expected = "bytes of the disk, of ")]
fn files_that_take_more_than_the_recipe_says_are_noticed() {
    let recipe = tight();
    let mut made = Make { state: Some(state(&recipe)), ..Make::new(Config::kind(5), &recipe) };
    made.metricsd.metricsd.retention.bytes /= 2;
    an_hour(&mut Bed::with(made));
}
