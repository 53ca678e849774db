//! One sender makes up labels and names without end: people see who, what, how much, and that
//! nobody else has lost anything.

use nexus_rt::linux::client::Connection;
use nexus_wire::metrics::{Request, Update, encode};
use nexus_wire::{LabelBytes, NameBytes};
use serde_json::Value;

use crate::support::{Daemon, Folder, eventually, obsctl, obsctl_at, status, text};

const ATTACKER: &str = "execd";
const VICTIM: &str = "hostprobe";
/// Distinct ones of either sort: both together are within the recipe's burst.
const DISTINCT: u64 = 9_000;
/// What the recipe keeps apart: series of a metric, and metrics of a sender.
const CAP: u64 = 256;
/// Requests under way at a time.
const CHUNK: u64 = 32;

fn frame(name: &str, labels: &str) -> Vec<u8> {
    let (name, labels) = (NameBytes::new(name.as_bytes()), LabelBytes::new(labels.as_bytes()));
    let update = Update { name: name.unwrap(), labels: labels.unwrap(), value: 2 };
    encode(&Request::CounterInc(update), 1, &mut [0; 512]).unwrap().to_vec()
}

fn attack(folder: &Folder) {
    let mut metricsd = Connection::open(place(folder, ATTACKER), "metricsd").unwrap();
    let labels = |at: u64| frame("hits", &format!("user=u{at}\n"));
    let names = |at: u64| frame(&format!("made_up{at}"), "");
    let frames: [&dyn Fn(u64) -> Vec<u8>; 2] = [&labels, &names];
    for of in frames {
        for from in (0..DISTINCT).step_by(CHUNK as usize) {
            let chunk = from..DISTINCT.min(from + CHUNK);
            chunk.clone().for_each(|at| metricsd.send(&of(at)).unwrap());
            chunk.for_each(|_| {
                metricsd.recv(&mut [0; 64], std::time::Duration::from_secs(30)).unwrap();
            });
        }
    }
}

/// A file with the recipe that is built in, but for a quarantine that outlasts the slowest machine.
fn recipe(folder: &Folder) -> String {
    let built_in = include_str!("../../../../recipes/observability/metrics.toml");
    let file = folder.0.join("recipe.toml");
    let (short, long) = ("quarantine = \"60 s\"", "quarantine = \"1 d\"");
    assert!(built_in.contains(short));
    std::fs::write(&file, built_in.replace(short, long)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Where somebody speaks as `service`.
fn place(folder: &Folder, service: &str) -> std::path::PathBuf {
    folder.0.join("svc").join(service)
}

/// The objects that obsctl prints.
fn objects(folder: &Folder, args: &[&str]) -> Vec<Value> {
    let said = text(&obsctl(folder, &[args, &["-o", "json"]].concat()).stdout);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Those of them whose `key` is `value`, and of these what no clock changes.
fn of(all: Vec<Value>, key: &str, value: &str) -> Vec<Value> {
    let mut all: Vec<_> = all.into_iter().filter(|object| object[key] == value).collect();
    for object in all.iter_mut().filter_map(Value::as_object_mut) {
        let timed = ["rate_per_s", "window_short", "window_long", "events_left", "bytes_left"];
        timed.into_iter().for_each(|key| drop(object.remove(key)));
    }
    all
}

/// All that people see of the victim.
fn victim(folder: &Folder) -> [Vec<Value>; 4] {
    [
        of(objects(folder, &["metrics"]), "service", VICTIM),
        of(objects(folder, &["logs"]), "service", VICTIM),
        objects(folder, &["spans"]),
        of(objects(folder, &["audit"]), "sender", VICTIM),
    ]
}

#[test]
fn what_a_sender_without_bounds_does_is_seen_and_hurts_nobody_else() {
    let folder = Folder::new("caps");
    let serve = ["--serve", "metricsd", "--serve", VICTIM];
    let _logd = Daemon::start(&folder, "logd", &serve);
    let config = recipe(&folder);
    let serve = ["--serve", ATTACKER, "--serve", VICTIM, "--config", &config];
    let _metricsd = Daemon::start(&folder, "metricsd", &serve);
    for args in [&["count", "n_total", "5"][..], &["log", "before"], &["run", "--", "true"]] {
        assert!(obsctl_at(&place(&folder, VICTIM), args).status.success(), "{args:?}");
    }
    eventually("the span is in the journal", || objects(&folder, &["spans"]).len() == 1);
    let before = victim(&folder);
    assert!(before.iter().all(|part| !part.is_empty()), "{before:?}");

    attack(&folder);

    assert_eq!(victim(&folder), before);
    assert_series_are_capped(&folder);
    assert_overflow_is_told(&folder);
}

fn assert_series_are_capped(folder: &Folder) {
    let all = of(objects(folder, &["metrics"]), "service", ATTACKER);
    let total = |all: &[Value]| all.iter().map(|one| one["value"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(total(&all), 2 * 2 * DISTINCT, "what was counted is there to the last one");
    let (hits, names): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one["name"] == "hits");
    for (sort, kept) in [(hits, CAP), (names, CAP - 1)] {
        let (overflow, kept_apart): (Vec<_>, Vec<_>) =
            sort.into_iter().partition(|one| one["overflow"] == true);
        assert_eq!((kept_apart.len() as u64, overflow.len()), (kept, 1));
        assert_eq!(total(&overflow), 2 * (DISTINCT - kept));
    }
    let table = text(&obsctl(folder, &["metrics", "hits"]).stdout);
    assert_eq!(table.matches("(overflow)").count(), 1, "{table}");
}

fn assert_overflow_is_told(folder: &Folder) {
    let folded = 2 * DISTINCT - (2 * CAP - 1);
    let output = obsctl(folder, &["audit"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let rows = of(objects(folder, &["audit"]), "sender", ATTACKER);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row["offered"], 2 * DISTINCT);
    assert_eq!((&row["accepted"], &row["folded"]), (&(2 * CAP - 1).into(), &folded.into()));
    let said = text(&obsctl(folder, &["status"]).stdout);
    let quarantined = format!("! {ATTACKER}: counter hits in quarantine until ");
    let of_label = format!("{} folded, most by label user", DISTINCT - CAP);
    assert!(said.contains(&quarantined) && said.contains(&of_label), "{said}");
    assert!(said.contains(&format!("! {ATTACKER}: folded into overflow {folded}")), "{said}");
    assert_eq!(status(folder, "folds"), Some(folded.to_string()));
}
