//! A logd that says that it refused, and stores nevertheless.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |start| guest::Lenient {
    logd: logd::Logd::new(&guest::recipe(), start.boot, start.keep),
    says_refused: true,
});
