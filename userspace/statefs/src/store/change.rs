//! Changing files. All of it happens in memory; the next sync makes it durable.

use super::{Refusal, Store};
use crate::files::{Change, File, Slot, State};
use crate::journal::Kind;
use crate::name::Name;
use crate::sector::{PAYLOAD_BYTES, Place};
use crate::space::Extents;
use crate::stage::STAGE_SECTORS;

/// Most bytes of one append.
pub const APPEND_BYTES_MAX: usize = (STAGE_SECTORS - 1) * PAYLOAD_BYTES;

impl Store {
    /// A new, empty log, with room for `capacity` bytes, which are reserved now. What is appended
    /// is durable with the next sync.
    ///
    /// # Errors
    /// [`Refusal::Exists`], and those of [`Self::draft`].
    pub fn create(&mut self, name: &str, capacity: u32) -> Result<File, Refusal> {
        self.ready()?;
        if self.files.find(name).is_some() {
            return Err(Refusal::Exists);
        }
        let file = self.draft(name, capacity)?;
        self.files.name(file, Kind::Log);
        Ok(file)
    }

    /// A new file that nobody sees under its name before it is finished, and that a crash before
    /// then leaves nothing of. Room for `capacity` bytes is reserved now.
    ///
    /// # Errors
    /// [`Refusal::BadName`], [`Refusal::TooManyFiles`], [`Refusal::TooManyOpen`],
    /// [`Refusal::Quota`], [`Refusal::NoSpace`], [`Refusal::NotReady`], [`Refusal::Failed`].
    pub fn draft(&mut self, name: &str, capacity: u32) -> Result<File, Refusal> {
        self.ready()?;
        let name = Name::new(name).ok_or(Refusal::BadName)?;
        if !self.files.has_free_slot() {
            return Err(Refusal::TooManyFiles);
        }
        if !self.files.has_free_tail() {
            return Err(Refusal::TooManyOpen);
        }
        let extents = self.reserve(name, capacity)?;
        let file = self.files.take(self.next_id, name, extents).ok_or(Refusal::TooManyFiles)?;
        self.next_id += 1;
        self.files.take_tail(file);
        Ok(file)
    }

    fn reserve(&mut self, name: Name, capacity: u32) -> Result<Extents, Refusal> {
        let sectors = capacity.div_ceil(PAYLOAD_BYTES as u32);
        let mask = self.quotas.of(name.as_str());
        if let Some((quota, left)) = self.quotas.exceeded(mask, sectors) {
            return Err(Refusal::Quota { quota, left });
        }
        let free = self.space.free();
        let extents = self.space.allocate(sectors).ok_or(Refusal::NoSpace { free })?;
        self.quotas.charge(mask, sectors);
        Ok(extents)
    }

    /// Adds bytes to a log or a draft: all or none.
    ///
    /// # Errors
    /// [`Refusal::TooLong`], [`Refusal::NotFound`], [`Refusal::Finished`], [`Refusal::Full`],
    /// [`Refusal::Busy`], [`Refusal::NotReady`], [`Refusal::Failed`].
    pub fn append(&mut self, file: File, bytes: &[u8]) -> Result<(), Refusal> {
        let slot = self.growing(file)?;
        let left = capacity_of(&slot.extents).saturating_sub(slot.len);
        let filled = slot.len as usize % PAYLOAD_BYTES;
        if bytes.len() > APPEND_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        if bytes.len() > left as usize {
            return Err(Refusal::Full { left });
        }
        if (filled + bytes.len()) / PAYLOAD_BYTES > self.stage.free() {
            return Err(Refusal::Busy);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.fill(file, rest);
        }
        if !bytes.is_empty() {
            self.files.changed(file, Change::Grown);
        }
        Ok(())
    }

    /// Puts the first of `bytes` into the file's tail, and the tail on its way once it is full.
    fn fill<'a>(&mut self, file: File, bytes: &'a [u8]) -> &'a [u8] {
        let filled = self.files.get(file).map_or(0, |slot| slot.len as usize % PAYLOAD_BYTES);
        let (now, rest) = bytes.split_at(bytes.len().min(PAYLOAD_BYTES - filled));
        let tail = self.files.tail_mut(file).and_then(|tail| tail.get_mut(filled..));
        let tail = tail.and_then(|tail| tail.get_mut(..now.len())).unwrap_or_default();
        tail.copy_from_slice(now);
        if filled + now.len() == PAYLOAD_BYTES {
            self.stage_tail(file, PAYLOAD_BYTES);
        }
        if let Some(slot) = self.files.get_mut(file) {
            slot.len += now.len() as u32;
        }
        rest
    }

    /// Puts the first `count` bytes of the file's tail on their way to the disk.
    fn stage_tail(&mut self, file: File, count: usize) {
        let Some(slot) = self.files.get(file) else { return };
        let index = slot.len / PAYLOAD_BYTES as u32;
        let generation = self.format.generation();
        let place = Place { generation, file: file.id, index };
        let payload = self.files.tail(file).and_then(|tail| tail.get(..count));
        if let (Some(target), Some(payload)) = (slot.extents.run(index), payload) {
            self.stage.push(target.start, place, payload);
        }
    }

    /// Ends the growth of a log or a draft and gives back what it does not need. A draft gets its
    /// name; a file that had it is deleted with the same sync.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Finished`], [`Refusal::Busy`], [`Refusal::SyncFirst`],
    /// [`Refusal::NotReady`], [`Refusal::Failed`].
    pub fn finish(&mut self, file: File) -> Result<(), Refusal> {
        let slot = *self.growing(file)?;
        let filled = slot.len as usize % PAYLOAD_BYTES;
        if filled > 0 && self.stage.free() == 0 {
            return Err(Refusal::Busy);
        }
        if !self.freed.has_room(2) {
            return Err(Refusal::SyncFirst);
        }
        if filled > 0 {
            self.stage_tail(file, filled);
        }
        self.files.drop_tail(file);
        self.trim(file);
        if slot.state == State::Draft {
            if let Some(old) = self.files.find(slot.name.as_str()) {
                self.remove(old);
            }
            self.files.name(file, Kind::Whole);
        } else if let Some(slot) = self.files.get_mut(file) {
            slot.state = State::Named(Kind::Whole);
            self.files.changed(file, Change::All);
        }
        Ok(())
    }

    fn trim(&mut self, file: File) {
        if let Some(slot) = self.files.get_mut(file) {
            let surplus = slot.extents.trim(slot.len.div_ceil(PAYLOAD_BYTES as u32));
            self.freed.push(&surplus, self.quotas.of(slot.name.as_str()));
        }
    }

    /// A file of these bytes and no others, instead of any that has the name: one after the next
    /// sync, the other before.
    ///
    /// # Errors
    /// Those of [`Self::draft`], [`Self::append`] and [`Self::finish`].
    pub fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<File, Refusal> {
        if bytes.len() > APPEND_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        if !self.freed.has_room(3) {
            return Err(Refusal::SyncFirst);
        }
        let file = self.draft(name, bytes.len() as u32)?;
        if let Err(refusal) = self.append(file, bytes).and_then(|()| self.finish(file)) {
            self.remove(file);
            return Err(refusal);
        }
        Ok(file)
    }

    /// Deletes a file, or gives a draft up. Its sectors are free after the next sync.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::SyncFirst`], [`Refusal::NotReady`], [`Refusal::Failed`].
    pub fn delete(&mut self, file: File) -> Result<(), Refusal> {
        self.ready()?;
        if self.files.get(file).is_none() {
            return Err(Refusal::NotFound);
        }
        if !self.freed.has_room(1) {
            return Err(Refusal::SyncFirst);
        }
        self.remove(file);
        Ok(())
    }

    fn remove(&mut self, file: File) {
        if let Some(slot) = self.files.remove(file) {
            self.freed.push(&slot.extents, self.quotas.of(slot.name.as_str()));
        }
    }

    fn growing(&self, file: File) -> Result<&Slot, Refusal> {
        self.ready()?;
        let slot = self.files.get(file).ok_or(Refusal::NotFound)?;
        match slot.state {
            State::Named(Kind::Whole) | State::Free => Err(Refusal::Finished),
            State::Named(Kind::Log) | State::Draft => Ok(slot),
        }
    }
}

/// Bytes that fit into sectors.
pub(super) fn capacity_of(extents: &Extents) -> u32 {
    extents.sectors().saturating_mul(PAYLOAD_BYTES as u32)
}
