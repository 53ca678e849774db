//! Compiles the recipe of the guest into its programs, by the parser that daemons read theirs with.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use nexus_recipe::Recipe;

const RECIPE: &str = "../../recipes/observability/guest.toml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={RECIPE}");
    let text = fs::read_to_string(RECIPE).map_err(|error| format!("{RECIPE}: {error}"))?;
    let recipe = Recipe::parse(&text).map_err(|errors| errors.in_file(RECIPE).to_string())?;
    let out = env::var_os("OUT_DIR").ok_or("cargo says where to write")?;
    fs::write(Path::new(&out).join("recipe.rs"), recipe.to_source())?;
    Ok(())
}
