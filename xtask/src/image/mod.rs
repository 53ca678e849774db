//! The boot image: programs and the compiled table of who may do what, from a recipe.
//!
//! Deliberately absent: any default. What an entry may do stands in the recipe, or it may not.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use neuron_core::Image;
use nexus_abi::kernel::PAGE_BYTES;

mod layout;
mod program;
mod recipe;
mod rules;

use program::Program;
use recipe::System;

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
    let programs = programs(&system, folder)?;
    let bytes = layout::bytes(&system, &programs)?;
    let read = Image::parse(&bytes);
    ensure!(read.is_ok(), "the kernel would refuse the image: {:?}", read.err());
    Ok(bytes)
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

/// What a process may take, and what is known of what it takes.
pub(crate) struct Size {
    pub(crate) name: String,
    pub(crate) budget_kib: u64,
    pub(crate) stack_kib: u64,
    /// What its program may write: that has to be copied out of the image.
    pub(crate) written_kib: u64,
}

/// The sizes of the entries of a recipe.
pub(crate) fn sizes(text: &str, folder: &Path) -> Result<Vec<Size>> {
    let system = System::parse(text)?;
    let programs = programs(&system, folder)?;
    let written = |name: &str| programs.get(name).map_or(0, Program::written_pages);
    let size = |entry: &recipe::Entry| Size {
        name: entry.name.clone(),
        budget_kib: kib(entry.pages),
        stack_kib: kib(entry.stack_pages),
        written_kib: kib(written(&entry.program)),
    };
    Ok(system.entries.iter().map(size).collect())
}

fn kib(pages: u32) -> u64 {
    u64::from(pages) * PAGE_BYTES as u64 / 1024
}
