//! A policyd that says of everything that it is allowed.
#![cfg_attr(target_os = "none", no_std, no_main)]

/// Where the decision stands in an answer.
#[cfg(target_os = "none")]
const DECISION: usize = 9;

#[cfg(target_os = "none")]
struct Lenient;

#[cfg(target_os = "none")]
impl guest::Lie for Lenient {
    fn reply(world: &mut impl nexus_port::World, token: nexus_port::Token, frame: &[u8]) {
        let mut answer = [0; nexus_abi::FRAME_BYTES_MAX];
        answer[..frame.len()].copy_from_slice(frame);
        answer[DECISION] = nexus_wire::policy::Decision::Allowed.raw();
        world.reply(token, &answer[..frame.len()]);
    }
}

nexus_rt::service!(
    "policyd",
    |_start| guest::Twin { service: policyd::Policyd::new(&guest::policy()), lie: Lenient },
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
