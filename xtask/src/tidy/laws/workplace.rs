use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "workplace",
    says: "the product speaks of itself, not of the machines and tickets it was made with",
    check,
};

/// This file has to name them.
const SELF: &str = "xtask/src/tidy/laws/workplace.rs";

/// Written by cargo.
const LOCK: &str = "Cargo.lock";

const WORDS: &[&str] = &[
    "/work/",
    "/root/",
    "/home/",
    "/tmp/team",
    "/tmp/target",
    "/tmp/bash",
    "TASK-0",
    "crates.io",
    "CONTRACTS.md",
    "EXEMPLARS.md",
    "DESIGN.md",
    "issue #",
    "FIXME",
    "XXX",
];

fn check(workspace: &Workspace, report: &mut Report) {
    let files = workspace.tree.iter().filter(|(path, _)| *path != SELF && *path != LOCK);
    for (path, text) in files {
        for (line, number) in text.lines().zip(1..) {
            for word in WORDS.iter().filter(|word| line.contains(**word)) {
                let what = format!("`{word}`");
                report.fail(path, number, what, "say it in terms of the product, or not at all");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    #[test]
    fn words_of_the_workplace_are_refused_in_any_file() {
        refuses(&LAW, "README.md", 2, "ok\nrun it in /home/me/nexus");
        refuses(&LAW, "scripts/test.sh", 1, "cd /work/main");
        refuses(&LAW, "source/services/logd/src/lib.rs", 1, "// FIXME: later");
        refuses(&LAW, "docs/wire.md", 1, "as CONTRACTS.md says");
    }

    #[test]
    fn a_text_about_the_product_is_accepted() {
        accepts(&LAW, "README.md", "homework, network/workers, /run/nexus and /tmp/demo");
    }
}
