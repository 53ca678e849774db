use alloc::boxed::Box;
use alloc::string::String;

use nexus_bounded::Nanos;

/// Everything a recipe says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The journal.
    pub logd: LogdLimits,
    /// Metrics and spans.
    pub metricsd: MetricsdLimits,
    /// What must not be stored.
    pub redaction: Redaction,
    /// The Linux port.
    pub port: PortLimits,
    /// Services known by name.
    pub senders: Box<[SenderRule]>,
}

/// A budget of one sender, in units a second and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Events a second.
    pub events_per_s: u32,
    /// Events at once after a pause.
    pub events_burst: u32,
    /// Bytes of frames a second.
    pub bytes_per_s: u32,
    /// Bytes of frames at once after a pause.
    pub bytes_burst: u32,
}

/// A service the recipe knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRule {
    /// The service's name.
    pub name: String,
    /// On Linux: the user whose processes speak as this service. `None`: only by its own socket.
    pub uid: Option<u32>,
    /// Its budget at logd; `None`: the common one.
    pub logd_budget: Option<Budget>,
    /// Its budget at metricsd; `None`: the common one.
    pub metricsd_budget: Option<Budget>,
}

/// Limits of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogdLimits {
    /// Records kept at most.
    pub journal_records: u32,
    /// Bytes of records kept at most (scope, message, fields, and their storage's own needs).
    pub journal_bytes: u32,
    /// Records guaranteed to each sender, whatever others do.
    pub share_records: u32,
    /// Bytes guaranteed to each sender, whatever others do.
    pub share_bytes: u32,
    /// Senders known at a time.
    pub senders: u32,
    /// Bytes of a record's scope, at most 64.
    pub scope_bytes: u32,
    /// Bytes of a record's message, at most 256.
    pub message_bytes: u32,
    /// Bytes of a record's fields, at most 512.
    pub fields_bytes: u32,
    /// Number of a record's fields.
    pub fields_count: u32,
    /// Bytes of a field's key.
    pub key_bytes: u32,
    /// Bytes of a field's value.
    pub value_bytes: u32,
    /// Records one query looks at, at most; the rest is asked for with the returned cursor.
    pub query_scan_records: u32,
    /// Clock anchors kept.
    pub anchors: u32,
    /// A wall clock that has moved by more than this against the monotonic one gets a new anchor.
    pub anchor_drift: Nanos,
    /// A sender that is silent for this long may lose its place in the table to a newcomer.
    pub sender_idle: Nanos,
    /// The common budget of a sender.
    pub budget: Budget,
    /// The budget of a Linux user whom no rule names (`uid.<n>`).
    pub unknown_budget: Budget,
    /// What is kept on a disk, where there is one.
    pub retention: LogRetention,
}

/// What logd keeps on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRetention {
    /// Bytes of the disk that all of it takes at most, at any moment.
    pub bytes: u32,
    /// Bytes of the disk for records.
    pub log_bytes: u32,
    /// Files that they lie in.
    pub log_files: u32,
    /// What was appended is made durable so often.
    pub sync_interval: Nanos,
    /// Records of level error are made durable at once, but no more often than this.
    pub error_sync_interval: Nanos,
    /// Bytes of memory for what is on its way to the disk.
    pub wait_bytes: u32,
    /// Records of former lives in memory at most; they are part of the journal's.
    pub recovered_records: u32,
    /// Pause before a disk that has failed is tried again; doubled up to `retry_max`.
    pub retry_min: Nanos,
    /// The longest such pause.
    pub retry_max: Nanos,
}

/// Limits of metrics and spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsdLimits {
    /// Senders known at a time.
    pub senders: u32,
    /// Lives of senders (processes, connections) that hold registrations or spans at a time.
    pub sessions: u32,
    /// A life whose connection is gone is kept for this long, so that it may be resumed.
    pub session_grace: Nanos,
    /// A sender that is silent for this long may lose its place in the table to a newcomer.
    pub sender_idle: Nanos,
    /// Series in all, overflow series included.
    pub series: u32,
    /// Series of one sender.
    pub series_per_sender: u32,
    /// Series guaranteed to each sender, whatever others do.
    pub series_floor: u32,
    /// Series of one metric of one sender.
    pub series_per_metric: u32,
    /// Metrics (kind and name) of one sender.
    pub metrics_per_sender: u32,
    /// Histogram series in all.
    pub histograms: u32,
    /// Histogram series guaranteed to each sender.
    pub histograms_floor: u32,
    /// Series that lives hold a `SeriesId` for, in all.
    pub registrations: u32,
    /// Bytes for names, labels and helps of series and for names and attributes of live spans.
    pub text_bytes: u32,
    /// Number of labels of a series.
    pub labels_count: u32,
    /// Bytes of a label's or attribute's key.
    pub key_bytes: u32,
    /// Bytes of a label's or attribute's value.
    pub value_bytes: u32,
    /// Number of attributes of a span, start and end together.
    pub attrs_count: u32,
    /// A series that nobody has registered and nobody has touched for this long may be reclaimed.
    pub series_idle: Nanos,
    /// A metric that met its cap takes no new series for this long.
    pub quarantine: Nanos,
    /// Live spans in all.
    pub spans: u32,
    /// Live spans of one sender.
    pub spans_per_sender: u32,
    /// Live spans guaranteed to each sender.
    pub spans_floor: u32,
    /// A span older than this is closed as abandoned.
    pub span_ttl: Nanos,
    /// Length of the short windows: 10 s but on test images.
    pub window_short: Nanos,
    /// Length of the long windows: a multiple of the short ones, 60 s but on test images.
    pub window_long: Nanos,
    /// Bounds of histograms by name prefix, longest prefix first.
    pub buckets: Box<[BucketRule]>,
    /// The common budget of a sender.
    pub budget: Budget,
    /// The budget of a Linux user whom no rule names (`uid.<n>`).
    pub unknown_budget: Budget,
    /// Export to logd.
    pub export: ExportLimits,
    /// What is kept on a disk, where there is one.
    pub retention: MetricsRetention,
}

/// What metricsd keeps on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsRetention {
    /// Length of raw windows; `window_short` is a multiple of it.
    pub raw_interval: Nanos,
    /// What has happened is durable so soon, as fast as the disk is; two raw windows at least.
    pub sync_interval: Nanos,
    /// Bytes of the disk that all of it takes at most, at any moment.
    pub bytes: u32,
    /// Bytes of the disk for the log.
    pub log_bytes: u32,
    /// Files that the log lies in.
    pub log_files: u32,
    /// Bytes of memory for what is not on the disk yet.
    pub wait_bytes: u32,
    /// Bytes of memory for the windows that are not in a segment yet.
    pub buffer_bytes: u32,
    /// Windows of a segment; it is sealed where their number is a multiple of this.
    pub segment_windows: u32,
    /// Bytes of the disk that are reserved for a segment while it is written; one that needs more
    /// is sealed earlier.
    pub segment_bytes: u32,
    /// Pause before a disk that has failed is tried again; doubled up to `retry_max`.
    pub retry_min: Nanos,
    /// The longest such pause.
    pub retry_max: Nanos,
    /// Windows of `raw_interval`.
    pub raw: TierLimits,
    /// Windows of `window_short`.
    pub short: TierLimits,
    /// Windows of `window_long`.
    pub long: TierLimits,
}

/// How much of one length of windows is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierLimits {
    /// Time with power on after which a segment is deleted.
    pub ttl: Nanos,
    /// Bytes of the disk, the segment that is being written among them.
    pub bytes: u32,
    /// Sealed segments.
    pub segments: u32,
}

/// Bounds of the histograms whose names begin with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRule {
    /// What their names begin with.
    pub prefix: String,
    /// Upper bounds, inclusive, ascending; at most 24.
    pub bounds: Box<[u64]>,
}

/// Limits of the export to logd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportLimits {
    /// Time between two rounds of snapshots.
    pub interval: Nanos,
    /// Every so many rounds all series are exported, changed or not.
    pub full_every: u32,
    /// Records a second, snapshots and span ends together.
    pub records_per_s: u32,
    /// Bytes of records a second.
    pub bytes_per_s: u32,
    /// Bytes of span-end records that wait for logd.
    pub queue_bytes: u32,
    /// Calls to logd under way at a time.
    pub in_flight: u32,
    /// Pause before logd is tried again after it was away; doubled up to `retry_max`.
    pub retry_min: Nanos,
    /// The longest pause.
    pub retry_max: Nanos,
}

/// What a hit of the redaction rules does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSecret {
    /// The whole item is refused with `invalid_args`.
    Refuse,
    /// The value is replaced by `[redacted]` and counted.
    Replace,
}

/// What must not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// What a hit does.
    pub on_secret: OnSecret,
    /// Keys whose values are secret, as words: letters alone count, and a key hits that has them
    /// one behind the other.
    pub deny_keys: Box<[String]>,
    /// Whole keys that never hit by key, although a word of theirs is denied, nor by the shape of
    /// their values (`hex_run`, `base64_run`).
    pub allow_keys: Box<[String]>,
    /// Values that begin with one of these are secret, also as a word within a message.
    pub deny_prefixes: Box<[String]>,
    /// Words of at least so many hexadecimal digits are secret; 0 switches the rule off.
    pub hex_run: u32,
    /// Words of at least so many characters of base64 that mix upper case, lower case and digits
    /// are secret; 0 switches the rule off.
    pub base64_run: u32,
}

/// Limits of the Linux port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortLimits {
    /// Connections at a time.
    pub connections: u32,
    /// Connections of one sender at a time.
    pub connections_per_sender: u32,
    /// Frames taken from one connection before the next one's turn.
    pub frames_per_turn: u32,
    /// Replies that wait for their connections to read, in all; each takes a frame of memory.
    pub pending_replies: u32,
    /// A connection that has not taken a reply for this long is cut off.
    pub slow_reader: Nanos,
    /// Under load the loop sleeps this long between two drains.
    pub drain_interval: Nanos,
    /// The group whose members may read (query, scrape) besides root and the daemon's own user.
    pub readers_group: Option<String>,
}
