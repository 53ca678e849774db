//! What a process of the simulated world records, and how it comes to the daemons there.
//!
//! A process records once, whoever runs in it: its numbers are told as one service's. Its records
//! come in one name, or each in the name that is its scope.

use nexus_abi::Rights;
use nexus_bounded::Mono;
use nexus_log::memory::{Captured, Logged};
use nexus_log::{Courier, Record};
use nexus_metrics::{Flusher, Pace};
use simkit::{Link, World};

/// See the module.
pub(crate) struct Recorded {
    pub(crate) logged: Captured,
    /// Records that were handed to a courier.
    brought: usize,
    /// In whose names records come.
    pub(crate) couriers: Vec<(&'static str, Courier, Link)>,
    pub(crate) metrics: Flusher<&'static nexus_metrics::Client>,
    metricsd: Link,
}

impl Recorded {
    /// Numbers are told by `who`. Records are logged by `loggers`: all by the only one, or those of
    /// each scope by whom it names.
    pub(crate) fn new(
        world: &mut World,
        (who, loggers): (&str, &[&'static str]),
        rights: Rights,
        pace: Pace,
    ) -> Self {
        let couriers = loggers.iter().map(|name| {
            let link = world.link(name, rights, "logd");
            (*name, Courier::new(), link)
        });
        Self {
            logged: nexus_log::memory::capture(),
            brought: 0,
            couriers: couriers.collect(),
            // Another world of this process may have recorded before.
            metrics: Flusher::for_forked_child(nexus_metrics::global(), pace),
            metricsd: world.link(who, rights, "metricsd"),
        }
    }

    /// Brings what there is; of `mute` no records.
    pub(crate) fn poll(&mut self, now: Mono, mute: Option<&str>) {
        let (all, is_only) = (self.logged.records(), self.couriers.len() == 1);
        for logged in &all[self.brought..] {
            let Logged { level, scope, message, fields, cut, fields_cut, span } = logged;
            let (level, cut, fields_cut, span) = (*level, *cut, *fields_cut, *span);
            let record = Record { level, scope, message, fields, cut, fields_cut, span };
            let mut couriers = self.couriers.iter_mut();
            let of = couriers.find(|(name, ..)| is_only || name == scope);
            if let Some((_, courier, link)) = of.filter(|(name, ..)| mute != Some(*name)) {
                courier.submit(&record, now, link);
            }
        }
        self.brought = all.len();
        for (_, courier, link) in &mut self.couriers {
            courier.poll(now, link);
        }
        self.metrics.poll(now, &mut self.metricsd);
    }
}
