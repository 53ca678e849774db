//! `obsctl logs --list-boots`: which boots the journal has records of.

use serde_json::json;

use crate::cli::Output;
use crate::reader::{Boot, Reader};
use crate::render;
use crate::view::View;

/// One line, or one object, for each boot, oldest first.
pub(super) fn list(reader: &mut Reader, view: &mut View) -> anyhow::Result<()> {
    let boots = reader.boots()?;
    let numbered = || (0..boots.len()).rev().zip(&boots);
    if view.output == Output::Json {
        return numbered()
            .try_for_each(|(back, boot)| view.screen.json(&as_json(view, back, boot)));
    }
    let head = ["IDX", "BOOT", "FIRST RECORD", "LAST RECORD"].map(str::to_owned).to_vec();
    let rows = numbered().map(|(back, boot)| {
        let Boot { number, first, last } = boot;
        let time = |ns| view.time_of(*number, ns);
        vec![index(back), number.to_string(), time(first.ts_ns), time(last.ts_ns)]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    render::table(0, &rows).iter().try_for_each(|line| view.screen.line(line))
}

/// As `-b` takes it.
fn index(back: usize) -> String {
    if back == 0 { "0".to_owned() } else { format!("-{back}") }
}

fn as_json(view: &View, back: usize, boot: &Boot) -> serde_json::Value {
    let Boot { number, first, last } = boot;
    json!({
        "kind": "boot",
        "index": -(back as i64),
        "boot": number,
        "first_id": first.id.0,
        "first_mono_ns": first.ts_ns,
        "first": view.rfc3339_of(*number, first.ts_ns),
        "last_id": last.id.0,
        "last_mono_ns": last.ts_ns,
        "last": view.rfc3339_of(*number, last.ts_ns),
    })
}
