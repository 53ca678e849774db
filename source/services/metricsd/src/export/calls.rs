use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::logs::{self, AppendBatchWriter, Frame, Head, NewRecord, Request, Search, Version};

/// What a call asks of logd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// To append records.
    Append,
    /// To append the record that proves readiness.
    Proof,
    /// To give that record back.
    Search,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    /// To be sent, or to be sent again.
    Waiting,
    Sent,
}

/// A place for one frame, kept until logd has answered it.
pub(super) struct Call {
    frame: Box<[u8]>,
    len: usize,
    records: u16,
    /// Counts frames: the lower one waits for longer.
    nonce: u64,
    asked: Asked,
    state: State,
    tries: u32,
}

impl Call {
    fn new() -> Self {
        Self {
            frame: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            len: 0,
            records: 0,
            nonce: 0,
            asked: Asked::Append,
            state: State::Free,
            tries: 0,
        }
    }

    pub(super) fn frame(&self) -> &[u8] {
        self.frame.get(..self.len).unwrap_or_default()
    }

    pub(super) const fn records(&self) -> u16 {
        self.records
    }

    pub(super) const fn asked(&self) -> Asked {
        self.asked
    }

    /// What the reply must echo.
    pub(super) const fn head(&self) -> Head {
        Head { version: Version::V2, nonce: self.nonce }
    }

    /// Whether it is sent for the second time or more.
    pub(super) const fn is_repeat(&self) -> bool {
        self.tries > 1
    }

    pub(super) fn sent(&mut self) {
        self.state = State::Sent;
        self.tries += 1;
    }

    /// To be sent again.
    pub(super) fn wait(&mut self) {
        self.state = State::Waiting;
    }

    pub(super) fn free(&mut self) {
        self.state = State::Free;
    }

    /// Writes a frame of at most `limit` bytes whose records `fill` appends. Stays free if there
    /// are none.
    pub(super) fn append(
        &mut self,
        asked: Asked,
        nonce: u64,
        limit: usize,
        fill: impl FnOnce(&mut AppendBatchWriter<'_>),
    ) {
        let limit = limit.min(self.frame.len());
        let mut writer =
            AppendBatchWriter::new(nonce, self.frame.get_mut(..limit).unwrap_or_default());
        fill(&mut writer);
        let records = writer.len();
        let len = writer.finish().map_or(0, <[u8]>::len);
        if records > 0 && len > 0 {
            (self.len, self.records, self.nonce, self.asked) = (len, records, nonce, asked);
            (self.state, self.tries) = (State::Waiting, 0);
        }
    }

    /// Writes a search.
    pub(super) fn search(&mut self, search: &Search<'_>, nonce: u64) {
        let head = Head { version: Version::V2, nonce };
        let frame = logs::encode(&Request::Search(*search), head, &mut self.frame);
        if let Ok(len) = frame.map(<[u8]>::len) {
            (self.len, self.records, self.nonce, self.asked) = (len, 1, nonce, Asked::Search);
            (self.state, self.tries) = (State::Waiting, 0);
        }
    }

    /// Looks at a record of the frame.
    pub(super) fn record(&self, index: u16) -> Option<NewRecord<'_>> {
        let Ok(Frame { request: Request::AppendBatch(batch), .. }) = logs::decode(self.frame())
        else {
            return None;
        };
        batch.records().nth(usize::from(index)).map(|record| record.as_new())
    }

    /// Leaves the records from `first` on, to be sent again.
    pub(super) fn keep_from(&mut self, first: u16) {
        let mut rest = [0; FRAME_BYTES_MAX];
        let mut writer = AppendBatchWriter::new(self.nonce, &mut rest);
        for index in first..self.records {
            let kept = self.record(index).is_some_and(|record| writer.record(&record));
            assert!(kept, "a part of a frame fits where the frame did");
        }
        self.records = writer.len();
        self.len = writer.finish().map_or(0, <[u8]>::len);
        if let (Some(to), Some(from)) = (self.frame.get_mut(..self.len), rest.get(..self.len)) {
            to.copy_from_slice(from);
        }
        self.state = State::Waiting;
    }
}

/// The calls to logd, numbered by their place.
pub(super) struct Calls {
    calls: Box<[Call]>,
    nonce: u64,
}

impl Calls {
    pub(super) fn new(in_flight: u32) -> Self {
        Self { calls: (0..in_flight).map(|_| Call::new()).collect(), nonce: 0 }
    }

    /// Bytes of memory for each call.
    pub(super) const CALL_BYTES: usize = size_of::<Call>() + FRAME_BYTES_MAX;

    pub(super) fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Call> {
        self.calls.get_mut(place)
    }

    /// The call that was sent from a place.
    pub(super) fn sent_mut(&mut self, place: usize) -> Option<&mut Call> {
        self.calls.get_mut(place).filter(|call| call.state == State::Sent)
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = (usize, &Call)> {
        self.calls.iter().enumerate().filter(move |(_, call)| call.state == state)
    }

    /// The place of the call that has waited for longest.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.in_state(State::Waiting).min_by_key(|(_, call)| call.nonce).map(|(place, _)| place)
    }

    /// A place for a new call.
    pub(super) fn free(&self) -> Option<usize> {
        self.in_state(State::Free).map(|(place, _)| place).next()
    }

    /// Calls under way.
    pub(super) fn sent(&self) -> usize {
        self.in_state(State::Sent).count()
    }

    /// Records that logd has not acknowledged. A repeat of a proof or a search loses nothing.
    pub(super) fn unacknowledged(&self) -> u64 {
        let open = |call: &&Call| call.state != State::Free && call.asked == Asked::Append;
        self.calls.iter().filter(open).map(|call| u64::from(call.records)).sum()
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn are_free(&self) -> bool {
        self.calls.iter().all(|call| call.state == State::Free)
    }
}
