//! What the keys of `[metricsd.retention]` say against each other and against the windows.

use super::table::Report;
use super::units::Unit;

/// Full groups of a segment, at most.
const GROUPS: u64 = 63;
/// What a window needs at least, so that a record of any one series fits.
const WINDOW_BYTES_MIN: u64 = 1536;
/// What a series takes of a group besides its samples, at most.
const SERIES_BYTES: u64 = 32;

/// Windows of a group, of which one segment makes one in the next tier.
const ROWS: u64 = 64;
/// The manifest, and the one that takes its place.
const MANIFEST_BYTES: u64 = 2 * 512;

const RAW: &str = "metricsd.retention.raw_interval";
const SHORT: &str = "metricsd.window_short";
const LONG: &str = "metricsd.window_long";
const SYNC: &str = "metricsd.retention.sync_interval";
const WINDOWS: &str = "metricsd.retention.segment_windows";
const SEGMENT: &str = "metricsd.retention.segment_bytes";
const WHOLE: &str = "metricsd.retention.bytes";
const TIERS: [&str; 3] = [
    "metricsd.retention.raw.bytes",
    "metricsd.retention.short.bytes",
    "metricsd.retention.long.bytes",
];

pub(super) fn check(report: &mut Report<'_>) {
    if report.is_wrong(LONG) {
        return;
    }
    raw_windows_make_short_ones(report);
    if report.is_wrong(RAW) {
        return;
    }
    windows_are_whole_before_syncs(report);
    segments_end_where_windows_do(report);
    a_segment_makes_one_group(report);
    parts_fit_the_whole(report);
    tiers_hold_what_the_next_is_made_of(report);
    memory_fits_the_log(report);
    a_window_fits(report);
    a_group_fits_a_segment(report);
}

fn number(report: &Report<'_>, key: &str) -> Option<u64> {
    report.number(key).map(|seen| seen.number)
}

fn raw_windows_make_short_ones(report: &mut Report<'_>) {
    let (Some(raw), Some(short)) = (number(report, RAW), number(report, SHORT)) else { return };
    if short % raw != 0 {
        let [raw, short] = [raw, short].map(|n| Unit::Duration.show(n));
        let what = format!("{SHORT} = {short} is no multiple of {raw}; choose a part of it");
        report.error_at(RAW, what);
    }
}

/// A window is durable when it is whole and the disk has had some time: a second window's, at most.
fn windows_are_whole_before_syncs(report: &mut Report<'_>) {
    let (Some(raw), Some(sync)) = (number(report, RAW), number(report, SYNC)) else { return };
    if raw.saturating_mul(2) > sync {
        let [raw, sync] = [raw, sync].map(|n| Unit::Duration.show(n));
        let what = format!(
            "{raw} is more than half of {SYNC} = {sync}: a window would be whole too late to be \
             durable by then; lower it or raise {SYNC}"
        );
        report.error_at(RAW, what);
    }
}

/// Otherwise a longer window would lie in two segments.
fn segments_end_where_windows_do(report: &mut Report<'_>) {
    let (Some(windows), Some(long)) = (number(report, WINDOWS), number(report, LONG)) else {
        return;
    };
    for part in [RAW, SHORT] {
        let Some(window) = number(report, part) else { continue };
        if !long.is_multiple_of(window) || !windows.is_multiple_of(long / window) {
            let [window, long] = [window, long].map(|n| Unit::Duration.show(n));
            let what = format!(
                "{windows} windows of {window} do not end where one of {LONG} = {long} does; \
                 choose a multiple of that"
            );
            return report.error_at(WINDOWS, what);
        }
    }
}

fn a_segment_makes_one_group(report: &mut Report<'_>) {
    let Some(windows) = number(report, WINDOWS) else { return };
    for (part, whole) in [(RAW, SHORT), (SHORT, LONG)] {
        let (Some(part), Some(length)) = (number(report, part), number(report, whole)) else {
            continue;
        };
        let longer = windows.saturating_mul(part).div_ceil(length);
        if longer > ROWS {
            let what = format!(
                "a segment makes {longer} windows of {whole}, and a group has {ROWS}; lower it"
            );
            return report.error_at(WINDOWS, what);
        }
    }
}

fn parts_fit_the_whole(report: &mut Report<'_>) {
    let Some(log) = number(report, "metricsd.retention.log_bytes") else { return };
    let tiers = TIERS.iter().map(|key| number(report, key)).collect::<Option<Vec<_>>>();
    let (Some(tiers), Some(whole)) = (tiers, number(report, WHOLE)) else { return };
    let needed = tiers.iter().sum::<u64>() + log + MANIFEST_BYTES;
    if needed > whole {
        let [needed, whole] = [needed, whole].map(|n| Unit::Size.show(n));
        let what = format!(
            "{whole} is less than {needed}: the log, the three tiers and the manifest twice; raise \
             it or lower those"
        );
        report.error_at(WHOLE, what);
    }
}

/// Segments of a tier are not deleted before the longer windows made of them are sealed: the tier
/// has room for those of one longer segment, the one that is being written, and one to spare.
fn tiers_hold_what_the_next_is_made_of(report: &mut Report<'_>) {
    let lengths = [RAW, SHORT, LONG].map(|key| number(report, key));
    let ([Some(raw), Some(short), Some(long)], Some(segment)) = (lengths, number(report, SEGMENT))
    else {
        return;
    };
    let made_of = [short / raw.max(1), long / short.max(1), 0];
    for (key, sources) in TIERS.into_iter().zip(made_of) {
        let Some(bytes) = number(report, key) else { continue };
        let segments = sources + 2;
        let needed = segments.saturating_mul(segment);
        if bytes < needed {
            let [bytes, needed] = [bytes, needed].map(|n| Unit::Size.show(n));
            let what = format!(
                "{bytes} is less than {needed}, {segments} segments of {SEGMENT}; raise it or \
                 lower that"
            );
            report.error_at(key, what);
        }
        let key = key.replace(".bytes", ".segments");
        if let Some(places) = number(report, &key)
            && places < segments
        {
            let what = format!("{places} is less than the {segments} that are needed; raise it");
            report.error_at(&key, what);
        }
    }
}

/// What waits in memory must find a place in the log: all of its files but the one that is given
/// back and the one that is begun.
fn memory_fits_the_log(report: &mut Report<'_>) {
    let keys = ["log_files", "log_bytes", "wait_bytes"];
    let numbers = keys.map(|key| number(report, &format!("metricsd.retention.{key}")));
    let [Some(files), Some(log), Some(wait)] = numbers else { return };
    let holds = log / 512 / files.max(1) * files.saturating_sub(2) * 512;
    if wait >= holds {
        let [wait, holds] = [wait, holds].map(|n| Unit::Size.show(n));
        let what = format!(
            "{wait} is not less than {holds}, which all files of the log but two hold; lower it or \
             raise metricsd.retention.log_bytes"
        );
        report.error_at("metricsd.retention.wait_bytes", what);
    }
}

/// Two groups of so many windows each that a segment has few enough of them.
fn a_window_fits(report: &mut Report<'_>) {
    let keys = ["buffer_bytes", "wait_bytes", "segment_windows"];
    let numbers = keys.map(|key| number(report, &format!("metricsd.retention.{key}")));
    let [Some(buffer), Some(wait), Some(windows)] = numbers else { return };
    let in_a_group = windows.div_ceil(GROUPS);
    let window = buffer / 2 / in_a_group;
    if window < WINDOW_BYTES_MIN {
        let needed = Unit::Size.show(WINDOW_BYTES_MIN * in_a_group * 2);
        let what = format!("no window of two groups would have room; raise it to {needed}");
        return report.error_at("metricsd.retention.buffer_bytes", what);
    }
    // A window is logged whole, or not at all.
    let needed = window / 464 * 512 + 4 * 512;
    if wait < 2 * needed {
        let needed = Unit::Size.show(2 * needed);
        let what = format!("two windows take {needed}; raise it to that or lower buffer_bytes");
        report.error_at("metricsd.retention.wait_bytes", what);
    }
}

fn a_group_fits_a_segment(report: &mut Report<'_>) {
    let buffer = number(report, "metricsd.retention.buffer_bytes");
    let (Some(buffer), Some(series), Some(segment)) =
        (buffer, number(report, "metricsd.series"), number(report, SEGMENT))
    else {
        return;
    };
    let needed = buffer / 2 + series.saturating_mul(SERIES_BYTES);
    if segment < needed {
        let [segment, needed] = [segment, needed].map(|n| Unit::Size.show(n));
        let what = format!("{segment} holds no group, which takes {needed}; raise it to that");
        report.error_at(SEGMENT, what);
    }
}
