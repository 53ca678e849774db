//! What a person sees of a start: `obsctl spans` on the disk of the guest shows it as one tree,
//! also when the machine has booted again since.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Built, Variant, kept};

/// What a request to start is called, and what it consists of.
const WHOLE: &str = "exec.path";
const PARTS: [&str; 4] = ["fetch", "load", "policy", "start"];
/// The bundle that is started once and ends well.
const BUNDLE: &str = "demo.hello";

/// Reads the disk that a variant has left, and says what comes of it.
pub(super) fn told(variant: Variant, built: &Built) -> Result<bool> {
    let disk = built.disk_file(variant.disk().context("it has a disk")?);
    let read = spans(&disk).and_then(|spans| is_a_tree(&spans));
    match &read {
        Ok(()) => println!("qemu-test: ok, the disk shows the start of {BUNDLE} as one tree"),
        Err(error) => {
            eprintln!("qemu-test: FAILED, the disk shows no start of {BUNDLE}: {error:#}")
        }
    }
    Ok(read.is_ok())
}

fn spans(disk: &Path) -> Result<Vec<Value>> {
    kept::lines(disk, &["spans", "--boot", "1", "-o", "json"])
}

fn is_a_tree(spans: &[Value]) -> Result<()> {
    let wholes = spans.iter().filter(|span| span["name"] == WHOLE);
    let wholes = wholes.filter(|span| span["attrs"]["bundle"] == BUNDLE).collect::<Vec<_>>();
    let [whole] = wholes.as_slice() else { anyhow::bail!("{} of them", wholes.len()) };
    let parts = spans.iter().filter(|span| span["parent"] == whole["span"]).collect::<Vec<_>>();
    let mut names = parts.iter().map(|part| part["name"].as_str()).collect::<Vec<_>>();
    names.sort_unstable();
    ensure!(names == PARTS.map(Some), "its parts are {names:?}");
    let is_whole = |part: &&&Value| part["trace"] == whole["trace"] && part["status"] == "ok";
    ensure!(parts.iter().all(|part| is_whole(&part)) && whole["status"] == "ok", "{spans:?}");
    let length = |span: &Value| span["duration_ns"].as_u64().context("a span without a length");
    let sum = parts.iter().map(|part| length(part)).sum::<Result<u64>>()?;
    ensure!(
        sum <= length(whole)?,
        "its parts take {sum} ns, and all of it {}",
        whole["duration_ns"]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn span(id: &str, parent: Option<&str>, name: &str, length: u64) -> Value {
        json!({
            "span": id, "parent": parent, "name": name, "trace": "t", "status": "ok",
            "duration_ns": length, "attrs": { "bundle": BUNDLE },
        })
    }

    fn good() -> Vec<Value> {
        let part = |name| span(name, Some("w"), name, 2);
        PARTS.map(part).into_iter().chain([span("w", None, WHOLE, 8)]).collect()
    }

    #[test]
    fn a_whole_with_its_parts_is_a_tree_and_one_that_lacks_anything_is_none() {
        assert!(is_a_tree(&good()).is_ok());
        for (at, key, told) in [
            (0, "parent", json!("x")),
            (0, "trace", json!("u")),
            (1, "status", json!("error")),
            (2, "name", json!("policies")),
            (3, "duration_ns", json!(3)),
            (4, "attrs", json!({})),
        ] {
            let mut spans = good();
            spans[at][key] = told;
            assert!(is_a_tree(&spans).is_err(), "{key} of {at}");
        }
        assert!(is_a_tree(&[good(), good()].concat()).is_err(), "twice");
    }
}
