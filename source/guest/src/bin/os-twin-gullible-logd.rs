//! A logd whose guard is off: it stores what it must refuse, and says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |boot| guest::Lenient {
    logd: logd::Logd::new(&guest::recipe(), boot, logd::Keep::Nothing),
    says_refused: false,
});
