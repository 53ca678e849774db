//! `cargo xtask setup` on a bare machine: a search path on which nothing lies but what the test put
//! there, with an apt-get and a rustup that write down what they are told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A user that is not root.
const NOBODY: u32 = 65534;

/// Writes down how it was called, and puts a program where there was none.
const APT_GET: &str = r#"
[ "$1" = --version ] && exit 0
echo "apt-get $* ($DEBIAN_FRONTEND)" >> "$BIN/log"
[ "$3" = update ] && : > "$BIN/lists"
case "$4" in qemu-system-misc) name=qemu-system-riscv64 ;; *) name=$4 ;; esac
[ "$3" = install ] && { [ -e "$BIN/lists" ] || exit 100; /bin/ln -s /bin/true "$BIN/$name"; }
"#;
const RUSTUP: &str = r#"
echo "rustup $*" >> "$BIN/log"
: > "$BIN/has-$3"
"#;
/// Has the parts that rustup brought.
const CARGO: &str = r#"
case "$1" in fmt) [ -e "$BIN/has-rustfmt" ] ;; clippy) [ -e "$BIN/has-clippy" ] ;; *) exit 1 ;; esac
"#;

/// Compiles for the guest as it is.
const RUSTC: &str = "echo \"$BIN/targets\"";

/// A machine that knows its own few programs.
struct Machine {
    bin: PathBuf,
    /// One at a time: a program that is being written while another test forks cannot be run.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Machine {
    fn bare() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nexus-setup.{}.{number}", std::process::id());
        let bin = std::env::temp_dir().join(name);
        fs::create_dir(&bin).unwrap();
        // Others than root may have to come here.
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o777)).unwrap();
        let machine = Self { bin, _turn: turn };
        fs::copy(env!("CARGO_BIN_EXE_xtask"), machine.bin.join("xtask")).unwrap();
        machine.program("cargo", CARGO);
        machine.program("rustup", RUSTUP);
        machine.program("apt-get", APT_GET);
        machine.program("rustc", RUSTC);
        fs::create_dir(machine.bin.join("targets")).unwrap();
        fs::write(machine.bin.join("targets/libcore-0.rlib"), "").unwrap();
        machine
    }

    /// One whose package lists are there, as is what rustup brings.
    fn with_lists_and_rust() -> Self {
        let machine = Self::bare();
        for file in ["lists", "has-rustfmt", "has-clippy"] {
            fs::write(machine.bin.join(file), "").unwrap();
        }
        machine
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", &self.bin).env("BIN", &self.bin).current_dir(&self.bin);
        command
    }

    /// `setup` by root, or by whom the kernel takes for root in a namespace of its own. `None`
    /// where neither can be had.
    fn setup_by_root(&self) -> Option<Output> {
        let xtask = self.bin.join("xtask");
        if is_root() {
            return Some(self.command(&xtask).arg("setup").output().unwrap());
        }
        let unshare = |program: &Path, args: &[&str]| {
            let mut command = self.command(Path::new("/usr/bin/unshare"));
            command.arg("--map-root-user").arg(program).args(args).output().ok()
        };
        unshare(Path::new("/bin/true"), &[]).filter(|tried| tried.status.success())?;
        unshare(&xtask, &["setup"])
    }

    fn setup_by_others(&self) -> Output {
        let mut command = self.command(&self.bin.join("xtask"));
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.arg("setup").output().unwrap()
    }

    /// What was told to apt-get and rustup.
    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.bin.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.bin));
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn root_gets_everything_installed_and_a_second_run_does_nothing() {
    let machine = Machine::bare();
    let Some(first) = machine.setup_by_root() else {
        return eprintln!("PRECONDITION FAILED: needs root or namespaces for users; nothing shown");
    };
    assert!(first.status.success(), "{}{}", text(&first.stdout), text(&first.stderr));
    let install = "apt-get --yes --no-install-recommends install";
    let expected = [
        "rustup component add rustfmt".to_owned(),
        "rustup component add clippy".to_owned(),
        // It knows no packages yet, so that it asks for the lists and tries again, once.
        format!("{install} strace (noninteractive)"),
        "apt-get --yes --no-install-recommends update (noninteractive)".to_owned(),
        format!("{install} strace (noninteractive)"),
        format!("{install} python3 (noninteractive)"),
        format!("{install} qemu-system-misc opensbi (noninteractive)"),
        format!("{install} valgrind (noninteractive)"),
    ];
    assert_eq!(machine.log(), expected);

    let second = machine.setup_by_root().unwrap();
    assert!(second.status.success());
    assert_eq!(text(&second.stdout), "setup: everything is in place\n");
    assert_eq!(machine.log(), expected, "nothing more was done");
}

#[test]
fn others_are_told_once_what_to_type_for_all_of_it_and_nothing_is_tried() {
    let machine = Machine::with_lists_and_rust();
    let output = machine.setup_by_others();
    assert!(!output.status.success());
    assert_eq!(
        text(&output.stdout),
        "setup: strace is missing, needed for the test that no daemon opens an INET socket\n\
         setup: python3 is missing, needed for the test that runs the example of docs/wire.md in \
         another language\n\
         setup: qemu-system-riscv64 is missing, needed for booting the kernel\n\
         setup: valgrind is missing, needed for counting instructions in benchmarks\n"
    );
    assert_eq!(
        text(&output.stderr),
        "error: the administrator has to install something; type: sudo apt-get install strace \
         python3 qemu-system-misc opensbi valgrind (or your system's way to install it)\n"
    );
    assert_eq!(machine.log(), [""; 0]);
}

#[test]
fn others_get_what_needs_no_administrator_and_a_machine_with_everything_is_left_alone() {
    let machine = Machine::bare();
    assert!(!machine.setup_by_others().status.success());
    assert_eq!(machine.log(), ["rustup component add rustfmt", "rustup component add clippy"]);
    for name in ["strace", "python3", "qemu-system-riscv64", "valgrind"] {
        machine.program(name, "");
    }
    let output = machine.setup_by_others();
    assert_eq!(text(&output.stdout), "setup: everything is in place\n");
    assert!(output.status.success());
    assert_eq!(machine.log().len(), 2);
}

#[test]
fn what_an_installation_did_not_bring_is_not_said_to_be_there() {
    let machine = Machine::with_lists_and_rust();
    machine.program("apt-get", "echo \"apt-get $*\" >> \"$BIN/log\"");
    let Some(output) = machine.setup_by_root() else {
        return eprintln!("PRECONDITION FAILED: needs root or namespaces for users; nothing shown");
    };
    assert!(!output.status.success());
    let why = text(&output.stderr);
    assert!(
        why.contains("strace is still missing") && why.contains("apt-get install strace"),
        "{why}"
    );
}
