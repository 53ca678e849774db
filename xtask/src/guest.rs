//! What runs under the kernel: the compiler for it, its programs, and the machine they boot on.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nexus_recipe::Recipe;

use crate::{leash, shell};

/// What programs are compiled for.
pub(crate) const PROGRAMS: &str = "riscv64gc-unknown-none-elf";
/// What the kernel is compiled for: without floating point, whose registers are its processes'.
pub(crate) const KERNEL: &str = "riscv64imac-unknown-none-elf";

/// The script that makes a compiler from the distribution's packages.
const SCRIPT: &str = "scripts/guest-sdk.sh";

/// The compiler for the guest, if there is one: ours if it can, else the one that setup has made.
pub(crate) fn compiler() -> Option<PathBuf> {
    let made = || Some(sdk()?.join("bin/rustc"));
    [Some(PathBuf::from("rustc")), made()].into_iter().flatten().find(|rustc| can_compile(rustc))
}

fn can_compile(rustc: &Path) -> bool {
    [PROGRAMS, KERNEL].iter().all(|target| {
        let args = ["--print", "target-libdir", "--target", target];
        let output = Command::new(rustc).args(args).stderr(Stdio::null()).output();
        let folder = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
        let files = folder.and_then(|folder| std::fs::read_dir(folder.trim()).ok());
        files.is_some_and(|mut files| {
            files.any(|file| {
                file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
            })
        })
    })
}

/// The limits of the services in the guest.
pub(crate) fn recipe() -> Result<Recipe> {
    let path = shell::root()?.join("recipes/observability/guest.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Recipe::parse(&text).context("guest.toml")
}

/// Where setup keeps the compiler that it makes, one for each state of the script.
fn sdk() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let script = std::fs::read(shell::root().ok()?.join(SCRIPT)).ok()?;
    let state = script.iter().fold(0_u32, |sum, &byte| {
        sum.rotate_left(5).wrapping_add(u32::from(byte)).wrapping_mul(0x9e37_79b1)
    });
    Some(cache.join("nexus").join(format!("guest-sdk-{state:08x}")))
}

/// Makes [`compiler`] possible: from the distribution's packages where it has them, else by rustup.
pub(crate) fn bring_compiler() -> Result<()> {
    if shell::works("apt-get", &["--version"]) {
        let sdk = sdk().context("neither XDG_CACHE_HOME nor HOME is set")?;
        let mut script = shell::command(SCRIPT, &[&sdk.to_string_lossy(), PROGRAMS, KERNEL])?;
        if shell::succeeds(&mut script)? {
            return forget_builds();
        }
    }
    if shell::works("rustup", &["--version"]) {
        let args = ["target", "add", PROGRAMS, KERNEL];
        shell::succeeds(&mut shell::command("rustup", &args)?)?;
    }
    Ok(())
}

/// Cargo tells compilers apart by their versions, and the new one may have an old one's.
fn forget_builds() -> Result<()> {
    for target in [PROGRAMS, KERNEL] {
        let folder = shell::target_dir()?.join(target);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
    }
    Ok(())
}

/// Builds a package for the guest: where its programs lie.
pub(crate) fn build(package: &str, target: &str) -> Result<PathBuf> {
    build_with(package, target, &[])
}

/// Builds some of a package's programs for the guest: where they lie.
pub(crate) fn build_programs<'p>(
    package: &str,
    programs: impl IntoIterator<Item = &'p str>,
) -> Result<PathBuf> {
    let own = programs.into_iter().filter(|program| !CARRIED_PROGRAMS.contains(program));
    let more = own.flat_map(|program| ["--bin", program]).collect::<Vec<_>>();
    build_with(package, PROGRAMS, &more)
}

/// The package whose programs carry others in bundles, the package of those, and by which variable
/// it is told where they lie.
const CARRIER: &str = "guest";
const CARRIED: &str = "demo";
/// The programs of that package: they are built with those that carry them.
const CARRIED_PROGRAMS: [&str; 2] = ["os-demo", "os-intruder"];
const CARRIED_FOLDER: &str = "NEXUS_CARRIED_PROGRAMS";

fn build_with(package: &str, target: &str, more: &[&str]) -> Result<PathBuf> {
    let rustc = compiler().context("no compiler for the guest; type: cargo xtask setup")?;
    let args = ["build", "--release", "--quiet", "--locked", "-p", package, "--target", target];
    let args = [args.as_slice(), more].concat();
    let folder = shell::target_dir()?.join(target).join("release");
    let mut cargo = shell::cargo(&args)?;
    cargo.env("RUSTC", rustc);
    if package == CARRIER {
        cargo.env(CARRIED_FOLDER, build(CARRIED, target)?);
    }
    if !shell::succeeds(&mut cargo)? {
        bail!("{package} does not build for {target}");
    }
    Ok(folder)
}

/// A machine to boot.
pub(crate) struct Machine<'a> {
    pub(crate) kernel: &'a Path,
    pub(crate) image: &'a Path,
    pub(crate) memory_mib: u32,
    pub(crate) time: Time,
    /// The image of its disk, if it has one.
    pub(crate) disk: Option<&'a Path>,
    /// What the kernel is told of the machine, if that is not the truth: a device tree.
    pub(crate) tree: Option<&'a Path>,
    /// When to end it the hard way.
    pub(crate) patience: Duration,
}

/// What the guest's clocks follow.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// The host's.
    Host,
    /// Instructions, each of which takes 2 to the power of this many nanoseconds; to be idle takes
    /// none of the host's time where there is no disk. They can be counted, and how busy the host
    /// is changes nothing of what the guest sees.
    Counted(u8),
}

/// How a machine stopped, and the lines on its console.
pub(crate) struct Run {
    pub(crate) lines: Vec<String>,
    /// The code that the guest stopped with; `None` if our patience ended first.
    pub(crate) code: Option<i32>,
}

/// What to do after a line of the console.
pub(crate) enum Go {
    /// Wait for the next one, while our patience lasts.
    On,
    /// Wait for so long at most, whatever comes.
    Within(Duration),
    /// End it now.
    Stop,
}

impl Machine<'_> {
    /// Boots it and waits until it stops.
    pub(crate) fn run(&self) -> Result<Run> {
        let mut lines = Vec::new();
        let code = self.watch(|line| {
            lines.push(line.to_owned());
            Go::On
        })?;
        Ok(Run { lines, code })
    }

    /// Boots it and shows every line to `see` when it comes: the code that the guest stopped with;
    /// `None` if it did not stop by itself. It is over when this returns.
    pub(crate) fn watch(&self, mut see: impl FnMut(&str) -> Go) -> Result<Option<i32>> {
        let mut running = Running(self.command()?.spawn().context(CANNOT_RUN)?);
        let console = running.0.stdout.take().context("the console was piped")?;
        let lines = lines_of(console);
        let mut until = Instant::now() + self.patience;
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match see(&line) {
                Go::On => {}
                Go::Within(patience) => until = until.min(Instant::now() + patience),
                Go::Stop => return Ok(None),
            }
        }
        let status = running.wait(until)?;
        Ok(status.and_then(|status| status.code()))
    }

    fn command(&self) -> Result<Command> {
        let memory = format!("{}M", self.memory_mib);
        let mut command = leash::command("qemu-system-riscv64")?;
        command.args([
            "-machine",
            "virt",
            "-smp",
            "1",
            "-m",
            &memory,
            "-bios",
            "default",
            "-no-reboot",
        ]);
        command.args(["-display", "none", "-monitor", "none", "-serial", "stdio"]);
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.image);
        command.args(["-global", "virtio-mmio.force-legacy=off"]);
        command.args(["-device", ENTROPY]);
        if let Some(disk) = self.disk {
            let drive = format!("file={},if=none,format=raw,id=state", disk.display());
            command.args(["-drive", &drive, "-device", DISK]);
        }
        if let Some(tree) = self.tree {
            command.arg("-dtb").arg(tree);
        }
        if let Time::Counted(shift) = self.time {
            // A disk takes the host's time: whoever waits for it must not be idle for nothing.
            let sleep = if self.disk.is_some() { "on" } else { "off" };
            let icount = format!("shift={shift},sleep={sleep}");
            command.args(["-icount", &icount, "-rtc", "clock=vm"]);
        }
        command.stdout(Stdio::piped());
        Ok(command)
    }
}

/// Writes the device tree of a machine with so much memory to `path`.
pub(crate) fn describe(memory_mib: u32, path: &Path) -> Result<()> {
    let (machine, memory) = (format!("virt,dumpdtb={}", path.display()), format!("{memory_mib}M"));
    let args = ["-machine", &machine, "-smp", "1", "-m", &memory, "-display", "none"];
    let output = Command::new("qemu-system-riscv64").args(args).output().context(CANNOT_RUN)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "QEMU describes no machine: {said}");
    Ok(())
}

/// Where a disk is attached: where the image's recipe says that it is.
const DISK: &str = "virtio-blk-device,drive=state,bus=virtio-mmio-bus.0";

/// Where its entropy device is, likewise. Its bytes are the host's.
const ENTROPY: &str = "virtio-rng-device,bus=virtio-mmio-bus.6";

const CANNOT_RUN: &str = "qemu-system-riscv64 cannot be run";

/// The lines of a console, as they come.
fn lines_of(console: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(console).split(b'\n').map_while(Result::ok);
        let mut lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    lines
}

/// A machine that runs for as long as this is there.
struct Running(Child);

impl Running {
    /// Waits for its end until then.
    fn wait(&mut self, until: Instant) -> Result<Option<ExitStatus>> {
        loop {
            let status = self.0.try_wait()?;
            if status.is_some() || Instant::now() >= until {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    /// The hard way; one that has ended already is none to be sorry for.
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_on_our_leash() {
        let nowhere = Path::new("");
        let machine = Machine {
            kernel: nowhere,
            image: nowhere,
            memory_mib: 1,
            time: Time::Host,
            disk: None,
            tree: None,
            patience: Duration::ZERO,
        };
        let command = machine.command().unwrap();
        let leash = leash::command("qemu-system-riscv64").unwrap();
        assert_eq!(command.get_program(), leash.get_program());
        let held = command.get_args().take(leash.get_args().len());
        assert!(held.eq(leash.get_args()));
    }
}
