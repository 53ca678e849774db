//! The boot image: programs and the compiled table of who may do what, from a recipe.
//!
//! Deliberately absent: any default. What an entry may do stands in the recipe or in its policy, or
//! it may not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use neuron_core::Image;
use nexus_abi::kernel::PAGE_BYTES;

mod layout;
mod policy;
mod program;
mod recipe;
mod rules;
mod windows;

pub(crate) use policy::read as text;
use program::Program;
use recipe::System;

/// Memory of the machine: whatever boots fits it.
pub(crate) const MEMORY_MIB: u32 = 32;
/// What firmware and kernel keep of it: the firmware all below the kernel.
pub(crate) const KEPT_KIB: u64 = FIRMWARE_KIB + 1024;
const FIRMWARE_KIB: u64 = 2048;

/// An entry that gets another program than the recipe says: for images that must fail.
#[derive(Clone, Copy)]
pub(crate) struct Swap<'a> {
    pub(crate) entry: &'a str,
    pub(crate) program: &'a str,
}

/// Builds the image of the recipe in `text`, with programs from `folder`.
pub(crate) fn build(text: &str, folder: &Path, swap: Option<Swap<'_>>) -> Result<Vec<u8>> {
    let mut system = System::parse(text)?;
    if let Some(Swap { entry, program }) = swap {
        let swapped = system.entries.iter_mut().find(|other| other.name == entry);
        swapped.context("no such entry")?.program = program.to_owned();
    }
    rules::check(&system)?;
    policy::grant(&mut system, policy::read)?;
    let programs = programs(&system, folder)?;
    let bytes = layout::bytes(&system, &programs)?;
    let read = Image::parse(&bytes);
    ensure!(read.is_ok(), "the kernel would refuse the image: {:?}", read.err());
    fits(&system, bytes.len())?;
    Ok(bytes)
}

/// Memory never runs out while everybody keeps to their budget.
fn fits(system: &System, image_bytes: usize) -> Result<()> {
    let needs = memory_kib(image_bytes, system.promised_pages());
    let has = u64::from(MEMORY_MIB) * 1024;
    ensure!(
        needs <= has,
        "budgets, pools, image and kernel take {needs} KiB of {has} KiB; give an entry less"
    );
    Ok(())
}

/// What an image takes of the machine's memory, once everybody has taken what they may.
pub(crate) fn memory_kib(image_bytes: usize, promised_pages: u64) -> u64 {
    let pages = image_bytes.div_ceil(PAGE_BYTES) as u64 + promised_pages;
    KEPT_KIB + kib(pages)
}

/// What firmware and this kernel keep of memory.
pub(crate) fn kept_kib(kernel: &Path) -> Result<u64> {
    let file = std::fs::read(kernel).with_context(|| kernel.display().to_string())?;
    let program = Program::parse(&file).with_context(|| kernel.display().to_string())?;
    Ok(FIRMWARE_KIB + kib(program.segments.iter().map(|part| u64::from(part.pages)).sum()))
}

/// The programs that a system names.
fn programs(system: &System, folder: &Path) -> Result<BTreeMap<String, Program>> {
    let mut programs = BTreeMap::new();
    for name in system.entries.iter().map(|entry| &entry.program) {
        if !programs.contains_key(name) {
            let path = folder.join(name);
            let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let program = Program::parse(&file).with_context(|| path.display().to_string())?;
            programs.insert(name.clone(), program);
        }
    }
    Ok(programs)
}

/// The programs that the entries of a recipe run.
pub(crate) fn programs_of(text: &str) -> Result<BTreeSet<String>> {
    Ok(System::parse(text)?.entries.into_iter().map(|entry| entry.program).collect())
}

/// Entries that play in `program`, serve nobody and start nobody.
pub(crate) fn bystanders(text: &str, program: &str) -> Result<Vec<String>> {
    let system = System::parse(text)?;
    let is_called = |name: &String| system.entries.iter().any(|other| other.calls.contains(name));
    let all = system.entries.iter().filter(|entry| entry.program == program);
    let alone = all.filter(|entry| entry.starts.is_empty() && !is_called(&entry.name));
    Ok(alone.map(|entry| entry.name.clone()).collect())
}

/// What an entry is told when it is started.
#[cfg(test)]
pub(crate) fn argument(text: &str, name: &str) -> Option<u64> {
    let system = System::parse(text).ok()?;
    let entry = system.entries.iter().find(|entry| entry.name == name)?;
    Some(entry.argument)
}

/// What a process may take, and what is known of what it takes.
pub(crate) struct Size {
    pub(crate) name: String,
    pub(crate) budget_kib: u64,
    pub(crate) stack_kib: u64,
    /// What its program may write: that has to be copied out of the image.
    pub(crate) written_kib: u64,
}

/// The sizes of the entries of a recipe, and the pages that it promises to anybody.
pub(crate) fn sizes(text: &str, folder: &Path) -> Result<(Vec<Size>, u64)> {
    let system = System::parse(text)?;
    let programs = programs(&system, folder)?;
    let written = |name: &str| programs.get(name).map_or(0, Program::written_pages);
    let size = |entry: &recipe::Entry| Size {
        name: entry.name.clone(),
        budget_kib: kib(entry.pages.into()),
        stack_kib: kib(entry.stack_pages.into()),
        written_kib: kib(written(&entry.program).into()),
    };
    Ok((system.entries.iter().map(size).collect(), system.promised_pages()))
}

fn kib(pages: u64) -> u64 {
    pages * PAGE_BYTES as u64 / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(memory_kib: u32, pool_kib: u32) -> System {
        let entries = "[[entry]]\nnames = ['a', 'b']\nprogram = 'p'\nlevel = 1\nstack_kib = 4";
        let resource = "[[resource]]\nname = 'r'";
        let text = format!(
            "{entries}\nmemory_kib = {memory_kib}\n{resource}\ndma = {{ kib = {pool_kib} }}"
        );
        System::parse(&text).unwrap()
    }

    #[test]
    fn budgets_pools_and_image_fit_the_machine_or_the_image_is_refused() {
        let left = u32::try_from(u64::from(MEMORY_MIB) * 1024 - KEPT_KIB).unwrap();
        let half = left / 2 - 16;
        assert!(fits(&system(half, 16), 16 * 1024).is_ok());
        for (budget, pool, image) in [(half + 4, 16, 16), (half, 20, 16), (half, 16, 17)] {
            let error = fits(&system(budget, pool), image * 1024).unwrap_err().to_string();
            assert!(error.contains("of 32768 KiB; give an entry less"), "{error}");
        }
    }
}
