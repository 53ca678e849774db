//! Holds the lines of a console, as they come, to the lines that are expected, in order.

use std::fmt;

/// What is wrong with a line, or with what did not come.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// It proves something that nobody expects to be proven.
    Unexpected(String),
    /// It has been there before.
    Repeated(String),
    /// It comes before this one, which it must follow.
    TooEarly(String, &'static str),
    /// Somebody has panicked, or a process has died.
    Died(String),
    /// The machine has stopped, or our patience has ended, without it.
    Missing(&'static str),
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

/// Knows how many of the expected lines have come.
pub(crate) struct Matcher {
    expected: Vec<&'static str>,
    seen: usize,
}

impl Matcher {
    pub(crate) fn new(expected: impl IntoIterator<Item = &'static str>) -> Self {
        Self { expected: expected.into_iter().collect(), seen: 0 }
    }

    /// Whether all of them have come.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen == self.expected.len()
    }

    /// The first that has not come.
    pub(crate) fn missing(&self) -> Option<Wrong> {
        self.expected.get(self.seen).map(|line| Wrong::Missing(line))
    }

    /// Takes the next line: what is wrong with it.
    pub(crate) fn see(&mut self, line: &str) -> Option<Wrong> {
        let (before, behind) = self.expected.split_at(self.seen);
        match behind {
            [next, ..] if *next == line => self.seen += 1,
            _ if before.contains(&line) => return Some(Wrong::Repeated(line.to_owned())),
            [next, later @ ..] if later.contains(&line) => {
                return Some(Wrong::TooEarly(line.to_owned(), next));
            }
            _ if is_marker(line) => return Some(Wrong::Unexpected(line.to_owned())),
            _ if is_death(line) => return Some(Wrong::Died(line.to_owned())),
            _ => {}
        }
        None
    }
}

/// Whether a line claims that something is proven, or refused.
fn is_marker(line: &str) -> bool {
    line.starts_with("SELFTEST:") || line.ends_with(": ready") || line.contains(": reject ")
}

fn is_death(line: &str) -> bool {
    line.contains("panicked at") || (line.starts_with("init: ") && line.contains(" ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [&str; 3] = ["a: ready", "a: reject this", "SELFTEST: a ok"];

    fn seen(lines: &[&str]) -> (Option<Wrong>, Option<Wrong>) {
        let mut matcher = Matcher::new(EXPECTED);
        let wrong = lines.iter().find_map(|line| matcher.see(line));
        (wrong, matcher.missing())
    }

    #[test]
    fn expected_lines_in_order_are_complete_whatever_stands_between_them() {
        let mut matcher = Matcher::new(EXPECTED);
        let lines = ["OpenSBI", "a: ready", "b: said ready too", "a: reject this", ""];
        assert_eq!(lines.iter().find_map(|line| matcher.see(line)), None);
        assert!(!matcher.is_complete());
        assert_eq!(matcher.see("SELFTEST: a ok"), None);
        assert!(matcher.is_complete());
        assert_eq!(matcher.missing(), None);
    }

    #[test]
    fn the_first_missing_line_is_named() {
        assert_eq!(seen(&[]), (None, Some(Wrong::Missing("a: ready"))));
        assert_eq!(seen(&["a: ready"]), (None, Some(Wrong::Missing("a: reject this"))));
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
        let early = Wrong::TooEarly("SELFTEST: a ok".to_owned(), "a: ready");
        assert_eq!(seen(&["SELFTEST: a ok"]).0, Some(early));
    }

    #[test]
    fn markers_that_nobody_expects_are_wrong_and_near_misses_are_no_markers() {
        for line in ["SELFTEST: b ok", "SELFTEST: a FAILED", "b: ready", "a: reject that"] {
            assert_eq!(seen(&[line]).0, Some(Wrong::Unexpected(line.to_owned())));
        }
        assert_eq!(seen(&["a: ready.", " SELFTEST", "a: rejects"]).0, None);
        assert_eq!(seen(&["a: ready "]), (None, Some(Wrong::Missing("a: ready"))));
    }

    #[test]
    fn deaths_are_wrong() {
        for line in ["panicked at src/a.rs:1:2:", "init: 00ab ended, Ended(Killed(5))"] {
            assert_eq!(seen(&[line]).0, Some(Wrong::Died(line.to_owned())));
        }
    }
}
