use core::fmt;

/// Why bytes are no bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// They do not begin as a bundle does.
    Magic,
    /// They begin as a bundle of another version of the format.
    Version,
    /// They end before the header does.
    Short,
    /// A name, a version or an entry is none.
    Name,
    /// A right that nobody knows.
    Rights,
    /// No memory, or more than there can be.
    Memory,
    /// They are not as many as the header says.
    Length,
    /// They are not those that the digest was made of.
    Digest,
}

impl Defect {
    /// The word for it in labels and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Short => "short",
            Self::Name => "name",
            Self::Rights => "rights",
            Self::Memory => "memory",
            Self::Length => "length",
            Self::Digest => "digest",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "no bundle: it does not begin as one",
            Self::Version => "a bundle of another version of the format: pack it anew",
            Self::Short => "no bundle: it ends within its header",
            Self::Name => "a name, a version or an entry is none: pack it with others",
            Self::Rights => "it asks for a right that does not exist: pack it anew",
            Self::Memory => "it asks for no memory, or for more than there can be: pack it anew",
            Self::Length => "it is longer or shorter than its header says: bring it again",
            Self::Digest => "its bytes are not those that were packed: bring it again",
        })
    }
}
