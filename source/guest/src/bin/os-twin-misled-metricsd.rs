//! A metricsd that nothing but invalid traffic reaches.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
struct Spoiled;

#[cfg(target_os = "none")]
impl guest::Lie for Spoiled {
    fn request(frame: &mut [u8]) {
        frame.iter_mut().take(1).for_each(|magic| *magic = !*magic);
    }
}

nexus_rt::service!("metricsd", |start| guest::Twin {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    lie: Spoiled,
});
