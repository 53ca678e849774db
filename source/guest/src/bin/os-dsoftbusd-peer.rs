//! The endpoints that the selftest's sessions lead to: one that is as it should be, one at the end
//! of a rough line, and one in the place of somebody whose key it has not. Which one, its entry
//! says.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::{Dsoftbusd, Says};
    use guest::Rough;
    use nexus_abi::ServiceId;
    use nexus_recipe::{Keyring, PeerKey};
    use nexus_rt::os::calls;

    const PEER: &str = "dsoftbusd-peer";
    const STRANGER: &str = "dsoftbusd-stranger";

    pub(crate) fn endpoint() -> Rough {
        let is = |name| calls::info().service == ServiceId::from_name(name);
        let mut keys: Keyring = if is(PEER) {
            include!(concat!(env!("OUT_DIR"), "/dsoftbusd-peer.rs"))
        } else {
            include!(concat!(env!("OUT_DIR"), "/dsoftbusd-rough.rs"))
        };
        if is(STRANGER) {
            keys.name = STRANGER.into();
        }
        let endpoint = Dsoftbusd::new(&keys, Says::PEER);
        let endpoint = Rough::new(endpoint, !is(PEER));
        nexus_rt::os::reuse();
        endpoint
    }
}

nexus_rt::service!(
    "dsoftbusd-peer",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
