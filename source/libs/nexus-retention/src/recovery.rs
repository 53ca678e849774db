//! What to do after a start, by what is there: the log, a segment that was being written, the
//! sealed segment that holds the log's first windows (or, if the log is empty, the newest one that
//! the manifest names), and the manifest.
//!
//! An unfinished segment is never believed: whatever it holds is in the log too, which is released
//! only after the sealed segment is durable. Rolled up tiers have no log: their unfinished segments
//! are made again from the sealed segments of the raw tier.

/// The write-ahead log, as recovery has found it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log {
    /// No records.
    Empty,
    /// Records, and nothing is lost.
    Whole,
    /// Records, and something is lost.
    Cut,
    /// Of a version or size that this code cannot read.
    Foreign,
}

/// The segment that was being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Temp {
    /// There is none.
    Absent,
    /// There is one, whatever it holds.
    Present,
}

/// The sealed segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sealed {
    /// There is none.
    Absent,
    /// All checksums are right.
    Whole,
    /// Some are not.
    Damaged,
    /// Of a version that this code cannot read.
    Foreign,
}

/// The manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// There is none.
    NoManifest,
    /// It does not name the sealed segment.
    No,
    /// It names it.
    Yes,
    /// It is damaged.
    Damaged,
    /// Of a version that this code cannot read.
    Foreign,
}

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The log.
    pub log: Log,
    /// The segment that was being written.
    pub temp: Temp,
    /// The sealed segment.
    pub sealed: Sealed,
    /// The manifest.
    pub named: Named,
}

/// What becomes of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogStep {
    /// It is left as it is.
    Leave,
    /// All its windows are taken again.
    Replay,
    /// Windows behind the sealed segment are taken again, the others released.
    ReplayRest,
}

/// What becomes of the sealed segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentStep {
    /// It is left as it is; of a damaged one, what can be read is read.
    Leave,
    /// The log still has all of it: it is replaced when the log's windows are sealed.
    SealAgain,
}

/// What becomes of the manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ManifestStep {
    /// It is left as it is.
    Leave,
    /// It is written from the segments that are there.
    Write,
}

/// What has to be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say {
    /// The log has lost something; its recovery says what.
    LogCut,
    /// A segment that was sealed is not there.
    SegmentLost,
    /// A segment that was sealed is damaged.
    SegmentDamaged,
    /// The manifest was not there or damaged; segments that were deleted cannot be told from lost
    /// ones.
    ManifestLost,
    /// Something is of another version or size: which one, its own error says.
    Foreign,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Nothing on the disk is touched, and nothing is kept until a person has decided.
    pub is_refused: bool,
    /// The segment that was being written is deleted, if there is one.
    pub drops_temp: bool,
    /// What becomes of the log.
    pub log: LogStep,
    /// What becomes of the sealed segment.
    pub segment: SegmentStep,
    /// What becomes of the manifest.
    pub manifest: ManifestStep,
    /// What has to be said.
    pub says: &'static [Say],
}

/// A row of the table: it applies to all combinations of what it lists.
struct Row {
    log: &'static [Log],
    temp: &'static [Temp],
    sealed: &'static [Sealed],
    named: &'static [Named],
    decision: Decision,
}

impl Row {
    fn applies(&self, facts: Facts) -> bool {
        self.log.contains(&facts.log)
            && self.temp.contains(&facts.temp)
            && self.sealed.contains(&facts.sealed)
            && self.named.contains(&facts.named)
    }
}

const REFUSED: Decision = Decision {
    is_refused: true,
    drops_temp: false,
    log: LogStep::Leave,
    segment: SegmentStep::Leave,
    manifest: ManifestStep::Leave,
    says: &[Say::Foreign],
};

const ANY_TEMP: &[Temp] = &[Temp::Absent, Temp::Present];
const ANY_SEALED: &[Sealed] = &[Sealed::Absent, Sealed::Whole, Sealed::Damaged, Sealed::Foreign];
const ANY_NAMED: &[Named] =
    &[Named::NoManifest, Named::No, Named::Yes, Named::Damaged, Named::Foreign];
const OUR_LOG: &[Log] = &[Log::Empty, Log::Whole, Log::Cut];
const OUR_SEALED: &[Sealed] = &[Sealed::Absent, Sealed::Whole, Sealed::Damaged];

/// The table's columns: log, sealed segment, manifest; then what becomes of each, and what is said.
const fn row(
    log: &'static [Log],
    sealed: &'static [Sealed],
    named: &'static [Named],
    steps: (LogStep, SegmentStep, ManifestStep),
    says: &'static [Say],
) -> Row {
    let (log_step, segment, manifest) = steps;
    let decision =
        Decision { is_refused: false, drops_temp: true, log: log_step, segment, manifest, says };
    Row { log, temp: ANY_TEMP, sealed, named, decision }
}

const fn refuse(log: &'static [Log], sealed: &'static [Sealed], named: &'static [Named]) -> Row {
    Row { log, temp: ANY_TEMP, sealed, named, decision: REFUSED }
}

/// Every combination is in exactly one row.
#[rustfmt::skip]
const TABLE: &[Row] = {
    use Log::{Cut, Empty};
    use LogStep::{Leave as NoLog, Replay, ReplayRest};
    use ManifestStep::{Leave as Keep, Write};
    use Named::{No, NoManifest, Yes};
    use Say::{LogCut, ManifestLost, SegmentDamaged, SegmentLost};
    use SegmentStep::{Leave, SealAgain};
    const LOST: &[Named] = &[NoManifest, Named::Damaged];
    const ABSENT: &[Sealed] = &[Sealed::Absent];
    const WHOLE: &[Sealed] = &[Sealed::Whole];
    const DAMAGED: &[Sealed] = &[Sealed::Damaged];
    &[
        refuse(&[Log::Foreign], ANY_SEALED, ANY_NAMED),
        refuse(OUR_LOG, &[Sealed::Foreign], ANY_NAMED),
        refuse(OUR_LOG, OUR_SEALED, &[Named::Foreign]),
        // The log is empty: nothing has been recorded since the last segment, or ever.
        row(&[Empty], ABSENT, &[NoManifest], (NoLog, Leave, Write), &[]),
        row(&[Empty], ABSENT, &[No], (NoLog, Leave, Keep), &[]),
        row(&[Empty], ABSENT, &[Yes], (NoLog, Leave, Write), &[SegmentLost]),
        row(&[Empty], ABSENT, &[Named::Damaged], (NoLog, Leave, Write), &[ManifestLost]),
        row(&[Empty], WHOLE, &[No], (NoLog, Leave, Write), &[]),
        row(&[Empty], WHOLE, &[Yes], (NoLog, Leave, Keep), &[]),
        row(&[Empty], WHOLE, LOST, (NoLog, Leave, Write), &[ManifestLost]),
        row(&[Empty], DAMAGED, &[No], (NoLog, Leave, Write), &[SegmentDamaged]),
        row(&[Empty], DAMAGED, &[Yes], (NoLog, Leave, Keep), &[SegmentDamaged]),
        row(&[Empty], DAMAGED, LOST, (NoLog, Leave, Write), &[SegmentDamaged, ManifestLost]),
        // The log is whole: what it has makes good for a segment that is not.
        row(&[Log::Whole], ABSENT, &[No], (Replay, Leave, Keep), &[]),
        row(&[Log::Whole], ABSENT, &[Yes], (Replay, Leave, Write), &[]),
        row(&[Log::Whole], ABSENT, LOST, (Replay, Leave, Write), &[ManifestLost]),
        row(&[Log::Whole], WHOLE, &[No], (ReplayRest, Leave, Write), &[]),
        row(&[Log::Whole], WHOLE, &[Yes], (ReplayRest, Leave, Keep), &[]),
        row(&[Log::Whole], WHOLE, LOST, (ReplayRest, Leave, Write), &[ManifestLost]),
        row(&[Log::Whole], DAMAGED, &[No, Yes], (Replay, SealAgain, Keep), &[]),
        row(&[Log::Whole], DAMAGED, LOST, (Replay, SealAgain, Write), &[ManifestLost]),
        // The log has lost something: a damaged segment may have more than it.
        row(&[Cut], ABSENT, &[No], (Replay, Leave, Keep), &[LogCut]),
        row(&[Cut], ABSENT, &[Yes], (Replay, Leave, Write), &[LogCut, SegmentLost]),
        row(&[Cut], ABSENT, LOST, (Replay, Leave, Write), &[LogCut, ManifestLost]),
        row(&[Cut], WHOLE, &[No], (ReplayRest, Leave, Write), &[LogCut]),
        row(&[Cut], WHOLE, &[Yes], (ReplayRest, Leave, Keep), &[LogCut]),
        row(&[Cut], WHOLE, LOST, (ReplayRest, Leave, Write), &[LogCut, ManifestLost]),
        row(&[Cut], DAMAGED, &[No], (ReplayRest, Leave, Write), &[LogCut, SegmentDamaged]),
        row(&[Cut], DAMAGED, &[Yes], (ReplayRest, Leave, Keep), &[LogCut, SegmentDamaged]),
        row(&[Cut], DAMAGED, LOST, (ReplayRest, Leave, Write),
            &[LogCut, SegmentDamaged, ManifestLost]),
    ]
};

/// What to do.
#[must_use]
pub fn decide(facts: Facts) -> Decision {
    // That there is a row for everything is tested; without one nothing would be touched.
    TABLE.iter().find(|row| row.applies(facts)).map_or(REFUSED, |row| row.decision)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    extern crate std;

    const PAGE: &str = include_str!("../../../../docs/retention-format.md");

    fn all() -> impl Iterator<Item = Facts> {
        let logs = [Log::Empty, Log::Whole, Log::Cut, Log::Foreign];
        logs.into_iter().flat_map(|log| {
            ANY_TEMP.iter().flat_map(move |temp| {
                ANY_SEALED.iter().flat_map(move |sealed| {
                    ANY_NAMED.iter().map(move |named| Facts {
                        log,
                        temp: *temp,
                        sealed: *sealed,
                        named: *named,
                    })
                })
            })
        })
    }

    #[test]
    fn every_combination_is_in_exactly_one_row() {
        assert_eq!(all().count(), 4 * 2 * 4 * 5);
        for facts in all() {
            let rows = TABLE.iter().filter(|row| row.applies(facts)).count();
            assert_eq!(rows, 1, "{facts:?}");
        }
        for row in TABLE {
            assert!(all().any(|facts| row.applies(facts)), "a row that never applies");
        }
    }

    #[test]
    fn nothing_is_touched_exactly_if_something_is_foreign() {
        for facts in all() {
            let is_foreign = facts.log == Log::Foreign
                || facts.sealed == Sealed::Foreign
                || facts.named == Named::Foreign;
            assert_eq!(decide(facts).is_refused, is_foreign, "{facts:?}");
            assert_eq!(decide(facts).drops_temp, !is_foreign);
        }
    }

    #[test]
    fn what_a_log_has_is_released_only_for_a_segment_that_is_there() {
        for facts in all().filter(|facts| !decide(*facts).is_refused) {
            let decision = decide(facts);
            if decision.log == LogStep::ReplayRest {
                assert_ne!(facts.sealed, Sealed::Absent, "{facts:?}");
            }
            let has_records = facts.log != Log::Empty;
            assert_eq!(decision.log != LogStep::Leave, has_records, "{facts:?}");
        }
    }

    #[test]
    fn every_loss_is_said() {
        for facts in all().filter(|facts| !decide(*facts).is_refused) {
            let says = |say| decide(facts).says.contains(&say);
            assert_eq!(says(Say::LogCut), facts.log == Log::Cut, "{facts:?}");
            let is_made_good = facts.log == Log::Whole;
            let is_damaged = facts.sealed == Sealed::Damaged;
            assert_eq!(says(Say::SegmentDamaged), is_damaged && !is_made_good, "{facts:?}");
            let is_missing = facts.sealed == Sealed::Absent && facts.named == Named::Yes;
            assert_eq!(says(Say::SegmentLost), is_missing && !is_made_good, "{facts:?}");
            let is_new = facts.log == Log::Empty && facts.sealed == Sealed::Absent;
            let is_lost = match facts.named {
                Named::Damaged => true,
                Named::NoManifest => !is_new,
                _ => false,
            };
            assert_eq!(says(Say::ManifestLost), is_lost, "{facts:?}");
        }
    }

    fn list(values: &[impl core::fmt::Debug]) -> String {
        let words = values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>();
        if words.is_empty() { "-".into() } else { words.join(", ") }
    }

    #[test]
    fn the_page_has_the_same_rows() {
        let rows = TABLE.iter().filter(|row| !row.decision.is_refused).map(|row| {
            let Decision { log, segment, manifest, says, .. } = row.decision;
            let (logs, sealed, named) = (list(row.log), list(row.sealed), list(row.named));
            let says = list(says);
            format!(
                "| {logs} | {sealed} | {named} | {log:?} | {segment:?} | {manifest:?} | {says} |"
            )
        });
        let rows: Vec<String> = rows.collect();
        let (_, page) = PAGE.split_once("<!-- table: decisions -->\n").unwrap();
        let page: Vec<_> = page.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert_eq!(page, rows, "docs/retention-format.md should say:\n{}", rows.join("\n"));
    }
}
