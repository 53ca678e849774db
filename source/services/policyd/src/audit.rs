use core::fmt;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, TokenBucket};
use nexus_recipe::AuditLimits;
use nexus_wire::policy::{Check, Decision};

use crate::table::Table;
use crate::telemetry;

/// Who keeps the records.
const LOGD: ServiceId = ServiceId::from_name("logd");

/// Tells logd of denials, within a budget.
pub(crate) struct Audit {
    budget: TokenBucket,
    /// Denials since the last record that have none of their own.
    left_out: u64,
}

/// A service by its name, or by its number if the table does not know it.
struct Named<'t>(&'t Table, ServiceId);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name(self.1) {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.1),
        }
    }
}

impl Audit {
    pub(crate) fn new(limits: &AuditLimits) -> Self {
        let (rate, burst) = (limits.records_per_s.into(), limits.records_burst.into());
        Self { budget: TokenBucket::new(rate, burst, Mono(0)), left_out: 0 }
    }

    /// The service decides by this table from now on.
    pub(crate) fn began(table: &Table) {
        let rules = table.rules().len();
        nexus_log::info!("policyd", "decides by {rules} rules";
            event = "policy.loaded.v1", rules = rules);
    }

    /// Something was denied to whoever `asked`.
    pub(crate) fn denied(
        &mut self,
        asked: ServiceId,
        check: Check<'_>,
        decision: Decision,
        table: &Table,
        now: Mono,
    ) {
        if asked == LOGD || !self.budget.take(1, now) {
            self.left_out = self.left_out.saturating_add(1);
            return telemetry::note_left_out();
        }
        let left_out = core::mem::take(&mut self.left_out);
        let (subject, object) = (Named(table, check.subject), check.object.as_str());
        let action = check.action.name();
        nexus_log::warn!("policyd", "{action} denied to {subject}: {}", decision.name();
            action = action, asked_by = Named(table, asked), event = "policy.denied.v1",
            left_out = left_out, object = object, reason = decision.name(), subject = subject);
    }
}
