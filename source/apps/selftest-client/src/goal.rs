//! What a run is to prove, and which tables that takes.

use nexus_wire::markers;

use crate::{
    BOUNDARIES, BUNDLES, CORE_LOGS, Case, DEATHS, ENTROPY, EXEC, FILES, KEPT_BOUNDARIES,
    KEPT_BUNDLES, KEPT_LOGS, KEPT_METRICS, LOGD, METRICSD, OTHERS_APART, OUTAGES, POLICY,
    POLICYD_DEATH, RETENTION, ROLLUPS, SESSIONS_APART, SET_ASIDE, TIMED,
};

/// What a run is to prove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// logd alone.
    Logd,
    /// Both services, where there is no disk.
    Services,
    /// Both, and then that they, and others beside them, outlive their outages.
    Outages,
    /// Both, and that they keep what they have on a disk.
    Retention,
    /// In the next boot, that it is still there.
    Kept,
    /// Both, and that they keep it over boundaries of longer windows.
    Boundaries,
    /// In the next boot, that it is there, and longer windows that were made of it.
    Rollups,
    /// Both, and that what metricsd keeps is set aside where it is suspect.
    SetAside,
    /// All services of the system, and that both keep what they have on a disk.
    System,
    /// In the next boot, that it is still there, bundles too.
    SystemKept,
    /// All services of the system, most of which are ended before they are proven.
    Deaths,
}

impl Goal {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Services,
        Self::Logd,
        Self::Outages,
        Self::Retention,
        Self::Kept,
        Self::Boundaries,
        Self::Rollups,
        Self::SetAside,
        Self::System,
        Self::SystemKept,
        Self::Deaths,
    ];

    /// By its place in [`Self::ALL`], as an image names it.
    #[must_use]
    pub fn from_argument(argument: u64) -> Option<Self> {
        let at = usize::try_from(argument).ok()?;
        Self::ALL.get(at).copied()
    }

    /// Its tables. Nobody is let in behind logd before the first holds.
    #[must_use]
    pub const fn tables(self) -> &'static [&'static [Case]] {
        match self {
            Self::Logd => &[LOGD],
            Self::Services => &[LOGD, METRICSD],
            Self::Outages => &[LOGD, METRICSD, OUTAGES],
            Self::Retention => &[LOGD, METRICSD, RETENTION],
            Self::System => &[
                LOGD,
                METRICSD,
                POLICY,
                TIMED,
                BUNDLES,
                EXEC,
                CORE_LOGS,
                ENTROPY,
                SESSIONS_APART,
                FILES,
                OTHERS_APART,
                RETENTION,
            ],
            Self::Deaths => &[
                LOGD,
                METRICSD,
                POLICYD_DEATH,
                POLICY,
                DEATHS,
                TIMED,
                BUNDLES,
                EXEC,
                ENTROPY,
                SESSIONS_APART,
                RETENTION,
            ],
            Self::Kept => &[KEPT_LOGS, KEPT_METRICS],
            Self::SystemKept => &[KEPT_LOGS, KEPT_METRICS, KEPT_BUNDLES],
            Self::Boundaries => &[LOGD, METRICSD, BOUNDARIES],
            Self::Rollups => &[KEPT_BOUNDARIES, ROLLUPS],
            Self::SetAside => &[LOGD, METRICSD, RETENTION, SET_ASIDE],
        }
    }

    /// What those say that are started before the selftest, in the order in which they are: each
    /// before it first receives.
    #[must_use]
    pub const fn ready(self) -> &'static [&'static str] {
        match self {
            Self::Logd | Self::Services => &[markers::LOGD_READY],
            Self::Outages => &[markers::LOGD_READY, markers::POLICYD_READY, markers::EXECD_READY],
            Self::System | Self::Deaths => &[
                markers::STATEFSD_READY,
                markers::LOGD_READY,
                markers::POLICYD_READY,
                markers::TIMED_READY,
                markers::BUNDLEMGRD_READY,
                markers::EXECD_READY,
                markers::ENTROPYD_READY,
                markers::DSOFTBUSD_READY,
                markers::DSOFTBUSD_PEER_READY,
            ],
            Self::SystemKept => &[
                markers::STATEFSD_READY,
                markers::LOGD_READY,
                markers::POLICYD_READY,
                markers::BUNDLEMGRD_READY,
            ],
            _ => &[markers::STATEFSD_READY, markers::LOGD_READY],
        }
    }
}
