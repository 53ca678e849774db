//! What every view of the journal needs: a screen, names, a calendar, a zone.

use jiff::tz::TimeZone;
use nexus_abi::ServiceId;
use serde_json::json;

use crate::cli::{Output, Place};
use crate::clock::{self, Calendar};
use crate::daemons::Entry;
use crate::names::Names;
use crate::render::{Screen, WARN, visible};

/// Shows what the journal has, as text or JSON.
pub(crate) struct View {
    pub(crate) screen: Screen,
    pub(crate) output: Output,
    pub(crate) names: Names,
    calendar: Calendar,
    zone: TimeZone,
    /// Boot of the logd whose records were shown last; 0: none yet.
    boot: u32,
}

/// The message of what stands for the unknown end of a boot.
const LOST: &str = "lost in crash";

impl View {
    pub(crate) fn new(place: &Place, output: Output, calendar: Calendar) -> anyhow::Result<Self> {
        let names = Names::of(place)?;
        let zone = TimeZone::system();
        Ok(Self { screen: Screen::new(), output, names, calendar, zone, boot: 0 })
    }

    pub(crate) fn set_calendar(&mut self, calendar: Calendar) {
        self.calendar = calendar;
    }

    /// The time for people.
    pub(crate) fn time(&self, mono_ns: u64) -> String {
        clock::short_time(&self.calendar, mono_ns, &self.zone)
    }

    /// The time of day for people.
    pub(crate) fn time_of_day(&self, mono_ns: u64) -> String {
        clock::time_of_day(&self.calendar, mono_ns, &self.zone)
    }

    /// The time for programs.
    pub(crate) fn rfc3339(&self, mono_ns: u64) -> Option<String> {
        clock::rfc3339(&self.calendar, mono_ns)
    }

    /// A service's name for people.
    pub(crate) fn who(&self, service: ServiceId) -> String {
        visible(&self.names.of_service(service)).into_owned()
    }

    /// Notes which logd the next records are of, and says so if it is another than before.
    pub(crate) fn note_boot(&mut self, boot: u32) -> anyhow::Result<()> {
        let before = std::mem::replace(&mut self.boot, boot);
        match self.output {
            _ if before == 0 || before == boot => Ok(()),
            Output::Text => self.screen.line(&format!("-- logd has started anew, boot {boot} --")),
            Output::Json => self.screen.json(&json!({ "kind": "restart", "boot": boot })),
        }
    }

    /// A line that stands for records which logd dropped.
    pub(crate) fn gap_text(&self, entry: &Entry) -> String {
        let field = |key| visible(entry.field(key).unwrap_or("?"));
        let (count, first, last) = (field("count"), field("first_id"), field("last_id"));
        let who = self.who(entry.service);
        if entry.message == LOST {
            let text = "-- cut off here: what was not on the disk yet is lost --";
            return format!("{} {}", self.time(entry.ts_ns), self.screen.paint(WARN, text));
        }
        let text = format!("-- {count} records of {who} dropped, numbers {first} to {last} --");
        format!("{} {}", self.time(entry.ts_ns), self.screen.paint(WARN, &text))
    }

    /// An entry, whatever it is, without loss.
    pub(crate) fn entry_json(&self, boot: u32, entry: &Entry) -> serde_json::Value {
        let fields = entry.fields.iter().map(|(k, v)| (k.clone(), json!(v)));
        json!({
            "kind": if entry.is_gap { "gap" } else { "record" },
            "boot": boot,
            "id": entry.id.0,
            "mono_ns": entry.ts_ns,
            "time": self.rfc3339(entry.ts_ns),
            "service": self.names.of_service(entry.service),
            "service_id": entry.service.to_string(),
            "level": entry.level.name(),
            "scope": entry.scope,
            "message": entry.message,
            "fields": serde_json::Map::from_iter(fields),
        })
    }
}
