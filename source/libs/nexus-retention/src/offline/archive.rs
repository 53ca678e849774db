//! metricsd's files, as somebody finds them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nexus_bounded::Nanos;
use nexus_wire::Tier;
use nexus_wire::metrics::{
    Moment, Op, Range, RangeCursor, RangeEntry, RangeHead, RangeWriter, Reply, decode_reply,
};

use super::tail::{Standing, Tail};
use super::{Files, Finding, Problem, newest_generation};
use crate::history::{Extent, Kept, Limits, Reader, Sealed, Tiers, Turn};
use crate::manifest::{self, Manifest, ManifestError};
use crate::name::{self, MANIFEST, SegmentName};
use crate::segment::{Segment, SegmentError, Source};

const TIERS: [Tier; manifest::TIERS] = [Tier::Raw, Tier::Short, Tier::Long];

/// For indexes of any segment, and answers in one go.
const LIMITS: Limits = Limits { series: 256, index_bytes: 1 << 22, reads: u32::MAX };

/// metricsd's files, and what is wrong with them.
pub struct Archive {
    generation: String,
    /// How the tiers are called; `None`: there is none of it, or nobody knows its windows.
    tiers: [Option<name::Tier>; manifest::TIERS],
    sealed: [Vec<Sealed>; manifest::TIERS],
    ends: [Option<u64>; manifest::TIERS],
    /// What the log holds, as segments of the raw tier.
    tail: BTreeMap<SegmentName, Vec<u8>>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Whoever was given entries has had enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// What holds for all entries of an answer.
pub type Answer = RangeHead;

impl Archive {
    /// Looks what there is, of the newest generation. `is_thorough`: reads every segment to its
    /// end, to find all damage and not only what is in the way.
    #[must_use]
    pub fn open(files: &mut dyn Files, is_thorough: bool) -> Self {
        let mut archive = Self {
            generation: newest_generation(files),
            tiers: [None; manifest::TIERS],
            sealed: Default::default(),
            ends: [None; manifest::TIERS],
            tail: BTreeMap::new(),
            findings: Vec::new(),
        };
        let names = archive.names(files);
        let manifest = archive.manifest(files, &names);
        archive.find_tiers(files, manifest.as_ref(), &names);
        archive.find_segments(&names);
        archive.find_missing(manifest.as_ref());
        archive.check(files, is_thorough);
        archive.read_tail(files);
        archive
    }

    /// How the names of its files begin.
    #[must_use]
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// Sealed segments of each tier, raw first, and their bytes.
    pub fn segments(&self) -> impl Iterator<Item = (name::Tier, usize, u64)> {
        self.tiers.iter().zip(&self.sealed).filter_map(|(tier, sealed)| {
            let tier = (*tier)?;
            let is_file = |sealed: &&Sealed| tier.is_rollup || !self.is_in_log(sealed.name);
            let files = sealed.iter().filter(is_file);
            let bytes = files.clone().map(|sealed| u64::from(sealed.len)).sum();
            Some((tier, files.count(), bytes))
        })
    }

    /// Segments that were not sealed, and are read out of the log.
    #[must_use]
    pub fn in_log(&self) -> usize {
        self.tail.len()
    }

    fn is_in_log(&self, name: SegmentName) -> bool {
        self.tail.contains_key(&name)
    }

    /// When the oldest window of anything began, and the newest one ended.
    #[must_use]
    pub fn kept(&self) -> Option<(Moment, Moment)> {
        let all = self.extents().into_iter().filter_map(|extent| extent.kept);
        all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn names(&self, files: &mut dyn Files) -> Vec<(String, u32)> {
        let own = files.list().into_iter().filter_map(|(file, len)| {
            let name = file.strip_prefix(self.generation.as_str())?;
            Some((String::from(name), len))
        });
        own.collect()
    }

    fn found(&mut self, name: &str, problem: Problem) {
        let file = format!("{}{name}", self.generation);
        self.findings.push(Finding { file, problem });
    }

    fn manifest(&mut self, files: &mut dyn Files, names: &[(String, u32)]) -> Option<Manifest> {
        let Some((_, len)) = names.iter().find(|(name, _)| name == MANIFEST) else {
            if names.iter().any(|(name, _)| is_segment(name)) {
                self.found(MANIFEST, Problem::NoManifest);
            }
            return None;
        };
        let mut bytes = vec![0; *len as usize];
        let is_read = files.read(&format!("{}{MANIFEST}", self.generation), 0, &mut bytes);
        let read = if is_read { Manifest::decode(&bytes) } else { Err(ManifestError::Damaged) };
        read.map_err(|error| self.found(MANIFEST, Problem::Manifest(error))).ok()
    }

    /// How long windows are: the manifest says it, or else names and footers do.
    fn find_tiers(
        &mut self,
        files: &mut dyn Files,
        manifest: Option<&Manifest>,
        names: &[(String, u32)],
    ) {
        if let Some(manifest) = manifest {
            let windows = manifest.tiers.iter().map(|tier| tier.window).zip([false, true, true]);
            for (place, (window, is_rollup)) in self.tiers.iter_mut().zip(windows) {
                *place = Some(name::Tier { is_rollup, window });
            }
            return;
        }
        let rollup = |(name, _): &(String, u32)| {
            name::Tier::parse_rollup(name.split_once('.')?.0).filter(|_| is_segment(name))
        };
        let mut rollups: Vec<_> = names.iter().filter_map(rollup).collect();
        rollups.sort_unstable();
        rollups.dedup();
        let raw = names.iter().filter(|(name, _)| name.starts_with("raw.") && is_segment(name));
        let raw = raw.filter_map(|(name, len)| self.own_tier(files, name, *len)).next();
        let all = core::iter::once(raw).chain(rollups.into_iter().map(Some));
        self.tiers.iter_mut().zip(all).for_each(|(place, tier)| *place = tier);
    }

    /// The tier that a segment says it is of.
    fn own_tier(&self, files: &mut dyn Files, name: &str, len: u32) -> Option<name::Tier> {
        let file = format!("{}{name}", self.generation);
        let segment = Segment::open(File { files, name: &file, len }).ok()?;
        Some(segment.footer().meta.tier).filter(|tier| !tier.is_rollup)
    }

    fn find_segments(&mut self, names: &[(String, u32)]) {
        for (name, len) in names {
            let of =
                |tier: &Option<name::Tier>| tier.and_then(|tier| SegmentName::parse(tier, name));
            let found = self.tiers.iter().map(of).zip(0..).find_map(|(name, at)| Some((name?, at)));
            match found {
                Some((segment, at)) => {
                    let sealed = self.sealed.get_mut(at);
                    sealed.into_iter().for_each(|all: &mut Vec<Sealed>| {
                        all.push(Sealed { name: segment, len: *len });
                    });
                }
                None if is_segment(name) => self.found(name, Problem::NoWindow),
                None if name.ends_with(".tmp") => self.found(name, Problem::Unfinished),
                None if is_own(name) => {}
                None => self.found(name, Problem::Unknown),
            }
        }
        self.sealed.iter_mut().for_each(|all| all.sort_unstable_by_key(|sealed| sealed.name));
    }

    fn find_missing(&mut self, manifest: Option<&Manifest>) {
        let Some(manifest) = manifest else { return };
        for ((state, tier), at) in manifest.tiers.iter().zip(self.tiers).zip(0..) {
            let (Some(kept), Some(tier)) = (state.kept, tier) else { continue };
            self.sealed.get_mut(at).into_iter().for_each(|all| {
                // What is older was given up, and is about to be deleted.
                all.retain(|sealed| sealed.name >= kept.oldest);
            });
            let mut named = vec![kept.oldest, kept.newest];
            named.dedup();
            for name in named {
                if !self.has(at, name) {
                    self.found(name.file(tier).as_str(), Problem::Missing);
                }
            }
        }
    }

    fn has(&self, tier: usize, name: SegmentName) -> bool {
        let sealed = self.sealed.get(tier).map(Vec::as_slice).unwrap_or_default();
        sealed.binary_search_by_key(&name, |sealed| sealed.name).is_ok()
    }

    /// Reads how segments end, or all of them.
    fn check(&mut self, files: &mut dyn Files, is_thorough: bool) {
        for (at, tier) in self.tiers.into_iter().enumerate() {
            let Some(tier) = tier else { continue };
            for sealed in self.sealed.get(at).cloned().unwrap_or_default() {
                let name = sealed.name.file(tier);
                let file = format!("{}{}", self.generation, name.as_str());
                let source = File { files, name: &file, len: sealed.len };
                match look(source, sealed.name, tier, is_thorough) {
                    Ok(end) => self.ends.iter_mut().skip(at).take(1).for_each(|place| {
                        *place = Some(end);
                    }),
                    Err(error) => self.found(name.as_str(), Problem::Segment(error)),
                }
            }
        }
    }

    /// Seals in memory what the log holds. A sealed segment that is damaged is read from there, if
    /// the log still has all of it.
    fn read_tail(&mut self, files: &mut dyn Files) {
        let Some(tier) = self.tiers.first().copied().flatten() else {
            // Its records are not read, but what is wrong with the log is said.
            super::Log::open(files, &self.generation).records(files, &mut self.findings, |_| {});
            return;
        };
        let mut findings = Vec::new();
        let standing = |name: SegmentName| {
            let file = self.file(tier, name);
            match (self.has(0, name), self.findings.iter().any(|found| found.file == file)) {
                (false, _) => Standing::Absent,
                (true, true) => Standing::Damaged,
                (true, false) => Standing::Whole,
            }
        };
        let tail = Tail::read(files, &self.generation, tier, &mut findings, standing);
        self.findings.append(&mut findings);
        for (name, bytes) in tail {
            self.take_tail(tier, name, bytes);
        }
    }

    fn file(&self, tier: name::Tier, name: SegmentName) -> String {
        format!("{}{}", self.generation, name.file(tier).as_str())
    }

    fn take_tail(&mut self, tier: name::Tier, name: SegmentName, bytes: Vec<u8>) {
        let file = self.file(tier, name);
        for found in self.findings.iter_mut().filter(|found| found.file == file) {
            if let Problem::Segment(error) = found.problem {
                found.problem = Problem::InLog(error);
            }
        }
        let [raw, ..] = &mut self.sealed;
        raw.retain(|sealed| sealed.name != name);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let at = raw.partition_point(|sealed| sealed.name < name);
        raw.insert(at, Sealed { name, len });
        let [end, ..] = &mut self.ends;
        if let Ok(segment) = Segment::open(&bytes[..]) {
            let last = segment.footer().groups().last().map(|group| group.last.saturating_add(1));
            *end = (*end).max(last);
        }
        self.tail.insert(name, bytes);
    }

    /// What there is of each tier.
    fn extents(&self) -> Tiers {
        let mut all =
            self.tiers.iter().zip(&self.sealed).zip(&self.ends).map(|((tier, all), end)| {
                let window = tier.map_or(Nanos(1), |tier| tier.window);
                let at = |boot: u32, number: u64| Moment {
                    boot,
                    mono_ns: number.saturating_mul(window.0),
                };
                let kept = all.first().zip(all.last()).map(|(first, last)| {
                    let end = end.unwrap_or(last.name.first).max(last.name.first);
                    (at(first.name.boot, first.name.first), at(last.name.boot, end))
                });
                Extent { window, kept }
            });
        let none = Extent { window: Nanos(1), kept: None };
        core::array::from_fn(|_| all.next().unwrap_or(none))
    }

    /// Answers a question whole: `each` gets the entries, as long as it says so.
    ///
    /// # Errors
    /// [`Interrupted`]: `each` has said that it is enough.
    pub fn ask(
        &self,
        files: &mut dyn Files,
        range: &Range<'_>,
        mut each: impl FnMut(&Answer, &RangeEntry<'_>) -> bool,
    ) -> Result<Answer, Interrupted> {
        let mut reader = Reader::new(LIMITS);
        let tiers = self.extents();
        let now = self.kept().map_or(Moment::FIRST, |(_, end)| end);
        let mut cursor = RangeCursor::START;
        loop {
            let asked = Range { cursor, ..*range };
            let head = reader.begin(&asked, &tiers, now, self).map_err(|_| Interrupted)?;
            let mut out = vec![0; nexus_abi::FRAME_BYTES_MAX];
            let mut frame = RangeWriter::new(0, &head, &mut out);
            cursor = self.fill(files, &mut reader, &mut frame);
            let frame = frame.finish(cursor).unwrap_or_default();
            if let Some((_, Reply::Range(reply))) = decode_reply(Op::Range, 0, frame)
                && !reply.entries().all(|entry| each(&head, &entry))
            {
                return Err(Interrupted);
            }
            if cursor == RangeCursor::START {
                return Ok(head);
            }
        }
    }

    fn fill(
        &self,
        files: &mut dyn Files,
        reader: &mut Reader,
        frame: &mut RangeWriter<'_>,
    ) -> RangeCursor {
        loop {
            match reader.turn(self, frame) {
                Turn::Ends(cursor) => return cursor,
                // What was found at the start stays as it was found.
                Turn::Gone => return RangeCursor::START,
                Turn::Wants { tier, name, extent, .. } => {
                    let mut bytes = vec![0; extent.len as usize];
                    if self.read(files, tier, name, extent.offset, &mut bytes) {
                        reader.take(&bytes);
                    } else {
                        reader.fail();
                    }
                }
            }
        }
    }

    fn read(
        &self,
        files: &mut dyn Files,
        tier: name::Tier,
        name: SegmentName,
        offset: u32,
        out: &mut [u8],
    ) -> bool {
        match self.tail.get(&name).filter(|_| !tier.is_rollup) {
            Some(bytes) => (&bytes[..]).read(offset.into(), out),
            None => files.read(&self.file(tier, name), offset, out),
        }
    }
}

impl Kept for Archive {
    fn segments(&self, tier: Tier) -> &[Sealed] {
        let at = TIERS.iter().position(|known| *known == tier);
        let sealed = at.and_then(|at| self.sealed.get(at));
        sealed.map(Vec::as_slice).unwrap_or_default()
    }
}

/// A file, to be read as a segment.
struct File<'a> {
    files: &'a mut dyn Files,
    name: &'a str,
    len: u32,
}

impl Source for File<'_> {
    fn len(&self) -> u64 {
        self.len.into()
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> bool {
        u32::try_from(offset).is_ok_and(|offset| self.files.read(self.name, offset, out))
    }
}

/// The window behind the last one of a segment.
fn look(
    source: File<'_>,
    name: SegmentName,
    tier: name::Tier,
    is_thorough: bool,
) -> Result<u64, SegmentError> {
    let len = source.len;
    let mut segment = Segment::open(source)?;
    let footer = segment.footer();
    let all = crate::segment::Extent { offset: 0, len };
    let is_it = footer.meta.boot == name.boot && footer.meta.tier == tier;
    let (first, last) = footer
        .groups()
        .first()
        .zip(footer.groups().last())
        .map(|(first, last)| (first.first, last.last))
        .filter(|(first, _)| is_it && *first == name.first)
        .ok_or(SegmentError::Damaged(all))?;
    debug_assert!(first <= last, "groups are in order");
    if is_thorough {
        segment.check()?;
    }
    Ok(last.saturating_add(1))
}

/// Whether a name is that of a sealed segment of some tier: `<tier>.<boot>.<first>`.
fn is_segment(name: &str) -> bool {
    let mut parts = name.split('.');
    let tier =
        parts.next().is_some_and(|tier| tier == "raw" || name::Tier::parse_rollup(tier).is_some());
    let mut is_hex = |digits| {
        parts.next().is_some_and(|part| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    tier && is_hex(8) && is_hex(16) && parts.next().is_none()
}

/// Whether a name is that of the manifest or of a part of the log.
fn is_own(name: &str) -> bool {
    name == MANIFEST || name == name::WAL || name.starts_with("wal.")
}
