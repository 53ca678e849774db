//! What STATUS says of what is kept.

use core::fmt;

use nexus_retention::generation::Generation;
use nexus_retention::keeper::{Shelf, Store};
use nexus_retention::name::SegmentName;
use nexus_wire::FieldsWriter;
use nexus_wire::state::metricsd as key;

use super::Retention;

/// A segment by its boot and first window.
struct Named(Option<SegmentName>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "{}.{}", name.boot, name.first),
            None => f.write_str("none"),
        }
    }
}

/// Writes the fields; where nothing is kept they say so.
pub(crate) fn write_status(retention: Option<&Retention>, out: &mut FieldsWriter<'_>) -> bool {
    let store = retention.map(|retention| retention.keeper().store());
    let losses = retention.map(|retention| *retention.keeper().losses()).unwrap_or_default();
    let last_sync = retention.and_then(|retention| retention.keeper().last_sync());
    let settled = retention.and_then(|retention| retention.keeper().settled());
    let state = retention.map(Retention::state);
    let unrolled = store.map(Store::unrolled).unwrap_or_default();
    let older = store.and_then(Store::settled).and_then(|settled| settled.older);
    let dropped = store.map_or(0, |store| store.counts().dropped);
    let shelf = |tier: usize| store.and_then(|store| store.shelves().get(tier));
    out.field(key::RETENTION_FLASH_BYTES_PER_DAY, retention.map_or(0, Retention::flash))
        && out.field(key::RETENTION_GENERATION, settled.map_or(0, |it| it.current.number()))
        && out.field(key::RETENTION_LAST_SYNC_NS, last_sync.map_or(0, |at| at.0))
        && write_shelf(shelf(2), LONG, out)
        && out.field(key::RETENTION_LOST, losses.windows)
        && write_shelf(shelf(0), RAW, out)
        && out.field(key::RETENTION_REASON, state.map_or("none", super::State::reason))
        && out.field(key::RETENTION_RELOADS, losses.reloads)
        && out.field(key::RETENTION_SET_ASIDE, older.map_or(0, Generation::number))
        && out.field(key::RETENTION_SET_ASIDE_DROPPED, dropped)
        && write_shelf(shelf(1), SHORT, out)
        && out.field(key::RETENTION_SKIPPED, retention.map_or(0, Retention::skipped))
        && out.field(key::RETENTION_STATE, state.map_or("off", super::State::name))
        && out.field(key::RETENTION_UNLOGGED, losses.unlogged)
        && out.field(key::RETENTION_UNROLLED, unrolled.unreadable + unrolled.too_large)
        && out.field(key::RETENTION_WRITTEN_BYTES, store.map_or(0, |store| store.counts().written))
}

/// Bytes, newest, oldest, segments.
type Keys = [&'static str; 4];

const RAW: Keys = [
    key::RETENTION_RAW_BYTES,
    key::RETENTION_RAW_NEWEST,
    key::RETENTION_RAW_OLDEST,
    key::RETENTION_RAW_SEGMENTS,
];
const SHORT: Keys = [
    key::RETENTION_SHORT_BYTES,
    key::RETENTION_SHORT_NEWEST,
    key::RETENTION_SHORT_OLDEST,
    key::RETENTION_SHORT_SEGMENTS,
];
const LONG: Keys = [
    key::RETENTION_LONG_BYTES,
    key::RETENTION_LONG_NEWEST,
    key::RETENTION_LONG_OLDEST,
    key::RETENTION_LONG_SEGMENTS,
];

fn write_shelf(shelf: Option<&Shelf>, keys: Keys, out: &mut FieldsWriter<'_>) -> bool {
    let [bytes, newest, oldest, segments] = keys;
    out.field(bytes, shelf.map_or(0, Shelf::bytes))
        && out.field(newest, Named(shelf.and_then(Shelf::newest)))
        && out.field(oldest, Named(shelf.and_then(Shelf::oldest)))
        && out.field(segments, shelf.map_or(0, |shelf| shelf.segments().len()))
}
