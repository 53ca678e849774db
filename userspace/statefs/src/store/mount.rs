//! Recovery: finds the last sync that is there as a whole, and reads it.

use nexus_port::{BlockOutcome, BlockRequest, SECTOR_BYTES};

use super::{Fault, Phase, Recovery, Store};
use crate::files::{Change, Slot, State};
use crate::format::{Area, Format, Twin};
use crate::journal::{Item, Kind, Scan, Scanned, decode, page_at};
use crate::sector::PAYLOAD_BYTES;

/// Pages that are read at a time.
pub(super) const CHUNK_SECTORS: u32 = 16;

/// Stands for a page that cannot be read.
const NOTHING: [u8; SECTOR_BYTES] = [0; SECTOR_BYTES];

/// How far a mount is.
#[derive(Clone, Copy)]
pub(super) enum Mounting {
    /// Whatever a device still holds back from the last run becomes durable before it is believed.
    Flush,
    Reading {
        pass: Pass,
        pages: Pages,
    },
}

/// What the pages are read for.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    /// What area A holds.
    First(Scan),
    /// What area B holds, after A.
    Second(Scanned, Scan),
    /// The area's records themselves.
    Load(Area, Scanned),
}

impl Pass {
    const fn area(&self) -> Area {
        match self {
            Self::First(_) => Area::A,
            Self::Second(..) => Area::B,
            Self::Load(area, _) => *area,
        }
    }
}

/// The pages that are being read: both copies, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Pages {
    from: u32,
    count: u32,
    end: u32,
    twin: Twin,
}

impl Pages {
    const fn up_to(end: u32) -> Self {
        Self { from: 0, count: 0, end, twin: Twin::Front }.next()
    }

    const fn next(self) -> Self {
        let from = self.from + self.count;
        let left = self.end - from;
        let count = if left < CHUNK_SECTORS { left } else { CHUNK_SECTORS };
        Self { from, count, twin: Twin::Front, ..self }
    }
}

impl Mounting {
    pub(super) const fn request(&self, format: &Format) -> BlockRequest<'static> {
        match self {
            Self::Flush => BlockRequest::Flush,
            Self::Reading { pass, pages } => BlockRequest::Read {
                sector: format.area(pass.area(), pages.twin) + pages.from,
                sectors: pages.count,
            },
        }
    }
}

impl Store {
    /// Reads what the device holds; also after the store has failed. Changes that are not durable
    /// are gone, and what [`crate::File`]s name is as it was at the last durable sync.
    pub fn mount(&mut self) {
        assert!(!self.is_waiting, "a request is under way");
        self.clear();
        self.phase = Phase::Mounting(Mounting::Flush);
    }

    pub(super) fn mounting(&mut self, mounting: Mounting, outcome: BlockOutcome<'_>) {
        match (mounting, outcome) {
            (Mounting::Flush, BlockOutcome::Failed(error)) => self.fail(Fault::Device(error)),
            (Mounting::Flush, _) => self.read_on(
                Pass::First(Scan::new(self.format.generation())),
                Pages::up_to(self.format.area_sectors()),
            ),
            (Mounting::Reading { pass, pages }, BlockOutcome::Read(bytes)) => {
                self.pages_read(pass, pages, bytes);
            }
            (Mounting::Reading { pass, pages }, _) if pages.count > 1 => {
                self.read_on(pass, Pages { count: 1, twin: Twin::Front, ..pages });
            }
            (Mounting::Reading { pass, pages }, _) => self.pages_read(pass, pages, &NOTHING),
        }
    }

    fn read_on(&mut self, pass: Pass, pages: Pages) {
        self.phase = Phase::Mounting(Mounting::Reading { pass, pages });
    }

    fn pages_read(&mut self, pass: Pass, pages: Pages, bytes: &[u8]) {
        if pages.twin == Twin::Front {
            for (kept, read) in self.chunk.iter_mut().zip(bytes.chunks(SECTOR_BYTES)) {
                *kept = read.first_chunk().copied().unwrap_or(NOTHING);
            }
            return self.read_on(pass, Pages { twin: Twin::Back, ..pages });
        }
        let mut pass = pass;
        for (back, at) in bytes.chunks(SECTOR_BYTES).zip(0..pages.count) {
            if !self.page_read(&mut pass, pages.from + at, at, back) {
                return self.fail(Fault::Inconsistent);
            }
        }
        let pages = pages.next();
        if pages.count > 0 {
            return self.read_on(pass, pages);
        }
        self.pass_done(pass);
    }

    /// Takes both copies of one page; `false` if it does not hold what it did a moment ago, or
    /// ends a record that says what cannot be.
    fn page_read(&mut self, pass: &mut Pass, position: u32, at: u32, back: &[u8]) -> bool {
        let front = self.chunk.get(at as usize).unwrap_or(&NOTHING);
        match pass {
            Pass::First(scan) | Pass::Second(_, scan) => {
                scan.feed(front, back);
                true
            }
            Pass::Load(_, found) => {
                let generation = self.format.generation();
                let copies = [&front[..], back];
                let mut pages =
                    copies.iter().filter_map(|copy| page_at(generation, position, copy));
                let page = pages.find(|(head, _)| head.epoch == found.epoch);
                let Some((head, payload)) = page else { return false };
                self.record.add_page(payload) && (!head.is_last || self.apply())
            }
        }
    }

    fn pass_done(&mut self, pass: Pass) {
        match pass {
            Pass::First(scan) => {
                let next = Pass::Second(scan.result(), Scan::new(self.format.generation()));
                self.read_on(next, Pages::up_to(self.format.area_sectors()));
            }
            Pass::Second(first, scan) => self.choose(first, scan.result()),
            Pass::Load(..) if self.settle() => self.phase = Phase::Ready,
            Pass::Load(..) => self.fail(Fault::Inconsistent),
        }
    }

    /// Goes on from the area that was begun last, of those that are there as a whole.
    fn choose(&mut self, a: Scanned, b: Scanned) {
        let is_a = a.pages > 0 && (b.pages == 0 || a.epoch > b.epoch);
        let (area, found) = if is_a { (Area::A, a) } else { (Area::B, b) };
        if found.pages == 0 {
            return self.fail(Fault::NoJournal);
        }
        let later = |other: Scanned| other.newest > found.epoch;
        self.recovery = Recovery {
            sync: found.sync,
            is_torn: found.is_torn || later(a) || later(b),
            is_lost: found.is_cut
                || [a, b].iter().any(|area| later(*area) && area.is_newest_synced),
            single: found.single,
        };
        let Recovery { is_torn, is_lost, single, .. } = self.recovery;
        self.has_flaws = is_torn || is_lost || single > 0;
        self.synced = found.sync;
        self.journal.area = area;
        self.start_epochs(a.newest.max(b.newest));
        self.read_on(Pass::Load(area, found), Pages::up_to(found.pages));
    }

    /// Carries out what a whole record says; `false` if that cannot be.
    fn apply(&mut self) -> bool {
        let mut reader = self.record.reader();
        while !reader.is_empty() {
            let is_legal = match decode(&mut reader) {
                Some(Item::Put { slot, kind, id, len, name, extents, tail }) => {
                    let (state, change) = (State::Named(kind), Change::None);
                    let file = Slot { state, change, id, name, len, extents, tail: None };
                    self.files.put(slot, file, (kind == Kind::Log).then_some(tail))
                }
                Some(Item::Grown { slot, len, tail }) => self.files.grow(slot, len, tail),
                Some(Item::Erased { slot }) => self.files.erase(slot),
                None => false,
            };
            if !is_legal {
                return false;
            }
        }
        self.record.clear();
        true
    }

    /// Orders what was read, and takes the sectors of each file; `false` if two have the same name
    /// or sector, or a file is longer than its sectors.
    fn settle(&mut self) -> bool {
        for file in self.files.all() {
            if !file.extents.as_slice().iter().all(|extent| self.space.claim(*extent)) {
                return false;
            }
            let sectors = file.extents.sectors();
            if u64::from(file.len) > u64::from(sectors) * PAYLOAD_BYTES as u64 {
                return false;
            }
            self.quotas.charge(self.quotas.of(file.name.as_str()), sectors);
        }
        let last = self.files.all().max_by_key(|file| file.id);
        if let Some(extent) = last.and_then(|file| file.extents.as_slice().last().copied()) {
            self.space.go_on_behind(extent);
        }
        self.files.sort()
    }
}
