//! Every frame of logd, metricsd, statefsd, timed, policyd, bundlemgrd, execd, dsoftbusd and
//! entropyd: one encoder and one decoder each.
//!
//! `docs/wire.md` is this crate in prose, byte by byte; a test holds the two together. Decoding
//! checks the shape and the bounds, so that a decoded value is legal for ever; what a service
//! makes of it (identity, budgets, caps) is the service's business. All integers are little
//! endian, all times monotonic nanoseconds since boot unless a name says otherwise.
//!
//! Deliberately absent: allocation, and any decision that depends on who sent a frame.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

pub mod bundles;
mod bytes;
pub mod entropy;
pub mod exec;
mod fields;
pub mod files;
mod head;
mod ids;
mod ledger;
mod list;
pub mod logs;
pub mod markers;
pub mod metrics;
mod names;
mod numbers;
pub mod policy;
pub mod sessions;
pub mod state;
mod status;
pub mod timers;
mod vocabulary;

pub use bytes::EncodeError;
pub use fields::{
    FieldBounds, FieldError, Fields, FieldsWriter, is_identity_key, is_key, same_text,
};
pub use head::Echo;
pub use ids::{RecordId, SeriesId, SpanId, TraceId, WideTraceId};
pub use ledger::{AuditReply, LedgerRow, REASONS, Reason};
pub use names::{AttrBytes, Help, LabelBytes, Labels, MetricName, NameBytes, Scope, SpanName};
pub use status::{FileStatus, LogStatus, MetricStatus};
pub use vocabulary::{FileKind, HistoryLoss, Kind, Level, LossReason, SpanStatus, Tier, Unit};

/// Bytes of a metric's or span's name, at most.
pub const NAME_BYTES_MAX: usize = 48;
/// Bytes of a series' labels or of one list of attributes, at most.
pub const LABELS_BYTES_MAX: usize = 192;
/// Bytes of a metric's help text, at most.
pub const HELP_BYTES_MAX: usize = 120;
/// Bounds of a histogram, at most; it has one bucket more.
pub const BOUNDS_MAX: usize = 24;
/// Bytes of a record's scope, at most.
pub const SCOPE_BYTES_MAX: usize = 64;
/// Bytes of a record's message, at most.
pub const MESSAGE_BYTES_MAX: usize = 256;
/// Bytes of a record's fields, at most.
pub const FIELDS_BYTES_MAX: usize = 512;
/// Bytes of a file's name below its service's prefix, at most.
pub const FILE_NAME_BYTES_MAX: usize = 40;
/// Bytes of a file in one frame, at most.
pub const FILE_BYTES_MAX: usize = 4040;
/// Bytes of what a policy is asked about, at most.
pub const OBJECT_BYTES_MAX: usize = 64;
/// Bytes of a version 1 or 2 QUERY reply, at most.
pub const QUERY_REPLY_BYTES_MAX: usize = 2048;
/// Records of a version 1 or 2 QUERY reply, at most.
pub const QUERY_RECORDS_MAX: usize = 16;
