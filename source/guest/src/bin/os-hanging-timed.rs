//! A timed that hangs in its first life.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "timed",
    |_start| guest::Hanging::new(timed::Timed::new(), nexus_rt::os::calls::info().incarnation),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
