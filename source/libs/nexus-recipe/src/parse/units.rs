use toml::de::DeValue;

/// How a number is written in a recipe. A number without its unit is never guessed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// An integer: things, or things a second where the key says so.
    Count,
    /// `"64 B"`, `"16 KiB"`, `"4 MiB"`: bytes, or bytes a second where the key says so.
    Size,
    /// `"500 us"`, `"250 ms"`, `"10 s"`, `"5 min"`, `"1 h"`: nanoseconds.
    Duration,
}

/// Largest first, so that [`Unit::show`] finds the shortest exact form.
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const DURATIONS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Unit {
    /// The number in `value`, or what should have stood there.
    pub(super) fn read(self, value: &DeValue<'_>) -> Result<u64, String> {
        let number = match (self, value) {
            (Self::Count, DeValue::Integer(number)) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            (Self::Size, DeValue::String(text)) => with_unit(text, SIZES),
            (Self::Duration, DeValue::String(text)) => with_unit(text, DURATIONS),
            _ => None,
        };
        number.ok_or_else(|| format!("write {}", self.form()))
    }

    fn form(self) -> &'static str {
        match self {
            Self::Count => "an integer, such as 64",
            Self::Size => "a size with its unit (B, KiB, MiB, GiB), such as \"64 KiB\"",
            Self::Duration => "a time with its unit (ns, us, ms, s, min, h, d), such as \"250 ms\"",
        }
    }

    /// `number` as a person would write it.
    pub(super) fn show(self, number: u64) -> String {
        let units = match self {
            Self::Count => return number.to_string(),
            Self::Size => SIZES,
            Self::Duration => DURATIONS,
        };
        let smallest = units.last().copied().unwrap_or(("", 1));
        let exact = |(_, size): &&(&str, u64)| number > 0 && number.is_multiple_of(*size);
        let (unit, size) = units.iter().find(exact).copied().unwrap_or(smallest);
        format!("{} {unit}", number / size)
    }
}

/// `"<digits> <unit>"`, the space optional.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_need_their_unit() {
        let cases = [
            ("64 KiB", SIZES, Some(65_536)),
            ("64KiB", SIZES, Some(65_536)),
            ("64", SIZES, None),
            ("64 KB", SIZES, None),
            ("64  KiB", SIZES, None),
            ("-1 B", SIZES, None),
            ("", SIZES, None),
            ("KiB", SIZES, None),
            ("18446744073709551616 B", SIZES, None),
            ("18446744073709551615 KiB", SIZES, None),
            ("10 s", DURATIONS, Some(10_000_000_000)),
            ("5 min", DURATIONS, Some(300_000_000_000)),
            ("5 m", DURATIONS, None),
            ("1.5 s", DURATIONS, None),
        ];
        for (text, units, want) in cases {
            assert_eq!(with_unit(text, units), want, "{text}");
        }
    }

    #[test]
    fn a_number_is_shown_in_its_largest_exact_unit() {
        assert_eq!(Unit::Size.show(65_536), "64 KiB");
        assert_eq!(Unit::Size.show(65_537), "65537 B");
        assert_eq!(Unit::Size.show(0), "0 B");
        assert_eq!(Unit::Duration.show(90_000_000_000), "90 s");
        assert_eq!(Unit::Duration.show(250_000_000), "250 ms");
        assert_eq!(Unit::Count.show(7), "7");
    }
}
