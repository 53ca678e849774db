//! The bundles of the boot and of the disk, kept by a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!(
    "bundlemgrd",
    |_start| bundlemgrd::Bundlemgrd::new(&guest::bundles_recipe().bundlemgrd, guest::BOOT_BUNDLES),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
