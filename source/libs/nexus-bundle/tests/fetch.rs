//! Fetching a bundle: it is whole and the one that was announced, or there is none.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{Fetch, Manifest, NoAnswer, NoBundle, Program, pack};
use nexus_port::{CallError, CallId, SubmitError, Token, World};
use nexus_wire::bundles::{
    BundleName, BundleStatus, BundleVersion, DIGEST_BYTES, Frame, Info, Origin, Piece, Request,
    decode, encode_info, encode_piece, plain_reply,
};
use proptest::prelude::*;

/// bundlemgrd as far as who fetches sees it.
struct There {
    bundle: Vec<u8>,
    /// Bytes of its pieces, at most.
    piece: usize,
    announces: Info<'static>,
    refuses: Option<BundleStatus>,
    is_away: bool,
    asked: Option<(CallId, Vec<u8>)>,
}

impl World for There {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        assert_eq!(to, ServiceId::from_name("bundlemgrd"));
        if self.is_away {
            return Err(SubmitError::NotReady);
        }
        assert!(self.asked.replace((call, frame.to_vec())).is_none(), "one at a time");
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

fn name(text: &str) -> BundleName<'_> {
    BundleName::new(text).unwrap()
}

fn bundle(called: &'static str, program: &[u8]) -> Vec<u8> {
    let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
    let (name, memory_kib, rights) = (name(called), 64, Rights::QUERY);
    pack(&Manifest { name, version, entry, memory_kib, rights, program_bytes: 0 }, program).unwrap()
}

const PATIENCE: Nanos = Nanos::from_secs(2);

fn fetch() -> Fetch {
    Fetch::new(CallId(0x1_0000), PATIENCE)
}

impl There {
    fn with(bundle: Vec<u8>, piece: usize) -> Self {
        let (size, digest) = (bundle.len() as u32, *bundle.last_chunk().unwrap());
        let (version, entry) = (BundleVersion::new("1").unwrap(), name("hello"));
        let (memory_kib, rights, origin) = (64, Rights::QUERY, Origin::State);
        let announces = Info { size, memory_kib, rights, origin, version, entry, digest };
        Self { bundle, piece, announces, refuses: None, is_away: false, asked: None }
    }

    fn answer(&self, frame: &[u8]) -> Vec<u8> {
        let Frame { echo, request } = decode(frame).unwrap();
        if let Some(status) = self.refuses {
            return plain_reply(echo, status).to_vec();
        }
        let (mut out, size) = (vec![0; 4096], self.announces.size);
        match request {
            Request::Query { .. } => {
                encode_info(&self.announces, echo.nonce, &mut out).unwrap().to_vec()
            }
            Request::Fetch { at, max, .. } => {
                let rest = self.bundle.get(at as usize..).unwrap_or_default();
                let bytes = &rest[..rest.len().min(max.into()).min(self.piece)];
                encode_piece(&Piece { size, bytes }, echo.nonce, &mut out).unwrap().to_vec()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Answers until there is a bundle or none.
    fn fetched(&mut self, fetch: &mut Fetch) -> Result<Program, NoBundle> {
        fetch.begin(name("demo.hello").stored(), Mono(5), self)?;
        loop {
            let (call, frame) = self.asked.take().unwrap();
            let answer = self.answer(&frame);
            if let Some(ended) = fetch.ended(call, Ok(&answer), Mono(6), self) {
                assert_eq!((&self.asked, fetch.deadline()), (&None, None), "nothing comes later");
                return ended;
            }
        }
    }
}

proptest! {
    #[test]
    fn in_pieces_of_any_size_it_comes_whole_and_says_which_program_it_is(
        program in prop::collection::vec(any::<u8>(), 0..9000),
        piece in 1..4000usize,
    ) {
        let mut there = There::with(bundle("demo.hello", &program), piece);
        let fetched = there.fetched(&mut fetch()).unwrap();
        let (entry, digest) = (name("hello").stored(), Program::digest_of(&program));
        let wanted = Program { entry, memory_kib: 64, rights: Rights::QUERY, digest };
        prop_assert_eq!(fetched, wanted);
    }

    #[test]
    fn with_any_bit_changed_it_is_none(at in 0..600usize, bit in 0..8u32, piece in 1..700usize) {
        let mut bad = bundle("demo.hello", &[7; 550]);
        let at = at % bad.len();
        bad[at] ^= 1 << bit;
        let mut there = There::with(bad, piece);
        prop_assert_eq!(there.fetched(&mut fetch()), Err(NoBundle::Corrupt));
    }
}

#[test]
fn what_is_not_as_it_was_announced_is_none() {
    let good = || There::with(bundle("demo.hello", &[7; 550]), 100);
    assert!(good().fetched(&mut fetch()).is_ok());
    let announced = [
        Info { digest: [1; DIGEST_BYTES], ..good().announces },
        Info { entry: name("other"), ..good().announces },
        Info { memory_kib: 65, ..good().announces },
        Info { rights: Rights::NONE, ..good().announces },
        Info { size: good().announces.size - 1, ..good().announces },
        Info { size: good().announces.size + 1, ..good().announces },
    ];
    for announces in announced {
        let mut there = There { announces, ..good() };
        assert_eq!(there.fetched(&mut fetch()), Err(NoBundle::Corrupt), "{announces:?}");
    }
    let mut other = There::with(bundle("demo.other", &[7; 550]), 100);
    assert_eq!(other.fetched(&mut fetch()), Err(NoBundle::Corrupt), "another name");
}

#[test]
fn who_refuses_says_why_and_who_is_not_there_is_away() {
    let away = Err(NoBundle::NoAnswer(NoAnswer::Away));
    let (mut there, mut fetch) = (There::with(bundle("demo.hello", &[7; 50]), 100), fetch());
    for status in [BundleStatus::NotFound, BundleStatus::Corrupt, BundleStatus::Busy] {
        there.refuses = Some(status);
        let refused = Err(NoBundle::NoAnswer(NoAnswer::Refused(status)));
        assert_eq!(there.fetched(&mut fetch), refused);
    }
    (there.refuses, there.is_away) = (None, true);
    assert_eq!(there.fetched(&mut fetch), away);
    there.is_away = false;
    fetch.begin(name("demo.hello").stored(), Mono(5), &mut there).unwrap();
    let (call, _) = there.asked.take().unwrap();
    let died = fetch.ended(call, Err(CallError::PeerDied), Mono(6), &mut there);
    assert_eq!(died, Some(away), "it dies");
    fetch.begin(name("demo.hello").stored(), Mono(5), &mut there).unwrap();
    let (call, frame) = there.asked.take().unwrap();
    there.is_away = true;
    let answer = there.answer(&frame);
    assert_eq!(fetch.ended(call, Ok(&answer), Mono(6), &mut there), Some(away), "in the middle");
}

#[test]
fn who_says_nothing_in_time_is_away_and_the_next_bundle_comes() {
    let (mut there, mut fetch) = (There::with(bundle("demo.hello", &[7; 50]), 100), fetch());
    fetch.begin(name("demo.hello").stored(), Mono(5), &mut there).unwrap();
    let (late, frame) = there.asked.take().unwrap();
    let end = Mono(5).after(PATIENCE);
    assert_eq!((fetch.deadline(), fetch.expired(Mono(end.0 - 1))), (Some(end), None));
    assert_eq!(fetch.expired(end), Some(NoBundle::NoAnswer(NoAnswer::Away)));
    assert_eq!(fetch.ended(late, Ok(&there.answer(&frame)), end, &mut there), None, "too late");
    assert!(there.fetched(&mut fetch).is_ok());
}
