//! A statefsd that takes the intruder for the selftest.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("statefsd", |start| guest::Mistaken::new(guest::statefsd(start.boot)));
