//! One sender makes up series without end by REGISTER, and fills them by number: the way that the
//! client library goes, and whoever wants to fill the tables behind it.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Nanos;
use nexus_recipe::Recipe;
use nexus_wire::metrics::{
    BatchWriter, HistogramItem, Item, Op, Register, Registered, Reply, Request, SparseBuckets,
    decode_reply, encode,
};
use nexus_wire::{Help, Kind, LabelBytes, MetricStatus, NameBytes, Reason, SeriesId, Unit};
use simkit::Config;

use crate::allocations;
use crate::bed::{Bed, app, machine};
use crate::cardinality::{OTHERS, Picture, others};
use crate::ledger;
use crate::producer::run;
use crate::seen::Totals;
use crate::talker::Talker;

const NONCE: u32 = 7;
/// What each update and each BATCH adds to each series.
const STEP: u64 = 2;
/// REGISTERs under way at a time.
const CHUNK: u64 = 512;
/// Until the next of them: a million are sent before the others' live spans grow too old.
const PAUSE: Nanos = Nanos::from_millis(125);

/// What the attacker has been given.
#[derive(Default)]
struct Given {
    ids: Vec<Id>,
    folded: u64,
    over_limit: u64,
    not_ready: u64,
}

#[derive(Clone, Copy)]
struct Id {
    series: SeriesId,
    /// Of a histogram: the bucket of [`STEP`].
    bucket: u8,
}

/// Lets one sender register `count` distinct label values of a metric of this kind, and then count
/// in all that it was given, by UPDATE and by BATCH.
///
/// # Panics
/// If anything of the others changes, anything of the attacker is unaccounted for, a cap does not
/// hold exactly, or memory grows.
pub fn attack(kind: Kind, count: u64) {
    attack_as(&app(OTHERS), kind, count);
}

/// As [`attack`], by the service `name`: one of the others is not let off.
///
/// # Panics
/// As [`attack`].
pub fn attack_as(name: &str, kind: Kind, count: u64) {
    let taken_before = allocations::while_serving();
    let recipe = machine(OTHERS + 1);
    let mut bed = Bed::new(Config::kind(1), &recipe);
    let mut others = others(&mut bed);
    let before = Picture::of(&mut bed, &others);
    let mut attacker = Talker::new(&mut bed, name);
    let mut given = Given::default();
    let mut memory = None;
    for from in (0..count).step_by(CHUNK as usize) {
        given.register(&mut bed, &attacker, kind, from..count.min(from + CHUNK));
        run(&mut bed, &mut others, PAUSE);
        if given.not_ready + given.over_limit > 0 {
            // From here on nobody is given anything, and the test keeps nothing more either.
            memory.get_or_insert_with(allocations::live_bytes);
        }
    }
    let taken = allocations::while_serving() - taken_before;
    let memory = (memory.expect("the caps are met"), allocations::live_bytes());
    allocations::assert_flat(taken, memory);
    let updates: Vec<_> = given.ids.iter().map(update).collect();
    attacker.update(&mut bed, updates.iter().map(Vec::as_slice), |_, counted| assert!(counted));
    run(&mut bed, &mut others, Nanos::from_secs(1));
    let items = send_batches(&mut bed, &mut attacker, kind, &given.ids);
    run(&mut bed, &mut others, Nanos::from_secs(1));
    assert_eq!(before, Picture::of(&mut bed, &others), "nothing of anybody else's changes");
    given.check(kind, &recipe, count);
    ledger::check(&mut bed);
    given.check_totals(&mut bed, &attacker, kind, items);
    assert_eq!(allocations::while_serving(), taken_before, "no memory while serving");
}

impl Given {
    fn register(&mut self, bed: &mut Bed, who: &Talker, kind: Kind, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let frame = register(kind, number);
            bed.world.send(who.client, "metricsd", &frame).expect("metricsd is there");
        }
        bed.world.settle();
        bed.world.each_reply(who.client, |_, reply| {
            match decode_reply(Op::Register, NONCE, reply.unwrap_or_default()) {
                Some((status, Reply::Registered(given))) => self.note(status, &given),
                Some((MetricStatus::OverLimit, _)) => self.over_limit += 1,
                Some((MetricStatus::NotReady, _)) => self.not_ready += 1,
                other => panic!("{other:?}"),
            }
        });
    }

    fn note(&mut self, status: MetricStatus, given: &Registered<'_>) {
        self.folded += u64::from(status == MetricStatus::Folded);
        let bucket = given.bounds().take_while(|bound| *bound < STEP).count() as u8;
        self.ids.push(Id { series: given.series, bucket });
    }

    /// As many apart as the cap of a metric, a number for as many more as there are, and nothing
    /// unanswered.
    fn check(&self, kind: Kind, recipe: &Recipe, count: u64) {
        let limits = &recipe.metricsd;
        let cap = u64::from(limits.series_per_metric);
        // What is left beside the floors of all others.
        let numbers = match kind {
            Kind::Histogram => free(limits.histograms, limits.histograms_floor, limits.senders),
            Kind::Counter | Kind::Gauge => {
                free(limits.registrations, limits.series_floor, limits.senders)
            }
        };
        let ids = self.ids.len() as u64;
        assert_eq!(ids + self.over_limit + self.not_ready, count, "every frame is answered");
        match kind {
            Kind::Gauge => assert_eq!((ids, self.over_limit), (cap, count - cap)),
            Kind::Counter | Kind::Histogram => {
                assert_eq!((ids, ids - self.folded, self.over_limit), (numbers, cap, 0));
            }
        }
    }

    /// Each number was counted in twice, wherever it leads.
    fn check_totals(&self, bed: &mut Bed, attacker: &Talker, kind: Kind, items: u64) {
        let all = bed.scrape();
        let mine = || all.iter().filter(|series| series.service == attacker.service());
        let (ids, overflow) = (self.ids.len() as u64, usize::from(self.folded > 0));
        let counted = 2 * STEP * ids;
        let totals = match kind {
            Kind::Counter => Totals { counted: counted.into(), ..Totals::default() },
            Kind::Gauge => Totals::default(),
            Kind::Histogram => Totals {
                observations: u128::from(2 * ids),
                observed: counted.into(),
                ..Totals::default()
            },
        };
        assert_eq!(Totals::of(attacker.service(), mine()), totals);
        let apart = self.ids.len() - self.folded as usize;
        assert_eq!(mine().count(), apart + overflow);
        assert_eq!(mine().filter(|series| series.overflow).count(), overflow);
        let row = bed.row("metricsd", &attacker.name);
        assert_eq!(items, ids);
        let refused = [Reason::OverLimit, Reason::NotReady].map(|why| row.refused[why.index()]);
        assert_eq!(refused, [self.over_limit, self.not_ready]);
        let expected = (2 * apart as u64, 2 * self.folded, row.refused_total());
        assert_eq!((row.accepted, row.folded, self.over_limit + self.not_ready), expected);
    }
}

/// Of `total`, what one of `senders` can have at most while all keep their floors.
fn free(total: u32, floor: u32, senders: u32) -> u64 {
    u64::from(total) - u64::from(floor) * u64::from(senders - 1)
}

fn register(kind: Kind, number: u64) -> Vec<u8> {
    let labels = format!("user=u{number}\n");
    let name = NameBytes::new(b"hits").expect("a name");
    let labels = LabelBytes::new(labels.as_bytes()).expect("labels");
    let help = Help::new("").expect("a help");
    let request = Request::Register(Register::new(kind, Unit::None, name, labels, help));
    encode(&request, NONCE, &mut [0; 512]).expect("a frame").to_vec()
}

fn update(id: &Id) -> Vec<u8> {
    let request = Request::Update { series: id.series, value: STEP };
    encode(&request, NONCE, &mut [0; 64]).expect("a frame").to_vec()
}

/// BATCHes with each series once, in order; how many items they have.
fn send_batches(bed: &mut Bed, who: &mut Talker, kind: Kind, ids: &[Id]) -> u64 {
    for (seq, ids) in (1..).zip(ids.chunks(64)) {
        let mut frame = [0; FRAME_BYTES_MAX];
        let mut writer = BatchWriter::new(seq, NONCE, &mut frame);
        for id in ids {
            assert!(put(&mut writer, kind, id), "64 of them fit");
        }
        let frame = writer.finish().expect("a frame");
        let reply = bed.world.call(who.client, "metricsd", frame).expect("an answer");
        match decode_reply(Op::Batch, NONCE, &reply) {
            Some((MetricStatus::Ok, Reply::Batch(ack))) => {
                assert_eq!((ack.applied_seq, ack.refused_items), (seq, 0));
            }
            other => panic!("{other:?}"),
        }
        bed.world.run_for(Nanos::from_millis(100));
    }
    ids.len() as u64
}

fn put(writer: &mut BatchWriter<'_>, kind: Kind, id: &Id) -> bool {
    let mut bytes = [0; 16];
    match kind {
        Kind::Counter | Kind::Gauge => writer.value(id.series, STEP),
        Kind::Histogram => {
            let buckets = SparseBuckets::encode([(id.bucket, 1)].into_iter(), &mut bytes);
            let buckets = buckets.expect("a bucket");
            writer.item(&Item::Histogram(HistogramItem { series: id.series, sum: STEP, buckets }))
        }
    }
}
