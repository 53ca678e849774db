//! A bundlemgrd that hangs in its first life.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
fn bundlemgrd() -> guest::Hanging<bundlemgrd::Bundlemgrd> {
    let limits = &guest::bundles_recipe().bundlemgrd;
    let service = bundlemgrd::Bundlemgrd::new(limits, guest::BOOT_BUNDLES);
    guest::Hanging::new(service, nexus_rt::os::calls::info().incarnation)
}

nexus_rt::service!(
    "bundlemgrd",
    |_start| bundlemgrd(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
