//! logd as people run it: the program, its options, its socket.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nexus_rt::linux::client::Connection;
use nexus_rt::linux::telemetry::{self, Telemetry};

const STATS: [u8; 4] = [b'L', b'O', 1, 3];

fn logd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logd")).args(args).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running logd; it is killed with its handle.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until a daemon in `dir` answers.
fn connected(dir: &Path, daemon: &mut Daemon) -> Connection {
    let begin = Instant::now();
    loop {
        if let Ok(connection) = Connection::open(dir, "logd") {
            return connection;
        }
        assert!(daemon.0.try_wait().unwrap().is_none(), "logd has ended");
        assert!(begin.elapsed() < Duration::from_secs(60), "logd does not answer");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_recipe_is_checked_and_its_memory_explained() {
    let checked = logd(&["--check-config"]);
    assert!(checked.status.success());
    assert!(said(&checked.stdout).contains("logd      total"), "{}", said(&checked.stdout));
}

#[test]
fn a_bad_recipe_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = dir.path().join("bad.toml");
    std::fs::write(&recipe, "[logd]\njournal_records = \"many\"\n").unwrap();
    let recipe = recipe.to_str().unwrap();
    for args in [["--check-config", recipe], ["--config", recipe]] {
        let refused = logd(&args);
        assert_eq!(refused.status.code(), Some(2));
        let why = said(&refused.stderr);
        assert!(why.contains("bad.toml") && why.contains("journal_records"), "{why}");
    }
}

#[test]
fn what_it_takes_for_a_state_disk_is_explained() {
    let plain = said(&logd(&["--check-config"]).stdout);
    let with_disk = logd(&["--check-config", "--state-dir", "/never/made"]);
    assert!(with_disk.status.success());
    let with_disk = said(&with_disk.stdout);
    for line in ["state disk", "calls of the state disk", "the disk thread's stack", "image of "] {
        assert!(with_disk.contains(line) && !plain.contains(line), "{line} in {with_disk}");
    }
}

#[test]
fn an_image_is_no_larger_than_its_recipe_says() {
    for name in ["metrics", "device-2mib", "guest"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../recipes/observability");
        let file = format!("{folder}/{name}.toml");
        let checked = logd(&["--check-config", &file, "--state-dir", "/never/made"]);
        assert!(checked.status.success(), "{name}: {}", said(&checked.stderr));
    }
}

#[test]
fn an_image_that_would_be_larger_than_its_recipe_says_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recipe.toml");
    let recipe = include_str!("../../../../recipes/observability/metrics.toml");
    std::fs::write(&file, recipe.replace("bytes = \"25 MiB\"", "bytes = \"8 MiB\"")).unwrap();
    let file = file.to_str().unwrap();
    let checked = logd(&["--check-config", file, "--state-dir", "/never/made"]);
    let why = said(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{why}");
    assert!(why.contains("retention.bytes = 8388608 B"), "{why}");
}

#[test]
fn a_state_directory_is_made_locked_and_filled() {
    let dir = tempfile::tempdir().unwrap();
    let [run, elsewhere, state] = ["run", "elsewhere", "state"].map(|name| dir.path().join(name));
    let [run, elsewhere, state] = [&run, &elsewhere, &state].map(|path| path.to_str().unwrap());
    let said_to = dir.path().join("said");
    let mut command = Command::new(env!("CARGO_BIN_EXE_logd"));
    command.args(["--run-dir", run, "--state-dir", state]).stderr(File::create(&said_to).unwrap());
    let mut first = Daemon(command.spawn().unwrap());
    let text = || std::fs::read_to_string(&said_to).unwrap();
    let begin = Instant::now();
    while !text().contains("logd: statefsd: ready\n") {
        assert!(begin.elapsed() < Duration::from_secs(60), "{}", text());
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = logd(&["--run-dir", elsewhere, "--state-dir", state]);
    assert_eq!(second.status.code(), Some(1));
    let why = said(&second.stderr);
    let holder = format!("logd: {state}/logd.img: another process (process {})", first.0.id());
    assert!(why.starts_with(&holder), "{why}");
    let mut connection = connected(Path::new(run), &mut first);
    assert_eq!(connection.call(&STATS, &mut [0; 64]).unwrap(), 37, "the first one goes on");
    stop(&mut first);
    let checked = said(&logd(&["--check-config", "--state-dir", state]).stdout);
    let len = std::fs::metadata(format!("{state}/logd.img")).unwrap().len();
    assert!(checked.ends_with(&format!("image of {len} B\n")), "{len} in {checked}");
}

#[test]
fn a_state_directory_that_others_may_enter_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let [run, state] = [dir.path().join("run"), dir.path().to_owned()];
    let refused =
        logd(&["--run-dir", run.to_str().unwrap(), "--state-dir", state.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let why = said(&refused.stderr);
    assert!(why.contains("others may enter it (mode 0755)") && why.contains("chmod 0700"), "{why}");
}

#[test]
fn it_is_ready_although_its_disk_ends_no_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (run, state) = (dir.path().join("run"), dir.path().join("state"));
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is not there; `cargo xtask setup` installs it");
    // A quarter of an hour for each sync, longer than this test may take. strace is our child and
    // logd its child, so that ending strace ends both: then the sync goes on, and logd with it.
    let script = "exec strace -f -qq -o /dev/null -e trace=fdatasync \
                  -e inject=fdatasync:delay_enter=900000000 \
                  \"$0\" --run-dir \"$1\" --state-dir \"$2\" --parent $$";
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_logd")).arg(&run).arg(&state);
    let mut logd = Daemon(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = std::io::BufReader::new(logd.0.stderr.take().unwrap());
    let mut line = String::new();
    while line != "logd: ready\n" {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut said, &mut line).unwrap() > 0, "it has ended");
    }
    let mut connection = connected(&run, &mut logd);
    assert_eq!(connection.call(&STATS, &mut [0; 64]).unwrap(), 37);
}

#[test]
fn it_serves_over_unix_sockets_only_and_stops_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is not there; `cargo xtask setup` installs it");
    // With -D logd is our own child and strace is the stranger.
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-e", "trace=socket,socketpair", "-o"]).arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_logd"));
    let said_to = dir.path().join("said");
    command.arg("--run-dir").arg(dir.path()).stderr(File::create(&said_to).unwrap());
    let mut logd = Daemon(command.spawn().unwrap());
    let mut connection = connected(dir.path(), &mut logd);
    let mut reply = [0; 64];
    let len = connection.call(&STATS, &mut reply).unwrap();
    assert_eq!((len, &reply[..5]), (37, [b'L', b'O', 1, 0x83, 0].as_slice()));

    stop(&mut logd);
    let said = std::fs::read_to_string(said_to).unwrap();
    let (budget, rest) = said.split_once('\n').unwrap();
    assert!(budget.starts_with("logd: memory budget ") && budget.ends_with(" MiB)"), "{said}");
    assert_eq!(rest, "logd: ready\n");
    assert!(!dir.path().join("logd.sock").exists());
    let calls = std::fs::read_to_string(&trace).unwrap();
    let made: Vec<_> = calls.lines().filter(|line| line.contains("socket")).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|line| line.contains("AF_UNIX")), "{calls}");
}

#[test]
fn a_second_one_in_the_same_place_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let first = Command::new(env!("CARGO_BIN_EXE_logd"))
        .args(["--run-dir", place])
        .stderr(Stdio::null())
        .spawn();
    let mut first = Daemon(first.unwrap());
    let mut connection = connected(dir.path(), &mut first);
    let second = logd(&["--run-dir", place]);
    assert_eq!(second.status.code(), Some(1));
    let why = said(&second.stderr);
    assert!(
        why.starts_with(&format!("logd: {place}/logd.lock: another logd serves here")),
        "{why}"
    );
    assert!(why.contains("stop it or choose another --run-dir"), "{why}");
    assert_eq!(connection.call(&STATS, &mut [0; 64]).unwrap(), 37, "the first one goes on");
}

/// What the journal holds, as bytes of its records.
fn journal(dir: &Path) -> String {
    let mut connection = Connection::open(dir, "logd").unwrap();
    let query = [b"LO\x01\x02".as_slice(), &0_u64.to_le_bytes(), &16_u16.to_le_bytes()].concat();
    let mut reply = [0; 4096];
    let len = connection.call(&query, &mut reply).unwrap();
    said(&reply[..len])
}

fn stop(logd: &mut Daemon) {
    let pid = logd.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(logd.0.wait().unwrap().success());
}

#[test]
fn what_a_program_logs_arrives_whether_logd_is_there_or_not() {
    const PATIENCE: Duration = Duration::from_secs(10);
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let mut logd = Command::new(env!("CARGO_BIN_EXE_logd"));
        Daemon(logd.arg("--run-dir").arg(dir.path()).stderr(Stdio::null()).spawn().unwrap())
    };
    let until_flushed = |telemetry: &Telemetry, said: &str| {
        let begin = Instant::now();
        while !journal(dir.path()).contains(said) {
            telemetry.flush(PATIENCE);
            assert!(begin.elapsed() < Duration::from_secs(60), "{said} never arrives");
            std::thread::sleep(Duration::from_millis(5));
        }
    };

    let telemetry = telemetry::install(dir.path()).unwrap();
    nexus_log::info!("test", "while nobody listens"; answer = 42);
    let mut logd = start();
    connected(dir.path(), &mut logd);
    until_flushed(&telemetry, "while nobody listens");
    assert!(journal(dir.path()).contains("answer=42\n"));

    stop(&mut logd);
    nexus_log::warn!("test", "between two lives");
    let mut logd = start();
    connected(dir.path(), &mut logd);
    until_flushed(&telemetry, "between two lives");

    // Within a span, and by a panic that nobody has caught yet.
    let panicking = std::thread::spawn(|| {
        let _span = nexus_metrics::span!("doomed");
        panic!("a planted panic");
    });
    assert!(panicking.join().is_err());
    let records = journal(dir.path());
    assert!(records.contains("a planted panic") && records.contains("span_id="), "{records}");

    nexus_log::error!("test", "the last word");
    drop(telemetry);
    assert!(journal(dir.path()).contains("the last word"));
    stop(&mut logd);
}
