//! Holds the lines of a console, as they come, to the lines that are expected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with a line, or with what did not come.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// It proves something that nobody expects to be proven.
    Unexpected(String),
    /// It has been there before.
    Repeated(String),
    /// It comes before this one, which it must follow.
    TooEarly(String, String),
    /// Somebody has panicked, or a process has died.
    Died(String),
    /// The machine has stopped, or our patience has ended, without it.
    Missing(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(line) => write!(f, "unexpected: \"{line}\""),
            Self::Repeated(line) => write!(f, "repeated: \"{line}\""),
            Self::TooEarly(line, first) => write!(f, "out of order: \"{line}\" before \"{first}\""),
            Self::Died(line) => write!(f, "died: \"{line}\""),
            Self::Missing(line) => write!(f, "missing: \"{line}\""),
        }
    }
}

/// The lines that have to come. One that stands there twice has to come twice.
#[derive(Default)]
pub(crate) struct Lines {
    /// One after the other.
    pub(crate) in_order: Vec<String>,
    /// Once each, whenever.
    pub(crate) any_time: Vec<String>,
}

/// Knows which of the expected lines have come.
pub(crate) struct Matcher {
    expected: Vec<String>,
    seen: usize,
    /// Whether they have come.
    any_time: BTreeMap<String, bool>,
}

impl Matcher {
    pub(crate) fn new(lines: Lines) -> Self {
        let any_time = lines.any_time.into_iter().map(|line| (line, false)).collect();
        Self { expected: lines.in_order, seen: 0, any_time }
    }

    /// Whether all of them have come.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing().is_none()
    }

    /// The first that has not come.
    pub(crate) fn missing(&self) -> Option<Wrong> {
        let others = self.any_time.iter().filter(|(_, has_come)| !**has_come);
        let mut missing = self.expected.iter().skip(self.seen).chain(others.map(|(line, _)| line));
        missing.next().cloned().map(Wrong::Missing)
    }

    /// Takes the next line: what is wrong with it.
    pub(crate) fn see(&mut self, line: &str) -> Option<Wrong> {
        let line = &*form(line);
        if let Some(has_come) = self.any_time.get_mut(line) {
            let again = std::mem::replace(has_come, true);
            return again.then(|| Wrong::Repeated(line.to_owned()));
        }
        self.see_in_order(line)
    }

    fn see_in_order(&mut self, line: &str) -> Option<Wrong> {
        let (before, behind) = self.expected.split_at(self.seen);
        let is_it = |other: &String| other == line;
        match behind {
            [next, ..] if next == line => self.seen += 1,
            _ if before.iter().any(is_it) => return Some(Wrong::Repeated(line.to_owned())),
            [next, later @ ..] if later.iter().any(is_it) => {
                return Some(Wrong::TooEarly(line.to_owned(), next.clone()));
            }
            _ if is_marker(line) => return Some(Wrong::Unexpected(line.to_owned())),
            _ if is_death(line) => return Some(Wrong::Died(line.to_owned())),
            _ => {}
        }
        None
    }
}

/// How a report of a crash begins; behind it stands the number of a process.
const CRASH: &str = "execd: crash report pid=";

/// A line as it is expected: which number a process has is nobody's promise.
fn form(line: &str) -> Cow<'_, str> {
    let Some(number) = line.strip_prefix(CRASH) else { return Cow::Borrowed(line) };
    let behind = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
    if behind.len() == number.len() {
        Cow::Borrowed(line)
    } else {
        format!("{CRASH}<pid>{behind}").into()
    }
}

/// Whether a line claims that something is proven, or refused.
fn is_marker(line: &str) -> bool {
    let is_trial = line.starts_with("trial ");
    is_trial || line.starts_with("SELFTEST:") || line.ends_with(": ready") || is_reject(line)
}

fn is_reject(line: &str) -> bool {
    line.contains(": reject ")
}

/// What init says of those who do not live as they should.
const DEATHS: [&str; 3] = [" ended", " cannot be started", " does not serve"];

fn is_death(line: &str) -> bool {
    let is_of_child = || DEATHS.iter().any(|death| line.contains(death));
    line.contains("panicked at")
        || line.starts_with(CRASH)
        || (line.starts_with("init: ") && is_of_child())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [&str; 3] = ["a: ready", "a: reject this", "SELFTEST: a ok"];

    fn expected() -> Lines {
        Lines { in_order: EXPECTED.map(str::to_owned).to_vec(), any_time: Vec::new() }
    }

    fn missing(line: &str) -> Option<Wrong> {
        Some(Wrong::Missing(line.to_owned()))
    }

    fn seen(lines: &[&str]) -> (Option<Wrong>, Option<Wrong>) {
        let mut matcher = Matcher::new(expected());
        let wrong = lines.iter().find_map(|line| matcher.see(line));
        (wrong, matcher.missing())
    }

    #[test]
    fn expected_lines_in_order_are_complete_whatever_stands_between_them() {
        let mut matcher = Matcher::new(expected());
        let lines = ["OpenSBI", "a: ready", "b: said ready too", "a: reject this", ""];
        assert_eq!(lines.iter().find_map(|line| matcher.see(line)), None);
        assert!(!matcher.is_complete());
        assert_eq!(matcher.see("SELFTEST: a ok"), None);
        assert!(matcher.is_complete());
        assert_eq!(matcher.missing(), None);
    }

    #[test]
    fn the_first_missing_line_is_named() {
        assert_eq!(seen(&[]), (None, missing("a: ready")));
        assert_eq!(seen(&["a: ready"]), (None, missing("a: reject this")));
    }

    #[test]
    fn a_repeated_line_is_wrong_even_after_the_last() {
        let twice = Wrong::Repeated("a: ready".to_owned());
        assert_eq!(seen(&["a: ready", "a: ready"]).0, Some(twice));
        let all = [EXPECTED.as_slice(), &["SELFTEST: a ok"]].concat();
        assert_eq!(seen(&all).0, Some(Wrong::Repeated("SELFTEST: a ok".to_owned())));
    }

    #[test]
    fn a_line_before_its_predecessor_is_out_of_order() {
        let early = Wrong::TooEarly("SELFTEST: a ok".to_owned(), "a: ready".to_owned());
        assert_eq!(seen(&["SELFTEST: a ok"]).0, Some(early));
    }

    #[test]
    fn markers_that_nobody_expects_are_wrong_and_near_misses_are_no_markers() {
        for line in ["SELFTEST: b ok", "trial a: FAILED", "b: ready", "a: reject that"] {
            assert_eq!(seen(&[line]).0, Some(Wrong::Unexpected(line.to_owned())));
        }
        assert_eq!(seen(&["a: ready.", " SELFTEST", "a: rejects"]).0, None);
        assert_eq!(seen(&["a: ready "]), (None, missing("a: ready")));
    }

    #[test]
    fn a_line_that_is_expected_twice_has_to_come_twice() {
        let twice = ["a: ready", "a: ready"].map(str::to_owned).to_vec();
        let mut matcher = Matcher::new(Lines { in_order: twice, any_time: Vec::new() });
        assert_eq!(matcher.see("a: ready"), None);
        assert_eq!(matcher.missing(), missing("a: ready"));
        assert_eq!(matcher.see("a: ready"), None);
        assert!(matcher.is_complete());
        assert_eq!(matcher.see("a: ready"), Some(Wrong::Repeated("a: ready".to_owned())));
    }

    #[test]
    fn what_may_come_at_any_time_has_to_come_once() {
        let trials = ["trial a: ok", "trial b: ok"].map(str::to_owned).to_vec();
        let mut matcher = Matcher::new(Lines { any_time: trials, ..expected() });
        for line in ["trial b: ok", "a: ready", "a: reject this", "SELFTEST: a ok"] {
            assert_eq!(matcher.see(line), None);
        }
        assert_eq!(matcher.missing(), missing("trial a: ok"));
        assert_eq!(matcher.see("trial b: ok"), Some(Wrong::Repeated("trial b: ok".to_owned())));
        assert_eq!(matcher.see("trial a: ok"), None);
        assert!(matcher.is_complete());
    }

    #[test]
    fn a_crash_that_is_expected_comes_once_with_any_number_and_no_other_comes() {
        let crash = |pid: &str| format!("execd: crash report pid={pid} code=143 name=demo.crash");
        let matcher =
            || Matcher::new(Lines { in_order: vec![crash("<pid>")], any_time: Vec::new() });
        let mut expecting = matcher();
        assert_eq!(expecting.see(&crash("17")), None);
        assert!(expecting.is_complete());
        assert_eq!(expecting.see(&crash("18")), Some(Wrong::Repeated(crash("<pid>"))));
        for wrong in ["execd: crash report pid=17 code=1 name=demo.crash", &crash("")] {
            assert!(matches!(matcher().see(wrong), Some(Wrong::Died(_))), "{wrong}");
        }
    }

    #[test]
    fn deaths_are_wrong() {
        for line in [
            "panicked at src/a.rs:1:2:",
            "neuron: panicked at src/a.rs:1:2:",
            "init: a ended, Ended(Killed(5)); again in 100 ms",
            "init: a cannot be started; again in 100 ms",
            "init: a does not serve after 30 s; those behind it begin, no. 1",
        ] {
            assert_eq!(seen(&[line]).0, Some(Wrong::Died(line.to_owned())));
        }
    }
}
