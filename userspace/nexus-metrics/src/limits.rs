//! How much one process may record. Everything is sized here, once.

/// Cells of one page: a page is one 4 KiB page of memory.
pub const CELLS_PER_PAGE: usize = 512;
/// Pages that one thread may own; their cells together are all cells that a process has.
pub const COLUMNS: usize = 8;
/// Cells of a process. A counter takes one, a histogram one per bucket and one for the sum.
pub const CELLS: usize = CELLS_PER_PAGE * COLUMNS;
/// Pages of all threads together, 4 KiB each. Threads beyond count in the shared pages.
pub const PAGES_MAX: usize = 256;
/// Gauges of a process.
pub const GAUGES: usize = 512;
/// Series of a process.
pub const SERIES_MAX: usize = 1024;
/// Names of spans of a process.
pub const SPAN_NAMES_MAX: usize = 512;
/// Label sets that one family remembers.
pub const FAMILY_SLOTS: usize = 64;
/// Spans of one thread that may be open at a time.
pub const OPEN_SPANS_MAX: usize = 32;
/// Words of a thread's ring of finished spans; a span without attributes takes five.
pub const RING_WORDS: usize = 4096;
/// Threads that record spans at a time.
pub const LANES_MAX: usize = 64;
/// Attributes of a span.
pub const ATTRS_MAX: usize = 16;
/// Bytes of a label's or an attribute's value.
pub const VALUE_BYTES_MAX: usize = 128;
/// Bytes of a label's or an attribute's key.
pub const KEY_BYTES_MAX: usize = 32;
