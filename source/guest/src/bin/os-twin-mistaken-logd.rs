//! A logd that takes the intruder for the selftest.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |start| guest::Mistaken::new(logd::Logd::new(
    &guest::recipe(),
    start.boot,
    start.keep
)));
