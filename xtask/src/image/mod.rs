//! The boot image: programs and the compiled table of who may do what, from a recipe.
//!
//! Deliberately absent: any default. What an entry may do stands in the recipe, or it may not.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use neuron_core::Image;

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
    let mut programs = BTreeMap::new();
    for name in system.entries.iter().map(|entry| &entry.program) {
        if !programs.contains_key(name) {
            let path = folder.join(name);
            let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let program = Program::parse(&file).with_context(|| path.display().to_string())?;
            programs.insert(name.clone(), program);
        }
    }
    let bytes = layout::bytes(&system, &programs)?;
    let read = Image::parse(&bytes);
    ensure!(read.is_ok(), "the kernel would refuse the image: {:?}", read.err());
    Ok(bytes)
}
