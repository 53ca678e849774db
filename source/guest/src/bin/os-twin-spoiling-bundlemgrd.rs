//! A bundlemgrd that gives bundles with another bit than was packed.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
struct Spoiling;

#[cfg(target_os = "none")]
impl guest::Lie for Spoiling {
    fn reply(world: &mut impl nexus_port::World, token: nexus_port::Token, frame: &[u8]) {
        let mut spoiled = [0; nexus_abi::FRAME_BYTES_MAX];
        let spoiled = spoiled.get_mut(..frame.len()).unwrap_or_default();
        spoiled.copy_from_slice(frame);
        // Only pieces of bundles are so long.
        spoiled.get_mut(1000).into_iter().for_each(|byte| *byte ^= 1);
        world.reply(token, spoiled);
    }
}

nexus_rt::service!(
    "bundlemgrd",
    |_start| guest::Twin {
        service: bundlemgrd::Bundlemgrd::new(
            &guest::bundles_recipe().bundlemgrd,
            guest::BOOT_BUNDLES
        ),
        lie: Spoiling,
    },
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
