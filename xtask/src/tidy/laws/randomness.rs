use super::Law;
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "randomness",
    says: "the pure levels use no random numbers and no containers in hash order",
    check,
};

/// Packages that bring randomness.
const PACKAGES: &[&str] = &[
    "ahash",
    "const-random",
    "fastrand",
    "getrandom",
    "nanorand",
    "oorandom",
    "rand",
    "rand_chacha",
    "rand_core",
    "uuid",
];

/// Names of types whose order depends on a hash, or whose hash on chance.
const WORDS: &[&str] = &["DefaultHasher", "HashMap", "HashSet", "RandomState"];

fn check(workspace: &Workspace, report: &mut Report) {
    for (package, folder) in workspace.graph.ours().filter(|(p, _)| levels::is_pure(&p.name)) {
        let used = workspace.graph.closure(package, levels::PORT);
        for name in PACKAGES.iter().filter(|&name| used.contains(name)) {
            let what = format!("`{}` comes to use `{name}`", package.name);
            let instead = "leave out what brings it; take entropy as an input";
            report.fail(&format!("{folder}/Cargo.toml"), 1, what, instead);
        }
    }
    for source in workspace.pure() {
        for word in &source.facts.tokens.idents {
            if WORDS.contains(&word.what.as_str()) && !source.in_test(word.line) {
                let instead = "use a sorted table or a bounded probe over a fixed array";
                report.fail(
                    &source.path,
                    word.line,
                    format!("`{}` in pure code", word.what),
                    instead,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Graph;
    use crate::tidy::testing::{accepts, failures, ours, refuses, theirs};

    /// `name` uses `between`, which uses `rand`.
    fn breaks(name: &str, between: &str) -> bool {
        let mut rand = theirs("rand", "0.1.0", "MIT");
        let mut middle = theirs(between, "0.1.0", "MIT");
        middle.uses.push("rand 0.1.0".to_owned());
        rand.uses.clear();
        let graph = Graph::of(vec![ours(name, "here", &[between]), middle, rand]);
        !failures(&LAW, graph, &[]).is_empty()
    }

    #[test]
    fn a_package_that_brings_randomness_is_refused_however_far_away() {
        assert!(breaks("nexus-bounded", "harmless"));
        assert!(breaks("logd", "harmless"));
    }

    #[test]
    fn tools_may_be_random_and_the_port_is_none_of_the_services_code() {
        assert!(!breaks("obsctl", "harmless"));
        assert!(!breaks("logd", "nexus-rt"));
    }

    #[test]
    fn hash_order_is_refused_in_pure_code_only() {
        let text = "use std::collections::{BTreeMap, HashMap};";
        refuses(&LAW, "source/services/logd/src/lib.rs", 1, text);
        refuses(&LAW, "source/libs/nexus-wire/src/a.rs", 1, "fn a(b: RandomState) {}");
        accepts(&LAW, "tools/obsctl/src/main.rs", text);
        accepts(&LAW, "source/services/logd/tests/a.rs", text);
        accepts(&LAW, "source/services/logd/src/lib.rs", "use alloc::collections::BTreeMap;");
    }
}
