use super::page::{PageHead, page_at};

/// What one area holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scanned {
    /// Of what lies at the area's beginning, the newest; 0 if nothing does.
    pub(crate) epoch: u32,
    /// The number of the last sync that is there as a whole.
    pub(crate) sync: u64,
    /// Pages of all records that are there as a whole. 0: the area says nothing.
    pub(crate) pages: u32,
    /// Pages of them of which only one copy is there.
    pub(crate) single: u32,
    /// A record began and is not there as a whole: a sync was under way.
    pub(crate) is_torn: bool,
    /// A record is missing that had been synced, as a later one shows.
    pub(crate) is_cut: bool,
    /// The highest epoch of any page.
    pub(crate) newest: u32,
    /// A page of that epoch tells that its snapshot had been synced.
    pub(crate) is_newest_synced: bool,
}

/// Reads an area, page by page, without believing anything.
#[derive(Clone, Copy)]
pub(crate) struct Scan {
    generation: u32,
    position: u32,
    state: State,
    found: Scanned,
    /// Single pages of the record that is being read.
    single: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A record may begin.
    Between,
    /// Within a record of this sync.
    Inside(u64),
    /// The record of this sync is not there as a whole.
    Broken(u64),
}

impl Scan {
    pub(crate) const fn new(generation: u32) -> Self {
        let found = Scanned {
            epoch: 0,
            sync: 0,
            pages: 0,
            single: 0,
            is_torn: false,
            is_cut: false,
            newest: 0,
            is_newest_synced: false,
        };
        Self { generation, position: 0, state: State::Between, found, single: 0 }
    }

    /// Takes both copies of the next page.
    pub(crate) fn feed(&mut self, front: &[u8], back: &[u8]) {
        let page = |sector| page_at(self.generation, self.position, sector).map(|(head, _)| head);
        let heads = [page(front), page(back)];
        for head in heads.into_iter().flatten() {
            self.note_newest(head);
            if self.position == 0 {
                self.found.epoch = self.found.epoch.max(head.epoch);
            }
        }
        let epoch = self.found.epoch;
        let mut ours = heads.into_iter().flatten().filter(|head| head.epoch == epoch);
        match (ours.next(), ours.next()) {
            (Some(head), second) => self.page(head, second.is_none()),
            (None, _) => self.missing(),
        }
        self.position += 1;
    }

    pub(crate) const fn result(&self) -> Scanned {
        self.found
    }

    /// Changes are written behind a snapshot that is durable.
    fn note_newest(&mut self, head: PageHead) {
        if head.epoch > self.found.newest {
            self.found.newest = head.epoch;
            self.found.is_newest_synced = false;
        }
        if head.epoch == self.found.newest {
            self.found.is_newest_synced |= !head.is_snapshot;
        }
    }

    fn page(&mut self, head: PageHead, is_single: bool) {
        self.found.is_torn = true;
        if !self.follows(head) {
            self.state = State::Broken(self.awaited());
        }
        if let State::Broken(sync) = self.state {
            self.found.is_cut |= head.sync > sync;
            return;
        }
        self.single += u32::from(is_single);
        self.state = State::Inside(head.sync);
        if head.is_last {
            self.complete(head.sync);
        }
    }

    const fn complete(&mut self, sync: u64) {
        self.found.sync = sync;
        self.found.pages = self.position + 1;
        self.found.single += self.single;
        self.found.is_torn = false;
        self.single = 0;
        self.state = State::Between;
    }

    /// Whether a page continues what was read so far.
    fn follows(&self, head: PageHead) -> bool {
        match self.state {
            State::Inside(sync) => head.sync == sync,
            State::Broken(_) => false,
            State::Between if self.position == 0 => head.is_snapshot,
            State::Between => !head.is_snapshot && head.sync == self.awaited(),
        }
    }

    /// The sync whose page comes next.
    const fn awaited(&self) -> u64 {
        match self.state {
            State::Inside(sync) | State::Broken(sync) => sync,
            State::Between => self.found.sync + 1,
        }
    }

    const fn missing(&mut self) {
        self.state = State::Broken(self.awaited());
    }
}
