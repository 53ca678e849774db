//! Compiles the recipes of the guest into its programs, by the parser that daemons read theirs
//! with, and the names of whom the first process of an image may start.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use nexus_recipe::{Recipe, RecipeErrors, StateRecipe};

const RECIPE: &str = "../../recipes/observability/guest.toml";
const STATE: &str = "../../recipes/observability/state.toml";
const IMAGES: &str = "../../recipes/system";

fn main() -> Result<(), Box<dyn Error>> {
    compile(RECIPE, "recipe.rs", |text| Recipe::parse(text).map(|recipe| recipe.to_source()))?;
    compile(STATE, "state.rs", |text| StateRecipe::parse(text).map(|recipe| recipe.to_source()))?;
    let names = names()?.into_iter().collect::<Vec<_>>();
    fs::write(out("names.rs")?, format!("&{names:?}"))?;
    Ok(())
}

/// Whom `init` starts in any of the images.
fn names() -> Result<BTreeSet<String>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={IMAGES}");
    let mut names = BTreeSet::new();
    for file in fs::read_dir(IMAGES)? {
        let text = fs::read_to_string(file?.path())?;
        let image = text.parse::<toml::Table>()?;
        let first = image.get("entry").and_then(|entries| entries.get(0));
        let init = first.filter(|entry| entry.get("names").is_some_and(is_init));
        let starts = init.and_then(|entry| entry.get("starts")?.as_array());
        let names_of = starts.into_iter().flatten().filter_map(toml::Value::as_str);
        names.extend(names_of.map(str::to_owned));
    }
    Ok(names)
}

fn is_init(names: &toml::Value) -> bool {
    names.get(0).and_then(toml::Value::as_str) == Some("init")
}

fn compile(
    path: &str,
    into: &str,
    to_source: impl Fn(&str) -> Result<String, RecipeErrors>,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let source = to_source(&text).map_err(|errors| errors.in_file(path).to_string())?;
    fs::write(out(into)?, source)?;
    Ok(())
}

fn out(file: &str) -> Result<PathBuf, Box<dyn Error>> {
    let folder = env::var_os("OUT_DIR").ok_or("cargo says where to write")?;
    Ok(Path::new(&folder).join(file))
}
