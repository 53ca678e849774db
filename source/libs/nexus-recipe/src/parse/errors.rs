use std::fmt;

/// One thing that is wrong in a recipe, where it stands, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipeError {
    /// Line in the text, from 1.
    pub line: u32,
    /// Column in the line in characters, from 1.
    pub column: u32,
    /// The key it is about, with its tables: `logd.budget.events_per_s`, `senders[3].name`. Empty
    /// when the text is no TOML there.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, key, what } = self;
        let colon = if key.is_empty() { "" } else { ": " };
        write!(f, "{line}:{column}: {key}{colon}{what}")
    }
}

/// Everything that is wrong in a recipe, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeErrors(Vec<RecipeError>);

impl RecipeErrors {
    pub(super) fn new(mut errors: Vec<RecipeError>) -> Self {
        errors.sort();
        errors.dedup();
        Self(errors)
    }

    /// The errors, first line first.
    #[must_use]
    pub fn as_slice(&self) -> &[RecipeError] {
        &self.0
    }

    /// The errors as compilers print them, `file:line:column: key: what`, one a line.
    #[must_use]
    pub fn in_file(&self, file: impl fmt::Display) -> impl fmt::Display {
        let lines = self.0.iter().map(|error| format!("{file}:{error}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.in_file("recipe"))
    }
}

impl std::error::Error for RecipeErrors {}
