//! Who may do what, decided by a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "policyd",
    |_start| policyd::Policyd::new(&guest::policy()),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
