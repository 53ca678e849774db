use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "totals",
    says: "the kernel has fewer than 4000 lines without tests; half of all functions have fewer \
           than 10",
    check,
};

/// What the kernel consists of.
const KERNEL: [&str; 2] = ["source/kernel/core/src", "source/kernel/neuron/src"];
const KERNEL_LINES: usize = 4000;
/// A median that has reached it is refused.
const MEDIAN_LINES: usize = 10;

fn check(workspace: &Workspace, report: &mut Report) {
    let is_kernels = |path: &str| KERNEL.iter().any(|folder| path.starts_with(folder));
    let kernel = workspace.sources.iter().filter(|source| is_kernels(&source.path));
    let lines: usize = kernel.map(|source| source.product_lines()).sum();
    if lines >= KERNEL_LINES {
        let instead = "leave more to services";
        report.fail("source/kernel", 1, format!("{lines} lines of kernel"), instead);
    }
    let median = median(lengths(workspace));
    if median >= MEDIAN_LINES {
        let instead = "split functions by what they do";
        report.fail("source", 1, format!("half of the functions have {median} lines"), instead);
    }
}

/// The lines of each function that runs in the product.
fn lengths(workspace: &Workspace) -> Vec<usize> {
    let lengths = workspace.product().flat_map(|source| {
        let product = source.facts.functions.iter();
        let product = product.filter(|function| !source.in_test(*function.lines.start()));
        product.map(|function| function.lines.clone().count())
    });
    lengths.collect()
}

/// The upper median; 0 of nothing.
fn median(mut all: Vec<usize>) -> usize {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, lines};

    #[test]
    fn a_kernel_of_4000_lines_is_refused_and_its_tests_do_not_count() {
        let product = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
        let [core, neuron] = KERNEL.map(|folder| format!("{folder}/a.rs"));
        let kernel = |rest: &str| lines(&LAW, &[(&*core, &product(2000)), (&*neuron, rest)]);
        assert_eq!(kernel(&product(1999)), [0; 0]);
        assert_eq!(kernel(&product(2000)), [1]);
        let tests = format!("#[cfg(test)]\nmod a {{\n{}}}", product(2000));
        assert_eq!(kernel(&(product(1999) + &tests)), [0; 0]);
        assert_eq!(lines(&LAW, &[("source/kernel/trials/src/a.rs", &product(5000))]), [0; 0]);
    }

    /// Functions of so many lines.
    fn functions(all: &[usize]) -> String {
        let function = |&lines: &usize| format!("fn a() {{\n{}}}\n", "b();\n".repeat(lines - 2));
        all.iter().map(function).collect()
    }

    #[test]
    fn long_functions_are_accepted_while_half_of_all_are_short() {
        let path = "source/services/logd/src/lib.rs";
        accepts(&LAW, path, &functions(&[60, 9, 9]));
        let refused = functions(&[2, 2, 10, 10]);
        assert_eq!(lines(&LAW, &[(path, &refused)]), [1]);
        assert_eq!(lines(&LAW, &[("tests/sim/tests/a.rs", &refused)]), [0; 0]);
        accepts(&LAW, path, &format!("#[cfg(test)]\nmod t {{\n{refused}}}\n"));
    }
}
