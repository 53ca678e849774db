//! How much one record may say. What is longer is cut, with a mark, and the cut is told.

/// Bytes of a field's value, at most.
pub const VALUE_BYTES_MAX: usize = 256;
/// Fields that a record's author may give it.
pub const FIELDS_MAX: usize = 16;
/// Bytes of these fields; the rest of what a frame carries is for those that this crate adds.
pub const FIELDS_BYTES_MAX: usize = 368;
/// Bytes of records that wait for logd.
pub const QUEUE_BYTES: usize = 64 * 1024;
/// Lines a second on the console while logd is away.
pub const CONSOLE_LINES_PER_S: u64 = 2;
/// The same at once, after a time of few.
pub const CONSOLE_LINES_BURST: u64 = 8;
/// Bytes of such a line; the console of the guest takes 256.
pub const CONSOLE_LINE_BYTES_MAX: usize = 160;
/// Records that may wait for logd's answers.
pub const WINDOW: usize = 64;
