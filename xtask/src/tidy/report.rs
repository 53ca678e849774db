use std::fmt;

use super::laws::Law;
use super::workspace::Workspace;

/// What the laws found, in the order of the laws.
#[derive(Default)]
pub(crate) struct Report {
    law: &'static str,
    laws: usize,
    findings: Vec<Finding>,
}

/// One place that breaks a law.
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    law: &'static str,
    text: String,
    warning: bool,
}

impl Report {
    /// Checks one law.
    pub(crate) fn check(&mut self, law: &Law, workspace: &Workspace) {
        self.law = law.name;
        self.laws += 1;
        (law.check)(workspace, self);
    }

    /// The law is broken at `line` of `path`; `instead` says what to do.
    pub(crate) fn fail(&mut self, path: &str, line: usize, what: impl fmt::Display, instead: &str) {
        self.add(path, line, format!("{what}; {instead}"), false);
    }

    /// Not yet broken, but near it.
    pub(crate) fn warn(&mut self, path: &str, line: usize, what: impl fmt::Display, instead: &str) {
        self.add(path, line, format!("{what}; {instead}"), true);
    }

    fn add(&mut self, path: &str, line: usize, text: String, warning: bool) {
        let (path, law) = (path.to_owned(), self.law);
        self.findings.push(Finding { path, line, law, text, warning });
    }

    /// How many findings break a law.
    pub(crate) fn failures(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.warning).count()
    }

    /// What breaks a law.
    #[cfg(test)]
    pub(crate) fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.warning)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { " (warning)" } else { "" };
        writeln!(f, "{}:{}: {}{kind}: {}", self.path, self.line, self.law, self.text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            finding.fmt(f)?;
        }
        let failures = self.failures();
        let warnings = self.findings.len() - failures;
        writeln!(f, "tidy: {} laws, {failures} failures, {warnings} warnings", self.laws)
    }
}
