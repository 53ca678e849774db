//! A segment that is being written into a draft of statefsd's, which nobody sees before it is
//! finished: what to ask for next, and what it has come to.

use nexus_wire::files::{Append, FileName, NewFile, Request, Target};

use super::outbox::Outbox;
use crate::history::Drafted;
use crate::name::SegmentName;
use crate::recorder::{Group, Recorder};
use crate::segment::{
    Anchor, END_BYTES_MAX, Form, Limits, LocalId, Meta, Refusal, Samples, SegmentWriter, Windows,
};

/// What is to be asked of statefsd for it next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// That there be a draft.
    Draft,
    /// That a piece of so many bytes be added.
    Append(usize),
    /// That it get its name.
    Finish,
    /// That it be forgotten.
    Delete,
}

/// Why a group cannot go on. The segment is as it was before the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overflow {
    /// The file has no more room.
    Bytes,
    /// The segment takes no more: the writer's own limits.
    Writer(Refusal),
    /// There is no memory for more keys.
    Keys,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// There is none.
    None,
    /// Statefsd does not know of it.
    Wanted,
    /// It is there and grows.
    Open,
    /// It is there, and shall not be.
    Abandoned,
}

/// Where the group that is written begins in the file, and its last window.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    last: u64,
}

/// See the module.
pub(super) struct Draft {
    writer: SegmentWriter,
    outbox: Outbox,
    /// Bytes of its file.
    capacity: u32,
    phase: Phase,
    /// Nothing more comes: what is on its way goes first, then it gets its name.
    is_ending: bool,
    name: SegmentName,
    /// The last window of the groups that are whole.
    last: Option<u64>,
    group: Option<Place>,
    /// The last window before the groups that share a window with the last one.
    before_chain: Option<u64>,
    asked: Option<Ask>,
}

impl Draft {
    pub(super) fn new(limits: Limits, capacity: u32) -> Self {
        Self {
            writer: SegmentWriter::new(limits),
            outbox: Outbox::new(limits.out_bytes()),
            capacity,
            phase: Phase::None,
            is_ending: false,
            name: SegmentName { boot: 0, first: 0 },
            last: None,
            group: None,
            before_chain: None,
            asked: None,
        }
    }

    pub(super) const fn memory(limits: Limits) -> usize {
        limits.memory() + Outbox::memory(limits.out_bytes())
    }

    /// Begins a segment whose first window that is.
    pub(super) fn begin(&mut self, meta: Meta, first: u64) {
        assert!(self.phase == Phase::None, "one segment is finished before another is begun");
        self.outbox.clear();
        self.outbox.put(self.writer.begin(meta));
        (self.phase, self.is_ending) = (Phase::Wanted, false);
        self.name = SegmentName { boot: meta.boot, first };
        (self.last, self.group, self.asked) = (None, None, None);
    }

    /// Whether nothing more comes.
    pub(super) const fn is_ending(&self) -> bool {
        self.is_ending
    }

    /// What it is, if there is one.
    pub(super) fn name(&self) -> Option<SegmentName> {
        (self.phase != Phase::None).then_some(self.name)
    }

    /// The window behind those of its groups; `None` without any.
    pub(super) fn end(&self) -> Option<u64> {
        self.last.map(|last| last + 1)
    }

    /// It, for whoever reads what is not sealed yet.
    pub(super) fn readable(&self) -> Option<Drafted<'_>> {
        let is_readable = matches!(self.phase, Phase::Wanted | Phase::Open);
        let Self { name, writer, outbox, .. } = self;
        let (footer, unwritten) = (writer.footer(), outbox.rest());
        is_readable.then_some(Drafted { name: *name, footer, unwritten })
    }

    /// Bytes that are left of the file for groups.
    pub(super) const fn room(&self) -> u64 {
        (self.capacity as u64).saturating_sub(self.outbox.len() + END_BYTES_MAX as u64)
    }

    /// Whether the next bytes may come.
    pub(super) const fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    pub(super) fn begin_group(&mut self, windows: &Windows) -> Result<(), Overflow> {
        self.writer.begin_group(windows).map_err(Overflow::Writer)?;
        let start = u32::try_from(self.outbox.len()).unwrap_or(u32::MAX);
        if windows.first() != self.last {
            self.before_chain = self.last;
        }
        self.group = Some(Place { start, last: windows.last().unwrap_or_default() });
        Ok(())
    }

    /// Gives the last group up, and those that share a window with it; `false`, and nothing is
    /// changed, if there are no others.
    pub(super) fn give_up_chain(&mut self) -> bool {
        if self.before_chain.is_some() {
            let at = self.outbox.take_back(self.writer.chain_start());
            self.writer.give_up_chain(at);
            (self.last, self.group) = (self.before_chain, None);
        }
        self.before_chain.is_some()
    }

    pub(super) fn define(&mut self, key: &[u8], form: &Form<'_>) -> Result<LocalId, Overflow> {
        let room = self.room();
        let Self { writer, outbox, .. } = self;
        let why = match writer.define(key, form) {
            Ok((id, bytes)) if put(outbox, bytes, room) => return Ok(id),
            Ok(_) => Overflow::Bytes,
            Err(refusal) => Overflow::Writer(refusal),
        };
        self.give_up_group();
        Err(why)
    }

    pub(super) fn add(&mut self, id: LocalId, samples: &Samples) -> Result<(), Overflow> {
        let room = self.room();
        let is_put = put(&mut self.outbox, self.writer.add(id, samples), room);
        self.unless_full(is_put)
    }

    pub(super) fn end_group(&mut self) -> Result<(), Overflow> {
        let room = self.room();
        let is_put = put(&mut self.outbox, self.writer.end_group(), room);
        self.unless_full(is_put)?;
        self.last = self.group.take().map(|group| group.last).or(self.last);
        Ok(())
    }

    /// Goes on writing the group that a recorder has ended, by at most `series` series; whether all
    /// of it is written.
    pub(super) fn drain(&mut self, recorder: &mut Recorder, series: u32) -> Result<bool, Overflow> {
        let room = self.room();
        let windows = recorder.ended().map(Group::windows);
        if self.group.is_none() {
            let last = windows.and_then(Windows::last).unwrap_or_default();
            let start = u32::try_from(self.outbox.len()).unwrap_or(u32::MAX);
            self.group = Some(Place { start, last });
        }
        let Self { writer, outbox, .. } = self;
        let mut is_put = true;
        let drained = recorder.drain(writer, series, &mut |bytes| {
            is_put &= put(outbox, bytes, room);
        });
        match drained {
            Ok(is_whole) => {
                self.unless_full(is_put)?;
                if is_whole {
                    self.last = self.group.take().map(|group| group.last).or(self.last);
                }
                Ok(is_whole)
            }
            Err(refusal) => {
                self.group = None;
                Err(Overflow::Writer(refusal))
            }
        }
    }

    fn unless_full(&mut self, is_put: bool) -> Result<(), Overflow> {
        if is_put {
            return Ok(());
        }
        self.give_up_group();
        Err(Overflow::Bytes)
    }

    /// Gives the group up that is being written, if there is one: the segment is as it was before.
    pub(super) fn give_up_group(&mut self) {
        if let Some(group) = self.group.take() {
            let at = self.outbox.take_back(group.start);
            self.writer.give_up_group(at);
        }
    }

    /// Nothing more comes: it is to be sealed.
    pub(super) fn finish(&mut self, anchor: Anchor) {
        assert!(self.group.is_none() && self.phase != Phase::None, "between two groups");
        self.outbox.put(self.writer.finish(anchor));
        self.is_ending = true;
    }

    /// What to ask next; [`Self::request`] has it in words.
    pub(super) fn ask(&mut self) -> Option<Ask> {
        let ask = match self.phase {
            Phase::None => None,
            Phase::Wanted => Some(Ask::Draft),
            Phase::Abandoned => Some(Ask::Delete),
            Phase::Open => match self.outbox.piece(self.is_ending) {
                Some((_, bytes)) => Some(Ask::Append(bytes.len())),
                None => self.is_ending.then_some(Ask::Finish),
            },
        };
        self.asked = ask;
        ask
    }

    /// What is to be added to the file, and where.
    pub(super) fn piece(&self) -> (u32, &[u8]) {
        self.outbox.piece(true).unwrap_or_default()
    }

    /// The request. `name` is the file's.
    pub(super) fn request<'a>(&'a self, ask: Ask, name: FileName<'a>) -> Request<'a> {
        let target = Target { name, draft: true };
        match ask {
            Ask::Draft => Request::Draft(NewFile { name, capacity: self.capacity }),
            Ask::Append(_) => {
                let (at, bytes) = self.piece();
                Request::Append(Append { to: target, at, bytes })
            }
            Ask::Finish => Request::Finish(target),
            Ask::Delete => Request::Delete(target),
        }
    }

    /// What was asked is done. The segment that is sealed by it: its bytes, and where it ends.
    pub(super) fn done(&mut self) -> Option<(SegmentName, u32, u64)> {
        match self.asked.take()? {
            Ask::Draft => {
                self.phase = Phase::Open;
                None
            }
            Ask::Append(bytes) => {
                self.outbox.arrived(bytes);
                None
            }
            Ask::Delete => {
                self.drop();
                None
            }
            Ask::Finish => {
                let sealed = (self.name, self.outbox.len() as u32, self.end()?);
                self.drop();
                Some(sealed)
            }
        }
    }

    /// It is given up: what is there of it is to be deleted.
    pub(super) fn abandon(&mut self) {
        self.give_up_group();
        match self.phase {
            Phase::Open => (self.phase, self.is_ending) = (Phase::Abandoned, true),
            Phase::None | Phase::Wanted => self.drop(),
            Phase::Abandoned => {}
        }
    }

    /// It is not there any more.
    pub(super) fn drop(&mut self) {
        (self.phase, self.is_ending) = (Phase::None, false);
        (self.last, self.group, self.asked) = (None, None, None);
    }
}

/// Puts bytes on their way if they fit.
fn put(outbox: &mut Outbox, bytes: &[u8], room: u64) -> bool {
    let fits = bytes.len() as u64 <= room;
    if fits {
        outbox.put(bytes);
    }
    fits
}
