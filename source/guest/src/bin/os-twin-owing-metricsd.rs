//! A metricsd in whose ledger one item more has come than anything became of.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use nexus_wire::metrics::{Op, REPLY_HEAD_BYTES};

/// Where an answer says what was asked.
#[cfg(target_os = "none")]
const OP: usize = 3;
/// Where the first row says how much has come: behind the cursor, how many there are, and whose it
/// is.
#[cfg(target_os = "none")]
const OFFERED: usize = REPLY_HEAD_BYTES + 4 + 1 + 8;

#[cfg(target_os = "none")]
struct Owing;

#[cfg(target_os = "none")]
impl guest::Lie for Owing {
    fn reply(world: &mut impl nexus_port::World, token: nexus_port::Token, frame: &[u8]) {
        let mut answer = [0; nexus_abi::FRAME_BYTES_MAX];
        answer[..frame.len()].copy_from_slice(frame);
        if answer[OP] & 0x7f == Op::Audit.raw() {
            answer[OFFERED] ^= 1;
        }
        world.reply(token, &answer[..frame.len()]);
    }
}

nexus_rt::service!("metricsd", |start| guest::Twin {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    lie: Owing
});
