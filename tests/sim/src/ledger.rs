//! What the ledgers of both daemons must say.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_wire::logs::Search;
use nexus_wire::{LedgerRow, Reason};

use crate::bed::Bed;
use crate::seen::Seen;
use crate::talker::Answers;

/// Both ledgers add up, and the journal has what logd's says.
///
/// # Panics
/// If not.
pub fn check(bed: &mut Bed) {
    for daemon in ["logd", "metricsd"] {
        for row in bed.audit(daemon) {
            assert!(row.balances(), "{daemon}: {row:?}");
        }
    }
    check_journal(bed);
}

/// Every record that logd ever took is found or covered by a gap.
fn check_journal(bed: &mut Bed) {
    let journal = bed.journal();
    let (mut found, mut gaps): (BTreeMap<u64, u64>, BTreeMap<u64, u64>) = Default::default();
    for seen in &journal {
        if seen.gap {
            *gaps.entry(seen.service.raw()).or_default() += seen.number("count");
        } else {
            *found.entry(seen.service.raw()).or_default() += 1;
        }
    }
    let stats = bed.stats();
    let kept = found.values().sum::<u64>();
    assert_eq!(stats.total, kept + gaps.values().sum::<u64>(), "found, or in a gap");
    assert_eq!(stats.dropped, gaps.values().sum::<u64>());
    assert!(kept <= u64::from(stats.cap_records));
    for row in bed.audit("logd").iter().filter(|row| row.service != LedgerRow::EVICTED) {
        let of = |counts: &BTreeMap<u64, u64>| counts.get(&row.service).copied().unwrap_or(0);
        assert_eq!((row.kept, row.dropped), (row.accepted, of(&gaps)), "{row:?}");
        // Records of a sender that lost its seat once belong to the evicted.
        assert!(of(&found) >= row.kept, "{row:?}");
    }
}

/// The gap of a sender, if it has lost anything.
pub fn gap_of(bed: &mut Bed, service: ServiceId) -> Option<Seen> {
    let search = Search { gaps: true, service: Some(service), ..Search::ALL };
    bed.search(search).into_iter().find(|seen| seen.gap)
}

/// A row says what its sender was answered: frame by frame, and of `items` that came in BATCHes
/// all but `again`, which were beyond the budget at first.
///
/// # Panics
/// If not.
pub fn check_row(row: &LedgerRow, answers: &Answers, items: u64, again: u64) {
    assert_eq!(answers.all(), answers.sent, "every frame is answered");
    let limited = row.refused[Reason::RateLimited.index()];
    assert_eq!(row.offered + row.repeated, answers.sent + items, "{row:?} {answers:?}");
    let taken = answers.accepted + items - again;
    assert_eq!(row.accepted + row.dropped, taken, "{row:?} {answers:?}");
    assert_eq!(row.folded, answers.folded, "{row:?} {answers:?}");
    let late = row.refused[Reason::NotReady.index()];
    assert_eq!(limited + late, answers.rate_limited + again, "{row:?} {answers:?}");
    assert_eq!(row.refused_total() - limited - late, answers.refused, "{row:?} {answers:?}");
}
