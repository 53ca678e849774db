//! Groups that are in memory yet.

use super::{Phase, Walk};
use crate::key::SeriesKey;
use crate::recorder::Group;

impl Walk {
    /// Looks up series that are new in a group in memory.
    pub(super) fn look_in_memory(&mut self, group: &Group) {
        let Self { batch, batch_from, selection, .. } = self;
        group.each_definition(&mut |id, form, key| {
            let is_asked = SeriesKey::read(key)
                .zip(*selection)
                .is_some_and(|(series, selection)| selection.takes(&series));
            if id >= *batch_from && is_asked {
                batch.push(id, form, key);
            }
        });
        self.next_group();
    }

    /// Reads what the series whose turn it is did in a group in memory, or goes on.
    pub(super) fn read_memory(&mut self, group: &Group) {
        let Some((id, kind)) = self.batch.id(self.nth) else { return self.next_group() };
        if self.columns_of != Some(self.group) {
            self.columns.rewind(group);
            self.columns_of = Some(self.group);
        }
        self.columns.read(group, id, kind, &mut self.samples);
        if self.samples.present() == 0 {
            self.nth += 1;
            return;
        }
        self.windows = *group.windows();
        self.phase = Phase::Found;
    }
}
