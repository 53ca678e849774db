use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law =
    Law { name: "markers", says: "the lines that prove something stand in one list", check };

/// The list.
const LIST: &str = "source/libs/nexus-wire/src/markers.rs";

/// It looks for markers and prints none.
const READER: &str = "xtask";

fn check(workspace: &Workspace, report: &mut Report) {
    let sources = workspace.product().filter(|source| source.package_name() != READER);
    for source in sources.filter(|source| source.path != LIST) {
        for text in source.facts.tokens.strings.iter().filter(|text| is_marker(&text.what)) {
            if !source.in_test(text.line) {
                let instead = "name it in nexus_wire::markers and print it from there";
                report.fail(&source.path, text.line, "a marker outside the list", instead);
            }
        }
    }
}

fn is_marker(text: &str) -> bool {
    let text = text.trim_end();
    text.starts_with("SELFTEST:") || text.ends_with(": ready") || text.contains(": reject ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    #[test]
    fn a_marker_outside_the_list_is_refused() {
        for text in ["logd: ready", "{name}: ready\\n", "SELFTEST: a ok", "{}: reject over_limit"] {
            let text = format!("fn a() {{ print(\"{text}\") }}");
            refuses(&LAW, "source/services/logd/src/lib.rs", 1, &text);
            refuses(&LAW, "tools/obsctl/src/main.rs", 1, &text);
            accepts(&LAW, LIST, &text);
            accepts(&LAW, "tests/sim/tests/a.rs", &text);
        }
    }

    #[test]
    fn other_texts_and_documentation_are_accepted() {
        let text = "/// Prints `logd: ready`.\nfn a() { print(\"logd is ready: yes\") }";
        accepts(&LAW, "source/services/logd/src/lib.rs", text);
    }
}
