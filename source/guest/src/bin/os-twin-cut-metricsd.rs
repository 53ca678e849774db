//! A metricsd that proves itself ready, and whose export then reaches nobody.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |boot| guest::Cut::new(metricsd::Metricsd::new(
    &guest::recipe(),
    boot,
    metricsd::Keep::Nothing
)));
