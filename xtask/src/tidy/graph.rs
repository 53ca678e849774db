use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{guest, shell};

/// The packages of the workspace and everything they depend on, on this machine's platform and
/// under the kernel.
#[derive(Default)]
pub(crate) struct Graph {
    /// By cargo's id.
    packages: BTreeMap<String, Package>,
}

/// A package, ours or somebody else's.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) license: Option<String>,
    /// Its folder from the top of the workspace; `None` for somebody else's.
    pub(crate) folder: Option<String>,
    /// What its manifest names.
    pub(crate) dependencies: Vec<Dependency>,
    /// Ids of what it was resolved to, for running code only.
    pub(crate) uses: Vec<String>,
}

/// A line of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only for tests, benchmarks and examples.
    pub(crate) is_dev: bool,
    /// Only for platforms that meet this condition.
    pub(crate) platform: Option<String>,
}

impl Graph {
    /// Asks cargo, which must find the lock file up to date.
    pub(crate) fn read() -> Result<Self> {
        let host = shell::output(&mut shell::command("rustc", &["-vV"])?)?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc names its host")?;
        let mut metadata = shell::cargo(&["metadata", "--format-version=1", "--locked"])?;
        for platform in [host, guest::PROGRAMS] {
            metadata.args(["--filter-platform", platform]);
        }
        Self::parse(&shell::output(&mut metadata)?)
    }

    /// Reads the output of `cargo metadata`.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let metadata = serde_json::from_str::<Metadata>(json).context("cargo metadata")?;
        let ours = metadata.workspace_members.into_iter().collect::<BTreeSet<_>>();
        let mut packages = BTreeMap::new();
        for node in metadata.resolve.nodes {
            let package = metadata.packages.iter().find(|package| package.id == node.id);
            let mut package = package.context("a node without a package")?.clone().into_package();
            let folder = package.folder.take().filter(|_| ours.contains(&node.id));
            package.folder = folder.and_then(|at| below(&metadata.workspace_root, &at));
            let uses = node.deps.into_iter().filter(NodeDependency::is_normal);
            package.uses = uses.map(|used| used.pkg).collect();
            packages.insert(node.id, package);
        }
        Ok(Self { packages })
    }

    /// A made-up graph; ids are `name version`.
    #[cfg(test)]
    pub(crate) fn of(packages: Vec<Package>) -> Self {
        let id = |package: &Package| format!("{} {}", package.name, package.version);
        Self { packages: packages.into_iter().map(|package| (id(&package), package)).collect() }
    }

    /// All packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// Our packages with their folders.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&Package, &str)> {
        self.packages().filter_map(|package| Some((package, package.folder.as_deref()?)))
    }

    /// Everything that runs when `package` runs, itself included, without going through `except`.
    pub(crate) fn closure<'a>(&'a self, package: &'a Package, except: &str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut next = vec![package];
        while let Some(package) = next.pop() {
            if package.name != except && seen.insert(package.name.as_str()) {
                next.extend(package.uses.iter().filter_map(|id| self.packages.get(id)));
            }
        }
        seen
    }
}

fn below(top: &str, path: &str) -> Option<String> {
    Some(path.strip_prefix(top)?.trim_start_matches('/').to_owned())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_members: Vec<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Deserialize, Clone)]
struct RawPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: String,
    dependencies: Vec<RawDependency>,
}

#[derive(Deserialize, Clone)]
struct RawDependency {
    name: String,
    kind: Option<String>,
    target: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<NodeKind>,
}

#[derive(Deserialize)]
struct NodeKind {
    kind: Option<String>,
}

impl RawPackage {
    fn into_package(self) -> Package {
        let folder = self.manifest_path.strip_suffix("/Cargo.toml").map(str::to_owned);
        let dependencies = self.dependencies.into_iter().map(RawDependency::into_dependency);
        Package {
            name: self.name,
            version: self.version,
            license: self.license,
            folder,
            dependencies: dependencies.collect(),
            uses: Vec::new(),
        }
    }
}

impl RawDependency {
    fn into_dependency(self) -> Dependency {
        let is_dev = self.kind.as_deref() == Some("dev");
        Dependency { name: self.name, is_dev, platform: self.target }
    }
}

impl NodeDependency {
    fn is_normal(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/top",
        "workspace_members": ["ours"],
        "packages": [
            { "id": "ours", "name": "a", "version": "0.1.0", "license": "MIT",
              "manifest_path": "/top/libs/a/Cargo.toml", "dependencies": [
                { "name": "b", "kind": null, "target": "cfg(unix)" },
                { "name": "c", "kind": "dev", "target": null } ] },
            { "id": "theirs", "name": "b", "version": "1.0.0", "license": null,
              "manifest_path": "/elsewhere/b/Cargo.toml", "dependencies": [] },
            { "id": "tests", "name": "c", "version": "1.0.0", "license": null,
              "manifest_path": "/elsewhere/c/Cargo.toml", "dependencies": [] }
        ],
        "resolve": { "nodes": [
            { "id": "ours", "deps": [
                { "pkg": "theirs", "dep_kinds": [{ "kind": null }] },
                { "pkg": "tests", "dep_kinds": [{ "kind": "dev" }] } ] },
            { "id": "theirs", "deps": [] },
            { "id": "tests", "deps": [] }
        ] }
    }"#;

    #[test]
    fn ours_are_told_from_theirs_and_what_runs_from_what_tests() {
        let graph = Graph::parse(METADATA).unwrap();
        let ours = graph.ours().collect::<Vec<_>>();
        let [(package, folder)] = ours.as_slice() else { panic!("one package is ours") };
        assert_eq!((package.name.as_str(), *folder), ("a", "libs/a"));
        let dev = package.dependencies.iter().map(|used| used.is_dev).collect::<Vec<_>>();
        assert_eq!(dev, [false, true]);
        assert_eq!(graph.closure(package, ""), BTreeSet::from(["a", "b"]));
        assert_eq!(graph.closure(package, "b"), BTreeSet::from(["a"]));
    }

    #[test]
    fn what_is_no_metadata_is_an_error() {
        assert!(Graph::parse("{}").is_err());
    }
}
