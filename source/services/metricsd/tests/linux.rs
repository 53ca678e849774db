//! metricsd as people run it: the program, its options, its socket, and a program that records.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nexus_metrics::{counter, span};
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::telemetry;
use nexus_wire::metrics::{Op, Reply, Request, SeriesValue, decode_reply, encode};

const PROGRAM: &str = env!("CARGO_BIN_EXE_metricsd");

fn metricsd(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never happens that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running metricsd; it is killed with its handle.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn started(dir: &Path, mut command: Command) -> Daemon {
    let daemon = Daemon(command.arg("--run-dir").arg(dir).stderr(Stdio::null()).spawn().unwrap());
    eventually("metricsd answers", || Connection::open(dir, "metricsd").is_ok());
    daemon
}

fn stop(mut daemon: Daemon) {
    let pid = daemon.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(daemon.0.wait().unwrap().success());
}

/// The value of a counter as metricsd has it.
fn counter(dir: &Path, name: &str) -> Option<u64> {
    let mut connection = Connection::open(dir, "metricsd").unwrap();
    let (mut cursor, mut frame, mut reply) = (0, [0; 64], [0; 4096]);
    loop {
        let request = encode(&Request::Scrape { cursor, with_help: false }, 1, &mut frame).unwrap();
        let len = connection.call(request, &mut reply).unwrap();
        let Some((_, Reply::Scrape(page))) = decode_reply(Op::Scrape, 1, &reply[..len]) else {
            panic!("a scrape is answered by a page")
        };
        let found = page.series().find(|series| series.name == name);
        if let Some(SeriesValue::Counter(value)) = found.map(|series| series.value) {
            return Some(value);
        }
        if page.next_cursor == 0 {
            return None;
        }
        cursor = page.next_cursor;
    }
}

#[test]
fn a_recipe_is_checked_and_its_memory_explained() {
    let checked = metricsd(&["--check-config"]);
    assert!(checked.status.success());
    assert!(said(&checked.stdout).contains("metricsd  total"), "{}", said(&checked.stdout));
}

#[test]
fn a_state_directory_is_one_writers_and_its_memory_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let (run, state) = (dir.path().join("run"), dir.path().join("state"));
    let state = state.to_str().unwrap();
    let checked = said(&metricsd(&["--check-config", "--state-dir", state]).stdout);
    let mut command = Command::new(PROGRAM);
    command.args(["--state-dir", state]);
    let daemon = started(&run, command);
    let image = format!("{state}/metricsd.img");
    let len = || std::fs::metadata(&image).unwrap().len();
    eventually("the image was formatted", || len() > 0);
    assert!(checked.ends_with(&format!("image of {} B\n", len())), "{checked}");
    let second = metricsd(&["--run-dir", dir.path().to_str().unwrap(), "--state-dir", state]);
    assert_eq!(second.status.code(), Some(1));
    let holder = format!("metricsd: {image}: another process (process {})", daemon.0.id());
    assert!(said(&second.stderr).starts_with(&holder), "{}", said(&second.stderr));
    stop(daemon);
}

const RECIPES: [&str; 3] = ["metrics", "device-2mib", "guest"];

fn recipe_file(name: &str) -> String {
    format!("{}/../../../recipes/observability/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_image_is_no_larger_than_its_recipe_says_and_what_is_kept_is_explained() {
    for name in RECIPES {
        let file = recipe_file(name);
        let checked = metricsd(&["--check-config", &file, "--state-dir", "/never/made"]);
        let (said, why) = (said(&checked.stdout), said(&checked.stderr));
        assert!(checked.status.success(), "{name}: {why}");
        let recipe = nexus_recipe::Recipe::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let image = said.lines().find_map(|line| line.split("image of ").nth(1)).unwrap();
        let image: u32 = image.split(' ').next().unwrap().parse().unwrap();
        assert!(image <= recipe.metricsd.retention.bytes, "{name}: {image}");
        let flash = metricsd::flash_bytes_per_day(&recipe, 200);
        assert!(said.contains(&format!("writes {flash} B a day for 200 series")), "{said}");
        assert!(said.contains(" windows of a segment, if "), "{said}");
    }
}

#[test]
fn an_image_that_would_be_larger_than_its_recipe_says_is_refused_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recipe.toml");
    let recipe = std::fs::read_to_string(recipe_file("metrics")).unwrap();
    // Its parts fit, and the store's journals do not.
    let recipe = recipe.replace("bytes = \"64 MiB\"", "bytes = \"62 MiB\"");
    std::fs::write(&file, recipe).unwrap();
    let file = file.to_str().unwrap();
    assert!(metricsd(&["--check-config", file]).status.success(), "without files it can run");
    let state = dir.path().join("state");
    let checked = metricsd(&["--check-config", file, "--state-dir", state.to_str().unwrap()]);
    let why = said(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{why}");
    assert!(why.contains("retention.bytes = 65011712 B") && why.contains("image takes"), "{why}");
    assert!(!state.exists());
}

#[test]
fn without_logd_it_says_once_whom_it_waits_for_after_its_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("said");
    let mut command = Command::new(PROGRAM);
    command.arg("--run-dir").arg(dir.path()).stderr(std::fs::File::create(&file).unwrap());
    let daemon = Daemon(command.spawn().unwrap());
    let text = || std::fs::read_to_string(&file).unwrap();
    eventually("it says whom it waits for", || text().contains("waiting"));
    // It tries again and again meanwhile.
    std::thread::sleep(Duration::from_millis(1_500));
    stop(daemon);
    let text = text();
    let lines: Vec<_> = text.lines().collect();
    let waits = format!("metricsd: waiting for logd at {}/logd.sock", dir.path().display());
    assert!(lines[0].starts_with("metricsd: memory budget "), "{text}");
    assert_eq!(lines[1], waits);
    let [last] = lines[2..] else { panic!("{text}") };
    assert!(last.starts_with("metricsd: ended with "), "{text}");
}

#[test]
fn a_group_of_readers_that_is_not_there_is_refused_before_and_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recipe.toml");
    let recipe = include_str!("../../../../recipes/observability/metrics.toml");
    let recipe = recipe.replace("readers_group = \"\"", "readers_group = \"no-such-group\"");
    std::fs::write(&file, recipe).unwrap();
    let checked = metricsd(&["--check-config", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(said(&checked.stderr).contains("no-such-group"), "{}", said(&checked.stderr));
    let run_dir = dir.path().join("run");
    let options = ["--run-dir", run_dir.to_str().unwrap(), "--config", file.to_str().unwrap()];
    assert!(said(&metricsd(&options).stderr).contains("no-such-group"));
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    let dir = tempfile::tempdir().unwrap();
    // A shell that starts it, waits until it serves, and is killed.
    let script = format!("{PROGRAM} --run-dir \"$0\" --parent $$ 2>/dev/null & wait");
    let mut shell = Command::new("sh").arg("-c").arg(script).arg(dir.path()).spawn().unwrap();
    eventually("metricsd answers", || Connection::open(dir.path(), "metricsd").is_ok());
    shell.kill().unwrap();
    shell.wait().unwrap();
    eventually("it ends in good order", || !dir.path().join("metricsd.sock").exists());
    let stranger = metricsd(&["--run-dir", dir.path().to_str().unwrap(), "--parent", "1"]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(said(&stranger.stderr).contains("--parent 1"), "{}", said(&stranger.stderr));
}

#[test]
fn it_serves_over_unix_sockets_only_and_stops_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is not there; `cargo xtask setup` installs it");
    // With -D metricsd is our own child and strace is the stranger.
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-e", "trace=socket,socketpair", "-o"]).arg(&trace).arg(PROGRAM);
    let daemon = started(dir.path(), command);
    assert_eq!(counter(dir.path(), "no_such_total"), None);
    stop(daemon);
    assert!(!dir.path().join("metricsd.sock").exists());
    let calls = std::fs::read_to_string(&trace).unwrap();
    let made: Vec<_> = calls.lines().filter(|line| line.contains("socket")).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|line| line.contains("AF_UNIX")), "{calls}");
}

#[test]
fn what_a_program_records_arrives_whether_metricsd_is_there_or_not() {
    const PATIENCE: Duration = Duration::from_secs(10);
    let dir = tempfile::tempdir().unwrap();
    let value = || counter(dir.path(), "visits_total");
    let visit = || counter!("visits_total").inc();

    let telemetry = telemetry::install(dir.path()).unwrap();
    assert!(telemetry::install(dir.path()).is_err(), "a process installs it once");
    visit();
    assert!(!telemetry.flush(PATIENCE), "nobody is there to take it");

    let daemon = started(dir.path(), Command::new(PROGRAM));
    let arrives = |expected| {
        eventually("it arrives", || {
            // There is no logd to settle anything with.
            assert!(!telemetry.flush(PATIENCE));
            value() == Some(expected)
        });
    };
    arrives(1);

    // A daemon that begins anew hears the totals again.
    stop(daemon);
    visit();
    let daemon = started(dir.path(), Command::new(PROGRAM));
    arrives(2);

    // A panic flushes before anybody catches it.
    let panicking = std::thread::spawn(move || {
        visit();
        let _span = span!("doomed");
        panic!("a planted panic");
    });
    assert!(panicking.join().is_err());
    assert_eq!(value(), Some(3));

    visit();
    drop(telemetry);
    assert_eq!(value(), Some(4), "the guard flushes when it goes");
    stop(daemon);
}
