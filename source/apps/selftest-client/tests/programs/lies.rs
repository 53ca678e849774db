//! How a world differs from one in which all cases hold.

use guest::{Alteration, Lie};
use nexus_abi::ExitReason;
use nexus_port::{Token, World};
use nexus_recipe::StateRecipe;
use nexus_wire::bundles::Op;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lies {
    /// A field of the export is altered.
    pub(crate) altered: Option<Alteration>,
    /// Bytes of bundles are not those that were packed.
    pub(crate) spoils_bundles: bool,
    /// How `demo-crash` ends, if not as it must.
    pub(crate) falls: Option<ExitReason>,
    /// `demo-wait` never has its turn.
    pub(crate) starves: bool,
    /// Whatever says that it is the program of an entry is taken for it.
    pub(crate) is_credulous: bool,
    /// execd may not read the journal.
    pub(crate) is_blind: bool,
    /// This service takes the intruder for the selftest.
    pub(crate) mistaken: Option<&'static str>,
    /// The intruder may read what is logged and told.
    pub(crate) may_read: bool,
    /// What statefsd goes by is changed so.
    pub(crate) state: Option<fn(&mut StateRecipe)>,
    /// The policy lets it start what it tries to.
    pub(crate) may_start: bool,
    /// bundlemgrd takes the end of an upload that was given up for one that was whole.
    pub(crate) confuses_uploads: bool,
    /// entropyd gives everybody the same.
    pub(crate) repeats: bool,
    /// Nothing of what this service logs reaches logd.
    pub(crate) mute: Option<&'static str>,
}

/// The last byte of every long answer is another.
pub(crate) struct Spoiled;

impl Lie for Spoiled {
    fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
        let mut spoiled = frame.to_vec();
        if let Some(last) = spoiled.last_mut().filter(|_| frame.len() > 1000) {
            *last ^= 1;
        }
        world.reply(token, &spoiled);
    }
}

/// What is given is always the same.
pub(crate) struct Repeating;

impl Lie for Repeating {
    fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        told.iter_mut().skip(11).for_each(|byte| *byte = 7);
        world.reply(token, &told);
    }
}

/// What is given up is taken for what is whole: who brings nothing is answered the same.
pub(crate) struct Confused;

impl Lie for Confused {
    fn request(frame: &mut [u8]) {
        const OP: usize = 3;
        if let Some(op) = frame.get_mut(OP).filter(|op| **op == Op::GiveUp.raw()) {
            *op = Op::Commit.raw();
        }
    }
}
