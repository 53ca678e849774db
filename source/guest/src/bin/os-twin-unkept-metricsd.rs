//! A metricsd that keeps nothing, although there is a disk for it.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| metricsd::Metricsd::new(
    &guest::recipe(),
    start.boot,
    metricsd::Keep::Nothing
));
