//! The endpoint that local programs ask for sessions, as a process of the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::{Dsoftbusd, Says};
    use nexus_recipe::{Keyring, PeerKey};

    pub(crate) fn endpoint() -> Dsoftbusd {
        let keys = include!(concat!(env!("OUT_DIR"), "/dsoftbusd.rs"));
        let endpoint = Dsoftbusd::new(&keys, Says::LOCAL);
        nexus_rt::os::reuse();
        endpoint
    }
}

nexus_rt::service!(
    "dsoftbusd",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
