//! What every view of the journal needs: a screen, names, a calendar, a zone.

use jiff::tz::TimeZone;
use nexus_abi::ServiceId;
use nexus_retention::journal::Gap;
use serde_json::json;

use crate::cli::{Output, Place};
use crate::clock::{self, Calendar, Calendars};
use crate::daemons::Entry;
use crate::names::Names;
use crate::render::{Screen, WARN, visible};

/// Shows what the journal has, as text or JSON.
pub(crate) struct View {
    pub(crate) screen: Screen,
    pub(crate) output: Output,
    pub(crate) names: Names,
    calendars: Calendars,
    zone: TimeZone,
    /// Boot of the logd whose records were shown last; 0: none yet.
    boot: u32,
}

impl View {
    pub(crate) fn new(place: &Place, output: Output, calendars: Calendars) -> anyhow::Result<Self> {
        let names = Names::of(place)?;
        let zone = TimeZone::system();
        Ok(Self { screen: Screen::new(), output, names, calendars, zone, boot: 0 })
    }

    pub(crate) fn set_calendars(&mut self, calendars: Calendars) {
        self.calendars = calendars;
    }

    /// Of the boot whose records are shown.
    fn calendar(&self) -> &Calendar {
        self.calendars.of(self.boot)
    }

    /// The time in a boot, for people.
    pub(crate) fn time_of(&self, boot: u32, mono_ns: u64) -> String {
        clock::short_time(self.calendars.of(boot), mono_ns, &self.zone)
    }

    /// The time in a boot, for programs.
    pub(crate) fn rfc3339_of(&self, boot: u32, mono_ns: u64) -> Option<String> {
        clock::rfc3339(self.calendars.of(boot), mono_ns)
    }

    /// The time for people.
    pub(crate) fn time(&self, mono_ns: u64) -> String {
        clock::short_time(self.calendar(), mono_ns, &self.zone)
    }

    /// The time of day for people.
    pub(crate) fn time_of_day(&self, mono_ns: u64) -> String {
        clock::time_of_day(self.calendar(), mono_ns, &self.zone)
    }

    /// The time for programs.
    pub(crate) fn rfc3339(&self, mono_ns: u64) -> Option<String> {
        clock::rfc3339(self.calendar(), mono_ns)
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
            Output::Text if boot < before => {
                self.screen.line(&format!("-- before, boot {boot} --"))
            }
            Output::Text => self.screen.line(&format!("-- logd has started anew, boot {boot} --")),
            Output::Json => self.screen.json(&json!({ "kind": "restart", "boot": boot })),
        }
    }

    /// Notes which logd the next records are of.
    pub(crate) const fn note_boot_quietly(&mut self, boot: u32) {
        self.boot = boot;
    }

    /// A line that stands for records which logd dropped.
    pub(crate) fn gap_text(&self, entry: &Entry) -> String {
        let field = |key| visible(entry.field(key).unwrap_or("?"));
        let (count, first, last) = (field("count"), field("first_id"), field("last_id"));
        let who = self.who(entry.service);
        let [_, cut_off] = Gap::MESSAGES;
        if entry.message == cut_off {
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
            "time": self.rfc3339_of(boot, entry.ts_ns),
            "service": self.names.of_service(entry.service),
            "service_id": entry.service.to_string(),
            "level": entry.level.name(),
            "scope": entry.scope,
            "message": entry.message,
            "fields": serde_json::Map::from_iter(fields),
        })
    }
}
