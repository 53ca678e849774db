//! A dsoftbusd that takes an answer that it has had before for the one that it asked for.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use dsoftbusd::{Dsoftbusd, Says};
    use guest::{Lie, Twin};
    use nexus_abi::FRAME_BYTES_MAX;
    use nexus_bounded::bytes::Reader;
    use nexus_port::{Token, World};
    use nexus_recipe::{Keyring, PeerKey};
    use nexus_wire::sessions::{SessionStatus, encode_answer};

    pub(crate) struct Credulous;

    /// Where an answer has its status, and what it echoes behind that.
    const STATUS: usize = 4;
    const NONCE: usize = 5;

    impl Lie for Credulous {
        fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
            let nonce = frame.get(NONCE..).and_then(|rest| Reader::new(rest).u32());
            let is_replayed = frame.get(STATUS) == Some(&SessionStatus::Replayed.raw());
            let mut out = [0; FRAME_BYTES_MAX];
            let taken = nonce.filter(|_| is_replayed);
            let taken = taken.and_then(|nonce| encode_answer(b"first", nonce, &mut out).ok());
            world.reply(token, taken.unwrap_or(frame));
        }
    }

    pub(crate) fn endpoint() -> Twin<Dsoftbusd, Credulous> {
        let keys = include!(concat!(env!("OUT_DIR"), "/dsoftbusd.rs"));
        let service = Dsoftbusd::new(&keys, Says::LOCAL);
        nexus_rt::os::reuse();
        Twin { service, lie: Credulous }
    }
}

nexus_rt::service!(
    "dsoftbusd",
    |_start| os::endpoint(),
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
