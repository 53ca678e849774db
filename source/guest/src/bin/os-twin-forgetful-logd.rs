//! A logd that drops silently.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |start| guest::Forgetful::new(&guest::recipe(), start.boot));
