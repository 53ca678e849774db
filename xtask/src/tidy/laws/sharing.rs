use super::Law;
use super::statics::changes;
use crate::tidy::levels;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "sharing",
    says: "a service shares no state: no reference counts, locks, cells or atomics",
    check,
};

/// Handles to something that somebody else may hold as well.
const HANDLES: &[&str] = &["Arc", "Rc", "Weak"];

fn check(workspace: &Workspace, report: &mut Report) {
    let services = workspace.pure();
    let services =
        services.filter(|source| levels::of(source.package_name()) == Some(levels::SERVICES));
    for source in services {
        for word in &source.facts.tokens.idents {
            let shares = changes(&word.what) || HANDLES.contains(&word.what.as_str());
            if shares && !source.in_test(word.line) {
                let what = format!("`{}` in a service", word.what);
                report.fail(&source.path, word.line, what, "own the state, and pass `&mut` to it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn shared_state_in_a_service_is_refused() {
        for text in ["struct A(Rc<u8>);", "use core::cell::RefCell;", "fn a(b: &AtomicU64) {}"] {
            refuses(&LAW, SERVICE, 1, text);
        }
    }

    #[test]
    fn owned_state_is_accepted_and_so_is_sharing_in_clients_ports_and_tests() {
        accepts(&LAW, SERVICE, "struct A(alloc::boxed::Box<[u8]>);");
        for path in [
            "userspace/nexus-metrics/src/cells.rs",
            "source/libs/nexus-rt/src/lib.rs",
            "source/services/logd/src/main.rs",
            "source/services/logd/tests/a.rs",
        ] {
            accepts(&LAW, path, "use core::sync::atomic::AtomicU64;");
        }
    }
}
