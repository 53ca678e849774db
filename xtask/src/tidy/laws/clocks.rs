use std::collections::BTreeMap;

use super::Law;
use crate::tidy::report::Report;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "clocks",
    says: "the pure levels know no clock, socket, file, thread or environment",
    check,
};

/// The one file of each client that knows threads and clocks.
const PLACES: &[&str] =
    &["userspace/nexus-log/src/threads.rs", "userspace/nexus-metrics/src/threads.rs"];

const MODULES: &[&str] = &["env", "fs", "io", "net", "os", "process", "thread", "time"];

const TYPES: &[&str] = &["Instant", "SystemTime"];

fn check(workspace: &Workspace, report: &mut Report) {
    for source in workspace.pure().filter(|source| !PLACES.contains(&source.path.as_str())) {
        let tokens = &source.facts.tokens;
        let types = tokens.idents.iter().filter(|word| TYPES.contains(&word.what.as_str()));
        let paths = tokens.paths.iter().filter(|path| leads_outside(&path.what));
        let types = types.map(|word| (word.line, word.what.clone()));
        let paths = paths.map(|path| (path.line, path.what.join("::")));
        let by_line = types.chain(paths).collect::<BTreeMap<_, _>>();
        for (line, name) in by_line.into_iter().filter(|&(line, _)| !source.in_test(line)) {
            let instead = "take it from the event, or ask for it as an effect of the port";
            report.fail(&source.path, line, format!("`{name}` in pure code"), instead);
        }
    }
}

fn leads_outside(path: &[String]) -> bool {
    let mut path = path.iter().map(String::as_str);
    path.next() == Some("std") && path.next().is_some_and(|module| MODULES.contains(&module))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn clocks_sockets_files_and_threads_are_refused() {
        for text in [
            "use std::net::TcpStream;",
            "use std::{thread, collections::BTreeMap};",
            "fn a() { std::fs::read(\"x\"); }",
            "macro_rules! a { () => { std::thread::spawn(b) } }",
            "fn a() -> Instant { b() }",
            "use std::os::fd::OwnedFd;",
            "use std::time::SystemTime;",
        ] {
            refuses(&LAW, SERVICE, 1, text);
        }
    }

    #[test]
    fn ports_main_and_tests_may_name_them() {
        let text = "use std::time::Instant;";
        accepts(&LAW, "source/libs/nexus-rt/src/lib.rs", text);
        accepts(&LAW, "source/services/logd/src/main.rs", text);
        accepts(&LAW, "source/services/logd/tests/a.rs", text);
        accepts(&LAW, SERVICE, "#[cfg(test)]\nmod a { use std::time::Instant; }");
        accepts(&LAW, SERVICE, "use std::collections::BTreeMap; use core::time::Duration;");
    }
}
