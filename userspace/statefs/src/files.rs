//! The table of files: a fixed number of slots, and their order by name.

use alloc::boxed::Box;
use alloc::vec;

use crate::journal::Kind;
use crate::name::Name;
use crate::sector::PAYLOAD_BYTES;
use crate::space::Extents;

/// Most files that a store can be formatted for.
pub const FILES_MAX: u16 = 8192;

/// A file, for as long as it is there: no later file is ever taken for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct File {
    pub(crate) slot: u16,
    pub(crate) id: u64,
}

/// What a slot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Free,
    /// Being written, under a name that it does not have yet.
    Draft,
    Named(Kind),
}

/// What the disk does not know of a slot yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Change {
    None,
    Grown,
    All,
}

#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) state: State,
    pub(crate) change: Change,
    pub(crate) id: u64,
    pub(crate) name: Name,
    pub(crate) len: u32,
    pub(crate) extents: Extents,
    /// Which of the tails is its own, if it grows.
    pub(crate) tail: Option<u16>,
}

impl Slot {
    const FREE: Self = Self {
        state: State::Free,
        change: Change::None,
        id: 0,
        name: Name::EMPTY,
        len: 0,
        extents: Extents::EMPTY,
        tail: None,
    };

    pub(crate) const fn is_named(&self) -> bool {
        matches!(self.state, State::Named(_))
    }
}

/// The bytes of a growing file that do not fill a sector yet.
pub(crate) type Tail = [u8; PAYLOAD_BYTES];

pub(crate) struct Files {
    slots: Box<[Slot]>,
    /// Slots with a name, sorted by it.
    order: Box<[u16]>,
    named: usize,
    tails: Box<[(bool, Tail)]>,
    /// Whether any slot has changed.
    has_changed: bool,
}

impl Files {
    pub(crate) fn new(files: u16, open: u16) -> Self {
        Self {
            slots: vec![Slot::FREE; usize::from(files)].into_boxed_slice(),
            order: vec![0; usize::from(files)].into_boxed_slice(),
            named: 0,
            tails: vec![(false, [0; PAYLOAD_BYTES]); usize::from(open)].into_boxed_slice(),
            has_changed: false,
        }
    }

    pub(crate) const fn bytes(files: u16, open: u16) -> usize {
        files as usize * (size_of::<Slot>() + size_of::<u16>())
            + open as usize * size_of::<(bool, Tail)>()
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(Slot::FREE);
        self.named = 0;
        self.tails.iter_mut().for_each(|(taken, _)| *taken = false);
        self.has_changed = false;
    }

    pub(crate) const fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Every slot with its number; their changes count as told. Logs come last: who reads this one
    /// by one must not meet a tail's next owner before its last one has given it up.
    pub(crate) fn tell(&mut self, mut tell: impl FnMut(u16, &Slot, Change, &[u8])) {
        let is_log = |slot: &Slot| slot.state == State::Named(Kind::Log);
        for logs in [false, true] {
            let slots = self.slots.iter().zip(0..);
            for (slot, number) in slots.filter(|(slot, _)| is_log(slot) == logs) {
                tell(number, slot, slot.change, self.tail_of(slot));
            }
        }
        self.slots.iter_mut().for_each(|slot| slot.change = Change::None);
        self.has_changed = false;
    }

    fn tail_of(&self, slot: &Slot) -> &[u8] {
        let tail = slot.tail.and_then(|at| self.tails.get(usize::from(at)));
        let bytes = tail.and_then(|(_, tail)| tail.get(..slot.len as usize % PAYLOAD_BYTES));
        bytes.unwrap_or_default()
    }

    pub(crate) fn get(&self, file: File) -> Option<&Slot> {
        let slot = self.slots.get(usize::from(file.slot))?;
        (slot.state != State::Free && slot.id == file.id).then_some(slot)
    }

    pub(crate) fn get_mut(&mut self, file: File) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(file.slot))?;
        (slot.state != State::Free && slot.id == file.id).then_some(slot)
    }

    /// Notes that the disk does not know something of a file that has a name.
    pub(crate) fn changed(&mut self, file: File, change: Change) {
        if let Some(slot) = self.get_mut(file).filter(|slot| slot.is_named()) {
            slot.change = slot.change.max(change);
            self.has_changed = true;
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<File> {
        let at = self.place(name).ok()?;
        self.nth(at).map(|(file, _)| file)
    }

    /// Files whose names begin with `prefix`, in the order of their names.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (File, &Slot)> {
        let from = self.place(prefix).unwrap_or_else(|at| at);
        let all = (from..self.named).map_while(|at| self.nth(at));
        all.take_while(move |(_, slot)| slot.name.as_str().starts_with(prefix))
    }

    fn nth(&self, at: usize) -> Option<(File, &Slot)> {
        let number = *self.order.get(..self.named)?.get(at)?;
        let slot = self.slots.get(usize::from(number))?;
        Some((File { slot: number, id: slot.id }, slot))
    }

    /// Where in the order a name stands, or would stand.
    fn place(&self, name: &str) -> Result<usize, usize> {
        let order = self.order.get(..self.named).unwrap_or_default();
        order.binary_search_by(|number| {
            let slot = self.slots.get(usize::from(*number));
            slot.map_or("", |slot| slot.name.as_str()).cmp(name)
        })
    }

    /// A slot for a new file without a name.
    pub(crate) fn take(&mut self, id: u64, name: Name, extents: Extents) -> Option<File> {
        let mut slots = self.slots.iter_mut().zip(0..);
        let (slot, number) = slots.find(|(slot, _)| slot.state == State::Free)?;
        let change = slot.change;
        *slot = Slot { state: State::Draft, change, id, name, extents, ..Slot::FREE };
        Some(File { slot: number, id })
    }

    pub(crate) fn has_free_slot(&self) -> bool {
        self.slots.iter().any(|slot| slot.state == State::Free)
    }

    /// Gives a file its name; `false` if another has it.
    pub(crate) fn name(&mut self, file: File, kind: Kind) -> bool {
        let Some(name) = self.get(file).map(|slot| slot.name) else { return false };
        let Err(at) = self.place(name.as_str()) else { return false };
        let Some(moved) = self.order.get_mut(at..=self.named) else { return false };
        moved.rotate_right(1);
        if let Some(first) = moved.first_mut() {
            *first = file.slot;
        }
        self.named += 1;
        if let Some(slot) = self.get_mut(file) {
            slot.state = State::Named(kind);
        }
        self.changed(file, Change::All);
        true
    }

    /// Frees the slot of a file; its extents are the caller's.
    pub(crate) fn remove(&mut self, file: File) -> Option<Slot> {
        let slot = *self.get(file)?;
        self.changed(file, Change::All);
        if slot.is_named() {
            let at = self.place(slot.name.as_str()).ok()?;
            if let Some(moved) = self.order.get_mut(at..self.named) {
                moved.rotate_left(1);
            }
            self.named -= 1;
        }
        self.drop_tail(file);
        let place = self.get_mut(file)?;
        *place = Slot { change: place.change, ..Slot::FREE };
        Some(slot)
    }

    pub(crate) fn has_free_tail(&self) -> bool {
        self.tails.iter().any(|(taken, _)| !taken)
    }

    /// Gives a file a tail, empty; `false` if all are taken.
    pub(crate) fn take_tail(&mut self, file: File) -> bool {
        let mut tails = self.tails.iter_mut().zip(0..);
        let Some((tail, at)) = tails.find(|((taken, _), _)| !taken) else { return false };
        tail.0 = true;
        if let Some(slot) = self.get_mut(file) {
            slot.tail = Some(at);
        }
        true
    }

    pub(crate) fn drop_tail(&mut self, file: File) {
        let tail = self.get_mut(file).and_then(|slot| slot.tail.take());
        if let Some((taken, _)) = tail.and_then(|at| self.tails.get_mut(usize::from(at))) {
            *taken = false;
        }
    }

    pub(crate) fn tail(&self, file: File) -> Option<&Tail> {
        let at = self.get(file)?.tail?;
        self.tails.get(usize::from(at)).map(|(_, tail)| tail)
    }

    pub(crate) fn tail_mut(&mut self, file: File) -> Option<&mut Tail> {
        let at = self.get(file)?.tail?;
        self.tails.get_mut(usize::from(at)).map(|(_, tail)| tail)
    }

    /// Puts what the disk says into its slot. Slots are given their order by [`Self::sort`].
    pub(crate) fn put(&mut self, number: u16, slot: Slot, tail: Option<&[u8]>) -> bool {
        if !self.erase(number) {
            return false;
        }
        let Some(place) = self.slots.get_mut(usize::from(number)) else { return false };
        *place = slot;
        let file = File { slot: number, id: slot.id };
        tail.is_none_or(|bytes| self.take_tail(file) && self.set_tail(file, bytes))
    }

    /// Makes a log longer, as the disk says.
    pub(crate) fn grow(&mut self, number: u16, len: u32, tail: &[u8]) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(number)) else { return false };
        if slot.state != State::Named(Kind::Log) || len < slot.len {
            return false;
        }
        slot.len = len;
        let file = File { slot: number, id: slot.id };
        self.set_tail(file, tail)
    }

    /// Empties a slot, as the disk says.
    pub(crate) fn erase(&mut self, number: u16) -> bool {
        let Some(slot) = self.slots.get(usize::from(number)) else { return false };
        self.drop_tail(File { slot: number, id: slot.id });
        let place = self.slots.get_mut(usize::from(number));
        place.map(|slot| *slot = Slot::FREE).is_some()
    }

    fn set_tail(&mut self, file: File, bytes: &[u8]) -> bool {
        let place = self.tail_mut(file).and_then(|tail| tail.get_mut(..bytes.len()));
        place.map(|place| place.copy_from_slice(bytes)).is_some()
    }

    /// Orders what was put; `false` if two have one name.
    pub(crate) fn sort(&mut self) -> bool {
        self.named = 0;
        for (_, number) in self.slots.iter().zip(0..).filter(|(slot, _)| slot.is_named()) {
            if let Some(place) = self.order.get_mut(self.named) {
                *place = number;
                self.named += 1;
            }
        }
        let slots = &self.slots;
        let name = |number: &u16| slots.get(usize::from(*number)).map(|slot| slot.name);
        let order = self.order.get_mut(..self.named).unwrap_or_default();
        order.sort_unstable_by(|a, b| {
            let (a, b) = (name(a), name(b));
            a.as_ref().map(Name::as_str).cmp(&b.as_ref().map(Name::as_str))
        });
        order.windows(2).all(|pair| pair.first().map(name) != pair.last().map(name))
    }

    /// Every file with a name, as they stand in the table.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_named())
    }
}
