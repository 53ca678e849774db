use super::Law;
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::tokens::words;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "preamble",
    says: "libraries of the pure levels begin with no_std and forbid(unsafe_code)",
    check,
};

fn check(workspace: &Workspace, report: &mut Report) {
    let roots = workspace.sources.iter().filter(|source| source.is_lib_root());
    for source in roots.filter(|source| levels::is_pure(source.package_name())) {
        if !has(source, "no_std", &[]) && !has(source, "cfg_attr", &["no_std"]) {
            report.fail(&source.path, 1, "no `#![no_std]`", "begin the library with it");
        }
        if !has(source, "forbid", &["unsafe_code"]) {
            let what = "no `#![forbid(unsafe_code)]`";
            report.fail(&source.path, 1, what, "begin the library with it");
        }
    }
}

fn has(source: &Source, path: &str, args: &[&str]) -> bool {
    source.facts.tokens.attributes.iter().any(|attribute| {
        let attribute = &attribute.what;
        let given = words(attribute.args.clone());
        let has_all = args.iter().all(|&arg| given.iter().any(|word| word == arg));
        attribute.is_inner && attribute.path == path && has_all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, lines, refuses};

    const ROOT: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn a_pure_library_without_its_preamble_is_refused() {
        refuses(&LAW, ROOT, 1, "#![no_std]");
        refuses(&LAW, ROOT, 1, "#![forbid(unsafe_code)]");
        refuses(&LAW, ROOT, 1, "#![no_std]\n#![deny(unsafe_code)]");
        assert_eq!(lines(&LAW, &[(ROOT, "//! no_std, forbid(unsafe_code)")]), [1, 1]);
    }

    #[test]
    fn the_standard_library_may_be_a_feature() {
        let text = "#![cfg_attr(not(feature = \"parse\"), no_std)]\n#![forbid(unsafe_code)]";
        accepts(&LAW, ROOT, text);
        accepts(&LAW, ROOT, "#![no_std]\n#![forbid(unsafe_code)]");
    }

    #[test]
    fn ports_and_tools_are_free() {
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", "");
        accepts(&LAW, "source/services/logd/src/main.rs", "fn main() {}");
    }
}
