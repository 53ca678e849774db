//! The endpoint that it opens them with.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::Dsoftbusd;
    use nexus_recipe::{Keyring, PeerKey};
    use nexus_wire::markers;

    pub(crate) fn endpoint() -> Dsoftbusd {
        let keys = include!(concat!(env!("OUT_DIR"), "/dsoftbusd-peer.rs"));
        let endpoint = Dsoftbusd::new(&keys, markers::DSOFTBUSD_PEER_READY);
        nexus_rt::os::reuse();
        endpoint
    }
}

nexus_rt::service!(
    "dsoftbusd-peer",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
