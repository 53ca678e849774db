//! What stands on the console while logd is away.
//!
//! A line for each record, as long as there are few of them; the others are counted, and the next
//! line says how many those were, or a line of its own when logd is back. So the console is never
//! flooded, and whoever reads it knows what it does not show. The records themselves wait for logd
//! as ever.
//!
//! Deliberately absent: the fields. Values are what a journal redacts, and a console does not.

use core::fmt;

use nexus_bounded::{Mono, Nanos, TokenBucket};

use crate::cut::CutText;
use crate::limits::{CONSOLE_LINE_BYTES_MAX, CONSOLE_LINES_BURST, CONSOLE_LINES_PER_S};
use crate::record::Record;

/// When a line may be printed again, if none may now.
const PAUSE: Nanos = Nanos::from_millis(1000 / CONSOLE_LINES_PER_S);

type Line = CutText<CONSOLE_LINE_BYTES_MAX>;

/// See the module.
pub struct Fallback {
    print: fn(&str),
    budget: TokenBucket,
    left_out: u64,
}

impl Fallback {
    /// Prints lines by `print`, none yet.
    #[must_use]
    pub const fn new(print: fn(&str)) -> Self {
        let budget = TokenBucket::new(CONSOLE_LINES_PER_S, CONSOLE_LINES_BURST, Mono(0));
        Self { print, budget, left_out: 0 }
    }

    /// Prints a line for a record, or counts it.
    pub fn record(&mut self, record: &Record<'_>, now: Mono) {
        if !self.budget.take(1, now) {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let level = record.level.name();
        let (scope, message) = (OneLine(record.scope), OneLine(record.message));
        match core::mem::take(&mut self.left_out) {
            0 => self.say(format_args!("log: {level} {scope}: {message}")),
            count => self
                .say(format_args!("log: {level} {scope}: ({count} before it not shown) {message}")),
        }
    }

    /// logd is there: tells what was left out meanwhile. When to call again, if that has to wait.
    pub fn is_back(&mut self, now: Mono) -> Option<Mono> {
        if self.left_out == 0 {
            return None;
        }
        if !self.budget.take(1, now) {
            return Some(now.after(PAUSE));
        }
        let count = core::mem::take(&mut self.left_out);
        self.say(format_args!("log: logd is there, {count} records were not shown here"));
        None
    }

    fn say(&self, line: fmt::Arguments<'_>) {
        (self.print)(Line::format(line).as_str());
    }
}

/// Shows control characters as `?`: a record is one line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, piece) in self.0.split(char::is_control).enumerate() {
            if at > 0 {
                f.write_str("?")?;
            }
            f.write_str(piece)?;
        }
        Ok(())
    }
}
