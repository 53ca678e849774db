use super::Law;
use crate::tidy::graph::{Dependency, Package};
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "layers",
    says: "a package uses lower levels only, and a service's src/main.rs the port and statefsd too",
    check,
};

/// Tests may use anything, so they are left out; so is what is not ours.
fn check(workspace: &Workspace, report: &mut Report) {
    for (package, folder) in workspace.graph.ours() {
        let manifest = format!("{folder}/Cargo.toml");
        if levels::of(&package.name).is_none() {
            let what = format!("`{}` stands on no level", package.name);
            report.fail(&manifest, 1, what, "give it one in xtask/src/tidy/levels.rs");
        }
        for dependency in package.dependencies.iter().filter(|used| !used.is_dev) {
            if !is_allowed(package, dependency) {
                let line = line_of(workspace.tree.text(&manifest), &dependency.name);
                let what = format!("`{}` uses `{}`", package.name, dependency.name);
                report.fail(&manifest, line, what, "use lower levels only");
            }
        }
    }
    port_only_in_main(workspace, report);
}

fn is_allowed(package: &Package, used: &Dependency) -> bool {
    let (Some(level), Some(used_level)) = (levels::of(&package.name), levels::of(&used.name))
    else {
        return true;
    };
    let may_join = level == levels::SERVICES && package.name != levels::HOSTED;
    let joins = may_join && levels::is_joined(&used.name);
    let is_scenario = package.name == "sim" && ["simkit", "tape"].contains(&used.name.as_str());
    let is_ports_service = package.name == levels::PORT && used_level == levels::SERVICES;
    (used_level < level && !is_ports_service) || joins || is_scenario
}

fn port_only_in_main(workspace: &Workspace, report: &mut Report) {
    let port = levels::PORT.replace('-', "_");
    for source in workspace.pure() {
        let package = source.package_name();
        let is_other = levels::of(package) == Some(levels::SERVICES) && package != levels::HOSTED;
        let is_joined = |word: &str| word == port || (is_other && word == levels::HOSTED);
        for word in source.facts.tokens.idents.iter().filter(|word| is_joined(&word.what)) {
            if !source.in_test(word.line) {
                let what = format!("`{}` is named outside a service's src/main.rs", word.what);
                report.fail(&source.path, word.line, what, "take what is needed as an argument");
            }
        }
    }
}

fn line_of(manifest: Option<&str>, name: &str) -> usize {
    let lines = manifest.unwrap_or_default().lines();
    let names =
        |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '.']));
    lines.zip(1..).find(|(line, _)| names(line)).map_or(1, |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Graph;
    use crate::tidy::testing::{accepts, dependency, failures, ours, refuses};

    fn breaks(name: &str, uses: &[&str]) -> bool {
        let package = ours(name, "here", uses);
        let manifest = [("here/Cargo.toml", "[dependencies]\nother = 1\n")];
        !failures(&LAW, Graph::of(vec![package]), &manifest).is_empty()
    }

    #[test]
    fn using_an_upper_or_the_same_level_is_refused() {
        assert!(breaks("nexus-abi", &["nexus-wire"]));
        assert!(breaks("nexus-wire", &["nexus-recipe"]));
        assert!(breaks("logd", &["metricsd"]));
        assert!(breaks("nexus-log", &["nexus-rt"]));
        assert!(breaks("nexus-rt", &["logd"]));
        assert!(breaks("nexus-rt", &["statefsd"]));
        assert!(breaks("statefsd", &["nexus-rt"]));
        assert!(breaks("nexus-retention", &["statefsd"]));
        assert!(breaks("simkit", &["obsctl"]));
    }

    #[test]
    fn using_a_lower_level_or_somebody_elses_package_is_accepted() {
        assert!(!breaks("logd", &["nexus-gate", "nexus-abi", "serde"]));
        assert!(!breaks("logd", &["nexus-rt", "statefsd"]));
        assert!(!breaks("sim", &["simkit", "metricsd"]));
    }

    #[test]
    fn tests_may_use_anything() {
        let mut package = ours("nexus-wire", "here", &[]);
        let mut upper = dependency("sim");
        upper.is_dev = true;
        package.dependencies.push(upper);
        assert!(failures(&LAW, Graph::of(vec![package]), &[]).is_empty());
    }

    #[test]
    fn a_package_without_a_level_is_refused() {
        assert!(breaks("newcomer", &[]));
    }

    #[test]
    fn the_finding_stands_at_the_line_of_the_manifest() {
        let package = ours("nexus-abi", "here", &["nexus-wire"]);
        let manifest = "[dependencies]\nnexus-wire-more = 1\nnexus-wire = 1\n";
        let found = failures(&LAW, Graph::of(vec![package]), &[("here/Cargo.toml", manifest)]);
        assert_eq!(found, [("here/Cargo.toml".to_owned(), 3)]);
    }

    #[test]
    fn a_service_names_the_port_in_its_main_only() {
        refuses(&LAW, "source/services/logd/src/lib.rs", 2, "mod a;\nuse nexus_rt::run;");
        refuses(&LAW, "source/services/logd/src/a.rs", 1, "fn a() { nexus_rt::run() }");
        refuses(&LAW, "source/services/logd/src/a.rs", 1, "use statefsd::Statefsd;");
        accepts(&LAW, "source/services/logd/src/main.rs", "use nexus_rt::run;");
        accepts(&LAW, "source/services/logd/src/main.rs", "use statefsd::Statefsd;");
        accepts(&LAW, "source/services/statefsd/src/a.rs", "fn a() { b.statefsd }");
        accepts(&LAW, "source/libs/nexus-recipe/src/state.rs", "fn a() { b.statefsd }");
        accepts(&LAW, "source/services/logd/tests/reject.rs", "use nexus_rt::run;");
        accepts(&LAW, "tools/obsctl/src/main.rs", "use nexus_rt::run;");
    }
}
