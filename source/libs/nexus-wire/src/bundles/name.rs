use nexus_bounded::Text;

use super::{BUNDLE_NAME_BYTES_MAX, BUNDLE_VERSION_BYTES_MAX};

/// What a bundle, or what it starts, is called: 1 to 31 bytes of `[a-z0-9_.-]`, the first a letter.
/// It is a service's name, a file's name, and what a policy can be asked about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BundleName<'a>(&'a str);

impl<'a> BundleName<'a> {
    /// `text`, if it is a name.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        let is_name = begins_well && is_legal(text, BUNDLE_NAME_BYTES_MAX);
        is_name.then_some(Self(text))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// A copy that stays.
    #[must_use]
    pub fn stored(self) -> StoredName {
        StoredName(Text::new(self.0).unwrap_or(Text::EMPTY))
    }
}

/// A [`BundleName`] that is its owner's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredName(Text<BUNDLE_NAME_BYTES_MAX>);

impl StoredName {
    /// The name.
    #[must_use]
    pub fn get(&self) -> BundleName<'_> {
        BundleName(self.0.as_str())
    }
}

/// A [`BundleVersion`] that is its owner's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredVersion(Text<BUNDLE_VERSION_BYTES_MAX>);

impl StoredVersion {
    /// The version.
    #[must_use]
    pub fn get(&self) -> BundleVersion<'_> {
        BundleVersion(self.0.as_str())
    }
}

/// Which of the bundles of a name: 1 to 16 bytes of `[a-z0-9_.-]`. Nothing is made of their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BundleVersion<'a>(&'a str);

impl<'a> BundleVersion<'a> {
    /// `text`, if it is a version.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        (!text.is_empty() && is_legal(text, BUNDLE_VERSION_BYTES_MAX)).then_some(Self(text))
    }

    /// The version.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// A copy that stays.
    #[must_use]
    pub fn stored(self) -> StoredVersion {
        StoredVersion(Text::new(self.0).unwrap_or(Text::EMPTY))
    }
}

fn is_legal(text: &str, most: usize) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    text.len() <= most && text.bytes().all(letter)
}
