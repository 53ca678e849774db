//! metricsd keeps its windows on a disk: over its own death, and at a bounded price.

use nexus_abi::{ExitReason, Rights};
use nexus_bounded::Nanos;
use nexus_recipe::{Budget, Recipe, StateRecipe, StatefsdLimits};
use nexus_retention::key::SeriesKey;
use nexus_retention::segment::{Kind as Shape, Piece, Samples, Segment};
use nexus_wire::Kind;
use sim::{Bed, Make, app, device, machine, update};
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

fn bed(recipe: &Recipe) -> Bed {
    Bed::with(Make { state: Some(state(recipe)), ..Make::new(Config::kind(5), recipe) })
}

/// What was counted under a name in all sealed raw segments of the disk.
fn counted(bed: &mut Bed, name: &str) -> u64 {
    let mut disk = bed.world.disk("statefsd").clone();
    let store = blocking::mount(&mut disk, &[]).expect("a store");
    let files: Vec<_> = store.list("metricsd/g1/raw.").collect();
    let mut sum = 0;
    for entry in files {
        let mut bytes = vec![0; entry.len as usize];
        let len = blocking::read(&store, &mut disk, entry.file, 0, &mut bytes).expect("its bytes");
        assert_eq!(len, bytes.len());
        sum += counted_in(&bytes, name);
    }
    sum
}

fn counted_in(bytes: &[u8], name: &str) -> u64 {
    let mut segment = Segment::open(bytes).expect("a segment");
    let (mut wanted, mut sum) = (Vec::new(), 0);
    let read = segment.series(|id, form, key| {
        let key = SeriesKey::read(key).expect("a key");
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
        bed.world.post(client, "metricsd", &frame).expect("it serves");
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
        .filter_map(|seen| {
            (seen.field("event") == Some("retention.v1"))
                .then(|| seen.field("state").unwrap_or_default())
        })
        .collect();
    assert_eq!(told, ["keeping", "keeping"]);
}

#[test]
fn what_is_written_a_day_is_what_the_recipe_makes_expected() {
    let recipe = machine(1);
    let mut bed = bed(&recipe);
    let client = bed.world.client(&app(0), Rights::NONE);
    let mut value = 1_i64;
    let mut written = 0;
    for ten in 0..390_u64 {
        // Five minutes for a beginning, and an hour for the measure.
        if ten == 30 {
            written = bed.world.disk("statefsd").sectors_written();
        }
        for series in 0..200_u64 {
            value = value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (kind, name) = match series % 5 {
                0 | 1 => (Kind::Counter, "app_counter_total"),
                _ => (Kind::Gauge, "app_gauge"),
            };
            let moved = value.unsigned_abs() >> 55;
            let value = if series % 5 == 4 { 500 } else { moved as i64 };
            let frame = update(kind, name, &format!("n={series}\n"), value);
            bed.world.post(client, "metricsd", &frame).expect("it serves");
        }
        bed.world.run_for(Nanos::from_secs(10));
    }
    let written = (bed.world.disk("statefsd").sectors_written() - written) * 512 * 24;
    let expected = metricsd::flash_bytes_per_day(&recipe, 200);
    println!("{written} bytes a day are written, {expected} were expected");
    assert!(written <= 32_000_000, "{written}");
    assert!(expected <= 32_000_000, "{expected}");
    // Expected is what it takes if series do not change together.
    assert!(written <= expected && expected < written / 2 * 3, "{written} and {expected}");
    assert_eq!(bed.state("metricsd", "retention_flash_bytes_per_day"), expected);
}
