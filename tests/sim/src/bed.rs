//! Both daemons in one world, and a reader who knows them only by their frames.

use std::collections::BTreeMap;
use std::rc::Rc;

use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{Rights, ServiceId};
use nexus_recipe::{Budget, Recipe, SenderRule, StateRecipe};
use nexus_wire::logs::{self, Head, Search, StatsReply, Version};
use nexus_wire::metrics;
use nexus_wire::{LedgerRow, LogStatus, MetricStatus};
use simkit::{Client, Config, Disk, Start, World};
use statefsd::Statefsd;

use crate::handed::{Counting, Counts};
use crate::seen::{Seen, Series};
use crate::watched::{Sabotage, Sink, Watched};

/// The recipe of a machine.
const MACHINE: &str = include_str!("../../../recipes/observability/metrics.toml");
/// The recipe of a small device.
const DEVICE: &str = include_str!("../../../recipes/observability/device-2mib.toml");
/// Who reads.
const READER: &str = "obsctl";
/// Services that are in every scenario.
const KEPT: [&str; 3] = ["logd", "metricsd", READER];

/// The recipe of a machine, with rules for `apps` more services ([`app`]), seats for them all, and
/// a budget for a reader who reads everything at one moment.
#[must_use]
pub fn machine(apps: usize) -> Recipe {
    // Whoever reads, logd and metricsd have seats too.
    let seats = format!("senders = {}\n", 64.max(apps + 8));
    parse(&MACHINE.replace("senders = 64\n", &seats), apps)
}

/// The recipe of a small device, likewise; its seats are as few as they are.
#[must_use]
pub fn device(apps: usize) -> Recipe {
    parse(DEVICE, apps)
}

/// The name of a service that a scenario makes up.
#[must_use]
pub fn app(number: usize) -> String {
    format!("app{number:02}")
}

/// A recipe of the project's, whose services are those that a scenario has.
fn parse(text: &str, apps: usize) -> Recipe {
    let mut recipe = Recipe::parse(text).expect("the project's recipes are legal");
    let of_app = |number| SenderRule {
        name: app(number),
        uid: None,
        logd_budget: None,
        metricsd_budget: None,
    };
    let kept = recipe.senders.iter().filter(|rule| KEPT.contains(&rule.name.as_str())).cloned();
    let rules = kept.chain((0..apps).map(of_app));
    recipe.senders = rules.collect();
    let (events_per_s, bytes_per_s) = (1_000_000, 100_000_000);
    let budget =
        Budget { events_per_s, events_burst: events_per_s, bytes_per_s, bytes_burst: bytes_per_s };
    let reader = recipe.senders.iter_mut().find(|rule| rule.name == READER);
    let reader = reader.expect("the recipes know the reader");
    (reader.logd_budget, reader.metricsd_budget) = (Some(budget), Some(budget));
    assert!(recipe.senders.len() <= recipe.logd.senders.min(recipe.metricsd.senders) as usize);
    recipe
}

/// Both daemons in one world.
pub struct Bed {
    /// The world.
    pub world: World,
    /// Finest step of its clock.
    pub config: Config,
    reader: Client,
    nonce: u32,
    counts: Rc<Counts>,
}

/// How a bed is made.
pub struct Make {
    /// How kind the world is.
    pub config: Config,
    /// What logd lives by.
    pub logd: Recipe,
    /// What metricsd lives by.
    pub metricsd: Recipe,
    /// Where output is kept, if it is.
    pub sink: Option<Sink>,
    /// Seed of metricsd's hashes; `None`: its own.
    pub hash_seed: Option<u64>,
    /// What is broken on purpose.
    pub sabotage: Option<Sabotage>,
    /// The disk on which metricsd keeps its windows, if there is one, and what statefsd lives by.
    pub state: Option<(StateRecipe, Disk)>,
}

impl Make {
    /// Both daemons by the same recipe.
    #[must_use]
    pub fn new(config: Config, recipe: &Recipe) -> Self {
        let (logd, metricsd) = (recipe.clone(), recipe.clone());
        Self { config, logd, metricsd, sink: None, hash_seed: None, sabotage: None, state: None }
    }
}

impl Bed {
    /// Both daemons, just started.
    #[must_use]
    pub fn new(config: Config, recipe: &Recipe) -> Self {
        Self::with(Make::new(config, recipe))
    }

    /// As [`Self::new`], in every detail as `make` says.
    #[must_use]
    pub fn with(make: Make) -> Self {
        let Make { config, logd, metricsd, sink, hash_seed, sabotage, state } = make;
        let keep = if state.is_some() { Keep::Files } else { Keep::Nothing };
        let mut world = World::with(config.clone());
        let (logd, metricsd) = (Rc::new(logd), Rc::new(metricsd));
        let counts = Rc::<Counts>::default();
        if let Some((recipe, disk)) = state {
            let (counts, bytes) = (Rc::clone(&counts), metricsd.metricsd.retention.bytes);
            world.spawn("statefsd", move |start: Start| {
                let statefsd = Statefsd::new(&recipe, start.boot).expect("a legal recipe");
                Counting::new(statefsd, bytes.into(), Rc::clone(&counts))
            });
            world.attach("statefsd", disk);
            world.settle();
        }
        let logd_sink = sink.clone();
        world.spawn("logd", move |start: Start| {
            Watched::new(Logd::new(&logd, start.boot, Keep::Nothing), logd_sink.clone(), sabotage)
        });
        world.spawn_with("metricsd", Rights::QUERY, move |start: Start| {
            let service = match hash_seed {
                Some(seed) => Metricsd::with_seed(&metricsd, start.boot, keep, seed),
                None => Metricsd::new(&metricsd, start.boot, keep),
            };
            Watched::new(service, sink.clone(), sabotage)
        });
        let reader = world.client(READER, Rights::QUERY.with(Rights::SCRAPE));
        world.settle();
        Self { world, config, reader, nonce: 0, counts }
    }

    /// Bytes that were handed to statefsd for files so far, and bytes that the disk was written.
    pub fn written(&mut self) -> (u64, u64) {
        (self.counts.handed.get(), self.world.disk("statefsd").sectors_written() * 512)
    }

    /// How often metricsd has asked statefsd to read so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.counts.reads.get()
    }

    /// Most bytes of the disk that files took at a time, what was deleted and is not durable yet
    /// among them. More than the recipe says ends the test.
    #[must_use]
    pub fn most_taken(&self) -> u64 {
        self.counts.peak.get()
    }

    /// The reply of logd to the reader, looked at by `then`.
    pub fn logd<T>(
        &mut self,
        request: logs::Request<'_>,
        then: impl FnOnce(logs::Reply<'_>) -> T,
    ) -> T {
        self.nonce += 1;
        let head = Head { version: Version::V2, nonce: u64::from(self.nonce) };
        let mut frame = [0; 4096];
        let frame = logs::encode(&request, head, &mut frame).expect("a request fits");
        let reply = self.world.call(self.reader, "logd", frame).expect("logd answers");
        match logs::decode_reply(request.op(), head, &reply) {
            Some((LogStatus::Ok, reply)) => then(reply),
            other => panic!("{:?}: {other:?}", request.op()),
        }
    }

    /// The reply of metricsd to the reader, looked at by `then`.
    pub fn metricsd<T>(
        &mut self,
        request: metrics::Request<'_>,
        then: impl FnOnce(metrics::Reply<'_>) -> T,
    ) -> T {
        self.nonce += 1;
        let mut frame = [0; 4096];
        let frame = metrics::encode(&request, self.nonce, &mut frame).expect("a request fits");
        let reply = self.world.call(self.reader, "metricsd", frame).expect("metricsd answers");
        match metrics::decode_reply(request.op(), self.nonce, &reply) {
            Some((MetricStatus::Ok, reply)) => then(reply),
            other => panic!("{:?}: {other:?}", request.op()),
        }
    }

    /// Everything that a search finds, page by page.
    pub fn search(&mut self, search: Search<'_>) -> Vec<Seen> {
        let (mut all, mut search) = (Vec::new(), search);
        loop {
            let more = self.logd(logs::Request::Search(search), |reply| {
                let logs::Reply::Search(page) = reply else { panic!("{reply:?}") };
                all.extend(page.found().map(|found| Seen::of(&found)));
                (search.boot, search.id) = (page.boot, page.next_id);
                page.more
            });
            if !more {
                return all;
            }
        }
    }

    /// The journal, its gaps included.
    pub fn journal(&mut self) -> Vec<Seen> {
        self.search(Search { gaps: true, ..Search::ALL })
    }

    /// Every series.
    pub fn scrape(&mut self) -> Vec<Series> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            let request = metrics::Request::Scrape { cursor, with_help: false };
            cursor = self.metricsd(request, |reply| {
                let metrics::Reply::Scrape(page) = reply else { panic!("{reply:?}") };
                all.extend(page.series().map(|view| Series::of(&view)));
                page.next_cursor
            });
            if cursor == 0 {
                return all;
            }
        }
    }

    /// Live spans, as text.
    pub fn live_spans(&mut self) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = self.metricsd(metrics::Request::Spans { cursor }, |reply| {
                let metrics::Reply::Spans(page) = reply else { panic!("{reply:?}") };
                all.extend(page.spans().map(|span| format!("{span:?}")));
                page.next_cursor
            });
            if cursor == 0 {
                return all;
            }
        }
    }

    /// The ledger of a daemon.
    pub fn audit(&mut self, daemon: &str) -> Vec<LedgerRow> {
        let (mut rows, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = match daemon {
                "logd" => self.logd(logs::Request::Audit { cursor }, |reply| {
                    let logs::Reply::Audit(page) = reply else { panic!("{reply:?}") };
                    rows.extend(page.rows());
                    page.next_cursor
                }),
                _ => self.metricsd(metrics::Request::Audit { cursor }, |reply| {
                    let metrics::Reply::Audit(page) = reply else { panic!("{reply:?}") };
                    rows.extend(page.rows());
                    page.next_cursor
                }),
            };
            if cursor == 0 {
                return rows;
            }
        }
    }

    /// The ledger of one sender at a daemon; all zero if it has none.
    pub fn row(&mut self, daemon: &str, name: &str) -> LedgerRow {
        let service = ServiceId::from_name(name).raw();
        self.audit(daemon).into_iter().find(|row| row.service == service).unwrap_or_default()
    }

    /// The state of a daemon.
    pub fn status(&mut self, daemon: &str) -> BTreeMap<String, String> {
        let owned = |fields: nexus_wire::Fields<'_>| {
            fields.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        match daemon {
            "logd" => self.logd(logs::Request::Status, |reply| match reply {
                logs::Reply::Status(fields) => owned(fields),
                other => panic!("{other:?}"),
            }),
            _ => self.metricsd(metrics::Request::Status, |reply| match reply {
                metrics::Reply::Status(fields) => owned(fields),
                other => panic!("{other:?}"),
            }),
        }
    }

    /// One number of a daemon's state.
    pub fn state(&mut self, daemon: &str, key: &str) -> u64 {
        let status = self.status(daemon);
        let value = status.get(key).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("{daemon} says no {key}"))
    }

    /// How full the journal is.
    pub fn stats(&mut self) -> StatsReply {
        self.logd(logs::Request::Stats, |reply| match reply {
            logs::Reply::Stats(stats) => stats,
            other => panic!("{other:?}"),
        })
    }
}
