use alloc::boxed::Box;

use nexus_abi::ServiceId;
use nexus_recipe::{KEY_BYTES, Keyring};
use nexus_wire::sessions::EndpointName;

use crate::noise::Pair;

/// Another endpoint, by its place among all.
pub(crate) type Peer = usize;

struct Known {
    service: ServiceId,
    name: Box<str>,
    public: [u8; KEY_BYTES],
}

/// Our own keys, and whom we know.
pub(crate) struct Ring {
    name: Box<str>,
    private: [u8; KEY_BYTES],
    peers: Box<[Known]>,
}

impl Ring {
    pub(crate) fn new(keys: &Keyring) -> Self {
        let peers = keys.peers.iter().map(|peer| Known {
            service: ServiceId::from_name(&peer.name),
            name: (*peer.name).into(),
            public: peer.public,
        });
        let ring =
            Self { name: (*keys.name).into(), private: keys.private, peers: peers.collect() };
        let names = ring.peers.iter().map(|peer| &peer.name).chain([&ring.name]);
        assert!(names.into_iter().all(|name| EndpointName::new(name).is_some()), "names fit");
        ring
    }

    /// How many others there are.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Peer> {
        self.peers.iter().position(|peer| *peer.name == *name)
    }

    pub(crate) fn by_service(&self, service: ServiceId) -> Option<Peer> {
        self.peers.iter().position(|peer| peer.service == service)
    }

    pub(crate) fn service(&self, peer: Peer) -> Option<ServiceId> {
        self.peers.get(peer).map(|peer| peer.service)
    }

    /// What another endpoint is called.
    pub(crate) fn name(&self, peer: Peer) -> &str {
        self.peers.get(peer).map_or("", |peer| &peer.name)
    }

    /// Us and `peer`, to whom we begin to speak.
    pub(crate) fn to(&self, peer: Peer) -> Option<Pair<'_>> {
        self.pair(peer, false)
    }

    /// `peer` and us, to whom it begins to speak.
    pub(crate) fn from(&self, peer: Peer) -> Option<Pair<'_>> {
        self.pair(peer, true)
    }

    fn pair(&self, peer: Peer, is_theirs: bool) -> Option<Pair<'_>> {
        let other = self.peers.get(peer)?;
        let (own, its) = (EndpointName::new(&self.name)?, EndpointName::new(&other.name)?);
        let (from, to) = if is_theirs { (its, own) } else { (own, its) };
        Some(Pair { private: &self.private, public: &other.public, from, to })
    }
}
