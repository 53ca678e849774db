//! Bundles of the boot image are whole; others are brought, read back, and taken away. What must be
//! refused is refused for its reason, and bundlemgrd's own numbers of all that come back from logd.

use alloc::vec::Vec;

use nexus_abi::{FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_bounded::{Mono, Text};
use nexus_bundle::{Checker, Manifest, Whole, pack};
use nexus_wire::bundles::{
    BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundleVersion, Info, Listed, Op, Origin,
    Reply, Request, decode_reply, encode,
};

use crate::Why;
use crate::metrics::{COUNTER, GAUGE, HISTOGRAM, NO_UNIT};
use crate::series::{Metric, Series, told};
use crate::spans::shown;
use crate::talk::Talk;

pub(crate) const BUNDLEMGRD: ServiceId = ServiceId::from_name("bundlemgrd");

/// What the boot image carries, in order.
const CARRIED: [&str; 4] = ["demo.crash", "demo.hello", "demo.intruder", "demo.wait"];
/// What is brought and stays: the program of `demo.hello`, as another entry.
pub(crate) const BROUGHT: &str = "demo.hoard";
const BROUGHT_ENTRY: &str = "demo-hoard";
/// What is brought, and taken away again.
const BRIEF: &str = "demo.nosy";
/// What we may not bring.
const FORBIDDEN: &str = "demo.forbidden";
const NOBODY: &str = "demo.nobody";

/// Bounds of the sizes that bundlemgrd counts.
const SIZES: [(u32, &str); 6] = [
    (1 << 10, "le.1024"),
    (1 << 12, "le.4096"),
    (1 << 14, "le.16384"),
    (1 << 16, "le.65536"),
    (1 << 18, "le.262144"),
    (1 << 20, "le.1048576"),
];

const OPS: usize = 9;
const STATUSES: usize = 11;
const NO_FRAME: Why = "no such frame";
const NOT_AS_KNOWN: Why = "a bundle is not what is known of it";

/// A conversation with bundlemgrd, and what was asked with which answers.
pub(crate) struct Asker<'t, 'c> {
    talk: &'t mut Talk<'c>,
    counts: [[u32; STATUSES]; OPS],
}

/// What is known of a bundle, without what its texts borrow.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    size: u32,
    memory_kib: u32,
    rights: Rights,
    origin: Origin,
    digest: [u8; 32],
}

impl Known {
    fn of(info: &Info<'_>) -> Self {
        let Info { size, memory_kib, rights, origin, digest, .. } = *info;
        Self { size, memory_kib, rights, origin, digest }
    }
}

pub(crate) fn name(text: &str) -> Result<BundleName<'_>, Why> {
    BundleName::new(text).ok_or("no such name")
}

/// A bundle with that name, entry and needs.
pub(crate) fn bundle(
    text: &str,
    entry: &str,
    memory_kib: u32,
    rights: Rights,
    program: &[u8],
) -> Result<Vec<u8>, Why> {
    let version = BundleVersion::new("2.0").ok_or("no such version")?;
    let (name, entry) = (name(text)?, name(entry)?);
    let manifest = Manifest { name, version, entry, memory_kib, rights, program_bytes: 0 };
    pack(&manifest, program).map_err(|_| "no such bundle")
}

/// The program in a bundle.
fn program(bundle: &[u8]) -> Result<&[u8], Why> {
    let manifest = Manifest::read(bundle).map_err(|_| "a bundle without a front")?;
    let behind = bundle.get(manifest.header_bytes()..);
    behind.and_then(|rest| rest.get(..manifest.program_bytes as usize)).ok_or(NOT_AS_KNOWN)
}

impl<'t, 'c> Asker<'t, 'c> {
    pub(crate) fn new(talk: &'t mut Talk<'c>) -> Self {
        Self { talk, counts: [[0; STATUSES]; OPS] }
    }

    fn note(&mut self, op: usize, status: BundleStatus) {
        let row = self.counts.get_mut(op);
        let count = row.and_then(|row| row.get_mut(usize::from(status.raw())));
        count.into_iter().for_each(|count| *count += 1);
    }

    /// Asks once, and shows the answer to `look`.
    fn ask<T>(
        &mut self,
        request: &Request<'_>,
        look: impl FnOnce(BundleStatus, Reply<'_>) -> T,
    ) -> Result<T, Why> {
        let (nonce, mut frame) = (self.talk.next_nonce(), [0; FRAME_BYTES_MAX]);
        let frame = encode(request, nonce, &mut frame).map_err(|_| NO_FRAME)?;
        let answer = self.talk.send(BUNDLEMGRD, frame)?;
        let reply = decode_reply(request.op(), nonce, answer);
        let (status, reply) = reply.ok_or("bundlemgrd's answer is none to the request")?;
        let looked = look(status, reply);
        self.note(usize::from(request.op().raw()), status);
        Ok(looked)
    }

    /// What is answered must be this.
    pub(crate) fn must(
        &mut self,
        request: &Request<'_>,
        wanted: BundleStatus,
        or: Why,
    ) -> Result<(), Why> {
        let status = self.ask(request, |status, _| status)?;
        if status == wanted { Ok(()) } else { Err(or) }
    }

    fn query(&mut self, text: &str) -> Result<Known, Why> {
        let query = Request::Query { name: name(text)? };
        let known = self.ask(&query, |_, reply| match reply {
            Reply::Info(info) => Some(Known::of(&info)),
            _ => None,
        });
        known?.ok_or("a bundle that is there is not known")
    }

    /// All bytes of a bundle, if they are what is known of it.
    pub(crate) fn fetch(&mut self, text: &str) -> Result<Vec<u8>, Why> {
        let known = self.query(text)?;
        let (mut checker, mut all) = (Checker::new(known.size), Vec::new());
        all.reserve_exact(known.size as usize);
        while checker.seen() < known.size {
            let (at, max) = (checker.seen(), BUNDLE_PIECE_BYTES_MAX as u16);
            let fetch = Request::Fetch { name: name(text)?, at, max };
            let is_piece = self.ask(&fetch, |_, reply| match reply {
                Reply::Piece(piece) if !piece.bytes.is_empty() => {
                    all.extend_from_slice(piece.bytes);
                    checker.take(piece.bytes).is_ok()
                }
                _ => false,
            });
            if !is_piece? {
                return Err("a bundle has no bytes where it must have some");
            }
        }
        let Whole { manifest, digest, .. } =
            checker.finish().map_err(|_| "a bundle is not whole")?;
        let is_it = manifest.name == name(text)?
            && (manifest.memory_kib, manifest.rights) == (known.memory_kib, known.rights)
            && digest == known.digest;
        if is_it { Ok(all) } else { Err(NOT_AS_KNOWN) }
    }

    pub(crate) fn begin(
        &mut self,
        text: &str,
        size: u32,
        wanted: BundleStatus,
        or: Why,
    ) -> Result<(), Why> {
        self.must(&Request::Begin { name: name(text)?, size }, wanted, or)
    }

    /// Brings all bytes of a bundle; what they come to must be this.
    fn bring(
        &mut self,
        text: &str,
        bytes: &[u8],
        wanted: BundleStatus,
        or: Why,
    ) -> Result<(), Why> {
        self.begin(text, bytes.len() as u32, BundleStatus::Ok, "a bundle cannot be begun")?;
        let mut at = 0;
        for bytes in bytes.chunks(BUNDLE_PIECE_BYTES_MAX) {
            let bring = Request::Bring { at, bytes };
            self.must(&bring, BundleStatus::Ok, "a piece of a bundle was refused")?;
            at += bytes.len() as u32;
        }
        self.must(&Request::Commit, wanted, or)
    }

    /// What is answered to bytes that are no frame of ours must be this.
    fn refuses(
        &mut self,
        op: usize,
        frame: &[u8],
        wanted: BundleStatus,
        or: Why,
    ) -> Result<(), Why> {
        let answer = self.talk.send(BUNDLEMGRD, frame)?;
        let status = answer.get(4).copied().and_then(BundleStatus::from_raw);
        self.note(op, wanted);
        if status == Some(wanted) { Ok(()) } else { Err(or) }
    }
}

/// Brings a bundle that other cases need.
pub(crate) fn install(talk: &mut Talk<'_>, text: &str, bytes: &[u8]) -> Result<(), Why> {
    Asker::new(talk).bring(text, bytes, BundleStatus::Ok, "a bundle cannot be brought")
}

pub(crate) fn come_and_go(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    let mut asker = Asker::new(talk);
    are_cleared(&mut asker)?;
    are_carried(&mut asker)?;
    let hello = asker.fetch("demo.hello")?;
    let brought = bundle(BROUGHT, BROUGHT_ENTRY, 64, Rights::NONE, program(&hello)?)?;
    asker.bring(BROUGHT, &brought, BundleStatus::Ok, "a good bundle was refused")?;
    if asker.fetch(BROUGHT)? != brought || asker.query(BROUGHT)?.origin != Origin::State {
        return Err("a bundle does not come back as it was brought");
    }
    are_refused(&mut asker)?;
    let brief = bundle(BRIEF, "demo-hello", 64, Rights::QUERY, b"no program at all")?;
    is_corrupt(&mut asker, &brief)?;
    asker.bring(BRIEF, &brief, BundleStatus::Ok, "a good bundle was refused")?;
    let remove = Request::Remove { name: name(BRIEF)? };
    asker.must(&remove, BundleStatus::Ok, "a bundle cannot be taken away")?;
    asker.must(&remove, BundleStatus::NotFound, "a bundle was taken away and is there")?;
    let counts = asker.counts;
    are_told(talk, since, &counts, [brought.len() as u32, brief.len() as u32])
}

/// What was brought in the boot before is there and whole, and goes when it is taken away.
pub(crate) fn are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    let mut asker = Asker::new(talk);
    asker.fetch(BROUGHT)?;
    if asker.query(BROUGHT)?.origin != Origin::State {
        return Err("a bundle that was brought is of the boot image");
    }
    let remove = Request::Remove { name: name(BROUGHT)? };
    asker.must(&remove, BundleStatus::Ok, "a bundle cannot be taken away")?;
    asker.must(&remove, BundleStatus::NotFound, "a bundle was taken away and is there")
}

/// What a boot that was cut short has brought is taken away.
fn are_cleared(asker: &mut Asker<'_, '_>) -> Result<(), Why> {
    let left = |_, reply: Reply<'_>| match reply {
        Reply::List(list) => {
            let left = list.bundles().find(|bundle| bundle.origin == Origin::State);
            left.map(|bundle| bundle.name.stored())
        }
        _ => None,
    };
    while let Some(left) = asker.ask(&Request::List { after: None }, left)? {
        let remove = Request::Remove { name: left.get() };
        asker.must(&remove, BundleStatus::Ok, "what was left cannot be taken away")?;
    }
    Ok(())
}

/// The boot image has exactly its bundles, by name.
fn are_carried(asker: &mut Asker<'_, '_>) -> Result<(), Why> {
    let is_carried = |(bundle, name): (Listed<'_>, &&str)| {
        bundle.name.as_str() == *name && bundle.origin == Origin::Boot && bundle.size > 0
    };
    let are_listed = asker.ask(&Request::List { after: None }, |_, reply| match reply {
        Reply::List(list) => {
            list.bundles().count() == CARRIED.len() && list.bundles().zip(&CARRIED).all(is_carried)
        }
        _ => false,
    });
    if are_listed? { Ok(()) } else { Err("the boot image has not exactly its bundles") }
}

fn are_refused(asker: &mut Asker<'_, '_>) -> Result<(), Why> {
    use BundleStatus::{Denied, Exists, InvalidArgs, NotFound, OutOfOrder, OverLimit, OverQuota};
    let mut good = [0; 64];
    let query = Request::Query { name: name(NOBODY)? };
    let good = encode(&query, 1, &mut good).map_err(|_| NO_FRAME)?;
    let (query_op, mut frame) = (usize::from(Op::Query.raw()), Vec::from(good));
    asker.refuses(0, b"XX", InvalidArgs, "a frame of others was taken")?;
    asker.refuses(query_op, good.split_last().map_or(good, |(_, cut)| cut), InvalidArgs, "cut")?;
    frame.get_mut(3).into_iter().for_each(|op| *op = 99);
    asker.refuses(0, &frame, InvalidArgs, "an unknown operation was taken")?;
    frame.copy_from_slice(good);
    frame.get_mut(8).into_iter().for_each(|len| *len = 200);
    asker.refuses(query_op, &frame, OverLimit, "a name that is too long was taken")?;

    let nobody = name(NOBODY)?;
    asker.must(&query, NotFound, "what nobody knows is known")?;
    let fetch = Request::Fetch { name: nobody, at: 0, max: 9 };
    asker.must(&fetch, NotFound, "what nobody knows has bytes")?;
    asker.must(&Request::Remove { name: nobody }, NotFound, "what nobody knows was taken away")?;
    asker.begin(NOBODY, 1 << 30, OverLimit, "a bundle larger than any may be was begun")?;
    asker.begin("demo.hello", 100, Exists, "a second bundle of a name was begun")?;
    asker.begin(BRIEF, 128 << 10, OverQuota, "more was begun than we may have")?;
    asker.begin(FORBIDDEN, 100, Denied, "the policy was not asked")?;
    let carried = Request::Remove { name: name("demo.hello")? };
    asker.must(&carried, Denied, "a bundle of the boot image was taken away")?;
    asker.must(&Request::Commit, OutOfOrder, "what was not begun was made a bundle")
}

/// A bundle with another bit is none, and what has come of it is given up.
fn is_corrupt(asker: &mut Asker<'_, '_>, good: &[u8]) -> Result<(), Why> {
    let mut bad = Vec::from(good);
    bad.last_mut().into_iter().for_each(|last| *last ^= 1);
    asker.bring(BRIEF, &bad, BundleStatus::Corrupt, "a corrupt bundle was taken")?;
    let query = Request::Query { name: name(BRIEF)? };
    asker.must(&query, BundleStatus::NotFound, "a corrupt bundle is known")
}

const fn op_name(op: usize) -> &'static str {
    match Op::from_raw(op as u8) {
        Some(Op::List) => "list",
        Some(Op::Query) => "query",
        Some(Op::Begin) => "begin",
        Some(Op::Bring) => "bring",
        Some(Op::Commit) => "commit",
        Some(Op::GiveUp) => "give_up",
        Some(Op::Fetch) => "fetch",
        Some(Op::Remove) => "remove",
        None => "unknown",
    }
}

/// The labels of requests, and how many there were.
type Row = ([(&'static str, &'static str); 2], Text<32>);

fn rows(counts: &[[u32; STATUSES]; OPS]) -> Vec<Row> {
    let all = counts.iter().enumerate().flat_map(|(op, row)| {
        row.iter().enumerate().map(move |(status, count)| (op, status, *count))
    });
    let all = all.filter(|(_, _, count)| *count > 0).filter_map(|(op, status, count)| {
        let outcome = BundleStatus::from_raw(status as u8)?.name();
        Some(([("label.op", op_name(op)), ("label.outcome", outcome)], shown(count)))
    });
    all.collect()
}

/// What bundlemgrd counts of all that: every request by what became of it, and the sizes of the two
/// bundles that were made, of which the first is there still.
fn are_told(
    talk: &mut Talk<'_>,
    since: Mono,
    counts: &[[u32; STATUSES]; OPS],
    [stays, brief]: [u32; 2],
) -> Result<(), Why> {
    let rows = rows(counts);
    let values: Vec<_> =
        rows.iter().map(|(_, count)| [COUNTER, NO_UNIT, ("value", count.as_str())]).collect();
    let requests = rows.iter().zip(&values);
    let requests: Vec<_> =
        requests.map(|((labels, _), values)| Series { labels, values }).collect();

    let (sum, stays_text) = (shown(stays + brief), shown(stays));
    let bucket = |size: u32| SIZES.iter().find(|(bound, _)| size <= *bound).map(|(_, le)| *le);
    let (first, second) = (bucket(brief).ok_or("too large")?, bucket(stays).ok_or("too large")?);
    let sizes = [
        HISTOGRAM,
        ("unit", "bytes"),
        ("count", "2"),
        ("sum", sum.as_str()),
        (first, "1"),
        (second, "2"),
    ];
    let one = [COUNTER, NO_UNIT, ("value", "1")];
    let bundles = shown(CARRIED.len() + 1);
    let metrics = [
        Metric { name: "bundlemgrd_requests_total", series: &requests },
        Metric {
            name: "bundlemgrd_corrupt_total",
            series: &[Series { labels: &[("label.defect", "digest")], values: &one }],
        },
        Metric {
            name: "bundlemgrd_installed_bytes",
            series: &[Series { labels: &[], values: &sizes }],
        },
        Metric {
            name: "bundlemgrd_bundles",
            series: &[Series {
                labels: &[],
                values: &[GAUGE, NO_UNIT, ("value", bundles.as_str())],
            }],
        },
        Metric {
            name: "bundlemgrd_state_bytes",
            series: &[Series {
                labels: &[],
                values: &[GAUGE, ("unit", "bytes"), ("value", stays_text.as_str())],
            }],
        },
    ];
    told(talk, BUNDLEMGRD, since, &metrics, "what bundlemgrd counts is not in the journal")
}
