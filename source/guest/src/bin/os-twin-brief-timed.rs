//! A timed that lives but once: its next life never serves.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
fn timed() -> timed::Timed {
    while nexus_rt::os::calls::info().incarnation.raw() > 1 {
        let _nothing = nexus_rt::os::calls::wait(nexus_abi::kernel::NEVER);
    }
    timed::Timed::new()
}

nexus_rt::service!("timed", |_start| timed(), nexus_rt::os::Telemetry::paced(guest::PACE));
