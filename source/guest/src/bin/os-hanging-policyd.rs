//! A policyd that hangs in its first life.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "policyd",
    |_start| {
        let policyd = policyd::Policyd::new(&guest::policy());
        guest::Hanging::new(policyd, nexus_rt::os::calls::info().incarnation)
    },
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
