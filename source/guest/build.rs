//! Compiles the recipes of the guest into its programs, by the parser that daemons read theirs
//! with.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use nexus_recipe::{Recipe, RecipeErrors, StateRecipe};

const RECIPE: &str = "../../recipes/observability/guest.toml";
const STATE: &str = "../../recipes/observability/state.toml";

fn main() -> Result<(), Box<dyn Error>> {
    compile(RECIPE, "recipe.rs", |text| Recipe::parse(text).map(|recipe| recipe.to_source()))?;
    compile(STATE, "state.rs", |text| StateRecipe::parse(text).map(|recipe| recipe.to_source()))
}

fn compile(
    path: &str,
    into: &str,
    to_source: impl Fn(&str) -> Result<String, RecipeErrors>,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let source = to_source(&text).map_err(|errors| errors.in_file(path).to_string())?;
    let out = env::var_os("OUT_DIR").ok_or("cargo says where to write")?;
    fs::write(Path::new(&out).join(into), source)?;
    Ok(())
}
