//! Names of services. Frames carry numbers only; a name is known if its hash is the number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use nexus_abi::ServiceId;
use nexus_recipe::{Budget, Recipe, SenderRule};
use nexus_wire::LedgerRow;

use crate::cli::Place;

/// The recipe that is built in.
pub(crate) const BUILT_IN: &str = include_str!("../../../recipes/observability/metrics.toml");

/// Names by number, and what the recipe that names them allows.
pub(crate) struct Names {
    by_number: BTreeMap<u64, String>,
    recipe: Option<Recipe>,
}

/// One of the daemons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Daemon {
    Logd,
    Metricsd,
}

impl Daemon {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Logd => "logd",
            Self::Metricsd => "metricsd",
        }
    }
}

impl Names {
    /// The names that the recipe, the run directory and this machine's users give.
    pub(crate) fn of(place: &Place) -> anyhow::Result<Self> {
        let recipe = match &place.config {
            None => BUILT_IN.to_owned(),
            Some(file) => fs::read_to_string(file).with_context(|| file.display().to_string())?,
        };
        let recipe = Recipe::parse(&recipe).map_err(|errors| anyhow::anyhow!("{errors}"))?;
        let mut names: Vec<String> = recipe.senders.iter().map(|rule| rule.name.clone()).collect();
        names.extend(users());
        names.extend(served(&place.dir()));
        Ok(Self { recipe: Some(recipe), ..Self::from_names(names) })
    }

    pub(crate) fn from_names(names: impl IntoIterator<Item = String>) -> Self {
        let number = |name: String| (ServiceId::from_name(&name).raw(), name);
        Self { by_number: names.into_iter().map(number).collect(), recipe: None }
    }

    /// The budget that the recipe gives a service at a daemon.
    pub(crate) fn budget(&self, at: Daemon, service: u64) -> Option<Budget> {
        let recipe = self.recipe.as_ref()?;
        let is_it = |rule: &&SenderRule| ServiceId::from_name(&rule.name).raw() == service;
        let rule = recipe.senders.iter().find(is_it);
        Some(match at {
            Daemon::Logd => rule.map_or(recipe.logd.unknown_budget, |rule| {
                rule.logd_budget.unwrap_or(recipe.logd.budget)
            }),
            Daemon::Metricsd => rule.map_or(recipe.metricsd.unknown_budget, |rule| {
                rule.metricsd_budget.unwrap_or(recipe.metricsd.budget)
            }),
        })
    }

    /// Nobody's.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::from_names([])
    }

    /// Whether the service has a name here.
    pub(crate) fn knows(&self, service: ServiceId) -> bool {
        self.by_number.contains_key(&service.raw())
    }

    /// The name, or 16 hexadecimal digits.
    pub(crate) fn of_service(&self, service: ServiceId) -> String {
        if service.raw() == LedgerRow::EVICTED {
            return "(evicted)".to_owned();
        }
        self.by_number.get(&service.raw()).cloned().unwrap_or_else(|| service.to_string())
    }

    /// The name of a ledger's row.
    pub(crate) fn of_row(&self, row: &LedgerRow) -> String {
        self.of_service(ServiceId::from_raw(row.service))
    }

    /// The service that people mean: 16 hexadecimal digits are a number, all else is a name.
    pub(crate) fn service(text: &str) -> ServiceId {
        let is_number = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(number) if is_number => ServiceId::from_raw(number),
            _ => ServiceId::from_name(text),
        }
    }
}

/// What users whom no rule names are called.
fn users() -> Vec<String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uids = passwd.lines().filter_map(|line| line.split(':').nth(2));
    let own = rustix::process::getuid().as_raw().to_string();
    uids.chain([own.as_str()]).map(|uid| format!("uid.{uid}")).collect()
}

/// Services with a socket of their own, seen from the run directory or from one of theirs.
fn served(dir: &Path) -> Vec<String> {
    let beside = dir.parent().filter(|parent| parent.ends_with("svc")).map(Path::to_path_buf);
    let folders = fs::read_dir(beside.unwrap_or_else(|| dir.join("svc")));
    let names = folders.into_iter().flatten().flatten();
    names.filter_map(|folder| folder.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_meant_by_name_or_by_number() {
        let logd = ServiceId::from_name("logd");
        assert_eq!(Names::service("logd"), logd);
        assert_eq!(Names::service(&logd.to_string()), logd);
    }

    #[test]
    fn unknown_numbers_are_shown_as_digits() {
        let names = Names::from_names(["logd".to_owned()]);
        assert_eq!(names.of_service(ServiceId::from_name("logd")), "logd");
        assert_eq!(names.of_service(ServiceId::from_raw(0xab)), "00000000000000ab");
    }
}
