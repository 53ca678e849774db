use core::fmt;

use nexus_wire::{Level, MESSAGE_BYTES_MAX, SCOPE_BYTES_MAX};

use crate::cut::CutText;
use crate::limits::{FIELDS_BYTES_MAX, FIELDS_MAX, VALUE_BYTES_MAX};
use crate::names::{StaticKey, StaticScope};
use crate::threads;

/// A record on its way to logd. Everything in it is within the bounds of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// How grave it is.
    pub level: Level,
    /// Where it comes from.
    pub scope: &'a str,
    /// What happened.
    pub message: &'a str,
    /// Its author's fields: `key=value\n` lines, sorted.
    pub fields: &'a str,
    /// Bytes of the message and of values that were cut.
    pub cut: u16,
    /// Fields that were left out because all together were too long.
    pub fields_cut: u16,
    /// The span that was open.
    pub span: Option<SpanRef>,
}

/// A span, in the numbers of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanRef {
    /// The process's count of the span.
    pub span: u32,
    /// The process's count of its trace.
    pub trace: u32,
    /// In which life these are counted, if that is known yet.
    pub life: Option<SpanLife>,
}

/// A life of a process, as metricsd numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanLife {
    /// metricsd's boot, from 1.
    pub boot: u32,
    /// The life of the process in that boot.
    pub life: u32,
}

/// Gives a record to the sink of the process.
#[doc(hidden)]
pub fn log(
    level: Level,
    scope: StaticScope,
    message: fmt::Arguments<'_>,
    fields: &mut [(StaticKey, &dyn fmt::Display)],
) {
    write(level, scope.as_str(), message, fields);
}

/// Gives a record to the sink whose scope is known only at run time. It is cut to 64 bytes.
pub fn log_as(level: Level, scope: &str, message: fmt::Arguments<'_>) {
    if threads::enabled(level) {
        let scope = CutText::<SCOPE_BYTES_MAX>::format(format_args!("{scope}"));
        write(level, scope.as_str(), message, &mut []);
    }
}

fn write(
    level: Level,
    scope: &str,
    message: fmt::Arguments<'_>,
    fields: &mut [(StaticKey, &dyn fmt::Display)],
) {
    let Some(sink) = threads::sink() else { return };
    let message = CutText::<MESSAGE_BYTES_MAX>::format(message);
    let mut lines = Lines::new();
    fields.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in fields.iter().take(FIELDS_MAX) {
        lines.push(key.as_str(), *value);
    }
    sink.log(&Record {
        level,
        scope,
        message: message.as_str(),
        fields: lines.as_str(),
        cut: saturating(message.cut() + lines.cut),
        fields_cut: saturating(lines.left_out),
        span: threads::current_span(),
    });
}

fn saturating(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// Lines of fields.
struct Lines {
    bytes: [u8; FIELDS_BYTES_MAX],
    len: usize,
    cut: usize,
    left_out: usize,
}

impl Lines {
    const fn new() -> Self {
        Self { bytes: [0; FIELDS_BYTES_MAX], len: 0, cut: 0, left_out: 0 }
    }

    fn push(&mut self, key: &str, value: &dyn fmt::Display) {
        let value = CutText::<VALUE_BYTES_MAX>::format(format_args!("{}", OneLine(value)));
        let line = [key, "=", value.as_str(), "\n"];
        let len: usize = line.iter().map(|piece| piece.len()).sum();
        let Some(mut target) = self.bytes.get_mut(self.len..self.len + len) else {
            self.left_out += 1;
            return;
        };
        for piece in line {
            let (place, rest) = target.split_at_mut(piece.len());
            place.copy_from_slice(piece.as_bytes());
            target = rest;
        }
        self.len += len;
        self.cut += value.cut();
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// Shows newlines of a value as `\n`, two characters: a field is one line.
struct OneLine<'a>(&'a dyn fmt::Display);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::write(&mut Escape(f), format_args!("{}", self.0))
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.0.write_str("\\n")?;
            }
            self.0.write_str(line)?;
        }
        Ok(())
    }
}
