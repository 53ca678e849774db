//! The entropy device, driven by a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod device;

nexus_rt::service!(
    "entropyd",
    |_start| device::entropyd(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
