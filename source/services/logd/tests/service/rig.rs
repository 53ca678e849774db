//! A logd with a small recipe and a world that keeps what it is told.

use logd::{Keep, Logd};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Wall};
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::{OnSecret, Recipe};
use nexus_wire::logs::{
    AppendBatchWriter, AppendReply, ClockAnchor, Found, Head, NewRecord, Op, Record, RecordText,
    Reply, Request, Search, StatsReply, Version, decode_reply, encode,
};
use nexus_wire::{LedgerRow, Level, LogStatus, RecordId};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// A producer that the recipe knows.
pub(crate) const PRODUCER: &str = "execd";

/// The recipe for a machine, with a journal small enough to overflow in tests.
pub(crate) fn recipe() -> Recipe {
    let text = include_str!("../../../../../recipes/observability/metrics.toml");
    let mut recipe = Recipe::parse(text).unwrap();
    recipe.logd.journal_records = 64;
    recipe.logd.journal_bytes = 68 * 512;
    recipe.logd.share_records = 4;
    recipe.logd.share_bytes = 36 * 32;
    recipe.logd.senders = 16;
    recipe.logd.query_scan_records = 32;
    recipe
}

/// As [`recipe`], refusing secrets instead of replacing them.
pub(crate) fn strict_recipe() -> Recipe {
    let mut recipe = recipe();
    recipe.redaction.on_secret = OnSecret::Refuse;
    recipe
}

#[derive(Default)]
pub(crate) struct Console {
    pub(crate) replies: Vec<(Token, Vec<u8>)>,
    pub(crate) lines: Vec<String>,
    pub(crate) totals: Vec<(&'static str, u64)>,
}

impl World for Console {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.replies.push((token, frame.to_vec()));
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        self.totals.iter().for_each(|(name, total)| out(name, *total));
    }
}

/// A logd in its world.
pub(crate) struct Rig {
    pub(crate) logd: Logd,
    pub(crate) world: Console,
    pub(crate) now: Mono,
    pub(crate) wall: Option<Wall>,
    requests: u64,
}

/// A sender without the right to read.
pub(crate) fn producer(name: &str) -> Sender {
    Sender::stamped(ServiceId::from_name(name), 40, Incarnation::new(3), Rights::NONE)
}

/// A sender with the right to read.
pub(crate) fn reader() -> Sender {
    Sender::stamped(ServiceId::from_name("obsctl"), 41, Incarnation::new(1), Rights::QUERY)
}

pub(crate) const V1: Head = Head { version: Version::V1, nonce: 0 };
pub(crate) const V2: Head = Head { version: Version::V2, nonce: 0x1122_3344_5566_7788 };

/// The frame of an APPEND.
pub(crate) fn append_frame(record: NewRecord<'_>) -> Vec<u8> {
    let (mut text, mut frame) = ([0; size_of::<RecordText>()], [0; 1024]);
    let request = Request::Append(record.join(&mut text).unwrap());
    nexus_wire::logs::encode(&request, V2, &mut frame).unwrap().to_vec()
}

pub(crate) fn record<'a>(scope: &'a str, message: &'a str, fields: &'a str) -> NewRecord<'a> {
    NewRecord { level: Level::Info, scope, message, fields: fields.as_bytes() }
}

impl Rig {
    /// After its proof, at 1 s.
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let logd = Logd::new(recipe, 7, Keep::Nothing);
        let mut rig =
            Self { logd, world: Console::default(), now: Mono(SECOND), wall: None, requests: 0 };
        rig.event(Event::Wake);
        rig
    }

    pub(crate) fn event(&mut self, event: Event<'_>) {
        let now = Now { mono: self.now, wall: self.wall };
        self.logd.handle(now, event, &mut self.world);
        self.logd.check_invariants();
    }

    pub(crate) fn wait(&mut self, ns: u64) {
        self.now.0 += ns;
    }

    /// The one reply to a frame.
    pub(crate) fn raw(&mut self, from: Sender, frame: &[u8]) -> Vec<u8> {
        self.requests += 1;
        let token = Token::from_raw(self.requests);
        self.event(Event::Request { from, token, frame });
        let (answered, reply) = self.world.replies.pop().expect("every request gets a reply");
        assert_eq!(answered, token);
        assert!(self.world.replies.is_empty(), "and only one");
        reply
    }

    /// The reply to a request, decoded with `then`.
    pub(crate) fn ask<T>(
        &mut self,
        from: Sender,
        head: Head,
        request: Request<'_>,
        then: impl FnOnce(LogStatus, Reply<'_>) -> T,
    ) -> T {
        let mut frame = [0; 4096];
        let frame = encode(&request, head, &mut frame).unwrap();
        let reply = self.raw(from, frame);
        let (status, reply) = decode_reply(request.op(), head, &reply).expect("a reply in shape");
        then(status, reply)
    }

    pub(crate) fn append(
        &mut self,
        from: Sender,
        record: NewRecord<'_>,
    ) -> (LogStatus, AppendReply) {
        let mut text = [0; size_of::<RecordText>()];
        let record = record.join(&mut text).unwrap();
        self.ask(from, V2, Request::Append(record), |status, reply| match reply {
            Reply::Append(reply) => (status, reply),
            other => panic!("{other:?}"),
        })
    }

    /// Appends what must be accepted.
    pub(crate) fn accept(&mut self, from: Sender, record: NewRecord<'_>) -> RecordId {
        let (status, reply) = self.append(from, record);
        assert_eq!(status, LogStatus::Ok, "{record:?}");
        reply.id
    }

    pub(crate) fn batch(
        &mut self,
        from: Sender,
        records: &[NewRecord<'_>],
    ) -> nexus_wire::logs::BatchReply {
        let mut frame = [0; 4096];
        let mut writer = AppendBatchWriter::new(V2.nonce, &mut frame);
        assert!(records.iter().all(|record| writer.record(record)));
        let reply = self.raw(from, writer.finish().unwrap());
        match decode_reply(Op::AppendBatch, V2, &reply) {
            Some((LogStatus::Ok, Reply::Batch(reply))) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Ids and messages of one QUERY.
    pub(crate) fn query(&mut self, since_ns: u64, max: u16) -> Vec<(u64, String)> {
        self.ask(reader(), V1, Request::Query { since_ns, max }, |status, reply| {
            let Reply::Query(records) = reply else { panic!("{reply:?}") };
            assert_eq!(status, LogStatus::Ok);
            records.iter().map(|record| (record.id.0, record.message.to_owned())).collect()
        })
    }

    /// One page of a search.
    pub(crate) fn search(&mut self, search: Search<'_>) -> Page {
        self.ask(reader(), V2, Request::Search(search), |status, reply| {
            let Reply::Search(reply) = reply else { panic!("{reply:?}") };
            assert_eq!(status, LogStatus::Ok);
            Page {
                boot: reply.boot,
                found: reply.found().map(|found| Seen::of(&found)).collect(),
                next: reply.next_id,
                more: reply.more,
            }
        })
    }

    /// All pages of a search.
    pub(crate) fn search_all(&mut self, mut search: Search<'_>) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            let page = self.search(search);
            all.extend(page.found);
            if !page.more {
                return all;
            }
            search.id = page.next;
            search.boot = page.boot;
        }
    }

    pub(crate) fn stats(&mut self) -> StatsReply {
        self.ask(reader(), V2, Request::Stats, |_, reply| match reply {
            Reply::Stats(reply) => reply,
            other => panic!("{other:?}"),
        })
    }

    /// The ledger, all pages of it.
    pub(crate) fn audit(&mut self) -> Vec<LedgerRow> {
        let (mut rows, mut cursor) = (Vec::new(), 0);
        loop {
            let request = Request::Audit { cursor };
            cursor = self.ask(reader(), V2, request, |_, reply| match reply {
                Reply::Audit(reply) => {
                    rows.extend(reply.rows());
                    reply.next_cursor
                }
                other => panic!("{other:?}"),
            });
            if cursor == 0 {
                return rows;
            }
        }
    }

    pub(crate) fn row(&mut self, name: &str) -> LedgerRow {
        let service = ServiceId::from_name(name).raw();
        self.audit().into_iter().find(|row| row.service == service).unwrap_or_default()
    }

    pub(crate) fn status(&mut self) -> Vec<(String, String)> {
        self.ask(reader(), V2, Request::Status, |_, reply| match reply {
            Reply::Status(fields) => {
                fields.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            }
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn status_of(&mut self, key: &str) -> String {
        let status = self.status();
        status.into_iter().find(|(name, _)| name == key).map(|(_, value)| value).unwrap()
    }

    pub(crate) fn anchors(&mut self) -> Vec<ClockAnchor> {
        self.ask(reader(), V2, Request::Anchors, |_, reply| match reply {
            Reply::Anchors(anchors) => anchors.iter().collect(),
            other => panic!("{other:?}"),
        })
    }
}

pub(crate) struct Page {
    pub(crate) boot: u32,
    pub(crate) found: Vec<Seen>,
    pub(crate) next: RecordId,
    pub(crate) more: bool,
}

/// Something found, in memory of our own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) gap: bool,
    pub(crate) id: u64,
    pub(crate) ts_ns: u64,
    pub(crate) service: ServiceId,
    pub(crate) scope: String,
    pub(crate) message: String,
    pub(crate) fields: String,
}

impl Seen {
    fn of(found: &Found<'_>) -> Self {
        let of = |gap, record: &Record<'_>| Self {
            gap,
            id: record.id.0,
            ts_ns: record.ts_ns,
            service: record.service,
            scope: record.scope.to_owned(),
            message: record.message.to_owned(),
            fields: record.fields.as_str().to_owned(),
        };
        match found {
            Found::Record(record) => of(false, record),
            Found::Gap(record) => of(true, record),
        }
    }

    /// A number among the fields.
    pub(crate) fn number(&self, key: &str) -> u64 {
        let line = self.fields.lines().find_map(|line| line.split_once('=').filter(|f| f.0 == key));
        line.unwrap().1.parse().unwrap()
    }
}
