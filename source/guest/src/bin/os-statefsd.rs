//! The owner of the state disk as a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("statefsd", |start| guest::statefsd(start.boot));
