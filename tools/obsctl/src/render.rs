//! How things look: colours on terminals only, numbers with their units, tables, JSON lines.
//!
//! Texts that senders chose pass [`visible`] before they are shown to people, so that none of them
//! can steer a terminal, begin a line of its own, or turn the order of what is read. JSON escapes
//! by its own rules and loses nothing.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use nexus_wire::{Level, Unit};

/// Standard output, and whether it is a terminal.
pub(crate) struct Screen {
    out: std::io::Stdout,
    colours: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let out = std::io::stdout();
        let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out, colours }
    }

    pub(crate) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(crate) fn json(&mut self, value: &serde_json::Value) -> anyhow::Result<()> {
        self.line(&value.to_string())
    }

    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    /// `text` in a style, where there are colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BAD: Style =
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub(crate) const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
pub(crate) const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

/// The style of a level.
pub(crate) const fn of_level(level: Level) -> Style {
    match level {
        Level::Error => BAD,
        Level::Warn => WARN,
        Level::Info => Style::new(),
        Level::Debug | Level::Trace => DIM,
    }
}

/// A sender's text for people: control characters, and those that turn the direction of reading or
/// break lines, stand as escapes.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|char| {
        if is_treacherous(char) { char.escape_default().to_string() } else { char.to_string() }
    });
    Cow::Owned(shown.collect())
}

/// As [`visible`], for a text of several lines that may keep them.
pub(crate) fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// `key=value` pairs of a sender.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pair = |(key, value): (&String, &String)| format!("{}={}", visible(key), visible(value));
    pairs.into_iter().map(pair).collect::<Vec<_>>().join(" ")
}

/// C0, DEL and C1; marks, embeddings, overrides and isolates of writing direction; separators of
/// lines and paragraphs.
fn is_treacherous(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A length of time: three digits and the unit that suits it.
pub(crate) fn duration(nanos: u64) -> String {
    const UNITS: [(&str, f64, f64); 4] =
        [("ns", 1.0, 1e3), ("us", 1e3, 1e6), ("ms", 1e6, 1e9), ("s", 1e9, 120e9)];
    let value = nanos as f64;
    if nanos < 1_000 {
        return format!("{nanos} ns");
    }
    // What would be rounded up to the next unit is said in it.
    let unit = UNITS.iter().find(|(_, size, end)| rounded(value / size) * size < *end);
    let (name, size) = unit.map_or(("min", 60e9), |(name, size, _)| (*name, *size));
    format!("{} {name}", three(value / size))
}

/// Digits behind the point that make at least three in all.
fn digits(value: f64) -> usize {
    match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    }
}

/// At least three digits.
fn three(value: f64) -> String {
    format!("{value:.*}", digits(value))
}

/// The number that [`three`] writes.
fn rounded(value: f64) -> f64 {
    let power = 10_f64.powi(i32::try_from(digits(value)).unwrap_or(0));
    (value * power).round() / power
}

/// A number of bytes with a binary prefix.
pub(crate) fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    if value.abs() < 1024.0 && value.fract() == 0.0 {
        return format!("{value} B");
    }
    let (mut value, mut unit) = (value, 0);
    while rounded(value.abs()) >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_signed(value), UNITS.get(unit).copied().unwrap_or_default())
}

fn three_signed(value: f64) -> String {
    if value < 0.0 { format!("-{}", three(-value)) } else { three(value) }
}

/// A value in its unit, for people.
pub(crate) fn quantity(value: f64, unit: Unit) -> String {
    let nanos = |per: f64| {
        let nanos = value * per;
        if nanos < 0.0 { format!("-{}", duration(-nanos as u64)) } else { duration(nanos as u64) }
    };
    match unit {
        Unit::None if value.fract() == 0.0 && value.abs() < 1e15 => grouped(value as i64),
        Unit::None => three_signed(value),
        Unit::Bytes => bytes(value),
        Unit::Nanoseconds => nanos(1.0),
        Unit::Microseconds => nanos(1e3),
        Unit::Milliseconds => nanos(1e6),
        Unit::Seconds => nanos(1e9),
        Unit::PartsPerMillion => format!("{} %", three_signed(value / 1e4)),
        Unit::MilliCelsius => format!("{:.1} C", value / 1e3),
    }
}

/// Digits in groups of three, as `1_234_567`.
pub(crate) fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// Rows in columns as wide as they need; all but the first `left` columns to the right.
pub(crate) fn table(left: usize, rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if at < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Rows as a table that is no wider than `width`: the first column gives way, in its middle, as far
/// as it can.
pub(crate) fn fitted(left: usize, mut rows: Vec<Vec<String>>, width: usize) -> Vec<String> {
    const LEAST: usize = 12;
    let chars = |text: &String| text.chars().count();
    let all = table(left, &rows).iter().map(chars).max().unwrap_or(0);
    let first = rows.iter().filter_map(|row| row.first()).map(chars).max().unwrap_or(0);
    let room = first.saturating_sub(all.saturating_sub(width)).max(LEAST);
    rows.iter_mut().filter_map(|row| row.first_mut()).for_each(|cell| *cell = middle(cell, room));
    table(left, &rows)
}

/// Text within a width, with a mark in its middle where something is missing: of names that begin
/// alike both ends are worth reading.
fn middle(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let front = width.saturating_sub(1) / 2;
    let back = width.saturating_sub(1) - front;
    let ends = text.chars().take(front).chain(['~']).chain(text.chars().skip(count - back));
    ends.collect()
}

/// Text within a width, with a mark where something is missing.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "~"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (nanos, text) in [
            (999, "999 ns"),
            (1_500, "1.50 us"),
            (25_300_000, "25.3 ms"),
            (999_000_000, "999 ms"),
            (61_000_000_000, "61.0 s"),
            (600_000_000_000, "10.0 min"),
        ] {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn what_rounding_lifts_to_the_next_unit_is_said_in_it() {
        assert_eq!(duration(999_999), "1.00 ms");
        assert_eq!(duration(9_999_000), "10.0 ms");
        assert_eq!(duration(119_999_999_999), "2.00 min");
        assert_eq!(bytes(1_048_575.0), "1.00 MiB");
        assert_eq!(bytes(1_023.0), "1023 B");
        assert_eq!(bytes(-1_048_575.0), "-1.00 MiB");
    }

    #[test]
    fn what_could_steer_a_terminal_or_forge_a_line_is_escaped() {
        for (text, shown) in [
            ("plain, \u{e4} and \u{65e5}", "plain, \u{e4} and \u{65e5}"),
            ("two\nlines", "two\\nlines"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("\u{2066}\u{200f}\u{2028}", "\\u{2066}\\u{200f}\\u{2028}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\u{1b}\nb"), "a\\u{1b}\nb");
    }

    #[test]
    fn quantities_say_what_they_are() {
        assert_eq!(quantity(1536.0, Unit::Bytes), "1.50 KiB");
        assert_eq!(quantity(125_000.0, Unit::PartsPerMillion), "12.5 %");
        assert_eq!(quantity(-2.0, Unit::None), "-2");
        assert_eq!(grouped(1_234_567), "1_234_567");
        assert_eq!(quantity(41_500.0, Unit::MilliCelsius), "41.5 C");
    }

    #[test]
    fn a_table_keeps_to_a_width_and_shows_both_ends_of_names() {
        let row = |name: &str| vec![name.to_owned(), "12".to_owned()];
        let rows = vec![row("host_processor_total{cpu=0}"), row("host_processor_total{cpu=1}")];
        let lines = fitted(1, rows.clone(), 24);
        assert_eq!(lines, ["host_proc~tal{cpu=0}  12", "host_proc~tal{cpu=1}  12"]);
        assert_eq!(fitted(1, rows.clone(), 80), table(1, &rows));
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "22".to_owned()]];
        assert_eq!(table(1, &rows), ["a     1", "bcd  22"]);
    }
}
