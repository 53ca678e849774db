//! The metadata: which files there are, where they lie, how long they are, and the last bytes of
//! those that grow.
//!
//! A sync is one *record*: what has changed, or in a *snapshot* everything. Records fill whole
//! *pages* of one sector. An *area* begins with a snapshot, changes follow; when it is full, the
//! other area begins. Each page is written twice, far apart.

mod item;
mod page;
mod record;
mod scan;

pub use item::Kind;
pub(crate) use item::{Item, decode};
pub(crate) use page::{PageHead, page_at};
pub(crate) use record::Record;
pub(crate) use scan::{Scan, Scanned};

pub(crate) const ITEM_BYTES_MAX: usize = item::BYTES_MAX;
pub(crate) const PAGE_PAYLOAD_BYTES: usize = page::PAYLOAD_BYTES;
