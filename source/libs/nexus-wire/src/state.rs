//! Keys of the STATUS replies: one list for the daemons that write them and for whoever looks for
//! them, so that neither names one that the other does not know.
//!
//! Not listed are keys that are made while a daemon runs: `port_*` of the port's totals,
//! `refused_*` of logd by reason, `quarantine.<n>` of metricsd and, while something that clients
//! recorded has not arrived, `clients_missing_who`.

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        $($(#[$doc])* pub const $name: &str = $key;)*

        /// All of them, sorted as STATUS replies are.
        pub const ALL: &[&str] = &[$($key),*];
    };
}

/// What logd says of itself.
pub mod logd {
    keys! {
        /// Clock anchors kept.
        ANCHORS = "anchors",
        /// Clock anchors that found no room.
        ANCHORS_LOST = "anchors_lost",
        /// Number of this start.
        BOOT = "boot",
        /// Bytes of records kept.
        BYTES = "bytes",
        /// Bytes of records kept at most.
        BYTES_MAX = "bytes_max",
        /// Records dropped to make room.
        DROPPED = "dropped",
        /// Whether a record was appended and read back at start: 0 or 1.
        READY = "ready",
        /// Records kept.
        RECORDS = "records",
        /// Records kept at most.
        RECORDS_MAX = "records_max",
        /// Values in which a secret was replaced.
        REDACTED = "redacted",
        /// What becomes of records on the disk: `off`, `ok`, `reading` what former lives have kept,
        /// or why nothing is kept for the time being.
        RETENTION = "retention",
        /// The last record that is durable, 0 if none of this start is.
        RETENTION_DURABLE = "retention_durable",
        /// The generation of files in use.
        RETENTION_GENERATION = "retention_generation",
        /// Records that former lives had kept and that were not found.
        RETENTION_LOST = "retention_lost",
        /// Records that had to go before they were on the disk.
        RETENTION_MISSED = "retention_missed",
        /// Records of former lives that were found.
        RETENTION_RECOVERED = "retention_recovered",
        /// Of them, those in the journal now.
        RETENTION_RECOVERED_KEPT = "retention_recovered_kept",
        /// The generation that was set aside; 0: none.
        RETENTION_SET_ASIDE = "retention_set_aside",
        /// Records handed over to the disk.
        RETENTION_WRITTEN = "retention_written",
        /// Senders known.
        SENDERS = "senders",
        /// Senders that lost their seats.
        SENDERS_DISPLACED = "senders_displaced",
        /// Of these, those that were not silent for long.
        SENDERS_DISPLACED_ACTIVE = "senders_displaced_active",
        /// Senders known at most.
        SENDERS_MAX = "senders_max",
        /// Records taken since the start.
        TOTAL = "total",
        /// Time since the start, ns.
        UPTIME_NS = "uptime_ns",
    }
}

/// What metricsd says of itself.
pub mod metricsd {
    keys! {
        /// Number of this start.
        BOOT = "boot",
        /// Increments that clients say they recorded and that have not arrived.
        CLIENTS_MISSING_COUNTED = "clients_missing_counted",
        /// Observations, likewise.
        CLIENTS_MISSING_OBSERVED = "clients_missing_observed",
        /// Sum of observations, likewise.
        CLIENTS_MISSING_SUM = "clients_missing_sum",
        /// Clients that have said what they recorded.
        CLIENTS_TOLD = "clients_told",
        /// Increments ever taken.
        COUNTED_TOTAL = "counted_total",
        /// Records that logd acknowledged.
        EXPORT_ACKNOWLEDGED = "export_acknowledged",
        /// Whether logd could not be reached when it was last tried.
        EXPORT_AWAY = "export_away",
        /// Calls to logd under way.
        EXPORT_IN_FLIGHT = "export_in_flight",
        /// How often logd began anew without what it had acknowledged.
        EXPORT_LOGD_RESTARTS = "export_logd_restarts",
        /// Records that were lost so.
        EXPORT_LOST = "export_lost",
        /// Bytes of ended spans that wait.
        EXPORT_QUEUE_BYTES = "export_queue_bytes",
        /// Whether a record of metricsd's own was appended to logd and read back.
        EXPORT_READY = "export_ready",
        /// Records that logd refused for good.
        EXPORT_REFUSED = "export_refused",
        /// Frames that were sent again.
        EXPORT_REPEATS = "export_repeats",
        /// Rounds of snapshots begun.
        EXPORT_ROUNDS = "export_rounds",
        /// Spans that found no room in the queue.
        EXPORT_SPANS_DROPPED = "export_spans_dropped",
        /// Keys that went into an overflow series.
        FOLDS = "folds",
        /// Frames taken.
        FRAMES = "frames",
        /// Helps that found no room.
        HELPS_LEFT_OUT = "helps_left_out",
        /// Records that the present logd acknowledged.
        LOGD_ACKNOWLEDGED = "logd_acknowledged",
        /// Number of the present logd's start.
        LOGD_BOOT = "logd_boot",
        /// Sum of all observations ever taken.
        OBSERVED_SUM = "observed_sum",
        /// Observations ever taken.
        OBSERVED_TOTAL = "observed_total",
        /// Metrics in quarantine.
        QUARANTINED = "quarantined",
        /// How often a metric went into quarantine.
        QUARANTINES = "quarantines",
        /// Series reclaimed.
        RECLAIMED = "reclaimed",
        /// Series numbers that living senders hold.
        REGISTRATIONS = "registrations",
        /// The same at most.
        REGISTRATIONS_CAP = "registrations_cap",
        /// Bytes that the disk is written a day with 200 series that change every 10 s, as the
        /// recipe makes it expected.
        RETENTION_FLASH_BYTES_PER_DAY = "retention_flash_bytes_per_day",
        /// The generation of files in use, 0 while that is not known.
        RETENTION_GENERATION = "retention_generation",
        /// Time since boot when all that was recorded was last found durable, ns.
        RETENTION_LAST_SYNC_NS = "retention_last_sync_ns",
        /// Bytes of the disk that long windows take.
        RETENTION_LONG_BYTES = "retention_long_bytes",
        /// The newest sealed segment of long windows: boot and first window.
        RETENTION_LONG_NEWEST = "retention_long_newest",
        /// The oldest.
        RETENTION_LONG_OLDEST = "retention_long_oldest",
        /// How many there are.
        RETENTION_LONG_SEGMENTS = "retention_long_segments",
        /// Windows that were recorded and are in no segment.
        RETENTION_LOST = "retention_lost",
        /// Bytes of the disk that raw windows take.
        RETENTION_RAW_BYTES = "retention_raw_bytes",
        /// The newest sealed segment of raw windows.
        RETENTION_RAW_NEWEST = "retention_raw_newest",
        /// The oldest.
        RETENTION_RAW_OLDEST = "retention_raw_oldest",
        /// How many there are.
        RETENTION_RAW_SEGMENTS = "retention_raw_segments",
        /// Why windows are not kept, or not on the disk; `none` where they are.
        RETENTION_REASON = "retention_reason",
        /// How often a segment in the making was lost and read again from the log.
        RETENTION_RELOADS = "retention_reloads",
        /// The generation that was set aside and is still there, or 0.
        RETENTION_SET_ASIDE = "retention_set_aside",
        /// Files that were set aside and deleted, because there was no room beside them.
        RETENTION_SET_ASIDE_DROPPED = "retention_set_aside_dropped",
        /// Bytes of the disk that short windows take.
        RETENTION_SHORT_BYTES = "retention_short_bytes",
        /// The newest sealed segment of short windows.
        RETENTION_SHORT_NEWEST = "retention_short_newest",
        /// The oldest.
        RETENTION_SHORT_OLDEST = "retention_short_oldest",
        /// How many there are.
        RETENTION_SHORT_SEGMENTS = "retention_short_segments",
        /// Windows that were over and could not be kept; what they had went into later ones.
        RETENTION_SKIPPED = "retention_skipped",
        /// `off`, `starting`, `keeping` or `degraded`.
        RETENTION_STATE = "retention_state",
        /// Records that found no room in the log.
        RETENTION_UNLOGGED = "retention_unlogged",
        /// Segments that could not be made part of longer windows.
        RETENTION_UNROLLED = "retention_unrolled",
        /// Bytes written into segments and manifests since the start.
        RETENTION_WRITTEN_BYTES = "retention_written_bytes",
        /// Counters that reached their end.
        SATURATIONS = "saturations",
        /// Senders known.
        SENDERS = "senders",
        /// Senders known at most.
        SENDERS_CAP = "senders_cap",
        /// Senders that lost their seats.
        SENDERS_DISPLACED = "senders_displaced",
        /// Of these, those that were not silent for long.
        SENDERS_DISPLACED_ACTIVE = "senders_displaced_active",
        /// Series kept.
        SERIES = "series",
        /// Series kept at most.
        SERIES_CAP = "series_cap",
        /// Counters kept.
        SERIES_COUNTERS = "series_counters",
        /// Series of senders that lost their seats.
        SERIES_DISPLACED = "series_displaced",
        /// Gauges kept.
        SERIES_GAUGES = "series_gauges",
        /// Histograms kept.
        SERIES_HISTOGRAMS = "series_histograms",
        /// Lives of senders.
        SESSIONS = "sessions",
        /// The same at most.
        SESSIONS_CAP = "sessions_cap",
        /// Lives whose connection is gone.
        SESSIONS_PARTED = "sessions_parted",
        /// Updates of counters and histograms taken one by one: no client tells their sums.
        SINGLE_UPDATES = "single_updates",
        /// Spans that live.
        SPANS_LIVE = "spans_live",
        /// Blocks of text in use.
        TEXT_BLOCKS = "text_blocks",
        /// The same at most.
        TEXT_BLOCKS_CAP = "text_blocks_cap",
        /// Length of the long windows, ns.
        WINDOW_LONG_NS = "window_long_ns",
        /// Length of the short windows, ns.
        WINDOW_SHORT_NS = "window_short_ns",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_none_comes_twice() {
        for keys in [logd::ALL, metricsd::ALL] {
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
        }
    }
}
