//! The journal as a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("logd", |start| logd::Logd::new(&guest::recipe(), start.boot, start.keep));
