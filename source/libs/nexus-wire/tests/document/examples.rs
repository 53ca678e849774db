//! Examples of the page against what the code encodes.

use nexus_wire::LedgerRow;

use crate::page::Page;
use crate::{
    examples_bundlemgrd, examples_dsoftbusd, examples_execd, examples_logd, examples_metricsd,
    examples_policyd, examples_statefsd, examples_timed,
};

/// Name of a frame as on the page, and its bytes.
pub(crate) type Examples = Vec<(String, Vec<u8>)>;

/// A row in which every number is another.
pub(crate) fn ledger_row() -> LedgerRow {
    LedgerRow {
        service: nexus_abi::ServiceId::from_name("execd").raw(),
        offered: 100,
        accepted: 40,
        folded: 10,
        refused: [1, 2, 3, 4, 5, 6, 7, 8, 9],
        dropped: 5,
        repeated: 11,
        redacted: 12,
        lost_by_client: 13,
        kept: 14,
        events_left: 15,
        bytes_left: 16,
    }
}

pub(crate) fn mistakes(page: &Page) -> Vec<String> {
    let mut examples = examples_metricsd::all();
    examples.extend(examples_logd::all());
    examples.extend(examples_statefsd::all());
    examples.extend(examples_timed::all());
    examples.extend(examples_policyd::all());
    examples.extend(examples_bundlemgrd::all());
    examples.extend(examples_execd::all());
    examples.extend(examples_dsoftbusd::all());
    let mut mistakes = Vec::new();
    for (name, bytes) in &examples {
        let on_page: Vec<_> = page.frames.iter().filter(|frame| frame.name == *name).collect();
        match on_page.as_slice() {
            [frame] if frame.example == *bytes => {}
            _ => mistakes.push(format!("{name} should once be\n= {}", hex(bytes))),
        }
    }
    for frame in &page.frames {
        if !examples.iter().any(|(name, _)| *name == frame.name) {
            mistakes.push(format!("{}: no such frame", frame.name));
        }
    }
    mistakes
}

/// Four bytes a group, eight groups a line.
fn hex(bytes: &[u8]) -> String {
    let group = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let line = |bytes: &[u8]| bytes.chunks(4).map(group).collect::<Vec<_>>().join(" ");
    bytes.chunks(32).map(line).collect::<Vec<_>>().join("\n= ")
}
