use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_abi::ServiceId;
use nexus_recipe::{Policy, PolicyRule};
use nexus_wire::policy::{Action, Check, Object};

/// One grant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rule {
    pub(crate) who: ServiceId,
    pub(crate) action: Action,
    /// Exactly this; of a file, how its path begins.
    pub(crate) object: Box<str>,
}

/// All grants, in an order in which they are found.
pub(crate) struct Table {
    rules: Box<[Rule]>,
    /// What those are called who are granted something.
    names: Box<[(ServiceId, Box<str>)]>,
}

impl Table {
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut rules = Vec::new();
        let mut names = Vec::new();
        let mut add = |who: &str, action, object: &str| {
            assert!(Object::new(object).is_some(), "a policy has objects as frames have them");
            let service = ServiceId::from_name(who);
            rules.push(Rule { who: service, action, object: object.into() });
            names.push((service, who.into()));
        };
        for (services, action) in plain(policy) {
            services.iter().for_each(|who| add(who, action, ""));
        }
        for (of_kind, action) in about_objects(policy) {
            for PolicyRule { who, what } in of_kind {
                what.iter().for_each(|object| add(who, action, object));
            }
        }
        rules.sort();
        names.sort();
        names.dedup();
        Self { rules: rules.into(), names: names.into() }
    }

    /// All grants.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What somebody is called who is granted something.
    pub(crate) fn name(&self, service: ServiceId) -> Option<&str> {
        let at = self.names.binary_search_by_key(&service, |(known, _)| *known).ok()?;
        self.names.get(at).map(|(_, name)| &**name)
    }

    /// Whether a rule grants it.
    pub(crate) fn grants(&self, check: Check<'_>) -> bool {
        let key = (check.subject, check.action);
        let begin = self.rules.partition_point(|rule| (rule.who, rule.action) < key);
        let rules = self.rules.iter().skip(begin);
        let rules = rules.take_while(|rule| (rule.who, rule.action) == key);
        rules.into_iter().any(|rule| covers(rule, check.object.as_str()))
    }
}

fn plain(policy: &Policy) -> [(&[alloc::string::String], Action); 3] {
    [
        (&policy.read_logs, Action::ReadLogs),
        (&policy.scrape_metrics, Action::ScrapeMetrics),
        (&policy.ask_for_others, Action::AskForOthers),
    ]
}

fn about_objects(policy: &Policy) -> [(&[PolicyRule], Action); 4] {
    [
        (&policy.spawn, Action::Spawn),
        (&policy.install_bundle, Action::InstallBundle),
        (&policy.write_state, Action::WriteState),
        (&policy.open_session, Action::OpenSession),
    ]
}

fn covers(rule: &Rule, object: &str) -> bool {
    match rule.action {
        Action::WriteState => object.strip_prefix(&*rule.object).is_some_and(leads_down),
        _ => *rule.object == *object,
    }
}

/// Whether a path ends below where it begins.
fn leads_down(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
