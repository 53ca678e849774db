use nexus_wire::logs::{self, Version};
use nexus_wire::{AuditReply, LedgerRow, REASONS};
use proptest::prelude::*;

use crate::any::rows;

proptest! {
    /// Rows are read from frames too: whatever stands there, nothing overflows.
    #[test]
    fn the_law_of_the_ledger_is_checked_without_overflow(rows in rows(2)) {
        for row in rows {
            let parts = [row.accepted, row.folded, row.dropped].into_iter().chain(row.refused);
            let sum: u128 = parts.map(u128::from).sum();
            prop_assert_eq!(row.balances(), u128::from(row.offered) == sum);
            let sum = i128::try_from(sum).unwrap();
            prop_assert_eq!(row.uncounted(), i128::from(row.offered) - sum);
            let refused: u128 = row.refused.iter().map(|count| u128::from(*count)).sum();
            prop_assert_eq!(row.refused_total(), u64::try_from(refused).unwrap_or(u64::MAX));
        }
    }
}

#[test]
fn a_row_balances_and_one_item_more_does_not() {
    let row = LedgerRow { offered: 5, accepted: 2, folded: 1, dropped: 1, ..LedgerRow::default() };
    let mut refused = row;
    refused.refused[3] = 1;
    assert!(refused.balances());
    assert!(!row.balances());
    assert_eq!(row.uncounted(), 1, "one is missing");
    refused.folded += 2;
    assert_eq!(refused.uncounted(), -2, "two too many");
}

#[test]
fn reasons_stand_at_their_index() {
    for (at, (reason, _)) in REASONS.iter().enumerate() {
        assert_eq!(reason.index(), at);
    }
}

#[test]
fn more_rows_than_a_reply_holds_are_not_encoded() {
    let rows = |count| std::iter::repeat_n(LedgerRow::default(), count);
    let head = logs::Head { version: Version::V2, nonce: 1 };
    let mut out = [0; 8192];
    assert!(AuditReply::encode_metricsd(1, 0, rows(20), &mut out).is_ok());
    assert!(AuditReply::encode_metricsd(1, 0, rows(21), &mut out).is_err());
    assert!(AuditReply::encode_logd(head, 0, rows(20), &mut out).is_ok());
    assert!(AuditReply::encode_logd(head, 0, rows(21), &mut out).is_err());
}
