use super::Law;
use crate::tidy::report::Report;
use crate::tidy::tokens::{Attribute, words};
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "allows",
    says: "a lint is never allowed, only expected, at one place and with a reason",
    check,
};

/// Lints that hide dead code, which is deleted instead.
const DEAD: &[&str] = &["dead_code", "unused", "unused_imports", "unused_variables", "warnings"];

fn check(workspace: &Workspace, report: &mut Report) {
    for source in &workspace.sources {
        for attribute in &source.facts.tokens.attributes {
            if let Some((what, instead)) = defect(&attribute.what) {
                report.fail(&source.path, attribute.line, what, instead);
            }
        }
    }
}

fn defect(attribute: &Attribute) -> Option<(&'static str, &'static str)> {
    let args = words(attribute.args.clone());
    let names = |names: &[&str]| args.iter().any(|arg| names.contains(&arg.as_str()));
    match attribute.path.as_str() {
        "allow" => Some(("an `allow`", "use `#[expect(.., reason = \"..\")]` at the one place")),
        "cfg_attr" if names(&["allow"]) => Some(("a conditional `allow`", "make the code fit")),
        "expect" if attribute.is_inner && names(DEAD) => {
            Some(("dead code expected for a whole file", "delete the dead code"))
        }
        "expect" if !names(&["reason"]) => {
            Some(("an `expect` without a reason", "give the reason"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const ANYWHERE: &[&str] =
        &["source/services/logd/src/lib.rs", "tests/sim/tests/a.rs", "build.rs"];

    #[test]
    fn allowing_is_refused_everywhere() {
        for text in [
            "#![allow(dead_code)]",
            "#[allow(clippy::unwrap_used)]\nfn a() {}",
            "#[allow(unused, reason = \"x\")]\nfn a() {}",
            "#![cfg_attr(test, allow(dead_code))]",
            "#![expect(dead_code, reason = \"shared\")]",
            "#[expect(unsafe_code)]\nfn a() {}",
            "macro_rules! a { () => { #[allow(unused)] fn b() {} } }",
        ] {
            for path in ANYWHERE {
                refuses(&LAW, path, 1, text);
            }
        }
    }

    #[test]
    fn expecting_with_a_reason_is_accepted() {
        let text = "#[expect(unsafe_code, reason = \"it is a port\")]\nfn a() {}";
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", text);
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", "#![deny(missing_docs)]");
    }
}
