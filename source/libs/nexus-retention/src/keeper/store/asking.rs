//! What is to be asked of statefsd next, and in which words.

use nexus_bounded::Mono;
use nexus_port::World;
use nexus_wire::FILE_BYTES_MAX;
use nexus_wire::files::{List, Read, Replace, Request, Target};

use super::{Phase, Store, Todo};
use crate::files::Failure;
use crate::generation::{self, Generation, Name};
use crate::keeper::draft::{Ask, Draft};
use crate::keeper::shelf::Shelf;
use crate::manifest::{MANIFEST_BYTES, Manifest, TIERS, TierState};
use crate::name::{self, SegmentName};
use crate::segment::Extent;

impl Store {
    /// What to ask next, if anything.
    pub(super) fn next(&mut self, now: Mono) -> Option<Todo> {
        match self.phase {
            Phase::Closed | Phase::Found | Phase::Foreign => None,
            Phase::Hello => Some(Todo::Hello),
            Phase::Settle => Some(Todo::Settle),
            Phase::Settled => Some(Todo::Sync),
            Phase::Manifest => Some(Todo::Manifest),
            Phase::List { tier } => Some(Todo::List(tier)),
            Phase::Newest { tier } => {
                let newest = self.shelves.get(tier)?.newest()?;
                self.reader.wants().map(|_| Todo::Read(tier, newest))
            }
            Phase::Open => self.next_change(now),
        }
    }

    pub(super) fn next_change(&mut self, now: Mono) -> Option<Todo> {
        if self.makes_room {
            return Some(Todo::Settle);
        }
        if self.is_stale {
            return Some(if self.is_written { Todo::Sync } else { Todo::Write });
        }
        if let Some(delete) = self.next_delete() {
            return Some(delete);
        }
        if self.wants_sync {
            return Some(Todo::Sync);
        }
        self.look_at_ttl(now);
        for tier in 0..TIERS {
            if let Some(todo) = self.next_of_draft(tier) {
                return Some(todo);
            }
        }
        if self.is_stale {
            return self.next_change(now);
        }
        let (tier, name) = self.rolling.source()?;
        self.reader.wants().map(|_| Todo::Read(tier, name))
    }

    pub(super) fn next_delete(&self) -> Option<Todo> {
        let mut shelves = self.shelves.iter().zip(0..);
        shelves.find_map(|(shelf, tier)| Some(Todo::Delete(tier, shelf.condemned()?)))
    }

    /// A segment is begun only where there is room for it: the oldest make some first.
    pub(super) fn next_of_draft(&mut self, tier: usize) -> Option<Todo> {
        let (draft, shelf) = (self.drafts.get_mut(tier)?, self.shelves.get_mut(tier)?);
        let ask = draft.ask()?;
        let bytes = self.limits.segment_bytes;
        if ask != Ask::Draft || shelf.has_room(bytes) {
            return Some(Todo::Draft(tier, ask));
        }
        if shelf.has_room_after_sync(bytes) {
            return Some(Todo::Sync);
        }
        self.is_stale |= shelf.condemn(bytes);
        None
    }

    pub(super) fn look_at_ttl(&mut self, now: Mono) {
        if !self.is_live || now < self.looks_at_ttl {
            return;
        }
        self.looks_at_ttl = now.after(self.limits.ttl_interval);
        for shelf in &mut self.shelves {
            if shelf.is_expired(self.boot, now) {
                shelf.condemn_oldest();
                self.is_stale = true;
                // There may be more that has had its time.
                self.looks_at_ttl = now;
            }
        }
    }

    pub(super) fn begin(&mut self, todo: Todo, now: Mono, world: &mut impl World) {
        let begun = self.ask(todo, now, world);
        match begun {
            Ok(()) => self.todo = Some(todo),
            Err(failure) => self.failed(failure.trouble(), now),
        }
    }

    pub(super) fn ask(
        &mut self,
        todo: Todo,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        if todo == Todo::Settle {
            return self.settling.begin(&mut self.files, now, world);
        }
        let generation = self.settled.map_or(Generation::FIRST, |settled| settled.current);
        let file = self.file_of(todo, generation);
        let manifest = self.manifest().encode();
        let target = Target { name: generation::file_name(&file)?, draft: false };
        let request = match todo {
            Todo::Hello | Todo::Settle => Request::Hello,
            Todo::Manifest => Request::Read(Read {
                draft: false,
                name: target.name,
                at: 0,
                max: MANIFEST_BYTES as u16 + 1,
            }),
            Todo::List(_) => {
                let prefix = generation::file_prefix(&file)?;
                let after = generation::file_prefix(&self.after)?;
                return self.files.begin(&Request::List(List { prefix, after }), now, world);
            }
            Todo::Read(..) => {
                let Some(Extent { offset: at, len }) = self.reader.wants() else { return Ok(()) };
                let max = len.min(FILE_BYTES_MAX as u32) as u16;
                Request::Read(Read { draft: false, name: target.name, at, max })
            }
            Todo::Draft(tier, ask) => {
                let Some(draft) = self.drafts.get(tier) else { return Ok(()) };
                draft.request(ask, target.name)
            }
            Todo::Write => Request::Replace(Replace { name: target.name, bytes: &manifest }),
            Todo::Delete(..) => Request::Delete(target),
            Todo::Sync => Request::Sync { epoch: self.epoch },
        };
        self.files.begin(&request, now, world)
    }

    /// The file that something is asked of; of a list, how the names begin.
    pub(super) fn file_of(&self, todo: Todo, generation: Generation) -> Name {
        match todo {
            Todo::List(tier) => {
                let [raw, ..] = self.limits.tiers;
                let tier = self.limits.tiers.get(tier).copied().unwrap_or(raw);
                generation::name_of(format_args!("{generation}{tier}."))
            }
            Todo::Read(_, name) | Todo::Delete(_, name) => self.name_of(todo, name, generation),
            Todo::Draft(tier, _) => {
                let name = self.drafts.get(tier).and_then(Draft::name);
                let nothing = SegmentName { boot: 0, first: 0 };
                self.name_of(todo, name.unwrap_or(nothing), generation)
            }
            _ => generation::name_of(format_args!("{generation}{}", name::MANIFEST)),
        }
    }

    pub(super) fn name_of(&self, todo: Todo, name: SegmentName, generation: Generation) -> Name {
        let tier = match todo {
            Todo::List(tier)
            | Todo::Read(tier, _)
            | Todo::Delete(tier, _)
            | Todo::Draft(tier, _) => tier,
            _ => return Name::EMPTY,
        };
        let Some(tier) = self.limits.tiers.get(tier) else { return Name::EMPTY };
        generation::name_of(format_args!("{generation}{}", name.file(*tier).as_str()))
    }

    pub(super) fn manifest(&self) -> Manifest {
        let [raw, short, long] = &self.shelves;
        let state = |shelf: &Shelf| TierState { window: shelf.tier().window, kept: shelf.kept() };
        Manifest { boot: self.boot, tiers: [state(raw), state(short), state(long)] }
    }
}
