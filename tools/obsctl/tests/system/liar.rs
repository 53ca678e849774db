//! A daemon that loses sight of an item, and what `obsctl audit` says of it.

use std::os::unix::fs::symlink;

use nexus_wire::metrics::{Op, Reply, decode_reply};
use nexus_wire::{AuditReply, LedgerRow};

use crate::relay::{Middle, relay};
use crate::support::{Folder, daemons, obsctl, text};

/// What a liar does to each row of the ledger.
type Change = fn(&mut LedgerRow);

/// Changes the rows of the ledger on their way back.
struct Liar(Change);

impl Middle for Liar {
    fn reply(&mut self, _: &[u8], reply: &mut Vec<u8>) {
        let mut changed = [0; 4096];
        if let Some(lie) = changed_ledger(reply, self.0, &mut changed) {
            *reply = lie.to_vec();
        }
    }
}

/// The ledger with its rows changed, if this reply is one.
fn changed_ledger<'b>(reply: &[u8], change: Change, out: &'b mut [u8]) -> Option<&'b [u8]> {
    let nonce = u32::from_le_bytes(reply.get(5..9)?.try_into().ok()?);
    let Some((_, Reply::Audit(audit))) = decode_reply(Op::Audit, nonce, reply) else { return None };
    let rows = audit.rows().map(|mut row| {
        change(&mut row);
        row
    });
    AuditReply::encode_metricsd(nonce, audit.next_cursor, rows, out).ok()
}

/// What audit says of a metricsd whose ledger is changed so, and its exit code.
fn audit(change: Change, args: &[&str]) -> (Option<i32>, String) {
    let (honest, folder) = (Folder::new("honest"), Folder::new("liar"));
    let _daemons = daemons(&honest);
    assert!(obsctl(&honest, &["count", "n_total", "3"]).status.success());
    symlink(honest.0.join("logd.sock"), folder.0.join("logd.sock")).unwrap();
    relay(&folder.0, honest.0.clone(), Liar(change));
    let output = obsctl(&folder, &[&["audit"], args].concat());
    (output.status.code(), text(&output.stdout))
}

#[test]
fn a_ledger_that_passes_unchanged_is_sound() {
    let (code, said) = audit(|_| {}, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("BROKEN"), "{said}");
}

#[test]
fn an_outcome_that_was_left_out_is_found_and_its_sender_named() {
    let (code, said) = audit(|row| row.accepted = row.accepted.saturating_sub(1), &[]);
    assert_eq!(code, Some(1), "{said}");
    let broken = said.lines().find(|line| line.contains("BROKEN")).unwrap();
    let named = broken.strip_suffix(": 1 of 1 offered without an outcome)").unwrap();
    let (_, sender) = named.split_once("(not: metricsd: ").unwrap();
    // Whoever runs this test has counted something.
    assert!(said.lines().any(|line| line.trim().starts_with(&format!("{sender} "))), "{said}");
}

#[test]
fn an_outcome_that_was_counted_twice_is_found_and_shown_to_programs() {
    let twice = |row: &mut LedgerRow| row.folded += row.accepted;
    let (code, said) = audit(twice, &["-o", "json"]);
    assert_eq!(code, Some(1), "{said}");
    let lines = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let row = lines.into_iter().find(|line| line["balances"] == false).unwrap();
    assert_eq!((&row["missing"], &row["surplus"]), (&0.into(), &1.into()), "{row}");
}
