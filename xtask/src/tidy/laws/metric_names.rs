use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use super::Law;
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::tokens::split_commas;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "metric-names",
    says: "metrics of the services are named by docs/observability/naming.md, and stand there",
    check,
};

const PAGE: &str = "docs/observability/naming.md";

/// Keys of labels whose values are few and known while the program is compiled.
const KEYS: &[&str] = &["defect", "how", "op", "outcome", "reason"];

/// How a name ends that has a unit, and the unit as the macros and the page call it.
const UNITS: &[(&str, &str, &str)] = &[("_ns", "Nanoseconds", "ns"), ("_bytes", "Bytes", "bytes")];

/// The table that metricsd publishes without the macros: the kinds and units are by the names.
const TABLES: &[&str] = &["source/services/metricsd/src/own.rs"];

/// A metric as a place in the source, or a row of the page, has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Metric {
    name: String,
    kind: String,
    unit: String,
    labels: Vec<String>,
    /// What it counts.
    help: Option<String>,
}

fn check(workspace: &Workspace, report: &mut Report) {
    let on_page = rows(workspace.tree.text(PAGE).unwrap_or_default());
    let mut in_code = BTreeSet::new();
    for source in workspace.product().filter(|source| is_service(source)) {
        for (line, metric) in metrics(source) {
            let place = (source.path.as_str(), line);
            if let Some((what, instead)) = mistake(&metric, source.package_name()) {
                report.fail(place.0, line, format!("`{}` {what}", metric.name), instead);
            } else if !on_page.iter().any(|(_, row)| row.is_of(&metric)) {
                let what = format!("`{}` is not so on the page of names", metric.name);
                report.fail(place.0, line, what, "write its row in docs/observability/naming.md");
            }
            in_code.insert(metric.name);
        }
    }
    for (line, row) in on_page {
        if !in_code.contains(&row.name) {
            report.fail(PAGE, line, format!("no service has `{}`", row.name), "delete the row");
        }
    }
}

fn is_service(source: &Source) -> bool {
    levels::of(source.package_name()) == Some(levels::SERVICES)
        && source.path.starts_with("source/services/")
}

impl Metric {
    /// A table without the macros says a name alone. A help may say the labels behind what stands
    /// in the row, which has a column of its own for them.
    fn is_of(&self, code: &Self) -> bool {
        let same_help = || {
            let (said, help) = (self.help.as_deref()?, code.help.as_deref()?);
            let rest = help.strip_prefix(said)?;
            Some(rest.is_empty() || (rest.starts_with(", by ") && !code.labels.is_empty()))
        };
        self.name == code.name
            && (code.kind.is_empty()
                || (self.kind == code.kind
                    && self.unit == code.unit
                    && self.labels == code.labels
                    && same_help() == Some(true)))
    }
}

/// Every metric of a file: its line, and what it is.
fn metrics(source: &Source) -> Vec<(usize, Metric)> {
    let product = |line: usize| !source.in_test(line);
    let macros = source.facts.tokens.macros.iter().filter(|at| product(at.line));
    let called = macros.filter_map(|at| {
        let (kind, is_family) = kind(&at.what.0)?;
        Some((at.line, read(kind, is_family, at.what.1.clone())?))
    });
    let prefix = format!("{}_", source.package_name());
    let strings = source.facts.tokens.strings.iter().filter(|at| product(at.line));
    let strings =
        strings.filter(|at| TABLES.contains(&&*source.path) && at.what.starts_with(&prefix));
    let bare = |name: &String| Metric {
        name: name.clone(),
        kind: String::new(),
        unit: String::new(),
        labels: Vec::new(),
        help: None,
    };
    called.chain(strings.map(|at| (at.line, bare(&at.what)))).collect()
}

/// The kind of a macro, and whether it makes a family.
fn kind(name: &str) -> Option<(&'static str, bool)> {
    let (kind, is_family) = name.strip_suffix("_family").map_or((name, false), |kind| (kind, true));
    let known = ["counter", "gauge", "histogram"].into_iter().find(|known| *known == kind);
    known.map(|kind| (kind, is_family))
}

fn read(kind: &str, is_family: bool, args: TokenStream) -> Option<Metric> {
    let mut parts = split_commas(args).into_iter();
    let name = parts.next().and_then(|part| text(part.into_iter().next()?))?;
    let (mut unit, mut labels, mut help) = ("none".to_owned(), Vec::new(), None);
    if is_family {
        let keys = parts.next()?.into_iter().next()?;
        let TokenTree::Group(keys) = keys else { return None };
        labels.extend(keys.stream().into_iter().filter_map(text));
    }
    for part in parts {
        let words = part.into_iter().collect::<Vec<_>>();
        match words.as_slice() {
            [TokenTree::Ident(key), _, TokenTree::Ident(value)] if key == "unit" => {
                let known = UNITS.iter().find(|(_, called, _)| value == called);
                unit = known.map_or(value.to_string(), |(_, _, unit)| (*unit).to_owned());
            }
            [TokenTree::Ident(key), _, said] if key == "help" => help = text(said.clone()),
            [key @ TokenTree::Literal(_), TokenTree::Punct(arrow), ..]
                if arrow.as_char() == '=' =>
            {
                labels.extend(text(key.clone()));
            }
            _ => {}
        }
    }
    labels.sort();
    Some(Metric { name, kind: kind.to_owned(), unit, labels, help })
}

fn text(token: TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    match syn::Lit::new(literal) {
        syn::Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

/// What is wrong with a metric, and what to do instead.
fn mistake(metric: &Metric, service: &str) -> Option<(&'static str, &'static str)> {
    let Metric { name, kind, unit, labels, help } = metric;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let (stem, is_total) =
        name.strip_suffix("_total").map_or((&**name, false), |stem| (stem, true));
    let said = UNITS.iter().find(|(end, ..)| stem.ends_with(end)).map_or("none", |(.., unit)| unit);
    if !name.starts_with(&format!("{service}_")) || !name.chars().all(letter) {
        Some(("does not begin with its service", "name it `<service>_<what>`, in a-z, 0-9 and `_`"))
    } else if kind.is_empty() {
        None
    } else if is_total != (kind == "counter") {
        Some(("is a counter or ends with `_total`, not both", "end counters so, and nothing else"))
    } else if said != unit {
        Some(("does not say its unit", "end it with `_ns` or `_bytes` and give it that unit"))
    } else if !labels.iter().all(|key| KEYS.contains(&&**key)) {
        Some(("has a label that may have many values", "use one of the keys on the page of names"))
    } else if help.is_none() {
        Some(("does not say what it counts", "add `help = \"..\"`"))
    } else {
        None
    }
}

/// The rows of the page's table, with their lines.
fn rows(page: &str) -> Vec<(usize, Metric)> {
    let row = |(line, number): (&str, usize)| {
        let cells = line.strip_prefix("| `")?.trim_end_matches(" |").split(" | ");
        let [name, kind, unit, labels, help] = cells.collect::<Vec<_>>()[..] else { return None };
        let mut labels = labels.split([' ', ',', '`']).filter(|key| !key.is_empty() && *key != "-");
        let name = name.trim_end_matches('`').to_owned();
        let mut labels = labels.by_ref().map(str::to_owned).collect::<Vec<_>>();
        labels.sort();
        let (kind, unit, help) = (kind.to_owned(), unit.to_owned(), Some(help.to_owned()));
        Some((number, Metric { name, kind, unit, labels, help }))
    };
    page.lines().zip(1..).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::lines;

    const CODE: &str = "source/services/logd/src/telemetry.rs";

    fn row(rest: &str) -> String {
        format!("| metric |\n|---|\n| `{rest} | a |\n")
    }

    fn failures(code: &str, page: &str) -> Vec<usize> {
        lines(&LAW, &[(CODE, code), (PAGE, page)])
    }

    #[test]
    fn a_metric_that_is_named_and_written_down_is_accepted() {
        for (code, page) in [
            (
                "fn a() { counter!(\"logd_a_total\", help = \"a\").inc() }",
                "logd_a_total` | counter | none | -",
            ),
            (
                "static A: F = counter_family!(\"logd_a_total\", [\"op\", \"how\"], help = \"a\");",
                "logd_a_total` | counter | none | `how`, `op`",
            ),
            (
                "fn a() { histogram!(\"logd_a_ns\", unit = Nanoseconds, help = \"a\").observe(1) }",
                "logd_a_ns` | histogram | ns | -",
            ),
            (
                "fn a() { counter!(\"logd_a_total\", help = \"a\", \"reason\" => \"b\").inc() }",
                "logd_a_total` | counter | none | `reason`",
            ),
        ] {
            assert_eq!(failures(code, &row(page)), [0; 0], "{code}");
            assert_eq!(failures(code, "").len(), 1, "not on the page: {code}");
        }
    }

    #[test]
    fn a_metric_that_is_named_otherwise_is_refused() {
        for (code, page) in [
            ("counter!(\"a_total\", help = \"a\")", "a_total` | counter | none | -"),
            ("counter!(\"logd_a\", help = \"a\")", "logd_a` | counter | none | -"),
            ("gauge!(\"logd_a_total\", help = \"a\")", "logd_a_total` | gauge | none | -"),
            ("gauge!(\"logd_a_bytes\", help = \"a\")", "logd_a_bytes` | gauge | none | -"),
            ("gauge!(\"logd_a\", unit = Bytes, help = \"a\")", "logd_a` | gauge | bytes | -"),
            (
                "gauge!(\"logd_a\", help = \"a\", \"pid\" => \"1\")",
                "logd_a` | gauge | none | `pid`",
            ),
            ("gauge!(\"logd_a\")", "logd_a` | gauge | none | -"),
        ] {
            assert_eq!(failures(&format!("fn a() {{ {code}; }}"), &row(page)), [1], "{code}");
        }
    }

    #[test]
    fn a_page_that_says_something_else_is_refused() {
        let code = "fn a() { gauge!(\"logd_a\", help = \"a\"); }";
        assert_eq!(failures(code, &row("logd_a` | counter | none | -")), [1]);
        assert_eq!(failures(code, &row("logd_b` | gauge | none | -")).len(), 2);
        assert_eq!(failures("", &row("logd_a` | gauge | none | -")), [3], "nobody has it");
    }

    #[test]
    fn a_help_that_the_page_does_not_say_is_refused() {
        for (help, labels, is_said) in [
            ("a", "", true),
            ("b", "", false),
            ("a and b", "", false),
            ("a, by how", "", false),
            ("a, by how", ", \"how\" => \"b\"", true),
            ("a and b, by how", ", \"how\" => \"b\"", false),
        ] {
            let code = format!("fn a() {{ gauge!(\"logd_a\", help = \"{help}\"{labels}); }}");
            let keys = if labels.is_empty() { "-" } else { "`how`" };
            let page = row(&format!("logd_a` | gauge | none | {keys}"));
            let found = failures(&code, &page);
            assert_eq!(found.is_empty(), is_said, "{help}");
        }
    }

    #[test]
    fn tests_and_others_than_services_name_theirs_as_they_like() {
        let code = "fn a() { counter!(\"x\"); }";
        assert_eq!(lines(&LAW, &[("source/services/logd/tests/a.rs", code)]), [0; 0]);
        assert_eq!(lines(&LAW, &[("tools/obsctl/src/main.rs", code)]), [0; 0]);
    }
}
