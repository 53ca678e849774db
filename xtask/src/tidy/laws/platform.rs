use proc_macro2::TokenStream;

use super::Law;
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::tokens::{At, words};
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "platform",
    says: "conditions on the platform stand in the ports, the kernel and the guest's programs only",
    check,
};

const INSTEAD: &str = "let the port decide, or pass the difference in as a value";

/// Where such conditions may stand.
const PLACES: &[&str] = &[
    "source/libs/nexus-rt/",
    "source/kernel/",
    "source/guest/src/bin/",
    "source/apps/demo/src/bin/",
];

const CONDITIONS: &[&str] = &[
    "target_abi",
    "target_arch",
    "target_endian",
    "target_env",
    "target_family",
    "target_feature",
    "target_has_atomic",
    "target_os",
    "target_pointer_width",
    "target_vendor",
    "unix",
    "windows",
];

fn check(workspace: &Workspace, report: &mut Report) {
    for source in &workspace.sources {
        if PLACES.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        let tokens = &source.facts.tokens;
        let attributes =
            tokens.attributes.iter().map(|At { line, what }| (*line, &what.path, &what.args));
        let macros = tokens.macros.iter().map(|At { line, what }| (*line, &what.0, &what.1));
        for (line, name, args) in attributes.chain(macros) {
            if let Some(condition) = condition(name, args) {
                let what = format!("a condition on `{condition}`");
                report.fail(&source.path, line, what, INSTEAD);
            }
        }
    }
    for (package, folder) in workspace.graph.ours().filter(|(p, _)| levels::is_pure(&p.name)) {
        let some = package.dependencies.iter().filter(|used| used.platform.is_some());
        for dependency in some.filter(|used| !levels::is_joined(&used.name)) {
            let what = format!("`{}` is used on some platforms only", dependency.name);
            report.fail(&format!("{folder}/Cargo.toml"), 1, what, INSTEAD);
        }
    }
}

fn condition(name: &str, args: &TokenStream) -> Option<String> {
    if !matches!(name, "cfg" | "cfg_attr") {
        return None;
    }
    words(args.clone()).into_iter().find(|word| CONDITIONS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Graph;
    use crate::tidy::testing::{accepts, dependency, failures, ours, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn a_condition_on_the_platform_is_refused_in_every_form() {
        for text in [
            "#[cfg(target_os = \"linux\")]\nfn a() {}",
            "#![cfg(unix)]",
            "#[cfg(all(test, not(windows)))]\nfn a() {}",
            "#[cfg_attr(target_arch = \"x86_64\", inline)]\nfn a() {}",
            "fn a() { if cfg!(target_pointer_width = \"32\") {} }",
            "macro_rules! a { () => { #[cfg(unix)] fn b() {} } }",
        ] {
            refuses(&LAW, SERVICE, 1, text);
        }
    }

    #[test]
    fn the_ports_and_the_kernel_may_ask_and_other_conditions_are_free() {
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", "#[cfg(unix)]\nmod unix;");
        accepts(
            &LAW,
            "source/kernel/neuron/src/main.rs",
            "#[cfg(target_arch = \"riscv64\")]\nmod a;",
        );
        accepts(&LAW, SERVICE, "#[cfg(feature = \"std\")]\nfn unix() {}\n#[cfg(test)]\nmod b {}");
    }

    #[test]
    fn a_dependency_for_some_platforms_is_refused_in_the_pure_levels_unless_it_is_the_port() {
        for (name, uses, expected) in [
            ("logd", "libc", 1),
            ("logd", "nexus-rt", 0),
            ("logd", "statefsd", 0),
            ("obsctl", "libc", 0),
        ] {
            let mut package = ours(name, "here", &[]);
            let mut used = dependency(uses);
            used.platform = Some("cfg(unix)".to_owned());
            package.dependencies.push(used);
            assert_eq!(failures(&LAW, Graph::of(vec![package]), &[]).len(), expected, "{name}");
        }
    }
}
