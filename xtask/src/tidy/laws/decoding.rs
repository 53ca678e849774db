use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::tokens::words;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "decoding",
    says: "crates that decode bytes deny indexing, without exceptions",
    check,
};

/// The crates that decode what others wrote.
const DECODERS: &[&str] = &["nexus-wire"];

const LINT: &str = "indexing_slicing";

/// Clippy knows which brackets index; here it is only kept switched on.
fn check(workspace: &Workspace, report: &mut Report) {
    let sources = workspace.product();
    for source in sources.filter(|source| DECODERS.contains(&source.package_name())) {
        if source.is_lib_root() && !refuses_indexing(source) {
            let what = "a decoder that may index";
            report.fail(&source.path, 1, what, "add `#![deny(clippy::indexing_slicing)]`");
        }
        for line in
            lines(source, &["allow", "warn", "expect"]).filter(|&line| !source.in_test(line))
        {
            let instead = "use `get`, `split_at_checked` or a pattern";
            report.fail(&source.path, line, "an exception from the ban on indexing", instead);
        }
    }
}

/// Whether the lint is refused in the whole crate, tests perhaps left out.
fn refuses_indexing(source: &Source) -> bool {
    let always = lines(source, &["deny", "forbid"]).next();
    let outside_tests = source.facts.tokens.attributes.iter().any(|attribute| {
        let args = words(attribute.what.args.clone());
        let (condition, lints) = args.split_at(args.len().min(2));
        let refuses = lints.iter().any(|word| word == "deny" || word == "forbid");
        attribute.what.path == "cfg_attr"
            && condition == ["not", "test"]
            && refuses
            && lints.iter().any(|word| word == LINT)
    });
    always.is_some() || outside_tests
}

/// Where one of the attributes names the lint.
fn lines<'a>(source: &'a Source, attributes: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    let all = source.facts.tokens.attributes.iter();
    let all = all.filter(|attribute| attributes.contains(&attribute.what.path.as_str()));
    let all = all.filter(|attribute| words(attribute.what.args.clone()).iter().any(|w| w == LINT));
    all.map(|attribute| attribute.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const ROOT: &str = "source/libs/nexus-wire/src/lib.rs";
    const PART: &str = "source/libs/nexus-wire/src/part.rs";

    #[test]
    fn a_decoder_that_may_index_is_refused() {
        refuses(&LAW, ROOT, 1, "#![no_std]");
        refuses(&LAW, ROOT, 1, "#![deny(clippy::unwrap_used)]");
        refuses(&LAW, ROOT, 1, "#![cfg_attr(test, deny(clippy::indexing_slicing))]");
        refuses(&LAW, PART, 1, "#[expect(clippy::indexing_slicing, reason = \"x\")]\nfn a() {}");
        refuses(&LAW, PART, 2, "\n#![allow(clippy::indexing_slicing)]");
    }

    #[test]
    fn a_decoder_that_may_not_index_and_other_crates_are_accepted() {
        accepts(&LAW, ROOT, "#![deny(clippy::unwrap_used, clippy::indexing_slicing)]");
        accepts(&LAW, ROOT, "#![cfg_attr(not(test), deny(clippy::indexing_slicing))]");
        accepts(&LAW, PART, "#[cfg(test)]\n#[expect(clippy::indexing_slicing)]\nmod a {}");
        accepts(&LAW, "source/libs/nexus-bounded/src/lib.rs", "");
    }
}
