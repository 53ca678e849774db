use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "panics",
    says: "the pure levels do not panic on what others do; unfinished code stands nowhere",
    check,
};

const CALLS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];

const PURE_MACROS: &[&str] = &["panic", "unreachable"];

const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Assertions stay: they state our own invariants. A constant may panic: the compiler runs it.
fn check(workspace: &Workspace, report: &mut Report) {
    for source in workspace.sources.iter().filter(|source| source.package.is_some()) {
        for call in &source.facts.tokens.macros {
            if UNFINISHED.contains(&call.what.0.as_str()) {
                let what = format!("`{}!`", call.what.0);
                report.fail(&source.path, call.line, what, "write it, or leave it out");
            }
        }
    }
    for source in workspace.pure() {
        for (line, name) in panics(source) {
            if !source.in_test(line) && !source.facts.in_constant(line) {
                let instead = "give a status or an error (`assert!` only for our own invariants)";
                report.fail(&source.path, line, format!("`{name}` in pure code"), instead);
            }
        }
    }
}

fn panics(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let tokens = &source.facts.tokens;
    let calls = tokens.calls.iter().map(|call| (call.line, call.what.as_str()));
    let macros = tokens.macros.iter().map(|call| (call.line, call.what.0.as_str()));
    let calls = calls.filter(|(_, name)| CALLS.contains(name));
    calls.chain(macros.filter(|(_, name)| PURE_MACROS.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn panics_are_refused_in_pure_code() {
        for text in [
            "fn a() { b().unwrap(); }",
            "fn a() { b()\n.c(); debug_assert!(x.expect(\"y\")) }",
            "fn a() { panic!(\"b\") }",
            "fn a(b: bool) { if b { unreachable!(\"c\") } }",
            "fn a(b: u8) {\nmatch b { 0 => {}, _ => core::unreachable!() } }",
            "macro_rules! a { ($x:expr) => { $x.unwrap() } }",
        ] {
            refuses(&LAW, SERVICE, text.lines().count(), text);
        }
    }

    #[test]
    fn unfinished_code_is_refused_everywhere() {
        for text in ["fn a() { todo!() }", "fn a() { unimplemented!(\"b\") }", "fn a() { dbg!(b) }"]
        {
            refuses(&LAW, SERVICE, 1, text);
            refuses(&LAW, "tools/obsctl/src/main.rs", 1, text);
            refuses(&LAW, "tests/sim/tests/a.rs", 1, text);
        }
    }

    #[test]
    fn tests_tools_assertions_and_constants_are_accepted() {
        accepts(&LAW, SERVICE, "#[cfg(test)]\nmod a { fn b() { c().unwrap(); } }");
        accepts(&LAW, SERVICE, "fn a() { assert!(b < c); d().unwrap_or_default(); }");
        accepts(&LAW, SERVICE, "const A: u8 = match b() { Some(c) => c, None => panic!(\"d\") };");
        accepts(&LAW, "tools/obsctl/src/main.rs", "fn a() { b().unwrap(); }");
    }
}
