use std::collections::BTreeMap;

use serde::Deserialize;

use super::Law;
use crate::tidy::graph::Graph;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "licences",
    says: "dependencies have an allowed licence and one version each, as deny.toml says",
    check,
};

/// The list, which `cargo deny` reads as well.
const LIST: &str = "deny.toml";

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// A version that may stand beside another one of the same package.
#[derive(Deserialize)]
struct Skip {
    /// `name@version`
    #[serde(rename = "crate")]
    spec: String,
    #[serde(rename = "reason")]
    _reason: String,
}

fn check(workspace: &Workspace, report: &mut Report) {
    let text = workspace.tree.text(LIST).unwrap_or_default();
    match toml::from_str::<Deny>(text) {
        Ok(deny) => {
            licences(&workspace.graph, &deny.licenses.allow, report);
            versions(&workspace.graph, &deny.bans.skip, report);
        }
        Err(error) => report.fail(LIST, 1, error.message(), "every exception has its reason"),
    }
}

fn licences(graph: &Graph, allowed: &[String], report: &mut Report) {
    for package in graph.packages() {
        let licence = package.license.as_deref().unwrap_or_default();
        if !is_allowed(licence, allowed) {
            let what = format!("{} {} has licence `{licence}`", package.name, package.version);
            report.fail(LIST, 1, what, "do without the package, or argue for its licence");
        }
    }
}

fn versions(graph: &Graph, skipped: &[Skip], report: &mut Report) {
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    for package in graph.packages() {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    for (name, versions) in versions {
        let is_skipped =
            |version: &&&str| skipped.iter().any(|skip| skip.spec == format!("{name}@{version}"));
        let skips = versions.iter().filter(is_skipped).count();
        if versions.len() > skips + 1 {
            let what = format!("{name} has the versions {}", versions.join(", "));
            report.fail(LIST, 1, what, "make them one, or explain the older one under bans.skip");
        }
    }
    unused(graph, skipped, report);
}

/// An exception that is needed no longer goes.
fn unused(graph: &Graph, skipped: &[Skip], report: &mut Report) {
    for skip in skipped {
        let is_used = graph
            .packages()
            .any(|package| skip.spec == format!("{}@{}", package.name, package.version));
        if !is_used {
            let what = format!("nobody uses {}", skip.spec);
            report.fail(LIST, 1, what, "delete the exception");
        }
    }
}

/// Whether an SPDX expression leaves a choice that is allowed. An exception makes a licence only
/// more generous; `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let choice = choice(&mut words, allowed);
    choice && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn choice(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut any = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        any |= all(words, allowed);
    }
    any
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut all = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        all &= one(words, allowed);
    }
    all
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let is_allowed = match words.next() {
        Some("(") => {
            let inner = choice(words, allowed);
            inner && words.next() == Some(")")
        }
        Some(name) => allowed.iter().any(|one| one == name),
        None => false,
    };
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    is_allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Package;
    use crate::tidy::testing::{failures, theirs};

    const DENY: &str = "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Unicode-3.0']\n[bans]\n";

    fn breaks(skip: &str, packages: &[Package]) -> bool {
        let deny = format!("{DENY}skip = [{skip}]");
        !failures(&LAW, Graph::of(packages.to_vec()), &[(LIST, &deny)]).is_empty()
    }

    #[test]
    fn a_licence_that_leaves_no_allowed_choice_is_refused() {
        for licence in ["GPL-3.0", "", "MIT AND GPL-3.0", "(MIT OR GPL-2.0) AND GPL-3.0", "(MIT"] {
            assert!(breaks("", &[theirs("a", "1.0.0", licence)]), "{licence}");
        }
    }

    #[test]
    fn a_licence_that_leaves_an_allowed_choice_is_accepted() {
        for licence in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(!breaks("", &[theirs("a", "1.0.0", licence)]), "{licence}");
        }
    }

    #[test]
    fn two_versions_of_a_package_are_refused_unless_explained() {
        let both = [theirs("a", "1.0.0", "MIT"), theirs("a", "2.0.0", "MIT")];
        assert!(breaks("", &both));
        assert!(breaks("{ crate = 'a@1.5.0', reason = 'x' }", &both));
        assert!(!breaks("{ crate = 'a@1.0.0', reason = 'b is not ready for 2' }", &both));
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_use() {
        let both = [theirs("a", "1.0.0", "MIT"), theirs("a", "2.0.0", "MIT")];
        assert!(breaks("{ crate = 'a@1.0.0' }", &both));
        let used_no_longer = "{ crate = 'a@1.0.0', reason = 'b is not ready for 2' }";
        assert!(breaks(used_no_longer, &both[1..]));
    }

    #[test]
    fn a_missing_list_is_refused() {
        assert!(!failures(&LAW, Graph::of(Vec::new()), &[]).is_empty());
    }
}
