//! Bounded strings of frames.
//!
//! Two steps, because the hot path must not pay for both: the `*Bytes` types are within their
//! length bound and nothing else; [`MetricName`], [`SpanName`], [`Labels`] are checked whole.
//! A service looks series up by bytes and checks wholly only what it has never seen.

use crate::fields::{FieldError, Fields};
use crate::{HELP_BYTES_MAX, LABELS_BYTES_MAX, NAME_BYTES_MAX, SCOPE_BYTES_MAX};

macro_rules! bounded_bytes {
    ($($(#[$doc:meta])* $name:ident $bound:pat,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name<'a>(&'a [u8]);

        impl<'a> $name<'a> {
            /// `bytes`, if their number is within the bound.
            #[must_use]
            pub const fn new(bytes: &'a [u8]) -> Option<Self> {
                if matches!(bytes.len(), $bound) { Some(Self(bytes)) } else { None }
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(self) -> &'a [u8] {
                self.0
            }
        }
    )*};
}

bounded_bytes! {
    /// What stands where a name must stand: 1 to 48 bytes, not looked at yet.
    NameBytes 1..=NAME_BYTES_MAX,
    /// What stands where labels must stand: at most 192 bytes, not looked at yet.
    LabelBytes 0..=LABELS_BYTES_MAX,
    /// What stands where attributes must stand: at most 192 bytes, not looked at yet.
    AttrBytes 0..=LABELS_BYTES_MAX,
}

/// Printable text without control characters, within a length.
fn is_text(text: &str, min: usize, max: usize) -> bool {
    text.len() >= min && text.len() <= max && !text.chars().any(char::is_control)
}

macro_rules! bounded_text {
    ($($(#[$doc:meta])* $name:ident $min:literal ..= $max:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// `text`, if it is within its bounds and has no control character.
            #[must_use]
            pub fn new(text: &'a str) -> Option<Self> {
                is_text(text, $min, $max).then_some(Self(text))
            }

            /// The text.
            #[must_use]
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }
    )*};
}

bounded_text! {
    /// Name of a metric: 1 to 48 bytes.
    MetricName 1..=NAME_BYTES_MAX;
    /// Name of a span: 1 to 48 bytes.
    SpanName 1..=NAME_BYTES_MAX;
    /// What a metric is good for, in a sentence: at most 120 bytes.
    Help 0..=HELP_BYTES_MAX;
    /// Where a record comes from: at most 64 bytes.
    Scope 0..=SCOPE_BYTES_MAX;
}

impl<'a> MetricName<'a> {
    /// The name as it goes into a frame.
    #[must_use]
    pub const fn as_name_bytes(self) -> NameBytes<'a> {
        NameBytes(self.0.as_bytes())
    }
}

impl<'a> SpanName<'a> {
    /// The name as it goes into a frame.
    #[must_use]
    pub const fn as_name_bytes(self) -> NameBytes<'a> {
        NameBytes(self.0.as_bytes())
    }
}

impl<'a> NameBytes<'a> {
    /// The metric's name, if it is one.
    #[must_use]
    pub fn metric_name(self) -> Option<MetricName<'a>> {
        core::str::from_utf8(self.0).ok().and_then(MetricName::new)
    }

    /// The span's name, if it is one.
    #[must_use]
    pub fn span_name(self) -> Option<SpanName<'a>> {
        core::str::from_utf8(self.0).ok().and_then(SpanName::new)
    }
}

/// Canonical labels: [`Fields`] within 192 bytes that claim no identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Labels<'a>(Fields<'a>);

impl<'a> Labels<'a> {
    /// No labels.
    pub const EMPTY: Self = Self(Fields::EMPTY);

    /// The labels in `bytes`.
    ///
    /// # Errors
    /// [`FieldError`]: what is wrong with them.
    pub fn parse(bytes: LabelBytes<'a>) -> Result<Self, FieldError> {
        Fields::parse_claimless(bytes.0).map(Self)
    }

    /// The labels as fields.
    #[must_use]
    pub const fn fields(self) -> Fields<'a> {
        self.0
    }

    /// The labels as they go into a frame.
    #[must_use]
    pub const fn as_label_bytes(self) -> LabelBytes<'a> {
        LabelBytes(self.0.as_str().as_bytes())
    }
}
