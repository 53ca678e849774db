//! An endpoint at the end of a rough line; also in the place of one whose key it has not.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::Dsoftbusd;
    use guest::Rough;
    use nexus_abi::ServiceId;
    use nexus_recipe::{Keyring, PeerKey};
    use nexus_rt::os::calls;

    /// Whose place it may take.
    const STRANGER: &str = "dsoftbusd-stranger";

    pub(crate) fn endpoint() -> Rough {
        let mut keys: Keyring = include!(concat!(env!("OUT_DIR"), "/dsoftbusd-rough.rs"));
        if calls::info().service == ServiceId::from_name(STRANGER) {
            keys.name = STRANGER.into();
        }
        let endpoint = Rough::new(Dsoftbusd::new(&keys, "on a rough line"));
        nexus_rt::os::reuse();
        endpoint
    }
}

nexus_rt::service!(
    "dsoftbusd-rough",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
