use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "daemons",
    says: "a small daemon has at most 500 lines of code, but for its words and its proof at start",
    check,
};

/// Those that do one thing each. What is more than that is a library's.
const SMALL: &[&str] = &["bundlemgrd", "dsoftbusd", "entropyd", "execd", "policyd", "timed"];

/// What a daemon tells of its work, and how it proves itself: they grow with what there is to say.
const BESIDES: &[&str] = &["src/proof.rs", "src/telemetry.rs"];

const LINES: usize = 500;

fn check(workspace: &Workspace, report: &mut Report) {
    for daemon in SMALL {
        let core = workspace.product().filter(|source| is_core(source, daemon));
        let lines: usize = core.map(Source::code_lines).sum();
        if lines > LINES {
            let what = format!("`{daemon}` has {lines} lines of code");
            let root = format!("source/services/{daemon}/src/lib.rs");
            report.fail(&root, 1, what, "move what is no decision of its own to a library");
        }
    }
}

fn is_core(source: &Source, daemon: &str) -> bool {
    let Some((package, within)) = &source.package else { return false };
    package == daemon && within.starts_with("src/") && !BESIDES.contains(&within.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Graph;
    use crate::tidy::testing::{failures, ours};

    /// Whether a daemon of these files is refused, at its root.
    fn is_refused(daemon: &str, files: &[(&str, String)]) -> bool {
        let folder = format!("source/services/{daemon}");
        let graph = Graph::of(vec![ours(daemon, &folder, &[])]);
        let at = |(path, text): &(&str, String)| (format!("{folder}/{path}"), text.clone());
        let files = files.iter().map(at).collect::<Vec<_>>();
        let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let failures = failures(&LAW, graph, &files.collect::<Vec<_>>());
        assert!(failures.iter().all(|at| *at == (format!("{folder}/src/lib.rs"), 1)));
        !failures.is_empty()
    }

    fn code(lines: usize) -> String {
        "const A: u8 = 0;\n".repeat(lines)
    }

    #[test]
    fn a_daemon_at_the_bound_is_accepted_and_one_line_more_refused_wherever_it_stands() {
        for daemon in SMALL {
            let files =
                |more: usize| [("src/lib.rs", code(300)), ("src/deep/a.rs", code(200 + more))];
            assert!(!is_refused(daemon, &files(0)), "{daemon}");
            assert!(is_refused(daemon, &files(1)), "{daemon}");
        }
        assert!(!is_refused("logd", &[("src/lib.rs", code(501))]), "no small daemon");
    }

    #[test]
    fn comments_blanks_tests_words_and_the_proof_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod t {{\n{}}}\n", code(10));
        let besides = ["//! Says.\n\n/// Words.\n  // More.\n/* And\n more. */\n", &tests];
        let lib = format!("{}{}{}", besides[0], code(500), besides[1]);
        let others = ["src/telemetry.rs", "src/proof.rs", "tests/a.rs", "build.rs"];
        let mut files = others.map(|path| (path, code(400))).to_vec();
        files.push(("src/lib.rs", lib));
        assert!(!is_refused("timed", &files));
        files.push(("src/words.rs", code(1)));
        assert!(is_refused("timed", &files));
    }

    #[test]
    fn a_line_with_a_comment_behind_its_code_counts_and_so_does_one_of_a_text() {
        let line = "const A: &str = \"\n// no comment\n\n\"; // A.\n";
        let files = |count: usize| [("src/lib.rs", line.repeat(count))];
        assert!(!is_refused("timed", &files(125)));
        assert!(is_refused("timed", &files(126)));
    }
}
