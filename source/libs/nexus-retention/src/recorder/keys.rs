//! The series that are new in a group.

use super::group::Group;
use crate::record::Items;
use crate::segment::{BUCKETS_MAX, Form, LastKey, LocalId};

/// A place among the definitions of a group.
pub(super) struct Keys {
    row: usize,
    /// Of the record.
    at: usize,
    items: Items,
    last_key: LastKey,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self { row: 0, at: 0, items: Items::new(), last_key: LastKey::new() }
    }

    pub(super) fn rewind(&mut self) {
        (self.row, self.at, self.items) = (0, 0, Items::new());
        self.last_key.clear();
    }

    /// Gives the next definition, unless it would have to look at more series than `looks`, which
    /// it counts down. `true`: there are no more.
    pub(super) fn step(
        &mut self,
        group: &Group,
        looks: &mut u32,
        each: &mut dyn FnMut(LocalId, &Form<'_>, &[u8]),
    ) -> bool {
        while self.row < group.windows().len() {
            let record = group.record(self.at, self.row).filter(|_| group.defines_in(self.row));
            let Some(record) = record else {
                self.begin(self.row + 1, group.start(self.row + 1));
                continue;
            };
            let Ok(Some(head)) = self.items.head(record.items) else {
                self.begin(self.row, record.end);
                continue;
            };
            let item = self.items.item(head, record.items);
            assert!(item.is_ok(), "what is kept was checked when it was taken");
            *looks = looks.saturating_sub(1);
            let new = item.ok().and_then(|item| item.definition);
            let mut bounds = [0; BUCKETS_MAX];
            let read = new.and_then(|(_, new)| new.read(&mut self.last_key, &mut bounds));
            if let Some((form, key)) = read {
                each(LocalId(head.id), &form, key);
                return false;
            }
            if *looks == 0 {
                return false;
            }
        }
        true
    }

    fn begin(&mut self, row: usize, at: usize) {
        (self.row, self.at, self.items) = (row, at, Items::new());
        self.last_key.clear();
    }
}
