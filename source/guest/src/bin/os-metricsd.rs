//! Metrics and spans as a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |boot| metricsd::Metricsd::new(
    &guest::recipe(),
    boot,
    metricsd::Keep::Nothing
));
