//! Turning a group that has ended into columns of a segment, some series a call.

use alloc::boxed::Box;
use alloc::vec;

use super::columns::Columns;
use super::group::Group;
use super::keys::Keys;
use super::{Limits, Recorder};
use crate::segment::{Form, Kind, LocalId, ROWS, Refusal, Samples, SegmentWriter};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Keys,
    Chunks,
}

/// How far it has come.
pub(super) struct Drain {
    phase: Phase,
    keys: Keys,
    columns: Columns,
    samples: Samples,
    /// What the series of the segment are called in the segment that is written: the same, unless
    /// definitions are lost.
    locals: Box<[Option<(LocalId, Kind)>]>,
    /// They are called the same.
    pub(super) keeps_numbers: bool,
}

impl Drain {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            phase: Phase::Begin,
            keys: Keys::new(),
            columns: Columns::nowhere(),
            samples: Samples::new(),
            locals: vec![None; limits.series as usize].into_boxed_slice(),
            keeps_numbers: true,
        }
    }

    pub(super) const fn heap_bytes(limits: &Limits) -> usize {
        Samples::HEAP_BYTES + limits.series as usize * size_of::<Option<(LocalId, Kind)>>()
    }

    pub(super) fn begin(&mut self, group: &Group) {
        self.phase = Phase::Begin;
        self.keys.rewind();
        self.columns.rewind(group);
    }

    /// Begins the group in the segment. A new segment has no series.
    fn begin_in(&mut self, group: &Group, writer: &mut SegmentWriter) -> Result<(), Refusal> {
        writer.begin_group(group.windows())?;
        if writer.series() == 0 {
            self.locals.fill(None);
            self.keeps_numbers = true;
        }
        self.phase = Phase::Keys;
        Ok(())
    }

    /// Defines new series until the writer gives bytes, or enough has been looked at.
    fn define(&mut self, group: &Group, writer: &mut SegmentWriter, series: u32, out: Out<'_>) {
        let mut looks = series.saturating_mul(ROWS as u32);
        let mut is_given = false;
        while looks > 0 && !is_given {
            let Self { locals, keeps_numbers, .. } = self;
            let mut each = |id: LocalId, form: &Form<'_>, key: &[u8]| {
                let Some(local) = locals.get_mut(id.0 as usize) else { return };
                let defined = writer.define(key, form);
                assert!(defined.is_ok(), "the writer is made for as many series");
                let Ok((new, bytes)) = defined else { return };
                *local = Some((new, form.kind()));
                *keeps_numbers &= new == id;
                is_given = give(bytes, out);
            };
            if self.keys.step(group, &mut looks, &mut each) {
                self.phase = Phase::Chunks;
                return;
            }
        }
    }

    /// Adds the next series; whether the writer has given bytes. `None`: there is none.
    fn add(&mut self, group: &Group, writer: &mut SegmentWriter, out: Out<'_>) -> Option<bool> {
        let id = self.columns.next()?;
        let Some((local, kind)) = self.locals.get(id.0 as usize).copied().flatten() else {
            self.columns.skip(group, id);
            return Some(false);
        };
        self.columns.read(group, id, kind, &mut self.samples);
        Some(give(writer.add(local, &self.samples), out))
    }
}

type Out<'a> = &'a mut dyn FnMut(&[u8]);

/// Gives bytes, if there are any; whether there were.
fn give(bytes: &[u8], out: Out<'_>) -> bool {
    if !bytes.is_empty() {
        out(bytes);
    }
    !bytes.is_empty()
}

impl Recorder {
    /// Goes on turning the group that has ended into columns, by at most `series` series. `true`:
    /// the group is written, and its memory free.
    ///
    /// `out` gets the bytes to append to the file of the segment: once a call at most, and at most
    /// as many as a call of the writer gives. The writer is made for at least as many series as the
    /// recorder. It has begun a segment of the group's boot, the one that got the groups before it
    /// of the same segment; or, if that was given up, a new one, in which series that were defined
    /// in the other are missing.
    ///
    /// # Errors
    /// [`Refusal::Groups`], [`Refusal::Bytes`]; nothing has changed.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn drain(
        &mut self,
        writer: &mut SegmentWriter,
        series: u32,
        out: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, Refusal> {
        let Self { ended: group, drain, .. } = self;
        assert!(!group.is_empty(), "there is a group to be drained");
        if drain.phase == Phase::Begin {
            drain.begin_in(group, writer)?;
        }
        if drain.phase == Phase::Keys {
            drain.define(group, writer, series.max(1), out);
            return Ok(false);
        }
        for _ in 0..series.max(1) {
            match drain.add(group, writer, out) {
                Some(false) => {}
                Some(true) => break,
                None => {
                    give(writer.end_group(), out);
                    group.clear();
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Gives up the group that has ended: what is in it is lost here, and still in the log.
    pub fn give_up(&mut self) {
        self.ended.clear();
    }
}
