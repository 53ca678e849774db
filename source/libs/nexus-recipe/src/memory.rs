use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One kind of thing a daemon takes memory for when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLine {
    /// What it is, for people to read.
    pub what: &'static str,
    /// How many of them.
    pub count: u64,
    /// Bytes each of them takes.
    pub bytes_each: u64,
}

impl MemoryLine {
    /// Bytes all of them take; saturates.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.bytes_each)
    }
}

/// Everything a daemon takes memory for when it starts. Each daemon knows its own sizes; this is
/// the common form to add and print them in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// Whose.
    pub daemon: &'static str,
    /// Its parts.
    pub lines: Vec<MemoryLine>,
}

impl MemoryBudget {
    /// Bytes in all; saturates.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lines.iter().fold(0, |sum, line| sum.saturating_add(line.bytes()))
    }

    /// One line for the console: whose memory, and how much in all.
    #[must_use]
    pub fn summary(&self) -> String {
        let (daemon, total, (whole, tenth)) = (self.daemon, self.bytes(), self.mebibytes());
        format!("{daemon}: memory budget {total} B ({whole}.{tenth} MiB)")
    }

    /// Whole mebibytes and tenths.
    fn mebibytes(&self) -> (u64, u64) {
        let tenths = self.bytes().saturating_mul(10) / (1024 * 1024);
        (tenths / 10, tenths % 10)
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let (daemon, what, count, each) = (self.daemon, line.what, line.count, line.bytes_each);
            writeln!(
                f,
                "{daemon:<9} {what:<28} {count:>9} x {each:>6} B = {:>10} B",
                line.bytes()
            )?;
        }
        let total = self.bytes();
        let (whole, tenth) = self.mebibytes();
        let daemon = self.daemon;
        writeln!(f, "{daemon:<9} {:<28} {:>21} {total:>10} B ({whole}.{tenth} MiB)", "total", "=")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    #[test]
    fn a_budget_adds_its_lines_and_prints_them_under_each_other() {
        let budget = MemoryBudget {
            daemon: "logd",
            lines: vec![
                MemoryLine { what: "journal blocks", count: 65_536, bytes_each: 36 },
                MemoryLine { what: "senders", count: 64, bytes_each: 200 },
            ],
        };
        assert_eq!(budget.bytes(), 65_536 * 36 + 64 * 200);
        assert_eq!(
            budget.to_string(),
            "logd      journal blocks                   65536 x     36 B =    2359296 B\n\
             logd      senders                             64 x    200 B =      12800 B\n\
             logd      total                                            =    2372096 B (2.2 MiB)\n"
        );
    }

    #[test]
    fn a_budget_beyond_64_bits_saturates() {
        let line = MemoryLine { what: "x", count: u64::MAX, bytes_each: 2 };
        let budget = MemoryBudget { daemon: "logd", lines: vec![line, line] };
        assert_eq!(budget.bytes(), u64::MAX);
    }
}
