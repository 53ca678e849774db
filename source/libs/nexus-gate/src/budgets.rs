use alloc::boxed::Box;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, TokenBucket};
use nexus_recipe::{Budget, Recipe, SenderRule};

/// Which sender has which budget.
#[derive(Clone, Debug)]
pub struct Budgets {
    known: Box<[(ServiceId, Budget)]>,
    others: Budget,
}

impl Budgets {
    /// The budgets at logd: known services have the common one or their own, all others the tight
    /// one of unknown users.
    #[must_use]
    pub fn of_logd(recipe: &Recipe) -> Self {
        let limits = &recipe.logd;
        Self::new(recipe, |rule| rule.logd_budget.unwrap_or(limits.budget), limits.unknown_budget)
    }

    /// The budgets at metricsd.
    #[must_use]
    pub fn of_metricsd(recipe: &Recipe) -> Self {
        let limits = &recipe.metricsd;
        let own = |rule: &SenderRule| rule.metricsd_budget.unwrap_or(limits.budget);
        Self::new(recipe, own, limits.unknown_budget)
    }

    fn new(recipe: &Recipe, own: impl Fn(&SenderRule) -> Budget, others: Budget) -> Self {
        let known = recipe.senders.iter();
        let known = known.map(|rule| (ServiceId::from_name(&rule.name), own(rule))).collect();
        Self { known, others }
    }

    /// Bytes of memory that the budgets of a recipe take at one daemon.
    #[must_use]
    pub fn bytes(recipe: &Recipe) -> usize {
        recipe.senders.len() * size_of::<(ServiceId, Budget)>()
    }

    /// The same budget for everybody.
    #[cfg(test)]
    pub(crate) fn common(others: Budget) -> Self {
        Self { known: Box::new([]), others }
    }

    /// The same budget for everybody, these being known by name.
    #[cfg(test)]
    pub(crate) fn naming(names: &[&str], budget: Budget) -> Self {
        let known = names.iter().map(|name| (ServiceId::from_name(name), budget)).collect();
        Self { known, others: budget }
    }

    /// Whether the recipe knows a service by name.
    #[must_use]
    pub fn knows(&self, service: ServiceId) -> bool {
        self.known.iter().any(|(known, _)| *known == service)
    }

    /// The budget of a service.
    #[must_use]
    pub fn of(&self, service: ServiceId) -> Budget {
        let own = self.known.iter().find(|(known, _)| *known == service);
        own.map_or(self.others, |(_, budget)| *budget)
    }
}

/// A sender's two buckets; they are charged together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purse {
    events: TokenBucket,
    bytes: TokenBucket,
}

impl Purse {
    pub(crate) const fn full(budget: Budget, now: Mono) -> Self {
        Self {
            events: TokenBucket::new(budget.events_per_s as u64, budget.events_burst as u64, now),
            bytes: TokenBucket::new(budget.bytes_per_s as u64, budget.bytes_burst as u64, now),
        }
    }

    /// Takes both or nothing.
    #[inline]
    pub(crate) fn take(&mut self, events: u32, bytes: u32, now: Mono) -> bool {
        self.events.take_both(events.into(), &mut self.bytes, bytes.into(), now)
    }

    pub(crate) fn left(&mut self, now: Mono) -> (u64, u64) {
        (self.events.left(now), self.bytes.left(now))
    }
}
