//! Splitting of fields that do not fit one record.

use nexus_wire::{Fields, FieldsWriter};

/// What one record holds.
#[derive(Clone, Copy)]
pub(super) struct RecordBounds {
    /// Bytes of its fields.
    pub(super) bytes: usize,
    /// Number of its fields.
    pub(super) count: usize,
}

/// `part=99/99` and its newline.
const PART_BYTES: usize = 11;
const PARTS_MAX: u16 = 99;

/// How fields are told apart into parts: those that `ids` names stand in each part, the others in
/// one, in order.
#[derive(Clone, Copy)]
pub(super) struct Split<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) ids: &'static [&'static str],
    pub(super) bounds: RecordBounds,
}

const fn line_bytes((key, value): (&str, &str)) -> usize {
    key.len() + value.len() + 2
}

impl<'a> Split<'a> {
    fn is_id(&self, key: &str) -> bool {
        self.ids.contains(&key)
    }

    /// How many records it takes; `None` if a single field is too long for one, or they are more
    /// than 99.
    pub(super) fn parts(&self) -> Option<u16> {
        let RecordBounds { bytes, count } = self.bounds;
        if self.fields.as_str().len() <= bytes && self.fields.iter().count() <= count {
            return Some(1);
        }
        let too_long = |(part, key, value): (Option<u16>, &str, &str)| {
            part.is_some() && self.id_bytes() + line_bytes((key, value)) > bytes
        };
        if self.assigned().any(too_long) || self.id_count() >= count {
            return None;
        }
        let last = self.assigned().filter_map(|(part, ..)| part).max()?;
        (last < PARTS_MAX).then_some(last + 1)
    }

    fn id_bytes(&self) -> usize {
        let ids = self.fields.iter().filter(|(key, _)| self.is_id(key));
        ids.map(line_bytes).sum::<usize>() + PART_BYTES
    }

    fn id_count(&self) -> usize {
        self.fields.iter().filter(|(key, _)| self.is_id(key)).count() + 1
    }

    /// Each field with the part it stands in; `None`: in every part.
    fn assigned(&self) -> impl Iterator<Item = (Option<u16>, &'a str, &'a str)> {
        let split = *self;
        let (id_bytes, id_count) = (self.id_bytes(), self.id_count());
        let (mut part, mut bytes, mut count) = (0u16, id_bytes, id_count);
        split.fields.iter().map(move |(key, value)| {
            if split.is_id(key) {
                return (None, key, value);
            }
            let line = line_bytes((key, value));
            if bytes + line > split.bounds.bytes || count == split.bounds.count {
                (part, bytes, count) = (part.saturating_add(1), id_bytes, id_count);
            }
            bytes += line;
            count += 1;
            (Some(part), key, value)
        })
    }

    /// Writes the part `index` of `parts` to the front of `out`; `None` if it does not fit.
    pub(super) fn write<'b>(
        &self,
        index: u16,
        parts: u16,
        out: &'b mut [u8],
    ) -> Option<Fields<'b>> {
        let mut to = FieldsWriter::new(out);
        let mut part_due = parts > 1;
        let mut all = true;
        for (part, key, value) in self.assigned() {
            if parts > 1 && part.is_some_and(|part| part != index) {
                continue;
            }
            if part_due && key > "part" {
                part_due = false;
                all &= to.field("part", format_args!("{}/{parts}", index + 1));
            }
            all &= to.field(key, value);
        }
        if part_due {
            all &= to.field("part", format_args!("{}/{parts}", index + 1));
        }
        to.finish().ok().filter(|_| all)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    const IDS: &[&str] = &["event", "seq"];

    fn text(pairs: &BTreeMap<String, String>) -> String {
        pairs.iter().map(|(key, value)| alloc::format!("{key}={value}\n")).collect()
    }

    fn written(split: &Split<'_>) -> Option<Vec<String>> {
        let parts = split.parts()?;
        let mut buffer = [0; 512];
        let part = |index| split.write(index, parts, &mut buffer).map(|f| String::from(f.as_str()));
        (0..parts).map(part).collect()
    }

    #[test]
    fn what_fits_is_not_split_and_names_no_part() {
        let fields = Fields::parse(b"event=x\nseq=1\nvalue=5\n").unwrap();
        let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes: 22, count: 3 } };
        assert_eq!(written(&split).unwrap(), ["event=x\nseq=1\nvalue=5\n"]);
    }

    #[test]
    fn what_does_not_fit_is_split_with_the_ids_in_each_part() {
        let fields = Fields::parse(b"a=1\nevent=x\nq=22\nseq=1\nz=333\n").unwrap();
        let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes: 512, count: 4 } };
        assert_eq!(
            written(&split).unwrap(),
            [
                "a=1\nevent=x\npart=1/3\nseq=1\n",
                "event=x\npart=2/3\nq=22\nseq=1\n",
                "event=x\npart=3/3\nseq=1\nz=333\n"
            ]
        );
    }

    #[test]
    fn a_field_that_fits_no_record_is_refused() {
        let fields = Fields::parse(b"a=1234567890\nevent=x\nseq=1\n").unwrap();
        let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes: 30, count: 9 } };
        assert_eq!(split.parts(), Some(1));
        let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes: 26, count: 9 } };
        assert_eq!(split.parts(), None);
        let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes: 512, count: 2 } };
        assert_eq!(split.parts(), None);
    }

    proptest! {
        #[test]
        fn the_parts_joined_are_the_fields(
            pairs in proptest::collection::btree_map("[a-z]{1,6}", "[ -~]{0,30}", 0..40),
            bytes in 90usize..512,
            count in 4usize..20,
        ) {
            let mut pairs = pairs;
            pairs.remove("part");
            pairs.insert("event".into(), "metric.v1".into());
            pairs.insert("seq".into(), "18446744073709551615".into());
            let text = text(&pairs);
            let fields = Fields::parse(text.as_bytes()).unwrap();
            let split = Split { fields, ids: IDS, bounds: RecordBounds { bytes, count } };
            let parts = written(&split).unwrap();
            let mut joined = BTreeMap::new();
            for part in &parts {
                prop_assert!(part.len() <= bytes);
                let fields = Fields::parse(part.as_bytes()).unwrap();
                prop_assert!(fields.iter().count() <= count);
                prop_assert!(IDS.iter().all(|id| fields.get(id).is_some()));
                prop_assert_eq!(fields.get("part").is_some(), parts.len() > 1);
                for (key, value) in fields.iter().filter(|(key, _)| *key != "part") {
                    let before = joined.insert(String::from(key), String::from(value));
                    prop_assert!(before.is_none() || IDS.contains(&key));
                }
            }
            prop_assert_eq!(joined, pairs);
        }
    }
}
