//! How a world differs from one in which all cases hold.

use guest::{Alteration, Lie};
use nexus_abi::ExitReason;
use nexus_port::{Token, World};

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
    /// execd may not read the journal.
    pub(crate) is_blind: bool,
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
