//! What the log holds of windows that are in no segment: segments, sealed in memory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_bounded::Mono;

use super::{Files, Finding, Log, Problem};
use crate::name::{SegmentName, Tier};
use crate::record::Header;
use crate::recorder::{Limits, Recorder, Refusal};
use crate::segment::{self, Anchor, Meta, SERIES_MAX, SegmentWriter};

/// Series that are drained at a time.
const SERIES: u32 = 1024;

/// What there is of a segment outside of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Nothing.
    Absent,
    /// It is sealed, and damaged.
    Damaged,
    /// It is sealed.
    Whole,
}

/// Takes the records of a log, and makes of them the segments that a service would have made.
pub(super) struct Tail {
    recorder: Recorder,
    writer: SegmentWriter,
    tier: Tier,
    /// The segment that is being written, and when its last group was.
    open: Option<(SegmentName, Vec<u8>, Anchor)>,
    sealed: BTreeMap<SegmentName, Vec<u8>>,
    records: u64,
    values: u64,
}

impl Tail {
    /// All that is in the log and in no sealed segment. What is in a damaged one is taken too,
    /// unless something of the log is missing: then the segment may have more of it.
    pub(super) fn read(
        files: &mut dyn Files,
        generation: &str,
        tier: Tier,
        findings: &mut Vec<Finding>,
        standing: impl Fn(SegmentName) -> Standing,
    ) -> BTreeMap<SegmentName, Vec<u8>> {
        let log = Log::open(files, generation);
        let mut all = Vec::new();
        let before = findings.len();
        log.records(files, findings, |record| all.push(record.bytes.to_vec()));
        let is_cut = findings.len() > before;
        let is_sealed = |name: SegmentName| match standing(name) {
            Standing::Absent => false,
            Standing::Damaged => is_cut,
            Standing::Whole => true,
        };
        let bytes = all.iter().map(|record| record.len() + 16).sum::<usize>();
        let mut tail = Self::new(tier, bytes);
        for record in &all {
            tail.take(record, &is_sealed);
        }
        tail.finish(generation, findings)
    }

    fn new(tier: Tier, bytes: usize) -> Self {
        let record_bytes = Limits::RECORD_BYTES_MIN;
        let window_bytes = record_bytes.saturating_add(16);
        let limits = Limits {
            series: SERIES_MAX,
            segment_windows: 1,
            align_windows: 1,
            group_bytes: u32::try_from(bytes).unwrap_or(u32::MAX).max(window_bytes),
            window_bytes,
            record_bytes,
        };
        Self {
            recorder: Recorder::new(limits),
            writer: SegmentWriter::new(segment::Limits { series: SERIES_MAX }),
            tier,
            open: None,
            sealed: BTreeMap::new(),
            records: 0,
            values: 0,
        }
    }

    fn take(&mut self, record: &[u8], is_sealed: &impl Fn(SegmentName) -> bool) {
        let name = |header: Header| SegmentName { boot: header.boot, first: header.segment };
        if Header::read(record).is_ok_and(|header| is_sealed(name(header))) {
            return;
        }
        let mut taken = self.recorder.take(record);
        if taken == Err(Refusal::Busy) {
            self.drain();
            taken = self.recorder.take(record);
        }
        match taken {
            Ok(lost) => self.values += u64::from(lost),
            Err(_) => self.records += 1,
        }
    }

    /// Writes the group that has ended.
    fn drain(&mut self) {
        let Some(group) = self.recorder.ended() else { return };
        let name = SegmentName { boot: group.boot(), first: group.segment() };
        let last = group.windows().last().unwrap_or(name.first);
        let end = Mono(last.saturating_add(1).saturating_mul(self.tier.window.0));
        let anchor = group.anchor().unwrap_or(Anchor { mono: end, wall: None });
        if self.open.as_ref().is_none_or(|(open, ..)| *open != name) {
            self.seal();
            let meta = Meta { boot: name.boot, tier: self.tier };
            self.open = Some((name, self.writer.begin(meta).to_vec(), anchor));
        }
        let Some((_, bytes, last_anchor)) = &mut self.open else { return };
        *last_anchor = anchor;
        loop {
            let Self { recorder, writer, .. } = self;
            match recorder.drain(writer, SERIES, &mut |more| bytes.extend_from_slice(more)) {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => {
                    // It has as many groups as it may; what else there is cannot be shown.
                    self.recorder.give_up();
                    self.records += 1;
                    return;
                }
            }
        }
    }

    fn seal(&mut self) {
        if let Some((name, mut bytes, anchor)) = self.open.take() {
            bytes.extend_from_slice(self.writer.finish(anchor));
            // Its name is that of its first window, which need not be the first of its records.
            let first = segment::Segment::open(&bytes[..])
                .ok()
                .and_then(|segment| segment.footer().groups().first().map(|group| group.first));
            let first = first.unwrap_or(name.first);
            self.sealed.insert(SegmentName { first, ..name }, bytes);
        }
    }

    fn finish(
        mut self,
        generation: &str,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<SegmentName, Vec<u8>> {
        self.drain();
        if self.recorder.end_segment() {
            self.drain();
        }
        self.seal();
        let file = alloc::format!("{generation}{}", crate::name::WAL);
        let problems = [
            (self.records, Problem::Records { count: self.records }),
            (self.values, Problem::Values { count: self.values }),
        ];
        let some = problems.into_iter().filter(|(count, _)| *count > 0);
        findings.extend(some.map(|(_, problem)| Finding { file: file.clone(), problem }));
        self.sealed
    }
}
