//! What an image must not contain: names that lead nowhere or look alike, and calls that could
//! make servers wait for each other or wait for somebody less important.

use anyhow::{Result, bail, ensure};
use neuron_core::ProcessId;
use nexus_abi::ServiceId;
use nexus_abi::kernel::{CAPABILITIES_MAX, LEVELS, PROCESSES_MAX, RESOURCE_SLOTS};

use super::recipe::{Entry, ResourceKind, System};
use super::windows;

/// Checks all rules.
pub(crate) fn check(system: &System) -> Result<()> {
    sizes(system)?;
    names(system)?;
    for entry in &system.entries {
        leads_somewhere(system, entry)?;
        calls_upward(system, entry)?;
    }
    one_parent(system)?;
    one_holder(system)?;
    windows::check(system)?;
    no_cycle(system)
}

fn sizes(system: &System) -> Result<()> {
    let count = system.entries.len();
    ensure!((1..=PROCESSES_MAX).contains(&count), "{count} entries, of 1 to {PROCESSES_MAX}");
    for entry in &system.entries {
        let name = &entry.name;
        let level = entry.level as usize;
        ensure!(level < LEVELS, "`{name}` has level {level}, of {LEVELS}");
        let used = entry.resources.len();
        ensure!(used <= RESOURCE_SLOTS, "`{name}` has {used} resources, of {RESOURCE_SLOTS}");
        let held = entry.calls.len() + entry.starts.len() + entry.resources.len();
        let held = held + usize::from(entry.console) + usize::from(entry.halt);
        ensure!(
            held <= CAPABILITIES_MAX,
            "`{name}` has {held} capabilities, of {CAPABILITIES_MAX}"
        );
    }
    Ok(())
}

/// Span ids carry the low 32 bits of a service's id, so those have to be different too.
fn names(system: &System) -> Result<()> {
    let entries = system.entries.iter().map(|entry| &entry.name);
    let resources = system.resources.iter().map(|resource| &resource.name);
    let mut seen = Vec::<(&String, u32)>::new();
    for name in entries.chain(resources) {
        let prefix = ServiceId::from_name(name).span_prefix();
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == prefix) {
            bail!("`{name}` and `{other}` have the same low 32 bits of their ids; rename one");
        }
        seen.push((name, prefix));
    }
    Ok(())
}

fn leads_somewhere(system: &System, entry: &Entry) -> Result<()> {
    let name = &entry.name;
    for other in entry.calls.iter().chain(&entry.starts) {
        ensure!(system.entry(other).is_some(), "`{name}` names `{other}`, which is no entry");
    }
    for used in &entry.resources {
        let known = system.resource(&used.name);
        ensure!(known.is_some(), "`{name}` names `{}`, which is no resource", used.name);
    }
    Ok(())
}

/// Whoever is called must come first where both can run: else it waits for what its caller delays.
fn calls_upward(system: &System, entry: &Entry) -> Result<()> {
    let callees = entry.calls.iter().filter_map(|name| system.entry(name));
    for callee in callees.filter_map(|at| system.entries.get(at)) {
        let (name, other) = (&entry.name, &callee.name);
        ensure!(
            callee.level <= entry.level,
            "`{name}` calls `{other}`, which is of lower priority"
        );
    }
    Ok(())
}

/// Everybody but the first is started by one other.
fn one_parent(system: &System) -> Result<()> {
    for (number, entry) in system.entries.iter().enumerate() {
        let parents = system.entries.iter().filter(|other| other.starts.contains(&entry.name));
        let names = parents.map(|parent| parent.name.as_str()).collect::<Vec<_>>();
        let expected = usize::from(number != ProcessId::FIRST.index());
        let (name, count) = (&entry.name, names.len());
        ensure!(count == expected, "`{name}` is started by {count} ({names:?}), not {expected}");
        ensure!(!entry.starts.contains(name), "`{name}` starts itself");
    }
    Ok(())
}

/// What only one process can use sensibly has one holder at most.
fn one_holder(system: &System) -> Result<()> {
    for resource in &system.resources {
        let holds = |entry: &&Entry| entry.resources.iter().any(|used| used.name == resource.name);
        let holders = system.entries.iter().filter(holds).count();
        let may_share = matches!(resource.kind, ResourceKind::Shared { .. });
        ensure!(may_share || holders <= 1, "`{}` has {holders} holders", resource.name);
    }
    Ok(())
}

/// A server that waits for an answer must not be waited for by whoever answers.
fn no_cycle(system: &System) -> Result<()> {
    for (number, entry) in system.entries.iter().enumerate() {
        let mut reached = vec![false; system.entries.len()];
        let mut next = callees(system, number);
        while let Some(at) = next.pop() {
            ensure!(at != number, "`{}` is called, in the end, by whom it calls", entry.name);
            if !std::mem::replace(&mut reached[at], true) {
                next.extend(callees(system, at));
            }
        }
    }
    Ok(())
}

fn callees(system: &System, number: usize) -> Vec<usize> {
    let calls = system.entries.get(number).map(|entry| entry.calls.as_slice());
    calls.unwrap_or_default().iter().filter_map(|name| system.entry(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, level: u32, more: &str) -> String {
        format!(
            "[[entry]]\nnames = [{name:?}]\nprogram = 'p'\nlevel = {level}\nmemory_kib = 64\n\
             stack_kib = 4\n{more}\n"
        )
    }

    /// An image of these entries, all started by a first one.
    fn checked(entries: &[(&str, u32, &str)], more: &str) -> Result<()> {
        let names = entries.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
        let mut text = entry("init", 7, &format!("starts = {names:?}"));
        text.extend(entries.iter().map(|(name, level, more)| entry(name, *level, more)));
        check(&System::parse(&(text + more))?)
    }

    fn refused(entries: &[(&str, u32, &str)], why: &str) {
        let error = checked(entries, "").unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn calls_of_equals_and_betters_are_accepted() {
        let entries =
            [("a", 3, "calls = ['b', 'c']"), ("b", 3, "calls = ['c']"), ("c", 2, "halt = true")];
        assert!(checked(&entries, "").is_ok());
    }

    #[test]
    fn a_callee_of_lower_priority_is_refused() {
        refused(&[("a", 2, "calls = ['b']"), ("b", 3, "")], "`a` calls `b`, which is of lower");
    }

    #[test]
    fn calls_in_a_circle_are_refused_however_long_it_is() {
        refused(&[("a", 2, "calls = ['a']")], "`a` is called, in the end");
        let circle =
            [("a", 2, "calls = ['b']"), ("b", 2, "calls = ['c']"), ("c", 2, "calls = ['a']")];
        refused(&circle, "`a` is called, in the end");
    }

    /// Both names end in the same 32 bits of FNV-1a 64.
    #[test]
    fn names_that_collide_in_their_low_bits_are_refused() {
        let (one, other) = COLLIDING;
        assert_ne!(ServiceId::from_name(one), ServiceId::from_name(other));
        refused(&[(one, 2, ""), (other, 2, "")], "the same low 32 bits");
        refused(&[("a", 2, ""), ("a", 2, "")], "the same low 32 bits");
    }

    const COLLIDING: (&str, &str) = ("svc97749", "svc360326");

    #[test]
    fn what_leads_nowhere_is_refused() {
        refused(&[("a", 2, "calls = ['b']")], "`a` names `b`, which is no entry");
        refused(&[("a", 2, "resources = [{ name = 'b' }]")], "which is no resource");
        refused(&[("a", 9, "")], "has level 9, of 8");
        assert!(checked(&[("a", 2, "colour = 'red'")], "").is_err());
        assert!(System::parse("").is_err());
    }

    #[test]
    fn everybody_has_one_parent_but_the_first_who_has_none() {
        refused(&[("a", 2, "starts = ['b']"), ("b", 2, "")], "`b` is started by 2");
        let orphan = entry("init", 7, "") + &entry("a", 2, "");
        assert!(check(&System::parse(&orphan).unwrap()).is_err());
        let king = entry("init", 7, "starts = ['init']");
        assert!(check(&System::parse(&king).unwrap()).is_err());
    }

    #[test]
    fn only_shared_regions_are_shared() {
        let holders = [
            ("a", 2, "resources = [{ name = 'r' }]"),
            ("b", 2, "resources = [{ name = 'r', write = true }]"),
        ];
        let resource = |kind: &str| format!("[[resource]]\nname = 'r'\n{kind}");
        assert!(checked(&holders, &resource("shared = { kib = 4 }")).is_ok());
        assert!(checked(&holders, &resource("dma = { kib = 4 }")).is_err());
        assert!(checked(&holders[..1], &resource("interrupt = { line = 3 }")).is_ok());
    }
}
