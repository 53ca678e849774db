//! What is missing among spans: records of metricsd that logd dropped, and what metricsd says did
//! not reach logd.

use nexus_abi::ServiceId;
use serde_json::json;

use crate::daemons::Entry;
use crate::render::{WARN, visible};
use crate::view::View;

/// Scope of metricsd's records of losses, and the field that tells them from others.
pub(super) const SCOPE: &str = "metricsd";
pub(super) const FIELD: &str = "event=gap.v1";

/// An entry that stands for losses.
pub(super) struct Loss {
    pub(super) entry: Entry,
}

impl Loss {
    /// Whose they are, if that is known.
    pub(super) fn origin(&self) -> Option<ServiceId> {
        let origin = self.entry.field("origin")?;
        u64::from_str_radix(origin, 16).ok().map(ServiceId::from_raw)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.entry.field(key)?.parse().ok()
    }

    pub(super) fn text(&self, view: &View) -> String {
        if self.entry.is_gap {
            return view.gap_text(&self.entry);
        }
        let field = |key| visible(self.entry.field(key).unwrap_or("?")).into_owned();
        let (count, reason) = (field("count"), field("reason"));
        let whose = self.origin().map_or_else(String::new, |who| format!(" of {}", view.who(who)));
        let time = |key| self.number(key).map_or_else(String::new, |ns| view.time_of_day(ns));
        let (first, last) = (time("first_ns"), time("last_ns"));
        let text = format!(
            "-- {count}{whose} lost between metricsd and logd: {reason}, {first} to {last} --"
        );
        format!("{} {}", view.time(self.entry.ts_ns), view.screen.paint(WARN, &text))
    }

    pub(super) fn json(&self, view: &View) -> serde_json::Value {
        let reason = if self.entry.is_gap { "dropped_by_logd" } else { "" };
        json!({
            "kind": "gap",
            "count": self.number("count"),
            "reason": self.entry.field("reason").unwrap_or(reason),
            "service": self.origin().map(|who| view.names.of_service(who)),
            "first_mono_ns": self.number("first_ns"),
            "last_mono_ns": self.number("last_ns"),
            "mono_ns": self.entry.ts_ns,
            "time": view.rfc3339(self.entry.ts_ns),
        })
    }
}
