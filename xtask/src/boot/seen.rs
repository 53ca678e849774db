//! What a boot came to, and whether several came to the same.

use std::time::{Duration, Instant};

use super::Wrong;

/// Lines that are shown of a boot that went wrong.
const LAST_LINES: usize = 20;

/// What a boot came to.
pub(super) struct Seen {
    image_bytes: u64,
    pub(super) start: Instant,
    /// How long it took to the last expected line.
    pub(super) complete: Option<Duration>,
    pub(super) wrong: Option<Wrong>,
    /// The guest's exit status; `None` if it did not stop by itself.
    pub(super) code: Option<i32>,
    lines: Vec<String>,
}

impl Seen {
    pub(super) fn new(image_bytes: u64) -> Self {
        let start = Instant::now();
        Self { image_bytes, start, complete: None, wrong: None, code: None, lines: Vec::new() }
    }

    pub(super) fn remember(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    /// What the kernel and its processes have said, without the firmware.
    fn said(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().skip_while(|line| !line.starts_with("neuron:"))
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// The last lines.
    pub(super) fn last(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(LAST_LINES))
    }

    pub(super) fn is_proof(&self) -> bool {
        self.wrong.is_none() && self.code == Some(0)
    }

    pub(super) fn report(&self) {
        if let (true, Some(took)) = (self.is_proof(), self.complete) {
            let (took, kib) = (took.as_secs_f64(), self.image_bytes / 1024);
            return println!("qemu-test: ok, {took:.2} s to the last line, image of {kib} KiB");
        }
        eprintln!("the last lines:");
        self.last().for_each(|line| eprintln!("  {line}"));
        let stopped = match self.code {
            Some(code) => format!("the guest stopped with {code}"),
            None if matches!(self.wrong, None | Some(Wrong::Missing(_))) => {
                "the guest hung and was ended".to_owned()
            }
            None => "the guest was ended".to_owned(),
        };
        let wrong = self.wrong.as_ref().map(Wrong::to_string).unwrap_or_default();
        eprintln!("qemu-test: FAILED, {stopped}; {wrong}");
    }
}

/// Where the consoles of several boots are not the same.
pub(super) fn difference(all: &[Seen]) -> Option<String> {
    let (first, others) = all.split_first()?;
    let expected = first.said().collect::<Vec<_>>();
    for (number, other) in (2..).zip(others) {
        let said = other.said().collect::<Vec<_>>();
        let pairs = expected.iter().zip(&said);
        let common = pairs.take_while(|(one, other)| are_same(one, other)).count();
        let [one, other] = [&expected, &said].map(|lines| lines.get(common).copied());
        if one.is_some() || other.is_some() {
            return Some(format!("boot {number} says {other:?} where the first says {one:?}"));
        }
    }
    None
}

/// How often a disk was synced when its owner died, whether it was about to be, and how many files
/// it had by then, is a matter of time.
const BY_TIME: &str = " files as of sync ";
const UNDER_WAY: &str = ", one was under way";

fn are_same(one: &str, other: &str) -> bool {
    let text = |line: &str| line.replace(|c: char| c.is_ascii_digit(), "").replace(UNDER_WAY, "");
    let is_by_time = one.contains(BY_TIME) && other.contains(BY_TIME);
    one == other || is_by_time && text(one) == text(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(wrong: Option<Wrong>, code: Option<i32>) -> bool {
        Seen { wrong, code, ..Seen::new(0) }.is_proof()
    }

    #[test]
    fn a_boot_proves_something_only_if_its_lines_and_the_guest_say_so() {
        assert!(seen(None, Some(0)));
        assert!(!seen(None, Some(1)));
        assert!(!seen(None, None));
        assert!(!seen(Some(Wrong::Missing("a".to_owned())), Some(0)));
    }
    fn boot(lines: &[&str]) -> Seen {
        let mut seen = Seen::new(0);
        lines.iter().for_each(|line| seen.remember(line));
        seen
    }

    #[test]
    fn boots_are_the_same_if_all_their_lines_are_but_for_the_firmwares() {
        let one = ["OpenSBI at 1", "neuron: a", "b"];
        let same = ["OpenSBI at 2", "", "neuron: a", "b"];
        assert_eq!(difference(&[boot(&one), boot(&same), boot(&one)]), None);
        assert_eq!(difference(&[]), None);
        for other in [["neuron: a", "c"].as_slice(), &["neuron: a"], &["neuron: a", "b", "b"]] {
            let all = [boot(&one), boot(&same), boot(other)];
            assert!(difference(&all).unwrap().starts_with("boot 3 says"));
        }
    }

    #[test]
    fn boots_may_have_synced_more_or_less_often_and_lost_nothing() {
        let one = boot(&["neuron: a", "statefsd: 3 files as of sync 18", "b"]);
        let more = boot(&["neuron: a", "statefsd: 4 files as of sync 9, one was under way", "b"]);
        assert_eq!(difference(&[one, more]), None);
        for wrong in
            ["statefsd: 3 files as of sync 18, later ones are damaged", "statefsd: 3 files"]
        {
            let one = boot(&["neuron: a", "statefsd: 3 files as of sync 18", "b"]);
            assert!(difference(&[one, boot(&["neuron: a", wrong, "b"])]).is_some(), "{wrong}");
        }
    }
}
