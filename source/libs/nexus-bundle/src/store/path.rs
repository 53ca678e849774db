use core::fmt::Write as _;

use nexus_bounded::Text;
use nexus_wire::FILE_NAME_BYTES_MAX;
use nexus_wire::bundles::BundleName;
use nexus_wire::files::FileName;

/// Where a bundle lies on the disk: the low 32 bits of who brought it, and its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path(Text<FILE_NAME_BYTES_MAX>);

impl Path {
    /// Before all others.
    pub(crate) const FIRST: Self = Self(Text::EMPTY);

    /// Where the bundle of that name lies that `installer` brings.
    #[must_use]
    pub fn new(installer: u32, name: BundleName<'_>) -> Self {
        let mut text = Text::EMPTY;
        let fits = write!(text, "{installer:08x}/{}", name.as_str()).is_ok();
        assert!(fits, "8 digits, a slash and a name are a file's name");
        Self(text)
    }

    pub(crate) fn of(file: FileName<'_>) -> Self {
        Self(Text::new(file.as_str()).unwrap_or(Text::EMPTY))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// As a file's name; `None` of [`Self::FIRST`] only.
    pub(crate) fn file(&self) -> Option<FileName<'_>> {
        FileName::new(self.0.as_str())
    }

    /// Who brought it, and what it is called; `None` of a file that is no bundle's.
    pub(crate) fn parts(&self) -> Option<(u32, BundleName<'_>)> {
        let (installer, name) = self.0.as_str().split_once('/')?;
        let is_ours = installer.len() == 8;
        let installer = u32::from_str_radix(installer, 16).ok().filter(|_| is_ours)?;
        Some((installer, BundleName::new(name)?))
    }
}
