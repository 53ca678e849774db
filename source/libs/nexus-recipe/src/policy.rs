use alloc::boxed::Box;
use alloc::string::String;

use nexus_abi::Rights;

/// Bytes of what a rule is about, at most: a path, a bundle or a service.
pub const POLICY_OBJECT_BYTES_MAX: usize = 64;

/// Who may do what. What does not stand here nobody may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The recipe of the image whose entries are all the names there are.
    pub image: String,
    /// How much of its doings policyd records.
    pub audit: AuditLimits,
    /// Services that may read the journal.
    pub read_logs: Box<[String]>,
    /// Services that may read metrics.
    pub scrape_metrics: Box<[String]>,
    /// Services that may ask about others.
    pub ask_for_others: Box<[String]>,
    /// Who may have which bundles started.
    pub spawn: Box<[PolicyRule]>,
    /// Who may bring which bundles, and take them away.
    pub install_bundle: Box<[PolicyRule]>,
    /// Who may write files below which prefixes.
    pub write_state: Box<[PolicyRule]>,
    /// Who may open sessions with which services.
    pub open_session: Box<[PolicyRule]>,
}

/// How many records policyd writes about decisions; the rest is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLimits {
    /// Records a second.
    pub records_per_s: u32,
    /// Records at once.
    pub records_burst: u32,
}

/// What one service may do with some things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRule {
    /// The service.
    pub who: String,
    /// With what: at least one, each at most [`POLICY_OBJECT_BYTES_MAX`] bytes.
    pub what: Box<[String]>,
}

impl Policy {
    /// The bits that are stamped on every request of a service.
    #[must_use]
    pub fn rights(&self, service: &str) -> Rights {
        let bit = |services: &[String], right| {
            if services.iter().any(|name| name == service) { right } else { Rights::NONE }
        };
        bit(&self.read_logs, Rights::QUERY).with(bit(&self.scrape_metrics, Rights::SCRAPE))
    }
}
