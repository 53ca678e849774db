use alloc::boxed::Box;

/// Place of an entry in a [`Slab`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SlotId(pub u32);

impl SlotId {
    /// No slot.
    pub const NONE: Self = Self(u32::MAX);

    /// The slot as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

enum Slot<T> {
    Vacant { next: SlotId },
    Occupied(T),
}

/// A fixed number of slots for `T`; slots keep their place and are reused last-freed first.
pub struct Slab<T> {
    slots: Box<[Slot<T>]>,
    free: SlotId,
    used: u32,
}

impl<T> Slab<T> {
    /// A slab of `capacity` empty slots, all memory taken now.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let slots = (0..capacity)
            .map(|at| Slot::Vacant {
                next: if at + 1 < capacity { SlotId(at + 1) } else { SlotId::NONE },
            })
            .collect();
        Self { slots, free: if capacity > 0 { SlotId(0) } else { SlotId::NONE }, used: 0 }
    }

    /// Stores `value`, or gives it back when every slot is taken.
    ///
    /// # Errors
    /// The value, unchanged, if the slab is full.
    pub fn insert(&mut self, value: T) -> Result<SlotId, T> {
        let id = self.free;
        let Some(slot) = self.slots.get_mut(id.index()) else { return Err(value) };
        if let Slot::Vacant { next } = *slot {
            self.free = next;
        }
        *slot = Slot::Occupied(value);
        self.used += 1;
        Ok(id)
    }

    /// Empties a slot and gives its value.
    pub fn remove(&mut self, id: SlotId) -> Option<T> {
        let slot = self.slots.get_mut(id.index())?;
        if matches!(slot, Slot::Vacant { .. }) {
            return None;
        }
        let Slot::Occupied(value) = core::mem::replace(slot, Slot::Vacant { next: self.free })
        else {
            return None;
        };
        self.free = id;
        self.used -= 1;
        Some(value)
    }

    /// The value in a slot.
    #[must_use]
    pub fn get(&self, id: SlotId) -> Option<&T> {
        match self.slots.get(id.index())? {
            Slot::Occupied(value) => Some(value),
            Slot::Vacant { .. } => None,
        }
    }

    /// The value in a slot, to be changed.
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        match self.slots.get_mut(id.index())? {
            Slot::Occupied(value) => Some(value),
            Slot::Vacant { .. } => None,
        }
    }

    /// Taken slots in order of their place.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, &T)> {
        (0u32..).zip(self.slots.iter()).filter_map(|(at, slot)| match slot {
            Slot::Occupied(value) => Some((SlotId(at), value)),
            Slot::Vacant { .. } => None,
        })
    }

    /// How many slots are taken.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.used
    }

    /// Whether no slot is taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many slots there are.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Bytes a slab of `capacity` slots takes.
    #[must_use]
    pub const fn bytes(capacity: u32) -> usize {
        capacity as usize * size_of::<Slot<T>>()
    }
}
