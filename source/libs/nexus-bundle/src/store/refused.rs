use nexus_wire::FileStatus;
use nexus_wire::bundles::BundleStatus;

use crate::Defect;

/// Why something was not done, or bytes are not taken for a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// What is said to who asked.
    pub status: BundleStatus,
    /// What is wrong with the bytes, if they were looked at and are none.
    pub defect: Option<Defect>,
}

impl From<BundleStatus> for Refused {
    fn from(status: BundleStatus) -> Self {
        Self { status, defect: None }
    }
}

impl From<Defect> for Refused {
    fn from(defect: Defect) -> Self {
        Self { status: BundleStatus::Corrupt, defect: Some(defect) }
    }
}

/// What statefsd's word means to who asked for a bundle.
pub(super) const fn status(why: FileStatus) -> BundleStatus {
    match why {
        FileStatus::NotFound => BundleStatus::NotFound,
        FileStatus::NoSpace | FileStatus::OverQuota | FileStatus::Full => BundleStatus::OverQuota,
        FileStatus::Damaged => BundleStatus::Corrupt,
        _ => BundleStatus::NotReady,
    }
}
