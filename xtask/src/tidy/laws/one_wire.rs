use super::Law;
use crate::tidy::report::Report;
use crate::tidy::source::Source;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "one-wire",
    says: "bytes of frames are written and read in nexus-wire only",
    check,
};

/// Numbers one behind another, as frames and files have them: where alone their order is known.
const NUMBERS: &str = "source/libs/nexus-bounded/src/bytes.rs";

/// Where frames are encoded and decoded; and this very law names how they begin.
const PLACES: &[&str] = &["nexus-wire", "xtask"];

/// The file that looks at eight bytes of a text at a time: where a byte stands must not depend on
/// the machine.
const SCANS: &[&str] = &["source/libs/nexus-bounded/src/eights.rs"];

/// Bytes that are no frames: the boot image and bundles, each of which one file writes and reads,
/// and the device tree, whose order somebody else has set.
const OTHERS: &[&str] = &[
    "source/kernel/core/src/image/format.rs",
    "source/kernel/neuron/src/platform.rs",
    "source/libs/nexus-bundle/src/format.rs",
];

const CONVERSIONS: &[&str] = &["to_le_bytes", "from_le_bytes", "to_be_bytes", "from_be_bytes"];

const INSTEAD: &str = "use a type of nexus-wire, or nexus_bounded::bytes for what is no frame \
                       (in memory of your own: `to_ne_bytes`)";

/// How frames begin.
const MAGICS: &[&[u8]] = &[b"MT", b"LO", b"SF", b"TM", b"PO", b"BM", b"EX"];

fn check(workspace: &Workspace, report: &mut Report) {
    for source in workspace.product().filter(|source| !PLACES.contains(&source.package_name())) {
        let mut free = SCANS.iter().chain(OTHERS).chain([&NUMBERS]);
        let is_free = free.any(|path| *path == source.path);
        let converted = conversions(source).filter(|&(line, _)| !is_free && !source.in_test(line));
        for (line, name) in converted {
            report.fail(&source.path, line, format!("`{name}` outside nexus-wire"), INSTEAD);
        }
        for bytes in source.facts.tokens.bytes.iter().filter(|bytes| is_frame(&bytes.what)) {
            if !source.in_test(bytes.line) {
                let what = "the beginning of a frame outside nexus-wire";
                report.fail(&source.path, bytes.line, what, "use a type of nexus-wire");
            }
        }
    }
}

fn conversions(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let words = source.facts.tokens.idents.iter();
    words.map(|word| (word.line, word.what.as_str())).filter(|(_, name)| CONVERSIONS.contains(name))
}

/// The two letters alone or before a byte that is no letter: `b"LOG"` is a word.
fn is_frame(bytes: &[u8]) -> bool {
    let after = MAGICS.iter().find_map(|magic| bytes.strip_prefix(*magic));
    after.is_some_and(|rest| rest.first().is_none_or(|next| !next.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{accepts, refuses};

    const SERVICE: &str = "source/services/logd/src/lib.rs";

    #[test]
    fn a_second_encoder_or_decoder_is_refused() {
        for text in [
            "fn a(b: u32) -> [u8; 4] { b.to_le_bytes() }",
            "fn a(b: [u8; 8]) -> u64 { u64::from_le_bytes(b) }",
            "fn a() -> F { i16::from_be_bytes }",
            "const MAGIC: &[u8] = b\"MT\";",
            "const MAGIC: &[u8] = b\"LO\\x02\\x10\";",
            "const MAGIC: &[u8] = b\"TM\\x01\";",
            "const MAGIC: [u8; 2] = [b'M', b'T'];",
        ] {
            refuses(&LAW, SERVICE, 1, text);
            refuses(&LAW, "tools/obsctl/src/main.rs", 1, text);
            accepts(&LAW, "source/libs/nexus-wire/src/lib.rs", text);
            refuses(&LAW, "source/libs/nexus-bounded/src/text.rs", 1, text);
        }
    }

    #[test]
    fn raw_frames_in_tests_and_other_bytes_are_accepted() {
        accepts(&LAW, SERVICE, "#[cfg(test)]\nmod a { const B: &[u8] = b\"MT\\x01\\x06\"; }");
        accepts(&LAW, "source/services/logd/tests/a.rs", "fn a() { 1_u8.to_le_bytes(); }");
        accepts(&LAW, NUMBERS, "fn a(b: u32) -> [u8; 4] { b.to_le_bytes() }");
        refuses(&LAW, NUMBERS, 1, "const MAGIC: &[u8] = b\"MT\";");
        accepts(&LAW, "tests/sim/src/lib.rs", "const FORGED: &[u8] = b\"MT\\x01\";");
        accepts(&LAW, SERVICE, "fn a() { 1_u32.to_ne_bytes(); f(b\"LOGIN\", [b'L', b'X']); }");
    }
}
