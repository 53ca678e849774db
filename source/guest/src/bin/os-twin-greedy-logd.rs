//! A logd that takes memory while it serves.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
struct Greed;

#[cfg(target_os = "none")]
impl guest::Lie for Greed {
    fn reply(world: &mut impl nexus_port::World, token: nexus_port::Token, frame: &[u8]) {
        world.reply(token, &alloc::vec::Vec::from(frame));
    }
}

nexus_rt::service!("logd", |start| guest::Twin {
    service: logd::Logd::new(&guest::recipe(), start.boot, start.keep),
    lie: Greed,
});
