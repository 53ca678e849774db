//! Which records are asked for, in words that have been judged.

use anyhow::bail;
use jiff::{Timestamp, Zoned};
use nexus_abi::ServiceId;
use nexus_wire::logs::Search;
use nexus_wire::{Fields, LABELS_BYTES_MAX, Level};

use crate::cli::Selection;
use crate::clock::{self, Calendar};
use crate::correlate::Within;
use crate::daemons::Entry;
use crate::names::Names;

/// Which records.
#[derive(Default)]
pub(crate) struct Query {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    pub(crate) service: Option<ServiceId>,
    level_max: Option<Level>,
    pub(crate) scope: String,
    /// Lines `key=value\n`; logd looks for the first, we for the others.
    pub(crate) pairs: Vec<String>,
    pub(crate) within: Option<Within>,
}

impl Query {
    /// What the options choose.
    ///
    /// # Errors
    /// Times that are none, or an end before its beginning.
    pub(crate) fn of(select: &Selection) -> anyhow::Result<Self> {
        let service = select.unit.as_deref().map(Names::service);
        let mut query = Self { service, level_max: select.priority, ..Self::default() };
        query.set_times(select, &Zoned::now())?;
        Ok(query)
    }

    /// The times that the options choose, where it is `now`.
    pub(super) fn set_times(&mut self, select: &Selection, now: &Zoned) -> anyhow::Result<()> {
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| clock::parse_time(text, now)).transpose()
        };
        let (since, until) = (time(&select.since)?, time(&select.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            bail!("--until ({until}) is before --since ({since}): nothing could be found");
        }
        (self.since, self.until) = (since, until);
        Ok(())
    }

    /// Everything of a service in a scope.
    pub(crate) fn of_service(service: Option<ServiceId>, scope: &str) -> Self {
        Self { service, scope: scope.to_owned(), ..Self::default() }
    }

    /// As grave as whatever.
    pub(crate) fn of_any_level(self) -> Self {
        Self { level_max: None, ..self }
    }

    /// Also asks for a field.
    ///
    /// # Errors
    /// What is no field.
    pub(crate) fn with_field(&mut self, pair: &str) -> anyhow::Result<()> {
        let line = format!("{pair}\n");
        Fields::parse(line.as_bytes())
            .map_err(|_| anyhow::anyhow!("--field takes key=value with a key of [a-z0-9_.-]"))?;
        self.pairs.push(line);
        Ok(())
    }

    /// What is looked for in a boot with that calendar.
    pub(super) fn search(&self, calendar: &Calendar) -> Search<'_> {
        // One that is too long for logd to look for is left to us.
        let first = self.pairs.first().filter(|pair| pair.len() <= LABELS_BYTES_MAX);
        let pair = first.and_then(|pair| Fields::parse(pair.as_bytes()).ok());
        Search {
            since_ns: self.since.map_or(0, |time| calendar.mono_from(time)),
            until_ns: self.until.map_or(u64::MAX, |time| calendar.mono_until(time)),
            service: self.service,
            level_max: self.level_max.unwrap_or(Level::Trace),
            gaps: true,
            scope: &self.scope,
            pair: pair.unwrap_or(Fields::EMPTY),
            ..Search::ALL
        }
    }

    /// Whether times are asked for, which are others in each boot.
    pub(super) const fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether an entry that logd found is what was asked for. What stands for lost records is.
    pub(super) fn keeps(&self, entry: &Entry) -> bool {
        let is_within = || self.within.as_ref().is_none_or(|within| within.has(entry));
        entry.is_gap || (self.pairs.iter().all(|pair| entry.has(pair)) && is_within())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn query(args: &[&str]) -> Result<Query, String> {
        let all = ["obsctl", "logs"].iter().chain(args);
        let Command::Logs(args) = Cli::parse_from(all).command else { panic!("these are logs") };
        Query::of(&args.select).map_err(|error| error.to_string())
    }

    #[test]
    fn an_end_before_its_beginning_is_an_error() {
        assert!(query(&["-S", "-2h", "-U", "-1h"]).is_ok());
        let refused = query(&["-S", "-1h", "-U", "-2h"]).err();
        assert!(refused.is_some_and(|why| why.contains("is before --since")));
    }

    #[test]
    fn all_fields_must_be_there() {
        let mut query = query(&[]).unwrap();
        query.with_field("a=1").unwrap();
        query.with_field("b=2").unwrap();
        assert!(query.with_field("UPPER=1").is_err());
        let entry = |pairs: &[(&str, &str)]| {
            let fields = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Entry { fields: fields.collect(), ..Entry::empty() }
        };
        assert!(query.keeps(&entry(&[("a", "1"), ("b", "2")])));
        assert!(!query.keeps(&entry(&[("a", "1"), ("b", "3")])));
        assert!(query.keeps(&Entry { is_gap: true, ..Entry::empty() }));
    }
}
