//! `docs/wire.md` says what the code does: tables, layouts and examples are read from the page and
//! compared with the code, both ways.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod examples;
mod examples_bundlemgrd;
mod examples_dsoftbusd;
mod examples_execd;
mod examples_logd;
mod examples_metricsd;
mod examples_policyd;
mod examples_range;
mod examples_statefsd;
mod examples_timed;
mod layout;
mod page;
mod tables;

use nexus_wire::{bundles, entropy, exec, files, logs, metrics, policy, sessions, timers};
use page::Page;

const PAGE: &str = include_str!("../../../../../docs/wire.md");

/// Everything that is wrong with a page.
fn mistakes(text: &str) -> Vec<String> {
    let page = Page::read(text);
    let mut mistakes = tables::mistakes(&page);
    mistakes.extend(examples::mistakes(&page));
    mistakes.extend(layout::mistakes(&page));
    mistakes
}

#[test]
fn the_page_and_the_code_agree() {
    let mistakes = mistakes(PAGE);
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn every_operation_has_its_request_and_its_reply_on_the_page() {
    let page = Page::read(PAGE);
    let documented = |proto: &str, op: &str| {
        let has = |direction| page.frames.iter().any(|frame| frame.is(proto, op, direction));
        assert!(has("request") && has("reply"), "{proto} {op}");
    };
    for op in metrics::Op::ALL {
        documented("metricsd", &format!("{op:?}"));
    }
    for op in files::Op::ALL {
        documented("statefsd", &format!("{op:?}"));
    }
    for op in timers::Op::ALL {
        documented("timed", &format!("{op:?}"));
    }
    for op in policy::Op::ALL {
        documented("policyd", &format!("{op:?}"));
    }
    for op in bundles::Op::ALL {
        documented("bundlemgrd", &format!("{op:?}"));
    }
    for op in exec::Op::ALL {
        documented("execd", &format!("{op:?}"));
    }
    for op in sessions::Op::ALL {
        documented("dsoftbusd", &format!("{op:?}"));
    }
    for op in sessions::line::Op::ALL {
        documented("line", &format!("{op:?}"));
    }
    for op in entropy::Op::ALL {
        documented("entropyd", &format!("{op:?}"));
    }
    for op in logs::Op::ALL {
        documented("logd v2", &format!("{op:?}"));
        if op.version_is_legal(logs::Version::V1) {
            documented("logd v1", &format!("{op:?}"));
        }
    }
}

/// Each kind of change of the page is noticed.
#[test]
fn a_page_that_says_something_else_fails() {
    for (from, to) in [
        ("| 2 | over_limit |", "| 3 | over_limit |"),
        ("| 48 | `NAME_BYTES_MAX` |", "| 49 | `NAME_BYTES_MAX` |"),
        ("| 24 | STATUS |", "| 25 | STATUS |"),
        ("| 6 | too_large |\n", ""),
        ("| 13 | damaged |", "| 12 | damaged |"),
        ("| 4 | unsealed |", "| 4 | unfinished |"),
        ("step:u64 windows:u32 flags:u8 delta:u64", "step:u64 windows:u32 delta:u64"),
        ("name_len:u8 draft:u8 at:u32", "name_len:u8 at:u32"),
        ("name_len:u8 labels_len:u16 value:i64", "name_len:u8 labels_len:u16 value:i32"),
        ("since_ns:u64 max:u16\n= 4c4f", "since_ns:u64 max:u16\n= 4c4e"),
        ("| 2 | interactive | 1 ms |", "| 2 | interactively | 1 ms |"),
        ("| 3 | not_delegate |", "| 4 | not_delegate |"),
        ("subject:u64 action:u8", "subject:u32 action:u8"),
        ("| 9 | over_quota |", "| 8 | over_quota |"),
        ("memory_kib:u32 rights:u8", "memory_kib:u16 rights:u8"),
        ("since_ns:u64 name_len:u8", "since_ns:u64 name_len:u16"),
        ("qos:u8 pad:u8", "qos:u16 pad:u8"),
        ("```frame metricsd ping request", "```frame metricsd pong request"),
        ("epoch:u32 incarnation:u32\n= ", "epoch:u32\n= "),
        ("refused_invalid:u64 refused_identity:u64", "refused_identity:u64 refused_invalid:u64"),
    ] {
        assert!(PAGE.contains(from), "{from}");
        assert!(!mistakes(&PAGE.replacen(from, to, 1)).is_empty(), "{from}");
    }
}

#[test]
fn the_page_knows_who_metricsd_is() {
    let id = nexus_abi::ServiceId::from_name("metricsd");
    assert!(PAGE.contains(&format!("`metricsd` is `{id}`")));
}
