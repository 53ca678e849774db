//! What the services say of what they keep.

use nexus_wire::logs;
use nexus_wire::metrics::{self, Moment};
use nexus_wire::{LogStatus, MetricStatus, Tier};

use crate::Why;
use crate::talk::Talk;

const NO_RANGE: Why = "what is kept cannot be asked for";

/// metricsd's time, and how long its windows are.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) now: Moment,
    pub(super) length: u64,
}

impl Window {
    pub(super) const fn number(self) -> u64 {
        self.now.mono_ns / self.length
    }
}

impl Talk<'_> {
    pub(super) fn window(&mut self) -> Result<Window, Why> {
        let nothing = metrics::Range { name: "-", is_prefix: false, ..metrics::Range::ALL };
        let nothing = metrics::Range { tier: Tier::Raw, ..nothing };
        self.until(NO_RANGE, |talk| match talk.ask_metricsd(&metrics::Request::Range(nothing))? {
            (MetricStatus::Ok, metrics::Reply::Range(range)) => {
                Ok(Some(Window { now: range.head.now, length: range.head.window_ns }))
            }
            (MetricStatus::NotReady | MetricStatus::RateLimited, _) => Ok(None),
            _ => Err("a question for what is kept was refused"),
        })
    }

    pub(super) fn number_of_metricsd(&mut self, key: &str) -> Result<u64, Why> {
        let status = self.until("no budget for a status", |talk| {
            match talk.ask_metricsd(&metrics::Request::Status)? {
                (MetricStatus::Ok, metrics::Reply::Status(fields)) => Ok(Some(fields.number(key))),
                (MetricStatus::RateLimited, _) => Ok(None),
                _ => Err("metricsd's status was refused"),
            }
        })?;
        status.ok_or("metricsd's status does not say how it keeps")
    }

    pub(super) fn number_of_logd(&mut self, key: &str) -> Result<u64, Why> {
        let status = self.until("no budget for a status", |talk| {
            match talk.ask_logd(&logs::Request::Status)? {
                (LogStatus::Ok, logs::Reply::Status(fields)) => Ok(Some(fields.number(key))),
                (LogStatus::RateLimited, _) => Ok(None),
                _ => Err("logd's status was refused"),
            }
        })?;
        status.ok_or("logd's status does not say how it keeps")
    }
}

/// A number among the fields of a status.
trait Numbers {
    fn number(&self, key: &str) -> Option<u64>;
}

impl Numbers for nexus_wire::Fields<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }
}
