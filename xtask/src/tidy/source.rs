use anyhow::{Context, Result};

use super::facts::Facts;
use super::graph::Graph;
use super::levels;

/// A Rust file.
pub(crate) struct Source {
    pub(crate) path: String,
    /// The package it belongs to, if any, and its path within.
    pub(crate) package: Option<(String, String)>,
    pub(crate) facts: Facts,
    lines: Vec<String>,
    is_test: bool,
}

impl Source {
    /// Reads one file.
    pub(crate) fn parse(path: &str, text: &str, graph: &Graph) -> Result<Self> {
        let package = owner(path, graph);
        let within = package.as_ref().map_or(path, |(_, within)| within);
        let is_test = ["tests/", "benches/", "examples/"].iter().any(|at| within.starts_with(at));
        let facts = Facts::parse(text).with_context(|| path.to_owned())?;
        let lines = text.lines().map(str::to_owned).collect();
        Ok(Self { path: path.to_owned(), package, facts, lines, is_test })
    }

    /// The name of its package, or nothing.
    pub(crate) fn package_name(&self) -> &str {
        self.package.as_ref().map_or("", |(name, _)| name)
    }

    /// Whether it runs in the product.
    pub(crate) fn is_product(&self) -> bool {
        let Some((package, within)) = &self.package else { return false };
        !self.is_test && !levels::is_test(package) && within != "build.rs"
    }

    /// Whether it belongs to the pure levels. The file that joins a service with its port does not.
    pub(crate) fn is_pure(&self) -> bool {
        let Some((package, within)) = &self.package else { return false };
        levels::is_pure(package) && within != "src/main.rs"
    }

    /// Whether it is the root of its package's library.
    pub(crate) fn is_lib_root(&self) -> bool {
        self.package.as_ref().is_some_and(|(_, within)| within == "src/lib.rs")
    }

    /// Whether the code in `line` runs in tests only.
    pub(crate) fn in_test(&self, line: usize) -> bool {
        self.is_test || self.facts.tests.iter().any(|range| range.contains(&line))
    }

    /// The lines, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.lines.iter().map(String::as_str))
    }

    /// The text of a line that is numbered from 1.
    pub(crate) fn line(&self, number: usize) -> Option<&str> {
        self.lines.get(number.checked_sub(1)?).map(String::as_str)
    }

    /// How many lines are not for tests only.
    pub(crate) fn product_lines(&self) -> usize {
        (1..=self.lines.len()).filter(|&line| !self.in_test(line)).count()
    }

    /// How many lines of code are not for tests only.
    pub(crate) fn code_lines(&self) -> usize {
        self.facts.code.iter().filter(|&&line| !self.in_test(line)).count()
    }

    /// Where the modules may lie that this file declares for tests only: `a/b` stands for the file
    /// `a/b.rs` and the folder `a/b`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let folder = if matches!(name, "lib" | "main" | "mod") { folder } else { stem };
        self.facts.test_modules.iter().map(|module| format!("{folder}/{module}")).collect()
    }

    /// Marks the file as a test if it lies at one of those places.
    pub(crate) fn mark_test_module(&mut self, modules: &[String]) {
        let stem = self.path.trim_end_matches(".rs");
        self.is_test |= modules.iter().any(|module| {
            let rest = stem.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }
}

/// The innermost package whose folder holds `path`, and the path within.
fn owner(path: &str, graph: &Graph) -> Option<(String, String)> {
    let within = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
    let holders = graph.ours().filter_map(|(package, at)| Some((package, within(at)?)));
    let (package, within) = holders.min_by_key(|(_, within)| within.len())?;
    Some((package.name.clone(), within))
}

#[cfg(test)]
mod tests {
    use crate::tidy::testing::workspace;

    fn product(files: &[(&str, &str)]) -> Vec<String> {
        workspace(files).product().map(|source| source.path.clone()).collect()
    }

    #[test]
    fn tests_benchmarks_examples_and_build_scripts_are_no_product() {
        let paths = ["src/a.rs", "tests/b.rs", "benches/c.rs", "examples/d.rs", "build.rs"];
        let paths = paths.map(|path| format!("source/services/logd/{path}"));
        let mut files = paths.each_ref().map(|path| (path.as_str(), "")).to_vec();
        files.push(("tests/sim/src/lib.rs", ""));
        assert_eq!(product(&files), ["source/services/logd/src/a.rs"]);
    }

    #[test]
    fn files_of_test_modules_are_no_product() {
        let at = |path: &str| format!("tools/obsctl/src/{path}.rs");
        let files = [
            (at("main"), "mod a; #[cfg(test)] mod t;"),
            (at("a"), "#[cfg(test)] mod t;"),
            (at("a/t"), ""),
            (at("a/t/deep"), ""),
            (at("a/tt"), ""),
            (at("t"), ""),
        ];
        let files = files.each_ref().map(|(path, text)| (path.as_str(), *text));
        assert_eq!(product(&files), [at("a"), at("a/tt"), at("main")]);
    }

    #[test]
    fn what_belongs_to_no_package_is_no_product() {
        assert_eq!(product(&[("fuzz/a.rs", ""), ("tests/simple.rs", "")]), [""; 0]);
    }

    #[test]
    fn a_service_is_pure_but_for_the_file_that_joins_it_with_its_port() {
        let at = |path: &str| format!("source/services/logd/src/{path}.rs");
        let files = [at("lib"), at("main"), "tools/obsctl/src/lib.rs".to_owned()];
        let files = files.each_ref().map(|path| (path.as_str(), ""));
        let workspace = workspace(&files);
        assert_eq!(workspace.pure().map(|source| &source.path).collect::<Vec<_>>(), [&at("lib")]);
    }
}
