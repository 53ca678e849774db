//! entropyd's case in the simulated world; and worlds in which it must fail.

use entropyd::{Entropyd, Source};
use guest::{Lie, Twin};
use nexus_port::Token;
use nexus_wire::entropy::EntropyStatus;
use selftest_client::ENTROPY;

mod hosted;

use hosted::{Hosted, expected, fails};

/// Counts upwards.
struct Counts(u64);

impl Source for Counts {
    fn take(&mut self, into: &mut [u8]) -> bool {
        for bytes in into.chunks_mut(8) {
            self.0 += 1;
            bytes.iter_mut().zip(self.0.to_ne_bytes()).for_each(|(to, from)| *to = from);
        }
        true
    }
}

fn proven(lie: impl Lie + Copy + 'static) -> (bool, Vec<String>) {
    let make = move |_| Twin { service: Entropyd::new(Counts(1)), lie };
    Hosted::new(&["entropyd"], |world| world.spawn("entropyd", make), None).prove(ENTROPY)
}

#[derive(Clone, Copy)]
struct Honest;

impl Lie for Honest {}

#[test]
fn bytes_are_given_once_and_what_is_no_request_is_refused() {
    assert_eq!(proven(Honest), expected(ENTROPY));
}

/// Gives everybody the same.
#[derive(Clone, Copy)]
struct Repeating;

impl Lie for Repeating {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        told.iter_mut().skip(11).for_each(|byte| *byte = 7);
        world.reply(token, &told);
    }
}

/// Says of everything that is refused that it was malformed.
#[derive(Clone, Copy)]
struct Vague;

impl Lie for Vague {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        if told[4] == EntropyStatus::OverLimit.raw() {
            told[4] = EntropyStatus::InvalidArgs.raw();
        }
        world.reply(token, &told);
    }
}

/// Gives bytes with each refusal.
#[derive(Clone, Copy)]
struct Leaking;

impl Lie for Leaking {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let more = if frame[4] == 0 { &[][..] } else { &[1, 0, 7] };
        world.reply(token, &[frame, more].concat());
    }
}

#[test]
fn an_entropyd_that_repeats_itself_is_vague_or_gives_bytes_with_a_refusal_is_found() {
    fails(&ENTROPY[0], &proven(Repeating), "repeating");
    fails(&ENTROPY[0], &proven(Vague), "vague");
    fails(&ENTROPY[0], &proven(Leaking), "leaking");
}
