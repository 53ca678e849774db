//! How things look: colours on terminals only, numbers with their units, tables, JSON lines.

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

/// A length of time: three digits and the unit that suits it.
pub(crate) fn duration(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} us", three(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three(value / 1e6)),
        1_000_000_000..120_000_000_000 => format!("{} s", three(value / 1e9)),
        _ => format!("{} min", three(value / 6e10)),
    }
}

/// At least three digits.
fn three(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A number of bytes with a binary prefix.
pub(crate) fn bytes(value: f64) -> String {
    let (mut value, mut unit) = (value, 0);
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits =
        if unit == 0 && value.fract() == 0.0 { format!("{value}") } else { three_signed(value) };
    format!("{digits} {}", UNITS.get(unit).copied().unwrap_or_default())
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
        Unit::MilliCelsius => format!("{:.1} °C", value / 1e3),
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
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

/// Text within a width, with a mark where something is missing.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
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
    fn quantities_say_what_they_are() {
        assert_eq!(quantity(1536.0, Unit::Bytes), "1.50 KiB");
        assert_eq!(quantity(125_000.0, Unit::PartsPerMillion), "12.5 %");
        assert_eq!(quantity(-2.0, Unit::None), "-2");
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(quantity(41_500.0, Unit::MilliCelsius), "41.5 °C");
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "22".to_owned()]];
        assert_eq!(table(1, &rows), ["a     1", "bcd  22"]);
    }
}
