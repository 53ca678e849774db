use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "sizes",
    says: "functions have at most 70 lines, lines 100 columns, files 500 lines of product code",
    check,
};

const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;
/// From here on a file is reported, from [`FILE_LINES_MAX`] on refused.
const FILE_LINES: usize = 500;
const FILE_LINES_MAX: usize = 700;

fn check(workspace: &Workspace, report: &mut Report) {
    for source in &workspace.sources {
        for function in &source.facts.functions {
            let lines = function.lines.clone().count();
            if lines > FUNCTION_LINES {
                let what = format!("`{}` has {lines} lines", function.name);
                report.fail(
                    &source.path,
                    *function.lines.start(),
                    what,
                    "split it by what it does",
                );
            }
        }
        for (number, line) in source.lines() {
            let columns = line.chars().count();
            let may_be_wide = line.contains("https://") || source.facts.in_table(number);
            if columns > COLUMNS && !may_be_wide {
                report.fail(&source.path, number, format!("{columns} columns"), "break the line");
            }
        }
        let (lines, instead) = (source.product_lines(), "split it into its concepts");
        if lines > FILE_LINES_MAX {
            report.fail(&source.path, 1, format!("{lines} lines"), instead);
        } else if lines > FILE_LINES {
            report.warn(&source.path, 1, format!("{lines} lines"), instead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const PATH: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn a_long_function_is_refused_and_one_at_the_bound_accepted() {
        let function = |lines: usize| format!("\nfn a() {{\n{}}}", "b();\n".repeat(lines - 2));
        accepts(&LAW, PATH, &function(70));
        refuses(&LAW, PATH, 2, &function(71));
        refuses(&LAW, "tests/sim/tests/a.rs", 2, &function(71));
    }

    #[test]
    fn a_long_line_is_refused_but_for_links_and_tables() {
        accepts(&LAW, PATH, &format!("// {}", "ä".repeat(97)));
        refuses(&LAW, PATH, 1, &format!("// {}", "ä".repeat(98)));
        accepts(&LAW, PATH, &format!("// https://{}", "a".repeat(98)));
        let table = format!("const A: &str =\n    \"{}\";", "a".repeat(98));
        refuses(&LAW, PATH, 2, &table);
        accepts(&LAW, PATH, &format!("#[rustfmt::skip]\n{table}"));
    }

    #[test]
    fn a_long_file_is_refused_and_its_tests_do_not_count() {
        let product = "const A: u8 = 0;\n";
        accepts(&LAW, PATH, &product.repeat(700));
        refuses(&LAW, PATH, 1, &product.repeat(701));
        let tests = format!("#[cfg(test)]\nmod a {{\n{}}}", product.repeat(900));
        accepts(&LAW, PATH, &tests);
    }
}
