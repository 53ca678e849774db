//! Answers to RANGE by a service: one question at a time, read from statefsd while all else goes
//! on.

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Token, World};
use nexus_wire::files::{Read, Reply, Request};
use nexus_wire::metrics::{Moment, Op, Range, RangePause, RangeWriter, plain_reply};
use nexus_wire::{FILE_BYTES_MAX, FileStatus, MetricStatus, Tier};

use super::plan::{Extent, Tiers};
use super::reader::{Kept, Limits, Reader, Refusal, Sealed, Turn};
use super::unsealed::Unsealed;
use crate::files::{Failure, Files};
use crate::generation::{Generation, file_name, name_of};
use crate::keeper::{Keeper, Shelf, Store};
use crate::name::{self, SegmentName};
use crate::segment;

/// Whose question is being answered, and how far its frame is.
#[derive(Clone, Copy)]
struct Under {
    token: Token,
    nonce: u32,
    frame: RangePause,
    generation: Generation,
}

/// Answers questions from what a keeper holds.
pub struct Answers {
    reader: Reader,
    files: Files,
    frame: Box<[u8]>,
    under: Option<Under>,
}

impl Answers {
    /// Takes all memory. Calls to statefsd go by a lane of their own.
    #[must_use]
    pub fn new(limits: Limits, lane: u8) -> Self {
        Self {
            reader: Reader::new(limits),
            files: Files::new(lane),
            frame: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            under: None,
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub const fn memory(limits: &Limits) -> usize {
        limits.memory() + size_of::<Files>() + Files::BYTES + FRAME_BYTES_MAX
    }

    /// Begins to answer a question; the answer may come later.
    ///
    /// # Errors
    /// The status that is to be answered: `not_ready` while another question is being answered, or
    /// the keeper does not know yet what there is.
    pub fn ask(
        &mut self,
        (token, nonce): (Token, u32),
        range: &Range<'_>,
        at: Moment,
        held: &Held<'_>,
        world: &mut impl World,
    ) -> Result<(), MetricStatus> {
        let settled =
            held.keeper.settled().filter(|_| self.under.is_none() && self.files.is_idle());
        let generation = settled.ok_or(MetricStatus::NotReady)?.current;
        let head = self.reader.begin(range, &extents(held.keeper.store()), at, held).map_err(
            |refusal| match refusal {
                Refusal::Cursor => MetricStatus::InvalidArgs,
                Refusal::Gone => MetricStatus::Conflict,
            },
        )?;
        let frame = RangeWriter::new(nonce, &head, &mut self.frame).pause();
        self.under = Some(Under { token, nonce, frame, generation });
        self.go_on(Mono(at.mono_ns), held, world);
        Ok(())
    }

    /// Takes the end of a call; `false`: it is none of ours.
    pub fn ended(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        held: &Held<'_>,
        world: &mut impl World,
    ) -> bool {
        let Some(outcome) = self.files.ended(call, result) else { return false };
        match outcome {
            Ok(Reply::Read(read)) => self.reader.take(read.bytes),
            Err(Failure::Refused(FileStatus::NotFound)) if self.reader.may_go(held) => {
                self.give_up(world);
            }
            _ => self.reader.fail(),
        }
        self.go_on(now, held, world);
        true
    }

    /// What was being read is not there any more: whoever asked has to begin again.
    fn give_up(&mut self, world: &mut impl World) {
        let Some(under) = self.under.take() else { return };
        let answer = plain_reply(Op::Range.raw(), MetricStatus::Conflict, under.nonce);
        world.reply(under.token, &answer);
    }

    /// Goes on with the frame until something has to be read, or it is answered.
    fn go_on(&mut self, now: Mono, held: &Held<'_>, world: &mut impl World) {
        while let Some(under) = self.under {
            let mut frame = RangeWriter::resume(under.frame, &mut self.frame);
            match self.reader.turn(held, &mut frame) {
                Turn::Ends(cursor) => {
                    let answer = frame.finish(cursor);
                    assert!(answer.is_ok(), "the head has fitted");
                    world.reply(under.token, answer.unwrap_or_default());
                    self.under = None;
                }
                Turn::Gone => self.give_up(world),
                Turn::Wants { tier, name, is_draft, extent } => {
                    self.under = Some(Under { frame: frame.pause(), ..under });
                    let unsealed = held.unsealed();
                    let unwritten = unsealed.unwritten(name, extent.offset);
                    if let Some(bytes) = unwritten.filter(|_| is_draft) {
                        self.reader.take(bytes);
                        continue;
                    }
                    let file = (tier, name, is_draft);
                    if self.read(under.generation, file, extent, now, world).is_ok() {
                        return;
                    }
                    self.reader.fail();
                }
            }
        }
    }

    fn read(
        &mut self,
        generation: Generation,
        (tier, name, draft): (name::Tier, SegmentName, bool),
        extent: segment::Extent,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        let name = name_of(format_args!("{generation}{}", name.file(tier).as_str()));
        let max = extent.len.min(FILE_BYTES_MAX as u32) as u16;
        let read = Read { draft, name: file_name(&name)?, at: extent.offset, max };
        self.files.begin(&Request::Read(read), now, world)
    }
}

/// What a keeper holds.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// The keeper.
    pub keeper: &'a Keeper,
    /// The first window that is not recorded whole.
    pub recorded: u64,
}

impl Kept for Held<'_> {
    fn unsealed(&self) -> Unsealed<'_> {
        self.keeper.unsealed()
    }

    fn recorded(&self) -> u64 {
        self.recorded
    }

    fn segments(&self, tier: Tier) -> &[Sealed] {
        let [raw, short, long] = self.keeper.store().shelves();
        match tier {
            Tier::Auto | Tier::Raw => raw,
            Tier::Short => short,
            Tier::Long => long,
        }
        .segments()
    }
}

/// What there is of each tier.
fn extents(store: &Store) -> Tiers {
    store.shelves().each_ref().map(|shelf: &Shelf| {
        let window = shelf.tier().window;
        let at = |name: SegmentName, number: u64| Moment {
            boot: name.boot,
            mono_ns: number.saturating_mul(window.0),
        };
        let ends = shelf.segments().first().zip(shelf.newest()).zip(shelf.end());
        let kept = ends
            .map(|((oldest, newest), end)| (at(oldest.name, oldest.name.first), at(newest, end)));
        Extent { window, kept }
    })
}
