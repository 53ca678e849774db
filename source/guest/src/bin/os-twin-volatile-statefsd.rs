//! A statefsd whose syncs are not durable.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("statefsd", |start| guest::Volatile::new(guest::statefsd(start.boot)));
