//! An entropyd that hangs in its first life.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod device;

nexus_rt::service!(
    "entropyd",
    |_start| guest::Hanging::new(device::entropyd(), nexus_rt::os::calls::info().incarnation),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
