//! A system with a disk whose power is cut again and again, in the middle of its work. After each
//! cut the host reads the disk's image: what the witness has said to be durable is there, and
//! nothing is damaged. The next boot finds the same. Where syncs are not durable that must fail.
//!
//! Ending QEMU keeps what the guest has written and not flushed: that flushes come in their places
//! the simulated disk of the service's tests shows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nexus_recipe::StateRecipe;
use statefs::{Finding, blocking, fsck};

use super::Built;
use super::image_file::ImageFile;
use crate::counts::Counts;
use crate::guest::{Go, Machine, Time};
use crate::image::{self, Swap};
use crate::shell;

const PATIENCE: Duration = Duration::from_secs(60);

/// After which line of each boot its power is cut; none: it ends by itself.
const CUTS: [Option<u32>; 6] = [Some(1), Some(2), Some(13), Some(31), Some(40), None];
/// Lines of a boot.
const LINES: u32 = 40;

const VOLATILE: Swap<'static> = Swap { entry: "statefsd", program: "os-twin-volatile-statefsd" };

/// What is known of the boots so far.
#[derive(Default)]
struct Known {
    /// The last line that is durable, of each boot from 1 on.
    durable: Vec<u32>,
    /// What the last boot told a service its number to be.
    number: u32,
}

/// Boots both.
pub(super) fn proofs(built: &Built) -> Result<Counts> {
    let holds = told("holds through cuts of power", through_cuts(built));
    let formatted = told("holds on a disk that the host has formatted", formatted_by_host(built));
    let twin = through_cut_of(built, Some(VOLATILE), CUTS[2]);
    let fails = told("fails where syncs are not durable", twin.map(|wrong| !wrong));
    let mut counts = Counts::one(holds);
    counts += Counts::one(formatted);
    counts += Counts::one(fails);
    Ok(counts)
}

fn told(what: &str, result: Result<bool>) -> bool {
    let is_so = matches!(result, Ok(true));
    println!("state disk {what}: {}", if is_so { "ok" } else { "FAILED" });
    if let Err(error) = result {
        println!("  {error:#}");
    }
    is_so
}

/// The recipe of the state disk.
fn recipe() -> Result<StateRecipe> {
    let recipe = shell::root()?.join("recipes/observability/state.toml");
    let text = std::fs::read_to_string(&recipe).with_context(|| recipe.display().to_string())?;
    StateRecipe::parse(&text).context("state.toml")
}

/// Makes a new image of zeros, as long as the recipe says.
pub(super) fn blank(path: &Path) -> Result<()> {
    let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
    file.set_len(recipe()?.statefsd.disk_bytes.into())?;
    Ok(())
}

/// The same under a name.
fn blank_of(name: &str, built: &Built) -> Result<PathBuf> {
    let path = built.disk_file(name);
    blank(&path)?;
    Ok(path)
}

fn through_cuts(built: &Built) -> Result<bool> {
    let disk = blank_of("state", built)?;
    let image = built.image("image-state", None)?;
    let mut known = Known::default();
    for cut in CUTS {
        boot(built, &image, &disk, cut, &mut known)?;
        check(&disk, &known.durable)?;
    }
    Ok(known.durable.len() == CUTS.len() && known.durable.last() == Some(&LINES))
}

/// The host formats as statefsd does, and a boot goes on with that.
fn formatted_by_host(built: &Built) -> Result<bool> {
    let disk = blank_of("state-formatted", built)?;
    let limits = statefsd::layout(&recipe()?)?.limits();
    let mut store = blocking::format(&mut ImageFile::writable(&disk)?, limits, &[])?;
    store.replace("logd/from-host", b"kept")?;
    blocking::sync(&mut store, &mut ImageFile::writable(&disk)?)?;
    let image = built.image("image-state", None)?;
    let mut known = Known::default();
    boot(built, &image, &disk, None, &mut known)?;
    check(&disk, &known.durable)?;
    Ok(read(&disk, "logd/from-host")? == b"kept")
}

/// Whether what one boot has said holds after its power was cut.
fn through_cut_of(built: &Built, swap: Option<Swap<'_>>, cut: Option<u32>) -> Result<bool> {
    let disk = blank_of("state-twin", built)?;
    let image = built.image("image-state", swap)?;
    let mut known = Known::default();
    boot(built, &image, &disk, cut, &mut known)?;
    if known.durable != [cut.unwrap_or(LINES)] {
        bail!("the twin gives itself away before the power is cut");
    }
    Ok(check(&disk, &known.durable).is_ok())
}

/// Boots once more, and takes down what is durable.
fn boot(
    built: &Built,
    image: &Path,
    disk: &Path,
    cut: Option<u32>,
    known: &mut Known,
) -> Result<()> {
    let Known { durable, number: numbered } = known;
    let machine = Machine {
        kernel: &built.kernel,
        image,
        memory_mib: image::MEMORY_MIB,
        time: Time::Host,
        disk: Some(disk),
        tree: None,
        patience: PATIENCE,
    };
    let number = durable.len() as u32 + 1;
    let (mut lines, mut last, mut found) = (Vec::new(), 0, None);
    let code = machine.watch(|line| {
        lines.push(line.to_owned());
        found = found.or_else(|| numbers(line, "found boot ", ""));
        let is_durable = numbers(line, "boot ", " is durable").filter(|(boot, _)| *boot == number);
        last = is_durable.map_or(last, |(_, line)| line);
        if is_durable.is_some_and(|(_, line)| Some(line) == cut) { Go::Stop } else { Go::On }
    })?;
    let is_ended = if cut.is_some() { code.is_none() } else { code == Some(0) };
    if !is_ended || last != cut.unwrap_or(LINES) {
        bail!("boot {number} ended with {code:?} after line {last}: {lines:#?}");
    }
    let (found_boot, found_line) = found.context("it does not say what it has found")?;
    // The machine went on until its power was cut: more may have become durable.
    let expected = durable.last().copied().unwrap_or_default();
    let is_all = found_boot == number - 1 && (expected..=LINES).contains(&found_line);
    if !is_all {
        bail!("boot {number} finds boot {found_boot} line {found_line}, not line {expected}");
    }
    if let Some(line) = durable.last_mut() {
        *line = found_line;
    }
    durable.push(last);
    let told = lines.iter().find_map(|line| number_told(line));
    let told = told.context("no service is told statefsd's number of the boot")?;
    if told <= *numbered {
        bail!("a service is told boot {told} after boot {numbered}");
    }
    *numbered = told;
    Ok(())
}

/// What a service that keeps files was told to be the number of this boot.
fn number_told(line: &str) -> Option<u32> {
    line.strip_prefix("newborn: boot ")?.strip_suffix(", Files")?.parse().ok()
}

/// The two numbers of a line of the witness that begins and ends so.
fn numbers(line: &str, begins: &str, ends: &str) -> Option<(u32, u32)> {
    let line = line.strip_prefix("witness: ")?.strip_prefix(begins)?.strip_suffix(ends)?;
    let (boot, line) = line.split_once(" line ")?;
    Some((boot.parse().ok()?, line.parse().ok()?))
}

/// Nothing on the image is damaged; a sync may have been under way.
pub(super) fn is_whole(disk: &Path) -> Result<()> {
    let mut damage = Vec::new();
    fsck(&mut ImageFile::readable(disk)?, |finding| {
        if !matches!(finding, Finding::Torn | Finding::Single { .. }) {
            damage.push(finding);
        }
    })?;
    if !damage.is_empty() {
        bail!("the image is damaged: {damage:?}");
    }
    Ok(())
}

/// Holds the image to what was said, as the host reads it; it is not written.
fn check(disk: &Path, durable: &[u32]) -> Result<()> {
    is_whole(disk)?;
    let log = String::from_utf8(read(disk, "selftest-client/log")?)?;
    let mut lines =
        log.lines().map(|line| numbers(&format!("witness: {}", head(line)), "boot ", ""));
    for (boot, last) in (1..).zip(durable) {
        for number in 1..=*last {
            if lines.next() != Some(Some((boot, number))) {
                bail!("boot {boot} line {number} was said to be durable, and is not there");
            }
        }
    }
    // The machine went on until its power was cut.
    let (boot, last) = (durable.len() as u32, durable.last().copied().unwrap_or_default());
    for (line, number) in lines.zip(last + 1..) {
        if number > LINES || line != Some((boot, number)) {
            bail!("there are lines that nobody has written");
        }
    }
    Ok(())
}

/// A line without its filling.
fn head(line: &str) -> &str {
    line.trim_end_matches('.').trim_end()
}

fn read(disk: &Path, name: &str) -> Result<Vec<u8>> {
    let mut device = ImageFile::readable(disk)?;
    let store = blocking::mount(&mut device, &[])?;
    let file = store.find(name).with_context(|| format!("{name} is not on the disk"))?;
    let entry = store.entry(file).context("it was there")?;
    let mut bytes = vec![0; entry.len as usize];
    let len = blocking::read(&store, &mut device, file, 0, &mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_witness_says_is_understood() {
        let is_durable = |line| numbers(line, "boot ", " is durable");
        assert_eq!(is_durable("witness: boot 3 line 17 is durable"), Some((3, 17)));
        assert_eq!(is_durable("witness: boot 3 line 17"), None);
        assert_eq!(is_durable("boot 3 line 17 is durable"), None);
        assert_eq!(numbers("witness: found boot 0 line 0", "found boot ", ""), Some((0, 0)));
        assert_eq!(head("boot 1 line 2 ...."), "boot 1 line 2");
    }

    #[test]
    fn what_a_service_is_told_of_the_boot_is_understood() {
        assert_eq!(number_told("newborn: boot 4, Files"), Some(4));
        assert_eq!(number_told("newborn: boot 4, Nothing"), None);
        assert_eq!(number_told("newborn: boot , Files"), None);
    }
}
