//! Compiles the recipes of the guest into its programs, by the parser that daemons read theirs
//! with, one keyring for each endpoint, and the names of whom the first process of an image may
//! start, and of whom execd may, with the memory that they have and the programs that they run; and
//! makes the bundles of the boot image of the very programs that are in it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use nexus_bounded::Nanos;
use nexus_bundle::{Manifest, Program, pack};
use nexus_recipe::{BootBundle, BundlesRecipe, Keys, Policy, Recipe, RecipeErrors, StateRecipe};
use nexus_wire::bundles::{BundleName, BundleVersion};

const RECIPE: &str = "../../recipes/observability/guest.toml";
const STATE: &str = "../../recipes/observability/state.toml";
const POLICY: &str = "../../recipes/system/policy.toml";
const KEYS: &str = "../../recipes/system/keys.toml";
const BUNDLES: &str = "../../recipes/system/bundles.toml";
const IMAGES: &str = "../../recipes/system";
/// Says where the programs of the bundles lie. Where it is not set there are none: nobody boots
/// what is built then.
const CARRIED: &str = "NEXUS_CARRIED_PROGRAMS";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={CARRIED}");
    compile(RECIPE, "recipe.rs", |text| Recipe::parse(text).map(|recipe| recipe.to_source()))?;
    compile(RECIPE, "interval.rs", |text| Recipe::parse(text).map(|recipe| interval(&recipe)))?;
    compile(STATE, "state.rs", |text| StateRecipe::parse(text).map(|recipe| recipe.to_source()))?;
    compile(POLICY, "policy.rs", |text| Policy::parse(text).map(|policy| policy.to_source()))?;
    keyrings()?;
    compile(BUNDLES, "bundles.rs", |text| BundlesRecipe::parse(text).map(|all| all.to_source()))?;
    fs::write(out("boot.rs")?, boot_bundles()?)?;
    let images = images()?;
    let names = names(&images).into_iter().collect::<Vec<_>>();
    fs::write(out("names.rs")?, format!("&{names:?}"))?;
    fs::write(out("programs.rs")?, programs(&images)?)?;
    Ok(())
}

/// How often metricsd exports.
fn interval(recipe: &Recipe) -> String {
    let Nanos(interval) = recipe.metricsd.export.interval;
    format!("Nanos({interval})")
}

/// Each endpoint has a file of its own, so that no program has the private key of another.
fn keyrings() -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(KEYS).map_err(|error| format!("{KEYS}: {error}"))?;
    let keys = Keys::parse(&text).map_err(|errors| errors.in_file(KEYS).to_string())?;
    for endpoint in &keys.endpoints {
        let ring = keys.ring(&endpoint.name).ok_or("an endpoint has its keys")?;
        fs::write(out(&format!("{}.rs", endpoint.name))?, ring.to_source())?;
    }
    Ok(())
}

/// The bundles of the boot image, as an expression.
fn boot_bundles() -> Result<String, Box<dyn Error>> {
    if env::var_os(CARRIED).is_none() {
        return Ok("&[]".to_owned());
    }
    let recipe = BundlesRecipe::parse(&fs::read_to_string(BUNDLES)?)?;
    let mut paths = Vec::new();
    for bundle in &recipe.boot {
        let path = out(&format!("{}.bundle", bundle.name))?;
        fs::write(&path, packed(bundle, &carried(&bundle.program)?)?)?;
        paths.push(format!("include_bytes!({path:?})"));
    }
    Ok(format!("&[{}]", paths.join(", ")))
}

/// The bytes of a program that bundles carry.
fn carried(program: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = Path::new(&env::var_os(CARRIED).ok_or("no programs are carried")?).join(program);
    println!("cargo::rerun-if-changed={}", path.display());
    Ok(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn packed(bundle: &BootBundle, program: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let name = |text| BundleName::new(text).ok_or("no name of a bundle");
    let manifest = Manifest {
        name: name(&bundle.name)?,
        version: BundleVersion::new(&bundle.version).ok_or("no version of a bundle")?,
        entry: name(&bundle.entry)?,
        memory_kib: bundle.memory_kib,
        rights: bundle.rights(),
        program_bytes: 0,
    };
    pack(&manifest, program).map_err(|defect| format!("{}: {defect}", bundle.name).into())
}

fn images() -> Result<Vec<toml::Table>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={IMAGES}");
    let text = |file: Result<fs::DirEntry, _>| fs::read_to_string(file?.path());
    let texts = fs::read_dir(IMAGES)?.map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

/// Whom `init` starts in any of the images.
fn names(images: &[toml::Table]) -> BTreeSet<String> {
    let first = images.iter().filter_map(|image| entries(image).next());
    let inits = first.filter(|entry| is_called(entry, "init"));
    inits.flat_map(starts).map(str::to_owned).collect()
}

/// Whom `execd` starts in any of the images, as an expression: each with the KiB that it may take
/// and the digest of the program that it runs.
fn programs(images: &[toml::Table]) -> Result<String, Box<dyn Error>> {
    if env::var_os(CARRIED).is_none() {
        return Ok("&[]".to_owned());
    }
    let mut programs = BTreeMap::new();
    for image in images {
        let execd = entries(image).filter(|entry| is_called(entry, "execd"));
        for name in execd.flat_map(starts) {
            let child = child(image, name)?;
            if programs.insert(name, child).is_some_and(|other| other != child) {
                return Err(format!("`{name}` is not the same in all images").into());
            }
        }
    }
    let programs = programs.into_iter().map(|(name, (memory_kib, program))| {
        let digest = Program::digest_of(&carried(program)?);
        Ok(format!("Entry {{ name: {name:?}, memory_kib: {memory_kib}, digest: {digest:?} }}"))
    });
    Ok(format!("&[{}]", programs.collect::<Result<Vec<_>, Box<dyn Error>>>()?.join(", ")))
}

/// The KiB that an entry may take, and its program.
fn child<'i>(image: &'i toml::Table, name: &str) -> Result<(i64, &'i str), Box<dyn Error>> {
    let entry = entries(image).find(|entry| is_called(entry, name));
    let kib = entry.and_then(|entry| entry.get("memory_kib")?.as_integer());
    let program = entry.and_then(|entry| entry.get("program")?.as_str());
    let child = kib.zip(program);
    child.ok_or_else(|| format!("execd starts `{name}`, which is no entry").into())
}

fn entries(image: &toml::Table) -> impl Iterator<Item = &toml::Value> {
    image.get("entry").and_then(toml::Value::as_array).into_iter().flatten()
}

fn is_called(entry: &toml::Value, name: &str) -> bool {
    strings(entry, "names").any(|other| other == name)
}

fn starts(entry: &toml::Value) -> impl Iterator<Item = &str> {
    strings(entry, "starts")
}

fn strings<'a>(entry: &'a toml::Value, key: &str) -> impl Iterator<Item = &'a str> {
    let all = entry.get(key).and_then(toml::Value::as_array);
    all.into_iter().flatten().filter_map(toml::Value::as_str)
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
