use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::graph::Graph;
use super::source::Source;
use super::tree::Tree;

/// How a test is marked that is too slow for every run.
const LONG_TEST: &str = "#[ignore = \"long: ";

/// All that the laws look at.
pub(crate) struct Workspace {
    pub(crate) tree: Tree,
    pub(crate) graph: Graph,
    /// The Rust files of the tree, by path.
    pub(crate) sources: Vec<Source>,
}

impl Workspace {
    /// Reads the workspace in the folder `top`.
    pub(crate) fn read(top: &Path) -> Result<Self> {
        Self::new(Tree::read(top)?, Graph::read()?)
    }

    /// Parses the sources of a tree. A file that is not Rust is an error, but for the inputs of
    /// compile-fail tests.
    pub(crate) fn new(tree: Tree, graph: Graph) -> Result<Self> {
        let mut sources = Vec::new();
        for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".rs")) {
            sources.push(Source::parse(path, text, &graph)?);
        }
        let tests = sources.iter().flat_map(Source::test_modules).collect::<Vec<_>>();
        for source in &mut sources {
            source.mark_test_module(&tests);
        }
        Ok(Self { tree, graph, sources })
    }

    /// The sources that run in the product: not tests, benchmarks, examples or build scripts.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_product())
    }

    /// Packages with tests that are too slow for every run.
    pub(crate) fn with_long_tests(&self) -> BTreeSet<&str> {
        let is_mark = |line: &str| line.trim_start().starts_with(LONG_TEST);
        let long = self.sources.iter().filter(|source| source.lines().any(|(_, l)| is_mark(l)));
        long.map(Source::package_name).collect()
    }

    /// The sources of the pure levels: what boots unchanged in every world.
    pub(crate) fn pure(&self) -> impl Iterator<Item = &Source> {
        self.product().filter(|source| source.is_pure())
    }
}

#[cfg(test)]
mod tests {
    use crate::tidy::testing::workspace;

    #[test]
    fn a_package_has_long_tests_where_one_is_marked_so_and_not_for_other_ignored_ones() {
        let test = |why: &str| format!("#[test]\n#[ignore = \"{why}\"]\nfn a() {{}}\n");
        let (long, helper) = (test("long: an hour"), test("what others start"));
        let files =
            [("tests/sim/tests/a.rs", &*long), ("source/libs/nexus-rt/tests/a.rs", &*helper)];
        assert_eq!(workspace(&files).with_long_tests().into_iter().collect::<Vec<_>>(), ["sim"]);
    }
}
