//! Writing what changed in a window: series after series, record after record.

use super::items::{BYTES_MAX, CODE_BITS, DEFINITION, HISTOGRAM, RUN_MAX, write_sample};
use super::{HEADER_BYTES_MAX, Header};
use crate::bytes::{Buffer, Put};
use crate::recorder::Limits;
use crate::segment::{Form, LastKey};

/// What one series did in a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// What was added to a counter.
    Counter(u64),
    /// What a gauge was last set to.
    Gauge {
        /// Now.
        last: i64,
        /// In the window of the same group in which it was recorded before; 0 if in none.
        before: i64,
    },
    /// What was added to a histogram.
    Histogram {
        /// To each bucket.
        added: &'a [u64],
        /// To the sum.
        sum: i128,
    },
}

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is in the record.
    Yes,
    /// The record is full: [`Writer::finish`] it and put the value again.
    RecordFull,
    /// The window has as many bytes as it may. The value has to wait for another window.
    WindowFull,
}

/// Writes the records of one window after another, in memory that was taken once.
///
/// For each window: [`Self::begin`], then [`Self::put`] and [`Self::define`] in ascending order of
/// the series' numbers, with [`Self::finish`] whenever a record is full and at the end.
pub struct Writer {
    window_bytes: u32,
    header: Header,
    out: Buffer,
    /// Bytes of `out` that are the header.
    header_bytes: usize,
    is_finished: bool,
    item: Buffer,
    last_key: LastKey,
    /// Bytes of the window's records before this one, with what stands in front of them.
    window_used: u32,
    /// Numbers below have had their turn.
    next: u32,
    /// As the record tells it: the number that an item without a gap has.
    told: u32,
    /// Where the run that may grow begins, and how many are in it.
    run: Option<(usize, u8)>,
}

impl Writer {
    /// Takes all memory.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        assert!(limits.are_possible(), "limits are checked with the recipe");
        let nothing = Header {
            boot: 0,
            segment: 0,
            group: 0,
            window: 0,
            sequence: 0,
            is_catchup: false,
            anchor: None,
        };
        Self {
            window_bytes: limits.window_bytes,
            header: nothing,
            out: Buffer::new(limits.record_bytes as usize),
            header_bytes: 0,
            is_finished: true,
            item: Buffer::new(BYTES_MAX),
            last_key: LastKey::new(),
            window_used: 0,
            next: 0,
            told: 0,
            run: None,
        }
    }

    /// Bytes of memory that a writer takes.
    #[must_use]
    pub const fn memory(limits: &Limits) -> usize {
        size_of::<Self>() + limits.record_bytes as usize + BYTES_MAX
    }

    /// Begins a window; `header` is what the [`Recorder`](crate::recorder::Recorder) has said.
    pub fn begin(&mut self, header: Header) {
        self.header = header;
        self.window_used = 0;
        self.next = 0;
        self.begin_record();
    }

    fn begin_record(&mut self) {
        self.out.clear();
        self.header.write(&mut self.out);
        self.header_bytes = self.out.len();
        self.is_finished = false;
        self.last_key.clear();
        self.told = 0;
        self.run = None;
    }

    /// What the window's next record is of.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Values of the window that have not been given by [`Self::finish`] may be older than it.
    pub fn mark_catchup(&mut self) {
        self.header.is_catchup = true;
        let flags = self.header.flags();
        self.out.at_mut(1).into_iter().for_each(|place| *place = flags);
    }

    /// What a series did that has been defined.
    pub fn put(&mut self, id: u32, value: &Value<'_>) -> Taken {
        self.begin_item(id);
        let code = match value {
            Value::Histogram { .. } => HISTOGRAM,
            _ if self.grows_run(id) => return self.add_to_run(value),
            _ => 0,
        };
        self.item.varint(self.head(id, code));
        write_sample(value, &mut self.item);
        let at = self.out.len();
        let taken = self.add(id);
        if taken == Taken::Yes {
            self.run = (code != HISTOGRAM).then_some((at, 1));
        }
        taken
    }

    /// A series that is new in the segment, with what it did. Its number is higher than that of
    /// any other in the segment so far.
    pub fn define(&mut self, id: u32, form: &Form<'_>, key: &[u8], value: &Value<'_>) -> Taken {
        self.begin_item(id);
        self.item.varint(self.head(id, DEFINITION));
        let mut last_key = self.last_key.clone();
        last_key.write(form, key, &mut self.item);
        write_sample(value, &mut self.item);
        let taken = self.add(id);
        if taken == Taken::Yes {
            self.last_key = last_key;
            self.run = None;
        }
        taken
    }

    fn begin_item(&mut self, id: u32) {
        assert!(id >= self.next, "series are in order");
        if self.is_finished {
            self.begin_record();
        }
        self.item.clear();
    }

    fn head(&self, id: u32, code: u8) -> u128 {
        u128::from(id - self.told) << CODE_BITS | u128::from(code)
    }

    fn grows_run(&self, id: u32) -> bool {
        self.run.is_some_and(|(_, len)| len < RUN_MAX) && id == self.told
    }

    fn add_to_run(&mut self, value: &Value<'_>) -> Taken {
        write_sample(value, &mut self.item);
        let taken = self.add(self.told);
        if let Some((at, len)) = self.run.as_mut().filter(|_| taken == Taken::Yes) {
            *len += 1;
            // The code is in the lowest bits of the head's first byte.
            self.out.at_mut(*at).into_iter().for_each(|head| *head += 1);
        }
        taken
    }

    /// Adds the item to the record, if there is room.
    fn add(&mut self, id: u32) -> Taken {
        if self.out.room() < self.item.len() {
            assert!(self.out.len() > self.header_bytes, "a record has room for any item");
            return Taken::RecordFull;
        }
        let record = Limits::stored_bytes(self.out.len() + self.item.len());
        if self.window_used + record > self.window_bytes {
            return Taken::WindowFull;
        }
        self.out.bytes(self.item.as_slice());
        self.next = id + 1;
        self.told = id + 1;
        Taken::Yes
    }

    /// Ends the record; `None` if there is nothing in it. The window's next value begins another.
    pub fn finish(&mut self) -> Option<&[u8]> {
        if self.is_finished || self.out.len() == self.header_bytes {
            return None;
        }
        self.is_finished = true;
        self.header.sequence = self.header.sequence.saturating_add(1);
        self.window_used += Limits::stored_bytes(self.out.len());
        Some(self.out.as_slice())
    }
}

/// Bytes that a record has at least to be able to have.
pub(crate) const RECORD_BYTES_MIN: usize = HEADER_BYTES_MAX + BYTES_MAX;
