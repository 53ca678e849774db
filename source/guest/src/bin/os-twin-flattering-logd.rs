//! A logd that says of everything that it was stored.
#![cfg_attr(target_os = "none", no_std, no_main)]

/// Where the status stands in an answer.
#[cfg(target_os = "none")]
const STATUS: usize = 4;

#[cfg(target_os = "none")]
struct Ok;

#[cfg(target_os = "none")]
impl guest::Lie for Ok {
    fn reply(world: &mut impl nexus_port::World, token: nexus_port::Token, frame: &[u8]) {
        let mut answer = [0; nexus_abi::FRAME_BYTES_MAX];
        answer[..frame.len()].copy_from_slice(frame);
        answer[STATUS] = 0;
        world.reply(token, &answer[..frame.len()]);
    }
}

nexus_rt::service!("logd", |start| guest::Twin {
    service: logd::Logd::new(&guest::recipe(), start.boot, start.keep),
    lie: Ok
});
