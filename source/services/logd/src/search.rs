use core::ops::Range;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_wire::logs::{Found, Record, Search, SearchWriter};
use nexus_wire::{EncodeError, Fields, FieldsWriter, Level, RecordId};

use crate::journal::{Buffer, Entry, Gap, Journal, TEXT_BYTES_MAX};

/// One page of a search: looks at `scan_max` records and gaps at most. Marks of dropped records
/// need no look, as they are passed over in a few steps however many they are. `has_past`: what is
/// there of former boots comes behind all of it.
pub(crate) fn page<'b>(
    journal: &Journal,
    search: &Search<'_>,
    scan_max: u32,
    has_past: bool,
    mut page: SearchWriter<'b>,
) -> Result<&'b [u8], EncodeError> {
    let mut text = [0; TEXT_BYTES_MAX];
    let mut last = search.id;
    let mut more = has_past;
    for (looked, place) in (0..).zip(Places::new(journal, search)) {
        let written = match place {
            _ if looked == scan_max || page.len() == search.max => false,
            Place::Gap(service, gap) => write_gap(service, gap, &mut page),
            Place::Entry(entry) => write_match(journal, entry, search, &mut text, &mut page),
        };
        if !written {
            more = true;
            break;
        }
        last = place.id();
    }
    page.finish(last, more)
}

/// Whether there is anything behind the cursor, in the direction of a search.
pub(crate) fn has_more(journal: &Journal, search: &Search<'_>) -> bool {
    Places::new(journal, search).next().is_some()
}

/// `false` only if the page is full.
fn write_match(
    journal: &Journal,
    entry: &Entry,
    search: &Search<'_>,
    text: &mut Buffer,
    page: &mut SearchWriter<'_>,
) -> bool {
    let foreign = search.service.is_some_and(|service| service != entry.service);
    if foreign || entry.level > search.level_max {
        return true;
    }
    let record = journal.read(entry, text);
    !has(&record, search) || page.found(&Found::Record(record))
}

pub(crate) fn has(record: &Record<'_>, search: &Search<'_>) -> bool {
    let mut pair = search.pair.iter();
    record.scope.starts_with(search.scope)
        && pair.all(|(key, value)| record.fields.get(key) == Some(value))
}

/// Bytes of a gap's five fields with numbers of 20 digits.
const GAP_BYTES_MAX: usize = 160;

/// Writes a record that stands for what a sender has lost.
fn write_gap(service: ServiceId, gap: &Gap, page: &mut SearchWriter<'_>) -> bool {
    let mut buffer = [0; GAP_BYTES_MAX];
    let mut fields = FieldsWriter::new(&mut buffer);
    let written = fields.field("count", gap.count)
        && fields.field("first_id", gap.first_id)
        && fields.field("first_ns", gap.first.0)
        && fields.field("last_id", gap.last_id)
        && fields.field("last_ns", gap.last.0);
    assert!(written, "five numbers fit");
    page.found(&Found::Gap(Record {
        id: gap.last_id,
        ts_ns: gap.last.0,
        service,
        level: Level::Warn,
        scope: "logd",
        message: "gap",
        fields: fields.finish().unwrap_or(Fields::EMPTY),
    }))
}

/// Something a search looks at.
#[derive(Clone, Copy)]
enum Place<'j> {
    Entry(&'j Entry),
    Gap(ServiceId, &'j Gap),
}

impl Place<'_> {
    const fn id(&self) -> RecordId {
        match self {
            Self::Entry(entry) => entry.id,
            Self::Gap(_, gap) => gap.last_id,
        }
    }
}

/// Kept entries within the times of a search, and gaps that overlap them, from its cursor on, in
/// its direction. A gap stands at the id of the last record it covers.
struct Places<'j, 's> {
    journal: &'j Journal,
    search: &'s Search<'s>,
    /// Entries not passed yet.
    entries: Range<usize>,
    /// The gap that comes next.
    gap: Option<(ServiceId, &'j Gap)>,
}

impl<'j, 's> Places<'j, 's> {
    fn new(journal: &'j Journal, search: &'s Search<'s>) -> Self {
        let mut entries = journal.range(Mono(search.since_ns), Mono(search.until_ns));
        if !search.backward {
            entries.start = entries.end.min(entries.start.max(journal.behind(search.id)));
        } else if search.id != RecordId(0) {
            let before = RecordId(search.id.0 - 1);
            entries.end = entries.start.max(entries.end.min(journal.behind(before)));
        }
        let mut places = Self { journal, search, entries, gap: None };
        places.gap = places.gap_behind(search.id);
        places
    }

    /// The gap that comes next behind an id (in front of it when going backward, 0: from the end).
    fn gap_behind(&self, id: RecordId) -> Option<(ServiceId, &'j Gap)> {
        let search = self.search;
        if !search.gaps {
            return None;
        }
        let asked = self.journal.gaps().filter(|(service, gap)| {
            search.service.is_none_or(|asked| asked == *service)
                && gap.overlaps(Mono(search.since_ns), Mono(search.until_ns))
        });
        if search.backward {
            asked
                .filter(|(_, gap)| id == RecordId(0) || gap.last_id < id)
                .max_by_key(|(_, gap)| gap.last_id)
        } else {
            asked.filter(|(_, gap)| gap.last_id > id).min_by_key(|(_, gap)| gap.last_id)
        }
    }

    /// The next kept entry, not passed yet.
    fn entry(&mut self) -> Option<&'j Entry> {
        if self.search.backward {
            let (at, entry) = self.journal.last_kept(&self.entries)?;
            self.entries.end = at + 1;
            Some(entry)
        } else {
            let (at, entry) = self.journal.first_kept(&self.entries)?;
            self.entries.start = at;
            Some(entry)
        }
    }

    fn pass_entry(&mut self) {
        if self.search.backward {
            self.entries.end -= 1;
        } else {
            self.entries.start += 1;
        }
    }
}

impl<'j> Iterator for Places<'j, '_> {
    type Item = Place<'j>;

    fn next(&mut self) -> Option<Place<'j>> {
        let entry = self.entry();
        match (entry, self.gap) {
            (entry, Some((service, gap)))
                if entry.is_none_or(|entry| (gap.last_id < entry.id) != self.search.backward) =>
            {
                self.gap = self.gap_behind(gap.last_id);
                Some(Place::Gap(service, gap))
            }
            (Some(entry), _) => {
                self.pass_entry();
                Some(Place::Entry(entry))
            }
            (None, _) => None,
        }
    }
}
