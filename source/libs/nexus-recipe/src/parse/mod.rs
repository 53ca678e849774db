//! The parser of recipes: text in, a [`Recipe`] or everything that is wrong with it out.

mod bundles;
mod contradictions;
mod errors;
mod keys;
mod policy;
mod retention;
mod sections;
mod state;
mod table;
mod units;

pub use errors::{RecipeError, RecipeErrors};
use std::collections::BTreeMap;

use table::{Report, Table};
use toml::de::DeTable;

use crate::{BundlesRecipe, Keys, Policy, Recipe, StateRecipe};

impl Recipe {
    /// Reads a recipe. Every key must be there and possible, and no two may contradict each other.
    ///
    /// # Errors
    /// [`RecipeErrors`]: everything that is wrong, with line and column. While the text is no TOML,
    /// nothing is said about missing keys and contradictions: they may be made of what could not be
    /// read.
    pub fn parse(text: &str) -> Result<Self, RecipeErrors> {
        read(text, sections::recipe, contradictions::check).map(longest_prefix_first)
    }
}

impl StateRecipe {
    /// Reads the recipe of a state disk, as [`Recipe::parse`] reads its own.
    ///
    /// # Errors
    /// As [`Recipe::parse`].
    pub fn parse(text: &str) -> Result<Self, RecipeErrors> {
        read(text, state::recipe, state::check)
    }
}

impl BundlesRecipe {
    /// Reads the recipe of bundles, as [`Recipe::parse`] reads its own.
    ///
    /// # Errors
    /// As [`Recipe::parse`].
    pub fn parse(text: &str) -> Result<Self, RecipeErrors> {
        read(text, bundles::recipe, bundles::check)
    }
}

impl Policy {
    /// Reads a policy, as [`Recipe::parse`] reads a recipe. Whether there are such services it does
    /// not ask.
    ///
    /// # Errors
    /// As [`Recipe::parse`].
    pub fn parse(text: &str) -> Result<Self, RecipeErrors> {
        read(text, policy::policy, policy::check)
    }

    /// Reads a policy whose every service is one of `entries`, the names in its image.
    ///
    /// # Errors
    /// As [`Recipe::parse`]; a name that leads nowhere is one.
    pub fn parse_for(text: &str, entries: &[String]) -> Result<Self, RecipeErrors> {
        read(text, policy::policy, |report, policy| {
            policy::check(report, policy);
            policy::check_names(report, policy, entries);
        })
    }
}

impl Keys {
    /// Reads the keys of endpoints, as [`Recipe::parse`] reads a recipe. Whether the two of a pair
    /// belong together it does not ask.
    ///
    /// # Errors
    /// As [`Recipe::parse`].
    pub fn parse(text: &str) -> Result<Self, RecipeErrors> {
        read(text, keys::keys, keys::check)
    }
}

/// Reads a recipe by `sections`, and `check`s it for contradictions.
fn read<T>(
    text: &str,
    sections: impl FnOnce(&mut Table<'_, '_>) -> T,
    check: impl FnOnce(&mut Report<'_>, &T),
) -> Result<T, RecipeErrors> {
    let mut report = Report::new(text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    let recipe = table::read_text(&mut report, document.into_inner(), |t| {
        let recipe = sections(t);
        if syntax.is_empty() {
            check(t.report, &recipe);
        }
        recipe
    });
    if syntax.is_empty() {
        report.errors.append(&mut report.missing);
    } else {
        keep_what_syntax_did_not_cause(&mut report, &syntax);
    }
    if report.errors.is_empty() { Ok(recipe) } else { Err(RecipeErrors::new(report.errors)) }
}

/// Puts syntax errors, one for each line, in the place of what else is said about their lines.
fn keep_what_syntax_did_not_cause(report: &mut Report<'_>, syntax: &[toml::de::Error]) {
    let mut broken = BTreeMap::new();
    for error in syntax {
        let at = error.span().map_or(0, |span| span.start);
        let (line, _) = report.line_and_column(at);
        broken.entry(line).or_insert_with(|| (at, error.message()));
    }
    report.errors.retain(|error| !broken.contains_key(&error.line));
    for (at, message) in broken.into_values() {
        report.error(at, "", format!("{message}; the text is no TOML here"));
    }
}

/// Puts the rule that applies to a name before all others that match it.
fn longest_prefix_first(mut recipe: Recipe) -> Recipe {
    recipe.metricsd.buckets.sort_by_key(|rule| core::cmp::Reverse(rule.prefix.len()));
    recipe
}
