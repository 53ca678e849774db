//! A metricsd that proves itself ready, and whose export then reaches nobody.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Cut::new(metricsd::Metricsd::new(
    &guest::recipe(),
    start.boot,
    start.keep
)));
