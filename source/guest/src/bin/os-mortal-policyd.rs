//! A policyd that ends where a test says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "policyd",
    |_start| guest::Mortal {
        service: policyd::Policyd::new(&guest::policy()),
        end: || nexus_rt::os::calls::exit(7),
    },
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
