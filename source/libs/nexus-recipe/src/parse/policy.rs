//! The policy of a system.

use super::sections::service_name;
use super::table::{Report, Table};
use crate::policy::POLICY_OBJECT_BYTES_MAX;
use crate::{AuditLimits, Policy, PolicyRule};

pub(super) fn policy(t: &mut Table<'_, '_>) -> Policy {
    Policy {
        image: t.text("image", service_name),
        audit: t.table("audit", audit),
        read_logs: t.texts("read_logs", service_name),
        scrape_metrics: t.texts("scrape_metrics", service_name),
        ask_for_others: t.texts("ask_for_others", service_name),
        spawn: rules(t, "spawn", service_name),
        install_bundle: rules(t, "install_bundle", service_name),
        write_state: rules(t, "write_state", prefix),
        open_session: rules(t, "open_session", service_name),
    }
}

fn audit(t: &mut Table<'_, '_>) -> AuditLimits {
    AuditLimits {
        records_per_s: t.count("records_per_s", 1..=1000),
        records_burst: t.count("records_burst", 1..=1000),
    }
}

fn rules(
    t: &mut Table<'_, '_>,
    key: &str,
    legal: impl Fn(&str) -> Result<(), String>,
) -> Box<[PolicyRule]> {
    let rule = |t: &mut Table<'_, '_>| PolicyRule {
        who: t.text("who", service_name),
        what: t.texts("what", &legal),
    };
    t.tables(key, rule).into()
}

/// Whole parts of a path: what begins like a part but goes on is another's.
fn prefix(text: &str) -> Result<(), String> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(letter);
    let parts = text.strip_suffix('/').is_some_and(|text| text.split('/').all(part));
    if parts && text.len() <= POLICY_OBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no prefix: write parts of a-z, 0-9, `_`, `.`, `-`, each with a `/` behind it, \
         {POLICY_OBJECT_BYTES_MAX} bytes at most"
    ))
}

/// Each kind of rule, and its key.
fn all_rules(policy: &Policy) -> [(&'static str, &[PolicyRule]); 4] {
    [
        ("spawn", &policy.spawn),
        ("install_bundle", &policy.install_bundle),
        ("write_state", &policy.write_state),
        ("open_session", &policy.open_session),
    ]
}

/// Every place where a service of the image must stand, and what stands there.
fn services(policy: &Policy) -> Vec<(String, &String)> {
    let lists = [
        ("read_logs", &policy.read_logs),
        ("scrape_metrics", &policy.scrape_metrics),
        ("ask_for_others", &policy.ask_for_others),
    ];
    let listed = lists.into_iter().flat_map(|(key, names)| numbered(key.to_owned(), names));
    let ruled = all_rules(policy).into_iter().flat_map(|(key, rules)| {
        rules.iter().enumerate().map(move |(at, rule)| (format!("{key}[{at}].who"), &rule.who))
    });
    let peers = policy.open_session.iter().enumerate();
    let peers =
        peers.flat_map(|(at, rule)| numbered(format!("open_session[{at}].what"), &rule.what));
    listed.chain(ruled).chain(peers).collect()
}

fn numbered(key: String, names: &[String]) -> impl Iterator<Item = (String, &String)> {
    names.iter().enumerate().map(move |(at, name)| (format!("{key}[{at}]"), name))
}

/// One service has one rule of a kind, and every rule grants something.
pub(super) fn check(report: &mut Report<'_>, policy: &Policy) {
    for (key, rules) in all_rules(policy) {
        for (at, rule) in rules.iter().enumerate() {
            let is_known = rules.iter().take(at).any(|other| other.who == rule.who);
            if is_known && !rule.who.is_empty() {
                let what = format!("`{}` has a rule of this kind already; join them", rule.who);
                report.error_at(&format!("{key}[{at}].who"), what);
            }
            let key = format!("{key}[{at}].what");
            if rule.what.is_empty() && !report.is_wrong(&key) {
                report.error_at(&key, "this grants nothing; name something or remove the rule");
            }
        }
    }
}

/// Everybody is an entry of the image.
pub(super) fn check_names(report: &mut Report<'_>, policy: &Policy, entries: &[String]) {
    for (key, name) in services(policy) {
        if !name.is_empty() && !entries.contains(name) {
            let image = &policy.image;
            let what = format!("`{name}` is no entry of `{image}`; correct the name or remove it");
            report.error_at(&key, what);
        }
    }
}
