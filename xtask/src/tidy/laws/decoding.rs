use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::tokens::{At, Attribute, words};
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "decoding",
    says: "crates that handle decoded data deny indexing and unwrapping, but for own indexes",
    check,
};

/// The crates that decode what others wrote, or handle what was decoded.
const DECODERS: &[&str] = &[
    "nexus-wire",
    "nexus-gate",
    "nexus-retention",
    "nexus-policy",
    "nexus-bundle",
    "nexus-log",
    "nexus-metrics",
    "nexus-session",
    "nexus-recipe",
    "statefs",
    "logd",
    "metricsd",
    "statefsd",
    "timed",
    "policyd",
    "bundlemgrd",
    "execd",
    "dsoftbusd",
];

/// Of them those that have no index of their own, and so no exception.
const WITHOUT_EXCEPTIONS: &[&str] = &["nexus-wire"];

const LINTS: &[&str] = &["indexing_slicing", "string_slice", "unwrap_used", "expect_used"];

/// How a reason begins that says why an index is none that was decoded.
const ARGUMENTS: &[&str] = &["own index: ", "the compiler runs it: "];

/// Clippy knows which brackets index; here it is only kept switched on.
fn check(workspace: &Workspace, report: &mut Report) {
    let sources = workspace.product();
    for source in sources.filter(|source| DECODERS.contains(&source.package_name())) {
        let missing = LINTS.iter().find(|lint| !refuses(source, lint));
        if let (true, Some(lint)) = (source.is_lib_root(), missing) {
            let what = "a decoder that may index or unwrap";
            report.fail(&source.path, 1, what, &format!("add `#![deny(clippy::{lint})]`"));
        }
        let attributes = source.facts.tokens.attributes.iter();
        for attribute in attributes.filter(|attribute| !source.in_test(attribute.line)) {
            if let Some(what) = defect(source, attribute) {
                let instead = "use `get`, `split_at_checked` or a pattern; for a row of a table \
                               of our own, one function with `reason = \"own index: ..\"`";
                report.fail(&source.path, attribute.line, what, instead);
            }
        }
    }
}

/// Whether the lint is refused in the whole crate, tests perhaps left out.
fn refuses(source: &Source, lint: &str) -> bool {
    source.facts.tokens.attributes.iter().any(|attribute| {
        let args = words(attribute.what.args.clone());
        let says = |words: &[String], what: &str| words.iter().any(|word| word == what);
        let refuses = match attribute.what.path.as_str() {
            "deny" | "forbid" => true,
            "cfg_attr" => {
                let (condition, rest) = args.split_at(args.len().min(2));
                condition == ["not", "test"] && (says(rest, "deny") || says(rest, "forbid"))
            }
            _ => false,
        };
        refuses && attribute.what.is_inner && says(&args, lint)
    })
}

/// What is wrong with an attribute that excepts something from the ban.
fn defect(source: &Source, attribute: &At<Attribute>) -> Option<&'static str> {
    let excepts = matches!(attribute.what.path.as_str(), "allow" | "warn" | "expect");
    let args = words(attribute.what.args.clone());
    if !excepts || !args.iter().any(|word| LINTS.contains(&word.as_str())) {
        return None;
    }
    let text = attribute.what.args.to_string();
    let argues = ARGUMENTS.iter().any(|argument| text.contains(&format!("\"{argument}")));
    let of_one = !attribute.what.is_inner && source.facts.is_of_one_function(attribute.line);
    if WITHOUT_EXCEPTIONS.contains(&source.package_name()) {
        Some("an exception from the ban on indexing")
    } else if !of_one {
        Some("an exception from the ban on indexing for more or less than one function")
    } else if !argues {
        Some("an exception that does not say why the index is none that was decoded")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const ROOT: &str = "source/libs/nexus-wire/src/lib.rs";
    const PART: &str = "source/libs/nexus-wire/src/part.rs";
    const ROWS: &str = "source/services/logd/src/rows.rs";
    const ALL: &str = "clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, \
                       clippy::expect_used";

    #[test]
    fn a_decoder_that_may_index_is_refused() {
        for root in [ROOT, "source/services/logd/src/lib.rs", "userspace/nexus-metrics/src/lib.rs"]
        {
            refuses(&LAW, root, 1, "#![no_std]");
            refuses(&LAW, root, 1, "#![deny(clippy::unwrap_used)]");
            refuses(&LAW, root, 1, "#![deny(clippy::indexing_slicing)]");
            refuses(&LAW, root, 1, &format!("#![cfg_attr(test, deny({ALL}))]"));
            refuses(&LAW, root, 1, &format!("#[deny({ALL})]\nmod a {{}}"));
        }
        refuses(&LAW, PART, 2, "\n#![allow(clippy::indexing_slicing)]");
    }

    #[test]
    fn an_exception_for_less_or_more_than_a_function_or_without_an_argument_is_refused() {
        let own = "#[expect(clippy::indexing_slicing, reason = \"own index: x\")]";
        refuses(&LAW, PART, 1, &format!("{own}\nfn a() {{}}"));
        refuses(&LAW, ROWS, 1, &own.replace("#[", "#!["));
        refuses(&LAW, ROWS, 1, &format!("{own}\nmod a {{ fn b() {{}} }}"));
        refuses(&LAW, ROWS, 1, &format!("{own}\nimpl A {{ fn b() {{}} }}"));
        refuses(&LAW, ROWS, 2, &format!("fn a() {{\n{own}\nlet b = c[0]; }}"));
        refuses(&LAW, ROWS, 1, &format!("{}\nfn a() {{}}", own.replace("own index: ", "")));
        refuses(
            &LAW,
            ROWS,
            1,
            &format!(
                "{}\nfn a() {{}}",
                own.replace("expect(", "allow(").replace("own index: ", "")
            ),
        );
    }

    #[test]
    fn a_decoder_that_may_not_index_and_other_crates_are_accepted() {
        accepts(&LAW, ROOT, &format!("#![deny({ALL})]"));
        accepts(&LAW, ROOT, &format!("#![cfg_attr(not(test), deny({ALL}))]"));
        accepts(&LAW, PART, "#[cfg(test)]\n#[expect(clippy::indexing_slicing)]\nmod a {}");
        accepts(&LAW, "source/libs/nexus-bounded/src/lib.rs", "");
    }

    #[test]
    fn an_own_index_in_one_function_is_accepted() {
        let own = "#[expect(clippy::indexing_slicing, reason = \"own index: x\")]";
        accepts(&LAW, ROWS, &format!("/// A.\n#[inline]\n{own}\nfn a() {{}}"));
        accepts(&LAW, ROWS, &format!("impl A {{\n{own}\n#[inline]\nfn b() {{}} }}"));
        let constant = own.replace("own index", "the compiler runs it");
        accepts(&LAW, ROWS, &format!("{constant}\nconst A: u8 = B[0];"));
    }
}
