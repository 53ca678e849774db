use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "kernel-words",
    says: "the kernel and its interface do not speak of what is observed with its help",
    check,
};

/// What must not know of it.
const PLACES: &[&str] =
    &["source/kernel/core/", "source/kernel/neuron/", "source/libs/nexus-abi/src/kernel/"];

/// Words of observability.
const WORDS: &[&str] = &[
    "counter",
    "gauge",
    "histogram",
    "journal",
    "log",
    "logd",
    "metric",
    "metricsd",
    "observability",
    "query",
    "scrape",
    "span",
    "telemetry",
    "trace",
    "tracing",
];

/// Comments count: a kernel that explains itself by its guests is made for them.
fn check(workspace: &Workspace, report: &mut Report) {
    let files = workspace.tree.iter().filter(|(path, _)| {
        PLACES.iter().any(|place| path.starts_with(place)) && path.ends_with(".rs")
    });
    for (path, text) in files {
        for (line, number) in text.lines().zip(1..) {
            if let Some(word) = words(line).find(|word| is_banned(word)) {
                let instead = "say it in the kernel's terms, or leave it to a service";
                report.fail(path, number, format!("`{word}` in the kernel"), instead);
            }
        }
    }
}

/// The words of a line; those of `parts_of_names` and `PartsOfNames` too.
fn words(line: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::new();
    for c in line.chars() {
        if c.is_ascii_uppercase() && spaced.ends_with(|before: char| before.is_ascii_lowercase()) {
            spaced.push(' ');
        }
        spaced.push(if c.is_ascii_alphabetic() { c } else { ' ' });
    }
    let words = spaced.split(' ').map(str::to_ascii_lowercase);
    words.collect::<Vec<_>>().into_iter()
}

fn is_banned(word: &str) -> bool {
    WORDS.iter().any(|banned| word == *banned || word.strip_suffix('s') == Some(banned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const KERNEL: &str = "source/kernel/core/src/a.rs";

    #[test]
    fn a_word_of_observability_is_refused_wherever_it_stands_in_the_kernel() {
        for text in [
            "fn metrics() {}",
            "fn a() { flush_journal() }",
            "struct LiveSpan;",
            "// Whoever is seated gets its histogram.",
            "const A: &str = \"logd\";",
        ] {
            refuses(&LAW, KERNEL, 1, text);
            refuses(&LAW, "source/kernel/neuron/src/main.rs", 1, text);
            refuses(&LAW, "source/libs/nexus-abi/src/kernel/numbers.rs", 1, text);
        }
    }

    #[test]
    fn other_words_and_other_places_are_accepted() {
        accepts(&LAW, KERNEL, "// A dialogue with catalogues; scounteren, logical.\nfn login() {}");
        accepts(&LAW, "source/services/logd/src/lib.rs", "fn metrics() {}");
        accepts(&LAW, "source/kernel/trials/src/main.rs", "// counters");
    }
}
