//! The endpoint that the selftest's sessions lead to, which hangs in its first life.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::{Dsoftbusd, Says};
    use guest::Hanging;
    use nexus_recipe::{Keyring, PeerKey};

    pub(crate) fn endpoint() -> Hanging<Dsoftbusd> {
        let keys = include!(concat!(env!("OUT_DIR"), "/dsoftbusd-peer.rs"));
        let service = Dsoftbusd::new(&keys, Says::PEER);
        nexus_rt::os::reuse();
        Hanging::new(service, nexus_rt::os::calls::info().incarnation)
    }
}

nexus_rt::service!(
    "dsoftbusd-peer",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
