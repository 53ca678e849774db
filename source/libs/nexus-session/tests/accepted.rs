//! Sessions that other endpoints open, beside a list that says what there should be.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[expect(dead_code, reason = "other tests use the rest")]
mod net;

use net::{NAMES, Net, echoes, private, stamp};
use nexus_bounded::{Mono, Nanos};
use nexus_session::{
    ACCEPTED_MAX, ACCEPTED_PER_PEER, IDLE_ACCEPTED, Opening, Pair, Served, public_key,
};
use nexus_wire::sessions::line::{HELLO_BYTES, Reply, Request, SUITE};
use nexus_wire::sessions::{EndpointName, SessionStatus};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// An endpoint that has forgotten all sessions begins another.
    Hello {
        peer: usize,
    },
    /// One that was said before comes once more.
    Repeat {
        which: usize,
    },
    /// It comes with one bit changed, or with another suite, or from somebody else.
    Spoilt {
        peer: usize,
    },
    Downgraded {
        peer: usize,
    },
    Stranger {
        peer: usize,
    },
    /// The life of an endpoint ends.
    Forget {
        peer: usize,
    },
    Pass(Nanos),
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 1..NAMES.len();
    let pass = prop_oneof![1..IDLE_ACCEPTED.0 / 4, Just(IDLE_ACCEPTED.0)];
    prop_oneof![
        12 => peer().prop_map(|peer| Step::Hello { peer }),
        2 => (0..40usize).prop_map(|which| Step::Repeat { which }),
        1 => peer().prop_map(|peer| Step::Spoilt { peer }),
        1 => peer().prop_map(|peer| Step::Downgraded { peer }),
        1 => peer().prop_map(|peer| Step::Stranger { peer }),
        1 => peer().prop_map(|peer| Step::Forget { peer }),
        2 => pass.prop_map(|pass| Step::Pass(Nanos(pass))),
    ]
}

type Hello = [u8; HELLO_BYTES];

/// What there should be: whose sessions, and until when they live.
struct Model {
    net: Net,
    live: Vec<(usize, Mono)>,
    said: Vec<(usize, Hello)>,
}

impl Model {
    fn hello(&mut self, peer: usize) -> Hello {
        self.net.now = self.net.now.after(Nanos(1));
        let (private, public) = (private(NAMES[peer]), public_key(&private(NAMES[0])));
        let (from, to) = (EndpointName::new(NAMES[peer]), EndpointName::new(NAMES[0]));
        let (from, to) = (from.unwrap(), to.unwrap());
        let pair = Pair { private: &private, public: &public, from, to };
        let (_, hello) = Opening::begin(pair, &self.net.seed(), self.net.now).ok().unwrap();
        hello
    }

    /// What comes of a hello; the ear hears the key of whatever is answered.
    fn heard(&mut self, from: &str, suite: u8, hello: &Hello) -> Result<(), SessionStatus> {
        let request = Request::Handshake { suite, hello };
        let us = self.net.ends.get_mut(NAMES[0]).unwrap();
        let served = us.serve(stamp(from, 1), request, echoes, self.net.now);
        let heard = served.map(|Served { reply, accepted }| {
            assert_eq!(accepted, Some(from));
            let Reply::Welcome { suite: SUITE, welcome } = reply else { panic!("{reply:?}") };
            self.net.ear.key(&welcome[..]);
        });
        self.net.run();
        heard
    }

    fn has_room(&self, peer: usize) -> bool {
        let of_peer = self.live.iter().filter(|(of, _)| *of == peer).count();
        self.live.len() < ACCEPTED_MAX && of_peer < ACCEPTED_PER_PEER
    }

    /// What should come of a hello that has `fault`: who has too many hears only that.
    fn refuses(&self, peer: usize, fault: SessionStatus) -> Result<(), SessionStatus> {
        Err(if self.has_room(peer) { fault } else { SessionStatus::OverLimit })
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Hello { peer } => {
                let (hello, fits) = (self.hello(peer), self.has_room(peer));
                let heard = self.heard(NAMES[peer], SUITE, &hello);
                assert_eq!(heard, if fits { Ok(()) } else { Err(SessionStatus::OverLimit) });
                if fits {
                    self.live.push((peer, self.net.now.after(IDLE_ACCEPTED)));
                    self.said.push((peer, hello));
                }
            }
            Step::Repeat { which } => {
                let Some((peer, hello)) = self.said.get(which).copied() else { return };
                let heard = self.heard(NAMES[peer], SUITE, &hello);
                assert_eq!(heard, self.refuses(peer, SessionStatus::Replayed));
            }
            Step::Spoilt { peer } => {
                let mut hello = self.hello(peer);
                hello[HELLO_BYTES - 1] ^= 1;
                let heard = self.heard(NAMES[peer], SUITE, &hello);
                assert_eq!(heard, self.refuses(peer, SessionStatus::NotAuthentic));
            }
            Step::Downgraded { peer } => {
                let hello = self.hello(peer);
                let heard = self.heard(NAMES[peer], SUITE + 1, &hello);
                assert_eq!(heard, Err(SessionStatus::Downgraded));
            }
            Step::Stranger { peer } => {
                let hello = self.hello(peer);
                let heard = self.heard("nobody", SUITE, &hello);
                assert_eq!(heard, Err(SessionStatus::Denied));
            }
            Step::Forget { peer } => {
                let from = stamp(NAMES[peer], 1);
                self.net.us().forget((from.id, from.incarnation));
                self.live.retain(|(of, _)| *of != peer);
            }
            Step::Pass(pass) => {
                self.net.now = self.net.now.after(pass);
                self.net.run();
            }
        }
        let now = self.net.now;
        self.live.retain(|(_, until)| *until > now);
        assert_eq!(self.net.us().accepted(), self.live.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sessions_of_others_are_bounded_and_each_hello_serves_once(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut model = Model { net: Net::new(), live: vec![], said: vec![] };
        steps.into_iter().for_each(|step| model.step(step));
    }
}
