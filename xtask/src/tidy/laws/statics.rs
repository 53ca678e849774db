use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "statics",
    says: "statics that change stand in the port and in the named files of the clients only",
    check,
};

/// Where they may stand, and why.
const PLACES: &[(&str, &str)] = &[
    ("source/libs/nexus-rt/", "a port"),
    ("source/kernel/", "the kernel"),
    ("userspace/nexus-log/src/threads.rs", "a process has one sink"),
    ("userspace/nexus-log/src/memory.rs", "and one sink for its own unit tests"),
    ("userspace/nexus-metrics/src/memory.rs", "and one turn for unit tests to record"),
    ("userspace/nexus-metrics/src/threads.rs", "threads have their pages"),
];

const TYPES: &[&str] = &[
    "Cell",
    "LazyCell",
    "LazyLock",
    "Mutex",
    "Once",
    "OnceCell",
    "OnceLock",
    "RefCell",
    "RwLock",
    "UnsafeCell",
];

/// Test code is free: a counting allocator counts in a static.
fn check(workspace: &Workspace, report: &mut Report) {
    for source in workspace.product() {
        if PLACES.iter().any(|(place, _)| source.path.starts_with(place)) {
            continue;
        }
        for line in changing(source).filter(|&line| !source.in_test(line)) {
            let instead = "make it a field of whoever owns the state";
            report.fail(&source.path, line, "a static that changes", instead);
        }
    }
}

fn changing(source: &Source) -> impl Iterator<Item = usize> {
    let tokens = &source.facts.tokens;
    let statics = tokens.statics.iter();
    let statics =
        statics.filter(|item| item.what.is_mut || item.what.of.iter().any(|t| changes(t)));
    let locals = tokens.macros.iter().filter(|call| call.what.0 == "thread_local");
    statics.map(|item| item.line).chain(locals.map(|call| call.line))
}

/// Whether a type of that name changes behind a shared reference.
pub(super) fn changes(word: &str) -> bool {
    word.starts_with("Atomic") || TYPES.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn a_static_that_changes_is_refused_in_every_form() {
        for text in [
            "static A: AtomicU64 = AtomicU64::new(0);",
            "static A: std::sync::Mutex<u8> = x();",
            "fn a() { static B: OnceLock<u8> = OnceLock::new(); }",
            "pub static A: [RefCell<u8>; 2] = x();",
            "static mut A: u8 = 0;",
            "thread_local! { static A: u8 = 0; }",
            "macro_rules! a { () => { static B: AtomicBool = x(); } }",
        ] {
            refuses(&LAW, SERVICE, 1, text);
        }
    }

    #[test]
    fn constant_statics_fields_and_test_allocators_are_accepted() {
        accepts(&LAW, SERVICE, "static A: &'static str = \"Mutex\"; const B: Cell<u8> = x();");
        accepts(&LAW, SERVICE, "struct A { count: AtomicU64 }");
        accepts(&LAW, SERVICE, "#[cfg(test)]\nmod a { static A: AtomicU64 = x(); }");
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", "static A: AtomicU64 = x();");
    }
}
