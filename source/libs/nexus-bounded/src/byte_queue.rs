use alloc::boxed::Box;
use alloc::vec;

const HEADER: usize = 4;

/// First-in first-out queue of byte strings in a fixed number of bytes. Each string costs its
/// length plus four.
pub struct ByteQueue {
    ring: Box<[u8]>,
    head: usize,
    used: usize,
    items: usize,
}

impl ByteQueue {
    /// An empty queue of `capacity` bytes, all memory taken now.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { ring: vec![0; capacity].into_boxed_slice(), head: 0, used: 0, items: 0 }
    }

    /// Appends `item`, or says `false` and changes nothing when it does not fit.
    #[must_use]
    pub fn push(&mut self, item: &[u8]) -> bool {
        let Ok(len) = u32::try_from(item.len()) else { return false };
        if self.used + HEADER + item.len() > self.ring.len() {
            return false;
        }
        self.write(&len.to_ne_bytes());
        self.write(item);
        self.items += 1;
        true
    }

    /// Copies the oldest string to the front of `out` without removing it. `None` when the queue
    /// is empty or `out` is too short.
    pub fn peek<'a>(&self, out: &'a mut [u8]) -> Option<&'a [u8]> {
        self.peek_at(self.head, out).map(|(item, _)| item)
    }

    /// As [`Self::peek`] for the string at `cursor`, with the cursor of the one behind it. Begin
    /// with [`Self::cursor`].
    pub fn peek_next<'a>(&self, cursor: Cursor, out: &'a mut [u8]) -> Option<(&'a [u8], Cursor)> {
        if cursor.passed >= self.items {
            return None;
        }
        let (item, at) = self.peek_at(cursor.at, out)?;
        Some((item, Cursor { at, passed: cursor.passed + 1 }))
    }

    /// A cursor at the oldest string; it holds until the next change.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { at: self.head, passed: 0 }
    }

    /// Removes the oldest string; `false` when there is none.
    pub fn pop(&mut self) -> bool {
        if self.items == 0 {
            return false;
        }
        let len = HEADER + self.len_at(self.head);
        self.head = self.wrap(self.head + len);
        self.used -= len;
        self.items -= 1;
        true
    }

    /// How many strings are queued.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items
    }

    /// Whether nothing is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Bytes taken, lengths included.
    #[must_use]
    pub const fn used_bytes(&self) -> usize {
        self.used
    }

    fn peek_at<'a>(&self, at: usize, out: &'a mut [u8]) -> Option<(&'a [u8], usize)> {
        if self.items == 0 {
            return None;
        }
        let out = out.get_mut(..self.len_at(at))?;
        let start = self.wrap(at + HEADER);
        self.read(start, out);
        let end = self.wrap(start + out.len());
        Some((out, end))
    }

    fn len_at(&self, at: usize) -> usize {
        let mut len = [0; HEADER];
        self.read(at, &mut len);
        u32::from_ne_bytes(len) as usize
    }

    fn wrap(&self, at: usize) -> usize {
        if at >= self.ring.len() { at - self.ring.len() } else { at }
    }

    fn write(&mut self, bytes: &[u8]) {
        let start = self.wrap(self.head + self.used);
        let until_end = bytes.len().min(self.ring.len() - start);
        let (front, back) = bytes.split_at(until_end);
        self.ring[start..start + until_end].copy_from_slice(front);
        self.ring[..back.len()].copy_from_slice(back);
        self.used += bytes.len();
    }

    fn read(&self, start: usize, out: &mut [u8]) {
        let until_end = out.len().min(self.ring.len() - start);
        let (front, back) = out.split_at_mut(until_end);
        front.copy_from_slice(&self.ring[start..start + until_end]);
        let back_len = back.len();
        back.copy_from_slice(&self.ring[..back_len]);
    }
}

/// Place in a [`ByteQueue`], valid until the queue changes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    at: usize,
    passed: usize,
}
