use std::path::Path;

use anyhow::Result;

use super::graph::Graph;
use super::source::Source;
use super::tree::Tree;

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

    /// The sources of the pure levels: what boots unchanged in every world.
    pub(crate) fn pure(&self) -> impl Iterator<Item = &Source> {
        self.product().filter(|source| source.is_pure())
    }
}
