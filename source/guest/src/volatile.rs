//! A statefsd whose disk forgets: what it writes is kept in memory, where all of its own reads find
//! it, and is gone with the power. Whatever is asked of it from inside looks right.

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{
    BLOCK_SECTORS_MAX, BLOCKS_MAX, BlockOutcome, BlockRequest, CallId, Event, Now, SECTOR_BYTES,
    Service, SubmitError, Token, World,
};

type Sector = [u8; SECTOR_BYTES];

/// Sectors that are kept; it ends when there are more.
const SECTORS: usize = 1024;

/// A service on such a disk.
pub struct Volatile<S> {
    service: S,
    memory: Memory,
    /// What was read, and then changed to what was written.
    read: Box<[u8]>,
}

struct Memory {
    sectors: Box<[(u32, Sector)]>,
    count: usize,
    /// From which sector on the reads under way are.
    reads: [Option<(CallId, u32)>; BLOCKS_MAX],
}

impl<S> Volatile<S> {
    /// The service; it takes its memory now.
    #[must_use]
    pub fn new(service: S) -> Self {
        let sectors = vec![(0, [0; SECTOR_BYTES]); SECTORS].into_boxed_slice();
        let memory = Memory { sectors, count: 0, reads: [None; BLOCKS_MAX] };
        let read = vec![0; BLOCK_SECTORS_MAX as usize * SECTOR_BYTES].into_boxed_slice();
        Self { service, memory, read }
    }
}

impl Memory {
    fn find(&self, sector: u32) -> Option<usize> {
        let kept = self.sectors.iter().take(self.count);
        kept.into_iter().position(|(kept, _)| *kept == sector)
    }

    fn keep(&mut self, sector: u32, bytes: &Sector) {
        let at = self.find(sector).unwrap_or(self.count);
        let place = self.sectors.get_mut(at);
        assert!(place.is_some(), "as many sectors as a short life writes");
        if let Some(place) = place {
            *place = (sector, *bytes);
        }
        self.count = self.count.max(at + 1);
    }

    fn begins_read(&mut self, call: CallId, sector: u32) {
        let free = self.reads.iter_mut().find(|read| read.is_none());
        free.into_iter().for_each(|free| *free = Some((call, sector)));
    }

    /// Puts over what was read what was written.
    fn change(&mut self, call: CallId, bytes: &mut [u8]) {
        let read = self.reads.iter_mut().find_map(|read| read.take_if(|(other, _)| *other == call));
        let Some((_, first)) = read else { return };
        for (sector, place) in (first..).zip(bytes.as_chunks_mut().0) {
            if let Some((_, kept)) = self.find(sector).and_then(|at| self.sectors.get(at)) {
                *place = *kept;
            }
        }
    }
}

struct Forgetting<'w, W> {
    world: &'w mut W,
    memory: &'w mut Memory,
}

impl<W: World> World for Forgetting<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.world.reply(token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.world.submit(to, call, frame)
    }

    /// A write becomes a flush, of nothing.
    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let asked = match request {
            BlockRequest::Write { sector, bytes } => {
                let sectors = (sector..).zip(bytes.as_chunks().0);
                sectors.for_each(|(sector, bytes)| self.memory.keep(sector, bytes));
                BlockRequest::Flush
            }
            BlockRequest::Read { sector, .. } => {
                self.memory.begins_read(call, sector);
                request
            }
            BlockRequest::Flush => request,
        };
        self.world.submit_block(call, asked)
    }

    fn print(&mut self, line: &str) {
        self.world.print(line);
    }
}

impl<S: Service> Service for Volatile<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let Self { service, memory, read } = self;
        let event = match event {
            Event::Block { call, outcome: BlockOutcome::Read(bytes) } => {
                let read = read.get_mut(..bytes.len()).unwrap_or_default();
                read.copy_from_slice(bytes);
                memory.change(call, read);
                Event::Block { call, outcome: BlockOutcome::Read(read) }
            }
            event => event,
        };
        service.handle(now, event, &mut Forgetting { world, memory });
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
