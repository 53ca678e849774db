//! Made-up trees for the tests of the laws.

use super::graph::{Dependency, Graph, Package};
use super::laws::Law;
use super::report::Report;
use super::tree::Tree;
use super::workspace::Workspace;

/// Our packages as they lie in the tree, without dependencies.
const PACKAGES: &[(&str, &str)] = &[
    ("nexus-bounded", "source/libs/nexus-bounded"),
    ("nexus-wire", "source/libs/nexus-wire"),
    ("nexus-rt", "source/libs/nexus-rt"),
    ("nexus-metrics", "userspace/nexus-metrics"),
    ("logd", "source/services/logd"),
    ("sim", "tests/sim"),
    ("obsctl", "tools/obsctl"),
];

/// A package of ours that depends on `uses`.
pub(crate) fn ours(name: &str, folder: &str, uses: &[&str]) -> Package {
    let mut package = theirs(name, "0.1.0", "Apache-2.0");
    package.folder = Some(folder.to_owned());
    package.uses = uses.iter().map(|&used| id(used)).collect();
    package.dependencies = uses.iter().map(|&name| dependency(name)).collect();
    package
}

/// A line of a manifest, for running code on all platforms.
pub(crate) fn dependency(name: &str) -> Dependency {
    Dependency { name: name.to_owned(), is_dev: false, platform: None }
}

fn id(name: &str) -> String {
    format!("{name} 0.1.0")
}

/// Somebody else's package.
pub(crate) fn theirs(name: &str, version: &str, license: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        license: Some(license.to_owned()),
        folder: None,
        dependencies: Vec::new(),
        uses: Vec::new(),
    }
}

/// The lines at which `law` fails, with their paths.
pub(crate) fn failures(law: &Law, graph: Graph, files: &[(&str, &str)]) -> Vec<(String, usize)> {
    let workspace = Workspace::new(Tree::of(files), graph).unwrap();
    let mut report = Report::default();
    report.check(law, &workspace);
    report.failed().map(|finding| (finding.path.clone(), finding.line)).collect()
}

/// A tree of these files in the real layout, without dependencies.
pub(crate) fn workspace(files: &[(&str, &str)]) -> Workspace {
    Workspace::new(Tree::of(files), layout()).unwrap()
}

fn layout() -> Graph {
    Graph::of(PACKAGES.iter().map(|&(name, folder)| ours(name, folder, &[])).collect())
}

/// The lines at which `law` fails in a tree of these files.
pub(crate) fn lines(law: &Law, files: &[(&str, &str)]) -> Vec<usize> {
    failures(law, layout(), files).into_iter().map(|(_, line)| line).collect()
}

/// `law` refuses a tree of this one file, at exactly this line.
pub(crate) fn refuses(law: &Law, path: &str, line: usize, text: &str) {
    assert_eq!(lines(law, &[(path, text)]), [line], "{} should refuse {path}:\n{text}", law.name);
}

/// `law` accepts a tree of this one file.
pub(crate) fn accepts(law: &Law, path: &str, text: &str) {
    assert_eq!(lines(law, &[(path, text)]), [0; 0], "{} should accept {path}:\n{text}", law.name);
}
