//! What is told of two series, and the note of the windows in which that was.

use core::fmt::Write as _;

use nexus_bounded::Text;

/// What is told of two series, step by step, each step in a window of its own.
pub struct Workload {
    /// Name of the counter.
    pub counter: &'static str,
    /// Name of the gauge.
    pub gauge: &'static str,
    /// The steps.
    pub steps: &'static [Told],
}

/// A step of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Not before this time since boot, seconds.
    pub from_s: u64,
    /// What is added to the counter.
    pub count: u64,
    /// What the gauge is set to.
    pub level: i64,
}

impl Workload {
    /// What the counter comes to.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.steps.iter().map(|step| step.count).sum()
    }
}

const fn told(from_s: u64, count: u64, level: i64) -> Told {
    Told { from_s, count, level }
}

/// Two windows, as soon as they come.
pub const SHORT: Workload = Workload {
    counter: "selftest_kept_total",
    gauge: "selftest_kept_level",
    steps: &[told(0, 5, -9), told(0, 37, 4)],
};

/// On both sides of the first two boundaries of short windows, and of the first of long ones.
pub const LONG: Workload = Workload {
    counter: "selftest_long_total",
    gauge: "selftest_long_level",
    steps: &[told(8, 1, -1), told(11, 2, 20), told(31, 4, -3), told(58, 8, 4), told(61, 16, -5)],
};

/// Told once what was kept before was set aside.
pub const ANEW: Workload = Workload {
    counter: "selftest_anew_total",
    gauge: "selftest_anew_level",
    steps: &[told(0, 3, 1)],
};

/// Steps of a workload at most.
pub(crate) const STEPS_MAX: usize = 5;

/// Scope and message of the note.
pub const NOTE: (&str, &str) = ("selftest.kept", "note");

/// The windows of a workload's steps, and the boot they are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// metricsd's number of the boot.
    pub boot: u32,
    pub(super) windows: [u64; STEPS_MAX],
    pub(super) steps: usize,
}

impl Note {
    /// Number of the window of each step.
    #[must_use]
    pub fn windows(&self) -> &[u64] {
        self.windows.get(..self.steps).unwrap_or_default()
    }

    /// As a record has it; `None` if a text is no note.
    #[must_use]
    pub fn read(run: &str, windows: &str) -> Option<Self> {
        let mut note = Self { boot: run.parse().ok()?, windows: [0; STEPS_MAX], steps: 0 };
        for text in windows.split('.') {
            *note.windows.get_mut(note.steps)? = text.parse().ok()?;
            note.steps += 1;
        }
        Some(note)
    }

    /// Its fields.
    pub(super) fn fields(&self) -> Text<160> {
        let mut text = Text::EMPTY;
        let mut written = write!(text, "run={}\nwindows=", self.boot).is_ok();
        for (at, window) in self.windows().iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            written &= write!(text, "{dot}{window}").is_ok();
        }
        assert!(written && writeln!(text).is_ok(), "a note has room for its numbers");
        text
    }
}
