//! A logd that ends where a test says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |boot| guest::Mortal {
    service: logd::Logd::new(&guest::recipe(), boot, logd::Keep::Nothing),
    end: || nexus_rt::os::calls::exit(7),
});
