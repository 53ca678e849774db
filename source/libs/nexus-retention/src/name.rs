//! How files are called: the same for the same content, in the order of time.

use core::fmt;

use nexus_bounded::{Nanos, Text};

/// The name of the manifest.
pub const MANIFEST: &str = "manifest";

/// The name of the write-ahead log.
pub const WAL: &str = "wal";

/// How an unfinished segment ends.
const TEMP: &str = ".tmp";

const NS_IN_MS: u64 = 1_000_000;
const NS_IN_S: u64 = 1_000_000_000;

/// A length of windows, and whether they are made out of shorter ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tier {
    /// Its windows are made out of those of the raw tier.
    pub is_rollup: bool,
    /// Length of its windows, not zero.
    pub window: Nanos,
}

impl Tier {
    /// What was recorded, in windows of the length of its interval.
    #[must_use]
    pub const fn raw(window: Nanos) -> Self {
        Self { is_rollup: false, window }
    }

    /// Longer windows.
    #[must_use]
    pub const fn rollup(window: Nanos) -> Self {
        Self { is_rollup: true, window }
    }
}

impl Tier {
    /// The tier of longer windows that is called so, as it is displayed; `None`: it is none.
    #[must_use]
    pub fn parse_rollup(text: &str) -> Option<Self> {
        let end = text.find(|letter: char| !letter.is_ascii_digit())?;
        let (digits, unit) = text.split_at_checked(end)?;
        let length = match unit {
            "s" => NS_IN_S,
            "ms" => NS_IN_MS,
            "ns" => 1,
            _ => return None,
        };
        let window = digits.parse::<u64>().ok()?.checked_mul(length).filter(|ns| *ns > 0)?;
        let tier = Self::rollup(Nanos(window));
        // Only the one way of writing it is a name.
        (self::text(format_args!("{tier}")).as_str() == text).then_some(tier)
    }
}

/// `raw`, or the true length of the windows: `10s`, `250ms`, `1500000ns`.
impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.window.0;
        match ns {
            _ if !self.is_rollup => f.write_str("raw"),
            _ if ns.is_multiple_of(NS_IN_S) => write!(f, "{}s", ns / NS_IN_S),
            _ if ns.is_multiple_of(NS_IN_MS) => write!(f, "{}ms", ns / NS_IN_MS),
            _ => write!(f, "{ns}ns"),
        }
    }
}

/// Most bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;

/// A sealed segment: `<tier>.<boot>.<first window>`, numbers in hexadecimal digits of fixed length,
/// so that names of a tier sort as time goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SegmentName {
    /// The boot, counted since the state was made.
    pub boot: u32,
    /// Number of its first window in that boot.
    pub first: u64,
}

impl SegmentName {
    /// The file's name.
    #[must_use]
    pub fn file(&self, tier: Tier) -> Text<NAME_BYTES_MAX> {
        text(format_args!("{tier}.{:08x}.{:016x}", self.boot, self.first))
    }

    /// What a file of a tier is called after, or `None` if that is no segment's name.
    #[must_use]
    pub fn parse(tier: Tier, file: &str) -> Option<Self> {
        let prefix = text(format_args!("{tier}."));
        let (boot, first) = file.strip_prefix(prefix.as_str())?.split_once('.')?;
        let boot = u32::from_str_radix(boot, 16).ok()?;
        let first = u64::from_str_radix(first, 16).ok()?;
        let name = Self { boot, first };
        // Only the one way of writing it is a name.
        (name.file(tier).as_str() == file).then_some(name)
    }
}

/// The segment of a tier that is being written: `<tier>.tmp`.
#[must_use]
pub fn temp(tier: Tier) -> Text<NAME_BYTES_MAX> {
    text(format_args!("{tier}{TEMP}"))
}

fn text(arguments: fmt::Arguments<'_>) -> Text<NAME_BYTES_MAX> {
    let mut text = Text::EMPTY;
    let is_written = fmt::Write::write_fmt(&mut text, arguments).is_ok();
    assert!(is_written, "the longest name fits");
    text
}
