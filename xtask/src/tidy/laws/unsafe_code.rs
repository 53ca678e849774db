use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::tokens::Unsafe;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "unsafe",
    says: "unsafe stands in ports, kernel, drivers and test allocators, with its argument",
    check,
};

/// Where `unsafe` may stand.
const PLACES: &[&str] =
    &["source/libs/nexus-rt/", "source/kernel/neuron/", "source/kernel/trials/", "source/drivers/"];

/// Files that count allocations in tests, which cannot be done without.
const TEST_ALLOCATORS: &[&str] = &["tests/sim/src/allocations.rs"];

/// `unsafe impl Send` and `Sync`: file, type, and the test that shows that it is right.
const SEND_SYNC: &[(&str, &str, &str)] = &[(
    "source/kernel/neuron/src/neuron.rs",
    "Only",
    "every trial of the kernel: there is one hart, and the kernel is not entered twice",
)];

/// How far above its block a `SAFETY:` argument may begin, in lines.
const ARGUMENT_LINES: usize = 12;

fn check(workspace: &Workspace, report: &mut Report) {
    for source in &workspace.sources {
        for place in &source.facts.tokens.unsafes {
            let line = place.line;
            if !may_stand(&source.path) {
                let instead = "move it into a port, behind a safe interface";
                report.fail(&source.path, line, "`unsafe` outside ports and kernel", instead);
            }
            if let Unsafe::Impl(words) = &place.what {
                send_sync(source, line, words, report);
            }
            if place.what != Unsafe::Declaration && !has_argument(source, line) {
                let instead = "write a `// SAFETY:` comment above it";
                report.fail(&source.path, line, "`unsafe` without its argument", instead);
            }
        }
    }
}

fn may_stand(path: &str) -> bool {
    PLACES.iter().any(|place| path.starts_with(place)) || TEST_ALLOCATORS.contains(&path)
}

fn send_sync(source: &Source, line: usize, words: &[String], report: &mut Report) {
    let listed = |file: &str| file == source.path;
    let is_marker = words.iter().any(|word| word == "Send" || word == "Sync");
    if is_marker && !SEND_SYNC.iter().any(|(file, ..)| listed(file)) {
        let instead = "let the compiler derive it, or list it with its test in laws/unsafe_code.rs";
        report.fail(&source.path, line, "an unlisted `unsafe impl Send` or `Sync`", instead);
    }
}

/// Whether the argument stands in the same line or above, with no empty line between. (What an
/// `unsafe fn` asks of its callers is documentation, which clippy looks after.)
fn has_argument(source: &Source, line: usize) -> bool {
    let near = (line.saturating_sub(ARGUMENT_LINES)..=line).rev();
    near.map_while(|number| source.line(number).filter(|text| !text.trim().is_empty()))
        .any(|text| text.contains("// SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, lines, refuses};

    const PORT: &str = "source/libs/nexus-rt/src/lib.rs";

    #[test]
    fn unsafe_is_refused_outside_its_places_even_with_an_argument() {
        let text = "// SAFETY: none.\nfn a() { unsafe { b() } }";
        for path in [
            "source/services/logd/src/lib.rs",
            "source/services/logd/tests/a.rs",
            "source/kernel/core/src/lib.rs",
            "tools/obsctl/src/main.rs",
        ] {
            refuses(&LAW, path, 2, text);
        }
        accepts(&LAW, PORT, text);
    }

    #[test]
    fn unsafe_in_a_macro_is_seen() {
        let text = "// SAFETY: none.\nmacro_rules! a { () => { unsafe { b() } } }";
        refuses(&LAW, "userspace/nexus-metrics/src/lib.rs", 2, text);
    }

    #[test]
    fn an_unsafe_attribute_is_seen() {
        let text = "#[unsafe(no_mangle)]\nfn a() {}";
        refuses(&LAW, "userspace/nexus-metrics/src/lib.rs", 1, text);
        accepts(&LAW, PORT, text);
    }

    #[test]
    fn unsafe_without_an_argument_is_refused() {
        refuses(&LAW, PORT, 1, "fn a() { unsafe { b() } }");
        refuses(&LAW, PORT, 3, "// SAFETY: too far away.\n\nfn a() { unsafe { b() } }");
        refuses(&LAW, PORT, 1, "unsafe extern \"C\" { fn a(); }");
        accepts(&LAW, PORT, "/// # Safety\n/// Call it once.\nunsafe fn a() {}");
        accepts(&LAW, PORT, "type A = unsafe extern \"C\" fn();");
    }

    #[test]
    fn an_unlisted_send_or_sync_is_refused() {
        let text = "// SAFETY: it is a lie.\nunsafe impl<T> Sync for A<T> {}";
        refuses(&LAW, PORT, 2, text);
        let both = "unsafe impl Send for A {}";
        assert_eq!(lines(&LAW, &[("source/services/logd/src/lib.rs", both)]), [1, 1, 1]);
        accepts(&LAW, PORT, "// SAFETY: forwards.\nunsafe impl GlobalAlloc for A {}");
    }
}
