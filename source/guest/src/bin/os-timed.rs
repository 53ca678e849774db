//! Timers as a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "timed",
    |_start| timed::Timed::new(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
