//! A service that has a log, and a rig that tells it what to do.

use nexus_abi::Rights;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{Event, Now, Service, Token};
use nexus_retention::files::{Files, Trouble};
use nexus_retention::generation::Settling;
use nexus_retention::log::{Limits, Log, Pauses};
use nexus_retention::wal::{Place, Recovered};
use simkit::{Client, Disk, World};

use crate::bed::{OWNER, STATEFSD, world};

pub(crate) const LIMITS: Limits =
    Limits { files: 4, file_sectors: 6, staged: 8, record_bytes: 700 };

const PAUSES: Pauses = Pauses { min: Nanos::from_secs(1), max: Nanos::from_secs(4) };

/// Appends what it is told, keeps as much as there is room for, and remembers what it finds.
pub(crate) struct Owner {
    settling: Settling,
    again: Mono,
    lane: Files,
    pub(crate) log: Log,
    pub(crate) found: Vec<Vec<u8>>,
    places: Vec<Place>,
    keeps_most: bool,
    waits: Vec<Token>,
    /// What the log says while it is asked to sync.
    pub(crate) troubles: Vec<Trouble>,
}

impl Owner {
    pub(crate) fn new(limits: Limits, keeps_most: bool, sets_aside: bool) -> Self {
        Self {
            settling: Settling::new(sets_aside),
            again: Mono(0),
            lane: Files::new(1),
            log: Log::new(limits, PAUSES, 0),
            found: Vec::new(),
            places: Vec::new(),
            keeps_most,
            waits: Vec::new(),
            troubles: Vec::new(),
        }
    }

    fn obey(&mut self, token: Token, frame: &[u8], world: &mut impl nexus_port::World) {
        let answer = match frame.split_first().unwrap() {
            (b'a', record) => match self.log.append(record) {
                Ok(()) => "ok".to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            },
            (b's', _) => {
                self.log.sync();
                self.waits.push(token);
                return;
            }
            (b'r', _) => {
                self.log.release(self.log.end().unwrap());
                "ok".to_owned()
            }
            (b'o', rest) => {
                self.log.release(self.places[usize::from(rest[0])]);
                "ok".to_owned()
            }
            (order, _) => panic!("{order}"),
        };
        world.reply(token, answer.as_bytes());
    }

    fn settle(&mut self, now: Mono, world: &mut impl nexus_port::World) {
        if self.lane.is_idle() && self.settling.settled().is_none() && now >= self.again {
            self.again = now.after(Nanos::from_secs(1));
            self.settling.begin(&mut self.lane, now, world).ok();
        }
    }

    pub(crate) fn settled(&self) -> Option<nexus_retention::generation::Settled> {
        self.settling.settled()
    }
}

impl Service for Owner {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl nexus_port::World) {
        match event {
            Event::Request { token, frame, .. } => self.obey(token, frame, world),
            Event::Completion { call, result } => {
                if let Some(outcome) = self.lane.ended(call, result) {
                    if self.settling.ended(outcome).is_ok() {
                        self.again = now.mono;
                        self.settling
                            .settled()
                            .into_iter()
                            .for_each(|it| self.log.open(it.current));
                    }
                } else {
                    let Self { found, places, .. } = self;
                    assert!(self.log.ended(now.mono, call, result, |record| {
                        found.push(record.bytes.to_vec());
                        places.push(record.place);
                    }));
                }
            }
            _ => {}
        }
        self.settle(now.mono, world);
        if self.keeps_most {
            self.log.make_room();
        }
        self.log.step(now.mono, world);
        let trouble = self.log.trouble();
        if trouble != self.troubles.last().copied() {
            self.troubles.extend(trouble);
        }
        if self.log.is_open() && self.log.is_synced() {
            self.waits.drain(..).for_each(|token| world.reply(token, b"synced"));
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let is_new = self.settling.settled().is_none() && self.lane.is_idle();
        if is_new { Some(self.again) } else { self.log.deadline() }
    }

    fn stopped(&self) -> bool {
        self.log.is_synced()
    }
}

pub(crate) struct Rig {
    pub(crate) world: World,
    client: Client,
}

/// A record that is told from all others, of a length that follows from its number.
pub(crate) fn record(number: usize) -> Vec<u8> {
    let len = 8 + number * 197 % 690;
    (number as u64).to_le_bytes().into_iter().chain(*b"NW\x01\0").cycle().take(len).collect()
}

impl Rig {
    pub(crate) fn new(disk: Disk) -> Self {
        Self::with(Some(disk), LIMITS, true)
    }

    pub(crate) fn with(disk: Option<Disk>, limits: Limits, keeps_most: bool) -> Self {
        let mut world = world(disk, move |_| Owner::new(limits, keeps_most, false));
        let client = world.client("test", Rights::NONE);
        Self { world, client }
    }

    pub(crate) fn tell(&mut self, order: u8, rest: &[u8]) -> String {
        let frame = [&[order], rest].concat();
        String::from_utf8(self.world.call(self.client, OWNER, &frame).unwrap()).unwrap()
    }

    pub(crate) fn append(&mut self, record: &[u8]) -> String {
        self.tell(b'a', record)
    }

    /// Begins a sync; `false` from [`Self::is_synced`] until it is answered.
    pub(crate) fn begin_sync(&mut self) {
        self.world.send(self.client, OWNER, b"s").unwrap();
    }

    pub(crate) fn has_synced(&mut self) -> bool {
        self.world.replies(self.client).iter().any(|reply| reply.result.as_deref() == Ok(b"synced"))
    }

    pub(crate) fn sync(&mut self) {
        assert_eq!(self.tell(b's', b""), "synced");
    }

    pub(crate) fn seconds(&mut self, count: u64) {
        self.world.run_for(Nanos::from_secs(count));
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.world.service(OWNER)
    }

    pub(crate) fn disk(&mut self) -> &mut Disk {
        self.world.disk(STATEFSD)
    }

    pub(crate) fn recovered(&self) -> Recovered {
        *self.owner().log.recovered().unwrap()
    }
}
