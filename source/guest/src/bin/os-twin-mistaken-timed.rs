//! A timed that takes the intruder for the selftest.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "timed",
    |_start| guest::Mistaken::new(timed::Timed::new()),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
