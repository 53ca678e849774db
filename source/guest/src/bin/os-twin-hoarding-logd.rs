//! A logd that says that it refused, and stores nevertheless.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |boot| guest::Lenient {
    logd: logd::Logd::new(&guest::recipe(), boot, logd::Keep::Nothing),
    says_refused: true,
});
