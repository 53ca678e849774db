//! How many tests passed and failed, read from what the test runners print.

use std::fmt;
use std::ops::AddAssign;

/// A number of passed and of failed tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// One test or check.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// The sum of all summaries among the lines of a test runner. A runner that failed without
    /// saying of what (it did not compile, it crashed) counts as one failure.
    pub(crate) fn of_runner(succeeded: bool, lines: &[String]) -> Self {
        let mut sum = Self::default();
        for line in lines {
            if let Some(counts) = harness(line).or_else(|| nextest(line)) {
                sum += counts;
            }
        }
        if !succeeded && sum.failed == 0 {
            sum.failed = 1;
        }
        sum
    }

    /// Whether anything was counted at all.
    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// `test result: ok. 3 passed; 1 failed; 0 ignored; ...`
fn harness(line: &str) -> Option<Counts> {
    let (_, summary) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(sum(summary.split(';')))
}

/// `Summary [ 0.1s] 4 tests run: 3 passed (1 slow), 1 timed out, 2 skipped`
fn nextest(line: &str) -> Option<Counts> {
    let (_, summary) = line.trim_start().strip_prefix("Summary [")?.split_once(" run: ")?;
    Some(sum(without_parentheses(summary).split(',')))
}

/// Whatever is neither passed nor left out has failed: `failed`, `timed out`, `exec failed`.
fn sum<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match what {
            "passed" => counts.passed += number,
            "ignored" | "measured" | "skipped" | "filtered out" => {}
            _ => counts.failed += number,
        }
    }
    counts
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(succeeded: bool, lines: &[&str]) -> Counts {
        let lines: Vec<_> = lines.iter().map(|&line| line.to_owned()).collect();
        Counts::of_runner(succeeded, &lines)
    }

    #[test]
    fn every_binary_of_cargo_test_is_added() {
        let lines = [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured; 5 filtered out; \
             finished in 0.00s",
        ];
        assert_eq!(of(false, &lines), Counts { passed: 4, failed: 2 });
    }

    #[test]
    fn nextest_counts_time_outs_and_crashes_as_failures() {
        let line = "     Summary [   0.1s] 9/12 tests run: 5 passed (1 slow, 1 flaky), 2 failed, \
                    1 timed out, 1 exec failed, 3 skipped";
        assert_eq!(of(false, &[line]), Counts { passed: 5, failed: 4 });
        let one = "     Summary [   0.1s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(of(true, &[one]), Counts { passed: 1, failed: 0 });
    }

    #[test]
    fn a_runner_that_fails_without_a_summary_is_one_failure() {
        assert_eq!(of(false, &["error: could not compile"]), Counts { passed: 0, failed: 1 });
        assert_eq!(of(true, &["nothing to do"]), Counts::default());
        assert!(of(true, &[]).is_zero());
    }

    #[test]
    fn the_closing_line_has_the_agreed_form() {
        assert_eq!(Counts { passed: 12, failed: 0 }.to_string(), "12 passed, 0 failed");
    }
}
